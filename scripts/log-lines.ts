/** `npm run log-lines`: the JSON Schema of the log lines. `-- write` makes the files of the log and its alerts anew. */

import { writeFileSync } from 'node:fs'
import { renderAlertFiles } from './lib/alerts.ts'
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
  .description(`writes it to ${LOG_SCHEMA_FILE}, and the files of the alerts`)
  .action(() => {
    for (const [path, text] of [
      [LOG_SCHEMA_FILE, renderLogSchema()],
      ...renderAlertFiles(),
    ] as const) {
      writeFileSync(path, text)
      console.log(`Wrote ${path}`)
    }
  })

await runCommand(command)
