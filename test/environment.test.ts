/** The forms and defaults of the environment. `settings.test.ts` has what the log says about a wrong one. */

import { expect, it } from 'vitest'
import { environment, limiters } from '../src/environment.ts'
import { readVariables } from '../src/shared/variable.ts'
import { env } from './isolate.ts'
import { someEncryptionKey } from './support.ts'

const REQUIRED = {
  DB: env.DB,
  RATE_LIMITER: env.RATE_LIMITER,
  API_KEY_ENCRYPTION_KEY: someEncryptionKey(),
}

/** What the variables hold, and the names of the wrong ones. */
function read(given: Readonly<Record<string, unknown>>) {
  const wrong: string[] = []
  return { values: readVariables(environment, given, (name) => wrong.push(name)), wrong }
}

it('requires the database, a limiter and an encryption key alone', () => {
  expect(read(REQUIRED)).toEqual({ values: expect.anything(), wrong: [] })
  for (const name of Object.keys(REQUIRED)) {
    expect(read({ ...REQUIRED, [name]: undefined })).toEqual({ values: null, wrong: [name] })
  }
})

it('a limiter that is missing is null, but for the required one', () => {
  const values: Record<string, unknown> = { ...read(REQUIRED).values }
  const missing = Object.keys(limiters).filter((name) => values[name] === null)
  expect(['RATE_LIMITER', ...missing]).toEqual(Object.keys(limiters))
})
