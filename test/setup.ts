/** Before each file the vault is empty. After each test, every line of the log is in its schema. */

import * as fc from 'fast-check'
import { afterEach, inject } from 'vitest'
import { emptyVault } from './isolate.ts'
import { takeFaults } from './log-lines.ts'
import { watchConsole } from './watch-console.ts'

fc.configureGlobal({ seed: inject('fuzz').seed })
watchConsole()
await emptyVault()

afterEach(() => {
  const faults = takeFaults()
  if (faults.length > 0) throw new Error(`Not in src/log-lines.ts: ${faults.join(', ')}`)
})
