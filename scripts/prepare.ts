/** `npm run prepare`: makes the package for callers in `build/`. */

import { makeCommand, runCommand } from './lib/command.ts'

const command = makeCommand(
  'prepare',
  'Builds the package for callers into build/. npm runs it itself at npm ci. Then npm pack ./build packs it.',
).action(async () => {
  // It reads files of the checkout as soon as it is loaded.
  await import('./build/package.ts')
})

await runCommand(command)
