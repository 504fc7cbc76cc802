/** `npm run users` and `npm run teams`: what both do with an owner of keys. */

import { deleteUser } from '../../src/keys/users.ts'
import { readOwner, teamOwner, userOwner, type OwnerParts } from '../../src/shared/owner.ts'
import { selectKeys } from '../../src/store/api-keys.ts'
import { run } from '../../src/store/d1.ts'
import { selectUsers } from '../../src/store/users.ts'
import { readFernetNames } from '../import/worker-keys.ts'
import { exitWith, JSON_OUTPUT, REMOTE, YES, type makeCommand } from './command.ts'
import type { Where, withDatabase } from './database.ts'
import { describeOwner, printExport, readDescription } from './exported-owner.ts'
import { announce } from './question.ts'
import { describeTraces, traceOwner } from './trace.ts'

type Kind = OwnerParts['kind']

const LIST_LIMIT = 1_000
const TEXT_OF: Record<Kind, (id: string) => string> = { user: userOwner, team: teamOwner }

/** What a removal takes with it. */
const REMOVED: Record<Kind, string> = {
  user: 'with all keys and events',
  team: 'with its keys and events. Its members stay, with their own keys',
}

type Printing = Where & { json: boolean }

/** Opens the database for the work of a subcommand. */
type Open = typeof withDatabase

/** Adds the subcommands that both commands have. */
export function addOwnerCommands(command: ReturnType<typeof makeCommand>, kind: Kind, open: Open) {
  const add = (name: string, description: string) =>
    command.command(name).description(description).addOption(REMOTE)
  const addOf = (name: string, description: string) =>
    add(name, description).argument('<id>', `the id of the ${kind}`)
  const textOf = TEXT_OF[kind]
  add('list', `lists the ${kind}s, with how many keys each has`)
    .addOption(JSON_OUTPUT)
    .action(exitWith((options) => open(options, async (db) => listOwners(db, kind, options))))
  addOf('show', `says in words what is stored about a ${kind}`)
    .addOption(JSON_OUTPUT)
    .action(exitWith((id, given) => open(given, async (db) => showOwner(db, textOf(id), given))))
  addOf(
    'export',
    `prints what is stored about a ${kind}, without the keys: a JSON object on each line (npm run -s)`,
  ).action(exitWith((id, given) => open(given, async (db) => exportOwner(db, textOf(id)))))
  addOf('remove', `removes a ${kind} ${REMOVED[kind]}`)
    .addOption(YES)
    .action(exitWith((id, given) => open(given, removeOwner(textOf(id), given))))
  addOf('trace', `says what is left of a ${kind}, where, and until when`)
    .addOption(JSON_OUTPUT)
    .action(exitWith((id, given) => open(given, async (db) => printTrace(db, textOf(id), given))))
  return command
}

async function listOwners(db: D1Database, kind: Kind, { json }: Printing): Promise<number> {
  const { results } = await run(db, selectUsers('', LIST_LIMIT + 1, kind))
  const owners = results.slice(0, LIST_LIMIT).map(({ id, createdAt, keys }) => {
    return { id: readOwner(id).id, created_at: createdAt, keys }
  })
  if (json) console.log(JSON.stringify({ [`${kind}s`]: owners }, null, 2))
  else {
    console.log('created_at\tkeys\tid')
    for (const { id, created_at, keys } of owners) {
      console.log(`${created_at}\t${keys}\t${JSON.stringify(id)}`)
    }
  }
  if (results.length > LIST_LIMIT)
    console.error(`Only the first ${LIST_LIMIT} ${kind}s are listed.`)
  return 0
}

async function showOwner(db: D1Database, owner: string, options: Printing): Promise<number> {
  const shown = options.json
    ? JSON.stringify(await readDescription(db, owner), null, 2)
    : await describeOwner(db, owner, options)
  console.log(shown)
  return 0
}

async function exportOwner(db: D1Database, owner: string): Promise<number> {
  await printExport(db, owner)
  console.error('The keys are not opened, so their previews and base URLs are left out.')
  return 0
}

function removeOwner(owner: string, options: { yes: boolean }) {
  const { kind, id } = readOwner(owner)
  return async (db: D1Database, name: string): Promise<number> => {
    const { results } = await run(db, selectKeys(owner))
    const keys = results.filter(({ sealed }) => sealed !== null).length
    const isImporting = (await readFernetNames(db))?.length !== 0
    const what = [
      `Removes the ${kind} ${id} from ${name}, ${REMOVED[kind]}. Keys: ${keys}.`,
      ...(isImporting && kind === 'user' ? ['No import adds the user again.'] : []),
    ].join(' ')
    if (results.length > 0) await announce(what, { asks: true, ...options })
    if (!(await deleteUser(db, owner, { cause: 'operator', isImporting }))) {
      console.error(`There is no ${kind} ${id}`)
      return 1
    }
    console.log(`Removed ${id}; keys deleted: ${keys}`)
    return 0
  }
}

async function printTrace(db: D1Database, owner: string, options: Printing): Promise<number> {
  const tables = await traceOwner(db, owner, options)
  const words = () => describeTraces(tables, readOwner(owner).kind)
  console.log(options.json ? JSON.stringify({ tables }, null, 2) : words())
  return 0
}
