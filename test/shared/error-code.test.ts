/** Rules for the statuses, the sentences and the challenges of the error codes. `docs/api.md` lists the statuses. */

import { expect, it } from 'vitest'
import { errorCode } from '../../src/shared/answers.ts'
import { CODES, FAULTS } from '../../src/shared/error-code.ts'

const ALL = errorCode.options

it('challenges the client to send a token with each 401, and a scope with scope_missing', () => {
  const challenged = ALL.filter((code) => CODES[code].challenge !== undefined)
  const unauthorized = ALL.filter((code) => CODES[code].status === 401)
  expect(unauthorized).toEqual(['token_missing', 'token_invalid', 'token_expired'])
  expect(challenged.toSorted()).toEqual([...unauthorized, 'scope_missing'].toSorted())
  // RFC 6750 §3.1: a request without a token gets no error code.
  expect(CODES.token_missing.challenge).toBe('Bearer')
  expect(CODES.token_expired.challenge).toBe('Bearer error="invalid_token"')
  expect(CODES.scope_missing.challenge).toBe('Bearer error="insufficient_scope"')
})

it('answers every fault with a 500 or a 503', () => {
  const statuses = Object.values(FAULTS).map(({ status }) => status)
  expect(statuses.filter((status) => status !== 500 && status !== 503)).toEqual([])
})

it('answers every code with one sentence, without a full stop', () => {
  const others = ALL.filter((code) => !/^[A-Z][\w' ]+$/.test(CODES[code].error))
  expect(others).toEqual([])
})

it('keeps the reason of a fault out of its sentence', () => {
  const sentences = ['internal', 'server_misconfigured'] as const
  expect(new Set(sentences.map((code) => CODES[code].error)).size).toBe(1)
})
