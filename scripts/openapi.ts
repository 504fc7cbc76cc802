/** `npm run openapi`: the OpenAPI document of the HTTP API. `-- write` makes `openapi.json` anew. */

import { writeFileSync } from 'node:fs'
import { makeCommand, runCommand } from './lib/command.ts'
import { OPENAPI_FILE, renderOpenApi } from './lib/openapi.ts'

const command = makeCommand(
  'openapi',
  'Prints the OpenAPI document of the HTTP API (npm run -s).',
).action(() => {
  process.stdout.write(renderOpenApi())
})

command
  .command('write')
  .description(`writes it to ${OPENAPI_FILE}`)
  .action(() => {
    writeFileSync(OPENAPI_FILE, renderOpenApi())
    console.log(`Wrote ${OPENAPI_FILE}`)
  })

await runCommand(command)
