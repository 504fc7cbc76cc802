/** `npm run bench`: what the rewrap job does in a second, and what a call through the vault costs. */

import { benchCalls } from './bench/calls.ts'
import { benchRewrap } from './bench/rewrap.ts'
import { runCommand } from './lib/command.ts'

await runCommand('Usage: npm run bench [-- rewrap | calls]', async () => {
  const [name, ...rest] = process.argv.slice(2)
  if (rest.length > 0 || !['rewrap', 'calls', undefined].includes(name)) return 2
  if (name !== 'rewrap') await benchCalls()
  if (name !== 'calls') await benchRewrap()
  return 0
})
