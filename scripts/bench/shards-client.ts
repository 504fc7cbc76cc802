/** A client that saves, deletes and reads the keys of its users, and remembers what was acknowledged. */

import { setTimeout as sleep } from 'node:timers/promises'
import * as z from 'zod/mini'

const RETRY_MS = 5
/** A user who is on the way for longer is lost. */
const GIVE_UP_MS = 60_000

/** What a Worker answers. */
export interface Answer {
  status: number
  text: string
}

/** Asks one of the Workers about a user. */
export type Ask = (
  method: string,
  userId: string,
  query?: Record<string, string>,
) => Promise<Answer>

/** One client. Its users are its own, so that it knows which of their keys is the last. */
export interface Client {
  /** Its keys begin with it. */
  name: string
  users: readonly string[]
  /** The last acknowledged key of each user; null after a deletion. */
  acknowledged: Map<string, string | null>
  ask: Ask
  random: () => number
  /** Users of all clients that are being moved: a client prefers its own of them. */
  moving: ReadonlySet<string>
}

/** What a client has seen. */
export interface Seen {
  writes: number
  /** Writes that began while their user was being moved. */
  contested: number
  reads: number
  /** Reads that did not answer the last acknowledged key. */
  stale: number
  /** Answers that the user is on the way. */
  refused: number
  longestWaitMs: number
}

/** Writes and reads until `isOver` says so. A request that is refused is sent again. */
export async function runClient(client: Client, isOver: () => boolean): Promise<Seen> {
  const seen: Seen = { writes: 0, contested: 0, reads: 0, stale: 0, refused: 0, longestWaitMs: 0 }
  while (!isOver()) {
    const userId = chooseUser(client)
    // oxlint-disable-next-line no-await-in-loop -- one after the other: one write is the last
    await (client.random() < 0.4 ? read(client, userId, seen) : write(client, userId, seen))
  }
  return seen
}

function chooseUser({ users, moving, random }: Client): string {
  const own = users.filter((userId) => moving.has(userId))
  const among = own.length > 0 ? own : users
  return among[Math.floor(random() * among.length)] ?? ''
}

async function write(client: Client, userId: string, seen: Seen): Promise<void> {
  const { ask, random, name, acknowledged, moving } = client
  if (moving.has(userId)) seen.contested += 1
  const key = random() < 0.3 ? null : `${name}-${seen.writes}`
  await untilAnswered(seen, async () =>
    key === null ? ask('DELETE', userId) : ask('PUT', userId, { key }),
  )
  acknowledged.set(userId, key)
  seen.writes += 1
}

async function read({ ask, acknowledged }: Client, userId: string, seen: Seen): Promise<void> {
  const answer = await untilAnswered(seen, async () => ask('GET', userId))
  if (keyOf(answer) !== (acknowledged.get(userId) ?? null)) seen.stale += 1
  seen.reads += 1
}

async function untilAnswered(seen: Seen, ask: () => Promise<Answer>): Promise<Answer> {
  const startedAt = performance.now()
  let answer = await ask()
  while (answer.status === 503 && performance.now() < startedAt + GIVE_UP_MS) {
    seen.refused += 1
    // oxlint-disable no-await-in-loop -- again, after a moment
    await sleep(RETRY_MS)
    answer = await ask()
    // oxlint-enable no-await-in-loop
  }
  if (answer.status !== 200) throw new Error(`${answer.status}: ${answer.text}`)
  seen.longestWaitMs = Math.max(seen.longestWaitMs, performance.now() - startedAt)
  return answer
}

const rows = z.nullable(z.array(z.looseObject({ sealed: z.optional(z.nullable(z.string())) })))

/** The key in an answer to `GET`; null if there is none. */
export function keyOf({ text }: Answer): string | null {
  return rows.parse(JSON.parse(text))?.[0]?.sealed ?? null
}
