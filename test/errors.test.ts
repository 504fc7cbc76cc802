import { expect, it } from 'vitest'
import { VaultError } from '../src/errors.ts'
import { FAULTS } from '../src/shared/error-code.ts'

it('says what is wrong, or else its code', () => {
  const refusal = new VaultError('api_key_invalid', { detail: 'api_key is empty.' })
  expect(refusal).toMatchObject({ name: 'VaultError', message: 'api_key is empty.' })
  expect(new VaultError('no_api_key')).toMatchObject({ message: 'no_api_key', detail: undefined })
})

it('says when to try again if its code passes', () => {
  expect(new VaultError('rate_limited', { retryAfter: 5 })).toMatchObject({ retryAfter: 5 })
  // @ts-expect-error: nobody can say when.
  expect(new VaultError('no_api_key', { retryAfter: 5 }).code).toBe('no_api_key')
  // @ts-expect-error: the client has to know when.
  expect(new VaultError('rate_limited', {}).retryAfter).toBeUndefined()
})

it.for<[name: string, error: VaultError, isFault: boolean]>([
  ['an unknown error', new VaultError('internal'), true],
  ['a fault that passes', new VaultError('database_busy', { retryAfter: 1 }), true],
  ['a refusal', new VaultError('no_api_key'), false],
  ['a refusal that passes', new VaultError('rate_limited', { retryAfter: 1 }), false],
  ['an unreadable key', new VaultError('api_key_unreadable'), false],
])('knows whether the service is at fault for %s', ([, { code, isFault }, expected]) => {
  expect([isFault, code in FAULTS]).toEqual([expected, expected])
})

it('captures no stack for a refusal, unlike for a fault', () => {
  const { stackTraceLimit } = Error
  expect(new VaultError('token_invalid').stack).not.toContain('\n    at ')
  expect(new VaultError('internal').stack).toContain('\n    at ')
  expect(Error.stackTraceLimit).toBe(stackTraceLimit)
})

it.for<[name: string, error: unknown]>([
  ['an error', new TypeError('other')],
  ['a text', 'other'],
  ['undefined', undefined],
])('turns %s into an internal fault, and keeps it as the cause', ([, error]) => {
  const fault = VaultError.from(error)
  expect([fault.code, fault.isFault, fault.cause]).toEqual(['internal', true, error])
})

it('leaves a VaultError as it is', () => {
  const refusal = new VaultError('no_api_key')
  expect(VaultError.from(refusal)).toBe(refusal)
})
