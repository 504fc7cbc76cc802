/** `npm run docs`: whether the pages of docs/ that are made from the code are as it makes them. `-- write` makes them anew. */

import { readFileSync, writeFileSync } from 'node:fs'
import { exitWith, makeCommand, runCommand } from './lib/command.ts'

const ERRORS = 'docs/errors.md'
const ROUTES = 'docs/routes.md'
const PROVIDERS = 'docs/provider-answers.md'

/** Makes the pages. What they need is loaded in the folder of the checkout. */
async function makePages(): Promise<[path: string, text: string][]> {
  const { renderErrors } = await import('./docs/errors-page.ts')
  const { renderProviderAnswers } = await import('./docs/provider-answers-page.ts')
  const { renderRoutes } = await import('./docs/routes-page.ts')
  return [
    [ERRORS, renderErrors()],
    [PROVIDERS, renderProviderAnswers()],
    [ROUTES, await renderRoutes()],
  ]
}

const command = makeCommand(
  'docs',
  `Says whether ${ERRORS}, ${ROUTES} and ${PROVIDERS} are as the code makes them.`,
).action(
  exitWith(async () => {
    let code = 0
    for (const [path, text] of await makePages()) {
      const isStale = readFileSync(path, 'utf8') !== text
      console.log(`${path} is ${isStale ? 'stale: npm run docs -- write' : 'up to date'}`)
      if (isStale) code = 1
    }
    return code
  }),
)

command
  .command('write')
  .description('makes the pages anew')
  .action(async () => {
    for (const [path, text] of await makePages()) {
      writeFileSync(path, text)
      console.log(`Wrote ${path}`)
    }
  })

await runCommand(command)
