import { expect, it } from 'vitest'
import { VaultError } from '../src/errors.ts'
import { errorCode, faultCode } from '../src/shared/error-code.ts'

it('says what is wrong, or else its code', () => {
  const refusal = new VaultError('api_key_invalid', { detail: 'api_key is empty.', retryAfter: 5 })
  expect(refusal).toMatchObject({ name: 'VaultError', message: 'api_key is empty.', retryAfter: 5 })
  expect(new VaultError('no_api_key')).toMatchObject({ message: 'no_api_key', detail: undefined })
})

it('takes the codes of faults alone as faults of the service', () => {
  const faults = errorCode.options.filter((code) => new VaultError(code).isFault)
  expect(faults.toSorted()).toEqual(faultCode.options.toSorted())
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
