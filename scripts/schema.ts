/** `npm run schema`: brings the database up to this version. `write` writes `schema.sql`. */

import { writeFileSync } from 'node:fs'
import { exitWith, JSON_OUTPUT, makeCommand, REMOTE, runCommand } from './lib/command.ts'
import { listPending, renderSchema } from './lib/migrations.ts'
import { CONFIG, runOnTerminal, runWrangler } from './lib/wrangler.ts'

const schema = makeCommand('schema', 'Applies the migrations that the database lacks.')
  .addOption(REMOTE)
  .action(
    exitWith(({ remote }) => {
      const which = remote ? 'deployed' : 'local'
      console.error(`Applies the migrations that the ${which} database of ${CONFIG} lacks.`)
      return runOnTerminal('d1', 'migrations', 'apply', 'DB', remote ? '--remote' : '--local')
    }),
  )

schema
  .command('status')
  .description('lists the migrations that the database lacks. Exit code 1: there are some')
  .addOption(REMOTE)
  .addOption(JSON_OUTPUT)
  .action(
    exitWith(async ({ remote, json }) => {
      const flag = remote ? '--remote' : '--local'
      const pending = listPending(await runWrangler('d1', 'migrations', 'list', 'DB', flag))
      const words = pending.length > 0 ? pending.join('\n') : 'The database has every migration.'
      console.log(json ? JSON.stringify({ pending }, null, 2) : words)
      return pending.length > 0 ? 1 : 0
    }),
  )

schema
  .command('write')
  .description('writes schema.sql from migrations/, for readers')
  .action(() => {
    writeFileSync('schema.sql', renderSchema())
    console.log('Wrote schema.sql')
  })

await runCommand(schema)
