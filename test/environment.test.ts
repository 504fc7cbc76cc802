/** The forms and defaults of the environment. `settings.test.ts` has what the log says about a wrong one. */

import { expect, it } from 'vitest'
import { environment, limiters } from '../src/environment.ts'
import { env } from './isolate.ts'
import { someEncryptionKey } from './support.ts'

const REQUIRED = {
  DB: env.DB,
  RATE_LIMITER: env.RATE_LIMITER,
  API_KEY_ENCRYPTION_KEY: someEncryptionKey(),
}

it('requires the database, a limiter and an encryption key alone', () => {
  expect(environment.safeParse(REQUIRED).success).toBe(true)
  for (const name of Object.keys(REQUIRED)) {
    const { issues = [] } = environment.safeParse({ ...REQUIRED, [name]: undefined }).error ?? {}
    expect(issues.map(({ path: [first] }) => first)).toEqual([name])
  }
})

it('a limiter that is missing is null, but for the required one', () => {
  const read: Record<string, unknown> = environment.parse(REQUIRED)
  const missing = Object.keys(limiters).filter((name) => read[name] === null)
  expect(['RATE_LIMITER', ...missing]).toEqual(Object.keys(limiters))
})
