/** `npm run openapi`: the OpenAPI document of the HTTP API. `-- write` makes `openapi.json` anew. */

import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { runCommand } from './lib/command.ts'
import { OPENAPI_FILE, renderOpenApi } from './lib/openapi.ts'

const USAGE = `Usage: npm run -s openapi         prints the document
       npm run openapi -- write  writes it to ${OPENAPI_FILE}`

await runCommand(USAGE, async () => {
  const { positionals } = parseArgs({ allowPositionals: true })
  const [command, ...rest] = positionals
  if (rest.length > 0 || (command !== undefined && command !== 'write')) return 2
  if (command === undefined) {
    process.stdout.write(renderOpenApi())
    return 0
  }
  writeFileSync(OPENAPI_FILE, renderOpenApi())
  console.log(`Wrote ${OPENAPI_FILE}`)
  return 0
})
