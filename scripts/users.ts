/** `npm run users -- add ID | list | show ID | export ID | remove ID | trace ID [--remote]`: manages the users that may save keys. */

import { parseArgs } from 'node:util'
import { addUser as add, deleteUser } from '../src/keys/users.ts'
import { selectKeys } from '../src/store/api-keys.ts'
import { run } from '../src/store/d1.ts'
import { selectUsers } from '../src/store/users.ts'
import { nameUserIdFault } from '../src/shared/user-id.ts'
import { readFernetNames } from './import/worker-keys.ts'
import { runCommand } from './lib/command.ts'
import { withDatabase, type Where } from './lib/database.ts'
import { describeUser, printExport } from './lib/exported-user.ts'
import { traceUser } from './lib/trace.ts'

const USAGE = `Usage: npm run users -- add ID      [--remote]
       npm run users -- list        [--remote]
       npm run users -- show ID     [--remote]   what is stored about a user, in words
       npm run -s users -- export ID [--remote]  all that is stored about a user, one JSON object on each line
       npm run users -- remove ID   [--remote]   with all that names the user; no import adds the user again
       npm run users -- trace ID    [--remote]   says what is left of a user, where, and until when`
const LIST_LIMIT = 1_000

async function addUser(db: D1Database, id: string): Promise<number> {
  console.log((await add({ db }, id)) ? `Added ${id}` : `${id} is there already`)
  return 0
}

async function listUsers(db: D1Database): Promise<number> {
  const { results } = await run(db, selectUsers('', LIST_LIMIT + 1))
  console.log('created_at\tkeys\tid')
  for (const { id, createdAt, keys } of results.slice(0, LIST_LIMIT)) {
    console.log(`${createdAt}\t${keys}\t${JSON.stringify(id)}`)
  }
  if (results.length > LIST_LIMIT) console.error(`Only the first ${LIST_LIMIT} users are listed.`)
  return 0
}

async function removeUser(db: D1Database, id: string): Promise<number> {
  const { results } = await run(db, selectKeys(id))
  const isImporting = (await readFernetNames(db))?.length !== 0
  if (!(await deleteUser(db, id, { cause: 'operator', isImporting }))) {
    console.error(`There is no user ${id}`)
    return 1
  }
  const keys = results.filter(({ sealed }) => sealed !== null)
  console.log(`Removed ${id}; keys deleted: ${keys.length}`)
  return 0
}

async function showUser(db: D1Database, id: string, where: Where): Promise<number> {
  console.log(await describeUser(db, id, where))
  return 0
}

async function exportUser(db: D1Database, id: string): Promise<number> {
  await printExport(db, id)
  console.error('The keys are not opened, so their previews and base URLs are left out.')
  return 0
}

await runCommand(USAGE, async () => {
  const { values: where, positionals } = parseArgs({
    allowPositionals: true,
    options: { remote: { type: 'boolean', default: false } },
  })
  const [command, id, ...rest] = positionals
  if (rest.length > 0) return 2
  if (command === 'list' && id === undefined) return withDatabase(where, listUsers)
  const fault = command === 'add' && id ? nameUserIdFault(id) : null
  if (fault !== null) throw new Error(`The user id ${fault}`)
  if (command === 'add' && id) return withDatabase(where, async (db) => addUser(db, id))
  if (command === 'show' && id) return withDatabase(where, async (db) => showUser(db, id, where))
  if (command === 'export' && id) return withDatabase(where, async (db) => exportUser(db, id))
  if (command === 'remove' && id) return withDatabase(where, async (db) => removeUser(db, id))
  if (command === 'trace' && id) {
    console.log(await withDatabase(where, async (db) => traceUser(db, id)))
    return 0
  }
  return 2
})
