/** Clients write and read while their users move to other databases and back. */

import { keyOf, runClient, type Client, type Seen } from './shards-client.ts'
import { databaseOf, type Maps } from './shards-map.ts'
import { moveUsers, type Moves } from './shards-mover.ts'
import { startVault, type Vault } from './shards-vault.ts'

const USERS = 1_000
const CLIENTS = 8
const FEW = 4
const MANY = 8

/** Users move from a few databases to many, and back. */
const PHASES: readonly Maps[] = [
  { from: FEW, to: MANY },
  { from: MANY, to: FEW },
]

/** The choices of a run. */
export interface Choices {
  /** Numbers from 0 to 1, the same for the same seed. */
  random: () => number
  /** A deliberate mistake, which has to be noticed: a user is copied first, and taken away afterwards. */
  copiesFirst: boolean
}

/** What came of it. */
export interface Outcome {
  users: number
  clients: number
  seconds: number
  moved: Moves
  seen: Seen
  /** Users whose key at the end is not the last acknowledged one. */
  lost: number
  /** Users that at the end are not in their database alone. */
  misplaced: number
}

/** Runs the phases, and looks at every user at the end. */
export async function simulate(choices: Choices): Promise<Outcome> {
  const vault = await startVault(MANY, { from: 0, to: FEW })
  try {
    const users = Array.from({ length: USERS }, (_, index) => `user-${index}`)
    await addUsers(vault, users)
    const moving = new Set<string>()
    const clients = makeClients(vault, users, { random: choices.random, moving })
    const done: Moves = { moves: 0, crashes: 0, doubles: 0, read: 0, written: 0 }
    const startedAt = performance.now()
    const seen = await runWhile(clients, async () => {
      const mover = { ...choices, vault, moving, done }
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      for (const maps of PHASES) await moveUsers(mover, users, maps)
    })
    const seconds = (performance.now() - startedAt) / 1000
    const lost = await countLost(clients)
    const misplaced = await countMisplaced(vault, users)
    return { users: USERS, clients: CLIENTS, seconds, moved: done, seen, lost, misplaced }
  } finally {
    await vault.close()
  }
}

async function addUsers({ databases }: Vault, users: readonly string[]): Promise<void> {
  const ids: string[][] = databases.map(() => [])
  for (const userId of users) {
    // oxlint-disable-next-line no-await-in-loop -- in order
    ids[await databaseOf(userId, FEW)]?.push(userId)
  }
  const insert = 'INSERT INTO users (id) SELECT value FROM json_each(?1)'
  await Promise.all(
    databases.map(async (db, number) => db.prepare(insert).bind(JSON.stringify(ids[number])).run()),
  )
}

function makeClients(
  vault: Vault,
  users: readonly string[],
  { random, moving }: Pick<Client, 'random' | 'moving'>,
): Client[] {
  const anyWorker = () => vault.workers[Math.floor(random() * vault.workers.length)] ?? ''
  return Array.from({ length: CLIENTS }, (_, number) => ({
    name: `key-${number}`,
    users: users.filter((_id, index) => index % CLIENTS === number),
    acknowledged: new Map<string, string | null>(),
    ask: async (...asked) => vault.askWorker(anyWorker(), ...asked),
    random,
    moving,
  }))
}

async function runWhile(clients: readonly Client[], work: () => Promise<void>): Promise<Seen> {
  let isOver = false
  const ending = work().finally(() => (isOver = true))
  const running = clients.map(async (client) => runClient(client, () => isOver))
  const [seen] = await Promise.all([Promise.all(running), ending])
  const sum = (name: keyof Seen) => seen.reduce((total, one) => total + one[name], 0)
  return {
    writes: sum('writes'),
    contested: sum('contested'),
    reads: sum('reads'),
    stale: sum('stale'),
    refused: sum('refused'),
    longestWaitMs: Math.max(...seen.map(({ longestWaitMs }) => longestWaitMs)),
  }
}

async function countLost(clients: readonly Client[]): Promise<number> {
  let lost = 0
  const check = async ({ users, ask, acknowledged }: Client) => {
    for (const userId of users) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const answer = await ask('GET', userId)
      if (keyOf(answer) !== (acknowledged.get(userId) ?? null)) lost += 1
    }
  }
  await Promise.all(clients.map(check))
  return lost
}

async function countMisplaced({ databases }: Vault, users: readonly string[]): Promise<number> {
  const places = new Map<string, number[]>()
  for (const [number, db] of databases.entries()) {
    const select = 'SELECT id FROM users UNION ALL SELECT user_id FROM departures'
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const { results } = await db.prepare(select).all<{ id: string }>()
    for (const { id } of results) places.set(id, [...(places.get(id) ?? []), number])
  }
  const homes = await Promise.all(users.map(async (userId) => databaseOf(userId, FEW)))
  return users.filter((userId, index) => places.get(userId)?.join() !== String(homes[index])).length
}
