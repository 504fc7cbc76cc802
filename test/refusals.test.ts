/** Rules for the statuses, the sentences and the challenges of the error codes. `docs/api.md` lists the statuses. */

import { expect, it } from 'vitest'
import { ANSWERS } from '../src/refusals.ts'
import { errorCode, faultCode } from '../src/shared/error-code.ts'

const CODES = errorCode.options

it('challenges the client to send a token with each 401, and a scope with scope_missing', () => {
  const challenged = CODES.filter((code) => ANSWERS[code].challenge !== undefined)
  const unauthorized = CODES.filter((code) => ANSWERS[code].status === 401)
  expect(unauthorized).toEqual(['token_missing', 'token_invalid', 'token_expired'])
  expect(challenged.toSorted()).toEqual([...unauthorized, 'scope_missing'].toSorted())
  // RFC 6750 §3.1: a request without a token gets no error code.
  expect(ANSWERS.token_missing.challenge).toBe('Bearer')
  expect(ANSWERS.token_expired.challenge).toBe('Bearer error="invalid_token"')
  expect(ANSWERS.scope_missing.challenge).toBe('Bearer error="insufficient_scope"')
})

it('answers every fault with a 500 or a 503', () => {
  const statuses = faultCode.options.map((code) => ANSWERS[code].status)
  expect(statuses.filter((status) => status !== 500 && status !== 503)).toEqual([])
})

it('answers every code with one sentence, without a full stop', () => {
  const others = CODES.filter((code) => !/^[A-Z][\w' ]+$/.test(ANSWERS[code].error))
  expect(others).toEqual([])
})

it('keeps the reason of a fault out of its sentence', () => {
  const sentences = ['internal', 'server_misconfigured'] as const
  expect(new Set(sentences.map((code) => ANSWERS[code].error)).size).toBe(1)
})
