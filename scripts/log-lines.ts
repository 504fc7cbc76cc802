/** `npm run log-lines`: the JSON Schema of the log lines. `-- write` makes the file in `docs/` anew. */

import { writeFileSync } from 'node:fs'
import { makeCommand, runCommand } from './lib/command.ts'
import { LOG_SCHEMA_FILE, renderLogSchema } from './lib/log-schema.ts'

const command = makeCommand(
  'log-lines',
  'Prints the JSON Schema of the log lines (npm run -s).',
).action(() => {
  process.stdout.write(renderLogSchema())
})

command
  .command('write')
  .description(`writes it to ${LOG_SCHEMA_FILE}`)
  .action(() => {
    writeFileSync(LOG_SCHEMA_FILE, renderLogSchema())
    console.log(`Wrote ${LOG_SCHEMA_FILE}`)
  })

await runCommand(command)
