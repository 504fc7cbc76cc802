/** `npm run schema`: brings the database up to this version. `-- write` writes `schema.sql`. */

import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { runCommand } from './lib/command.ts'
import { renderSchema } from './lib/migrations.ts'
import { runOnTerminal } from './lib/wrangler.ts'

const USAGE = `Usage: npm run schema [-- --remote]  applies the migrations that the database lacks
       npm run schema -- write        writes schema.sql from migrations/`

await runCommand(USAGE, async () => {
  const { values: where, positionals } = parseArgs({
    allowPositionals: true,
    options: { remote: { type: 'boolean', default: false } },
  })
  const [command, ...rest] = positionals
  if (command === undefined) {
    const flag = where.remote ? '--remote' : '--local'
    return runOnTerminal('d1', 'migrations', 'apply', 'DB', flag)
  }
  if (command !== 'write' || rest.length > 0 || where.remote) return 2
  writeFileSync('schema.sql', renderSchema())
  console.log('Wrote schema.sql')
  return 0
})
