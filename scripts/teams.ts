/** `npm run teams -- list | show ID | export ID | remove ID | trace ID [--remote]`: manages the teams that have keys. */

import { runCommand } from './lib/command.ts'
import { withDatabase } from './lib/database.ts'
import { readAsked } from './lib/owners.ts'

const USAGE = `Usage: npm run teams -- list        [--remote]
       npm run teams -- show ID     [--remote]   what is stored about a team, in words
       npm run -s teams -- export ID [--remote]  all that is stored about a team, one JSON object on each line
       npm run teams -- remove ID   [--remote]   with its keys and events; the members stay
       npm run teams -- trace ID    [--remote]   says what is left of a team, where, and until when

A team is added by the first key that an admin saves for it.`

await runCommand(USAGE, async () => {
  const asked = readAsked('team')
  return asked === null ? 2 : withDatabase(asked.where, asked.work)
})
