/** `npm run pictures`: takes the pictures in `docs/`. */

import { makeCommand, runCommand } from './lib/command.ts'

const command = makeCommand(
  'pictures',
  'Takes the pictures of the page in docs/, with a browser.',
).action(async () => {
  // It reads files of the checkout as soon as it is loaded.
  await import('./build/pictures.ts')
})

await runCommand(command)
