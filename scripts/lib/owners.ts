/** `npm run users` and `npm run teams`: what both do with an owner of keys. */

import { parseArgs } from 'node:util'
import { deleteUser } from '../../src/keys/users.ts'
import { readOwner, teamOwner, userOwner, type OwnerParts } from '../../src/shared/owner.ts'
import { selectKeys } from '../../src/store/api-keys.ts'
import { run } from '../../src/store/d1.ts'
import { selectUsers } from '../../src/store/users.ts'
import { readFernetNames } from '../import/worker-keys.ts'
import type { Where } from './database.ts'
import { describeOwner, printExport } from './exported-owner.ts'
import { traceOwner } from './trace.ts'

type Kind = OwnerParts['kind']

/** Works on the owner with this text, and returns the exit code. */
type Work = (db: D1Database, owner: string, where: Where) => Promise<number>

const LIST_LIMIT = 1_000
const TEXT_OF: Record<Kind, (id: string) => string> = { user: userOwner, team: teamOwner }

const WORKS: ReadonlyMap<string, Work> = new Map<string, Work>([
  ['show', showOwner],
  ['export', exportOwner],
  ['remove', removeOwner],
  ['trace', printTrace],
])

/** What the command line asks for. */
interface Asked {
  where: Where
  /** Returns the exit code. */
  work: (db: D1Database) => Promise<number>
}

/** Reads the command line: one of the subcommands `more`, or one that both commands have. Null if it is neither. */
export function readAsked(kind: Kind, more: ReadonlyMap<string, Work> = new Map()): Asked | null {
  const { values: where, positionals } = parseArgs({
    allowPositionals: true,
    options: { remote: { type: 'boolean', default: false } },
  })
  const [command = '', id, ...rest] = positionals
  if (rest.length > 0) return null
  if (command === 'list' && id === undefined) {
    return { where, work: async (db) => listOwners(db, kind) }
  }
  const work = more.get(command) ?? WORKS.get(command)
  if (work === undefined || !id) return null
  return { where, work: async (db) => work(db, TEXT_OF[kind](id), where) }
}

async function listOwners(db: D1Database, kind: Kind): Promise<number> {
  const { results } = await run(db, selectUsers('', LIST_LIMIT + 1, kind))
  console.log('created_at\tkeys\tid')
  for (const { id, createdAt, keys } of results.slice(0, LIST_LIMIT)) {
    console.log(`${createdAt}\t${keys}\t${JSON.stringify(readOwner(id).id)}`)
  }
  if (results.length > LIST_LIMIT)
    console.error(`Only the first ${LIST_LIMIT} ${kind}s are listed.`)
  return 0
}

async function showOwner(db: D1Database, owner: string, where: Where): Promise<number> {
  console.log(await describeOwner(db, owner, where))
  return 0
}

async function exportOwner(db: D1Database, owner: string): Promise<number> {
  await printExport(db, owner)
  console.error('The keys are not opened, so their previews and base URLs are left out.')
  return 0
}

async function removeOwner(db: D1Database, owner: string): Promise<number> {
  const { kind, id } = readOwner(owner)
  const { results } = await run(db, selectKeys(owner))
  const isImporting = (await readFernetNames(db))?.length !== 0
  if (!(await deleteUser(db, owner, { cause: 'operator', isImporting }))) {
    console.error(`There is no ${kind} ${id}`)
    return 1
  }
  const keys = results.filter(({ sealed }) => sealed !== null)
  console.log(`Removed ${id}; keys deleted: ${keys.length}`)
  return 0
}

async function printTrace(db: D1Database, owner: string): Promise<number> {
  console.log(await traceOwner(db, owner))
  return 0
}
