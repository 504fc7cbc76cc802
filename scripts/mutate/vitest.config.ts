/** The tests that Stryker runs: those of one room, in workerd. `MUTATE_TESTS` names them. */

import { defineConfig } from 'vitest/config'
import { worker } from '../../vitest.config.ts'

const include = (process.env['MUTATE_TESTS'] ?? '').split(' ')

export default defineConfig({
  test: { silent: true, projects: [{ ...worker, test: { ...worker.test, include } }] },
})
