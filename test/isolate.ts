/** The Worker's environment in the tests, which each test file has to itself. */

import { applyD1Migrations, reset } from 'cloudflare:test'
import { env as bindings } from 'cloudflare:workers'
import { inject } from 'vitest'

/** The bindings. The Worker keeps what it remembers by this object, so another one is another isolate. */
export let env = { ...bindings }

/** Empties D1 and the second store, and begins another isolate. */
export async function emptyVault(): Promise<void> {
  await reset()
  await applyD1Migrations(bindings.DB, inject('migrations'))
  env = { ...bindings }
}
