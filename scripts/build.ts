/** `npm run build`: makes the static assets in `dist/`. */

import { makeCommand, runCommand } from './lib/command.ts'

const command = makeCommand(
  'build',
  'Builds the element, the page and the reference page into dist/. npm run dev and npm run deploy run it themselves.',
).action(async () => {
  // It reads files of the checkout as soon as it is loaded.
  await import('./build/pages.ts')
})

await runCommand(command)
