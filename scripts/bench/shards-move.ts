/**
 * Moves a user from one database to another, in two transactions. A user is always in exactly one place:
 * a database's `users`, or the payload of a departure.
 */

import { run, runBatch } from '../../src/store/d1.ts'
import type { Statement } from '../../src/store/statement.ts'

/** The tables that a move needs beside those of `schema.sql`. */
export const MOVE_TABLES = [
  `CREATE TABLE departures (
     user_id TEXT NOT NULL PRIMARY KEY, move INTEGER NOT NULL, payload TEXT
   ) STRICT, WITHOUT ROWID`,
  `CREATE TABLE arrivals (
     user_id TEXT NOT NULL, move INTEGER NOT NULL, PRIMARY KEY (user_id, move)
   ) STRICT, WITHOUT ROWID`,
]

/** A user on the way: the number of the move, and the rows as JSON; null if they have arrived. */
interface Departure {
  move: number
  payload: string | null
}

/** One row if the user has left this database. */
export function selectDeparture(userId: string): Statement<Departure> {
  return { sql: 'SELECT move, payload FROM departures WHERE user_id = ?1', values: [userId] }
}

const USER_AS_DEPARTURE = `
  SELECT 1 + coalesce((SELECT max(move) FROM arrivals WHERE user_id = id), 0) AS move, json_object(
    'createdAt', created_at, 'identity', identity,
    'keys', (SELECT json_group_array(json_array(provider, encrypted_api_key, key_id, status,
      identity, revision, updated_at, last_used_at)) FROM api_keys WHERE user_id = id)
  ) AS payload FROM users WHERE id = ?1`

/** The transaction that takes the user away. After it, no statement finds the user here. */
function depart(userId: string): Statement<Departure>[] {
  return [
    {
      sql: `INSERT INTO departures (user_id, move, payload)
            SELECT ?1, move, payload FROM (${USER_AS_DEPARTURE})`,
      values: [userId],
    },
    { sql: 'DELETE FROM users WHERE id = ?1', values: [userId] },
    selectDeparture(userId),
  ]
}

/** The transaction that adds the user. It fails as a whole if this move has arrived before. */
function arrive(userId: string, { move, payload }: Departure): Statement[] {
  return [
    { sql: 'INSERT INTO arrivals (user_id, move) VALUES (?1, ?2)', values: [userId, move] },
    { sql: 'DELETE FROM departures WHERE user_id = ?1', values: [userId] },
    {
      sql: `INSERT INTO users (id, created_at, identity)
            VALUES (?1, ?2 ->> 'createdAt', ?2 ->> 'identity')`,
      values: [userId, payload],
    },
    {
      sql: `INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id, status, identity,
              revision, updated_at, last_used_at)
            SELECT ?1, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
              value ->> 6, value ->> 7 FROM json_each(?2, '$.keys')`,
      values: [userId, payload],
    },
  ]
}

/** The departure stays and tells where the user is. Its keys do not. */
function forgetPayload(userId: string, move: number): Statement {
  return {
    sql: 'UPDATE departures SET payload = NULL WHERE user_id = ?1 AND move = ?2',
    values: [userId, move],
  }
}

/** A move, and how it is to go wrong. */
export interface Move {
  userId: string
  source: D1Database
  target: D1Database
  /** The job dies after the departure, or after the arrival. */
  crash: 'departed' | 'arrived' | null
  /** A deliberate mistake: the user is copied first, and taken away afterwards. */
  copiesFirst: boolean
}

/** What a move cost. */
export interface MoveCost {
  read: number
  written: number
}

/** Moves the user. It may be cut off anywhere, and run again or twice at once. */
export async function moveUser(move: Move): Promise<MoveCost> {
  const { userId, source, target, crash, copiesFirst } = move
  const results: D1Result[] = []
  const add = <Row>(added: D1Result<Row>[]) => (results.push(...added), added)

  const read: Statement<Departure> = { sql: USER_AS_DEPARTURE, values: [userId] }
  const took = await runBatch(source, copiesFirst ? [read] : depart(userId))
  const departure = add(took).at(-1)?.results[0]
  if (departure?.payload == null || crash === 'departed') return costOf(results)

  const arrival = runBatch(target, arrive(userId, departure))
  add(await arrival.catch(ignoreSecondArrival))
  if (copiesFirst) add(await runBatch(source, depart(userId)))
  if (crash === 'arrived') return costOf(results)

  add([await run(source, forgetPayload(userId, departure.move))])
  return costOf(results)
}

function ignoreSecondArrival(error: unknown): [] {
  if (/UNIQUE constraint failed: arrivals/.test(String(error))) return []
  throw error
}

function costOf(results: readonly D1Result[]): MoveCost {
  const sum = (name: 'rows_read' | 'rows_written') =>
    results.reduce((total, { meta }) => total + meta[name], 0)
  return { read: sum('rows_read'), written: sum('rows_written') }
}
