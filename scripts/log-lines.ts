/** `npm run log-lines`: the JSON Schema of the log lines. `-- write` makes the file in `docs/` anew. */

import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { runCommand } from './lib/command.ts'
import { LOG_SCHEMA_FILE, renderLogSchema } from './lib/log-schema.ts'

const USAGE = `Usage: npm run -s log-lines         prints the schema
       npm run log-lines -- write  writes it to ${LOG_SCHEMA_FILE}`

await runCommand(USAGE, async () => {
  const { positionals } = parseArgs({ allowPositionals: true })
  const [command, ...rest] = positionals
  if (rest.length > 0 || (command !== undefined && command !== 'write')) return 2
  if (command === undefined) {
    process.stdout.write(renderLogSchema())
    return 0
  }
  writeFileSync(LOG_SCHEMA_FILE, renderLogSchema())
  console.log(`Wrote ${LOG_SCHEMA_FILE}`)
  return 0
})
