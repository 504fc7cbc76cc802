/** `npm run users -- add ID | list | show ID | export ID | remove ID | trace ID [--remote]`: manages the users that may save keys. */

import { addUser } from '../src/keys/users.ts'
import { readOwner } from '../src/shared/owner.ts'
import { nameUserIdFault } from '../src/shared/user-id.ts'
import { runCommand } from './lib/command.ts'
import { withDatabase } from './lib/database.ts'
import { readAsked } from './lib/owners.ts'

const USAGE = `Usage: npm run users -- add ID      [--remote]
       npm run users -- list        [--remote]
       npm run users -- show ID     [--remote]   what is stored about a user, in words
       npm run -s users -- export ID [--remote]  all that is stored about a user, one JSON object on each line
       npm run users -- remove ID   [--remote]   with all that names the user; no import adds the user again
       npm run users -- trace ID    [--remote]   says what is left of a user, where, and until when`

async function add(db: D1Database, owner: string): Promise<number> {
  const { id } = readOwner(owner)
  const fault = nameUserIdFault(id)
  if (fault !== null) throw new Error(`The user id ${fault}`)
  console.log((await addUser({ db }, owner)) ? `Added ${id}` : `${id} is there already`)
  return 0
}

await runCommand(USAGE, async () => {
  const asked = readAsked('user', new Map([['add', add]]))
  return asked === null ? 2 : withDatabase(asked.where, asked.work)
})
