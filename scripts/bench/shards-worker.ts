/** What `npm run bench -- shards` asks: users' keys in several databases, and the job that moves users. */

import { selectKey, upsertKey } from '../../src/store/api-keys.ts'
import { runBatch } from '../../src/store/d1.ts'
import type { Statement } from '../../src/store/statement.ts'
import { deleteKey } from '../../src/store/gone-keys.ts'
import { selectUser } from '../../src/store/users.ts'
import { databaseOf, type Maps } from './shards-map.ts'
import { moveUser, selectDeparture, type Move } from './shards-move.ts'

type Databases = Record<`DB${number}`, D1Database>

const SLOT = 'default'

export default {
  /**
   * `GET`, `PUT` or `DELETE /USER?from=4&to=8`, and for a `PUT` `&key=…`: 503 while the user is on the way.
   * `POST` moves the user, with `&crash=…` and `&copiesFirst=…` as {@link Move} has them.
   */
  fetch: async (request: Request, databases: Databases): Promise<Response> => {
    const { pathname, searchParams: query } = new URL(request.url)
    const userId = pathname.slice(1)
    const maps = { from: Number(query.get('from')), to: Number(query.get('to')) }
    if (request.method === 'POST') {
      return Response.json(await moveUser(await readMove(databases, userId, maps, query)))
    }
    const statement = statementOf(request.method, userId, query.get('key') ?? '')
    const rows = await runAtHome(databases, userId, maps, statement)
    return Response.json(rows, { status: rows === null ? 503 : 200 })
  },
}

function statementOf(method: string, userId: string, key: string): Statement<unknown> {
  const slot = { userId, provider: SLOT }
  if (method === 'PUT')
    return upsertKey(slot, {
      sealed: key,
      kid: 'kid',
      status: 'unverified',
      expiresAt: null,
      fingerprints: [],
    })
  return method === 'DELETE'
    ? deleteKey(slot, 'request')[1]
    : selectKey({ ...slot, takesDefault: false })
}

async function readMove(
  databases: Databases,
  userId: string,
  { from, to }: Maps,
  query: URLSearchParams,
): Promise<Move> {
  const crash = query.get('crash')
  return {
    userId,
    source: database(databases, await databaseOf(userId, from)),
    target: database(databases, await databaseOf(userId, to)),
    crash: crash === 'departed' || crash === 'arrived' ? crash : null,
    copiesFirst: query.get('copiesFirst') === 'true',
  }
}

/**
 * Runs the statement where the user lives. While users move, the database that they leave decides.
 *
 * @returns its rows; null while the user is on the way
 */
async function runAtHome(
  databases: Databases,
  userId: string,
  { from, to }: Maps,
  statement: Statement<unknown>,
): Promise<unknown[] | null> {
  const first = database(databases, await databaseOf(userId, from === 0 ? to : from))
  const [departed, ...here] = await runBatch(first, [
    selectDeparture(userId),
    selectUser(userId),
    statement,
  ])
  const rows = rowsOf(here)
  if (rows !== null || departed.results.length === 0) return rows
  const second = database(databases, await databaseOf(userId, to))
  return rowsOf(await runBatch(second, [selectUser(userId), statement]))
}

/** The statement's rows; null if the user is not in this database. */
function rowsOf([user, done]: D1Result[]): unknown[] | null {
  return user?.results.length === 1 ? (done?.results ?? []) : null
}

function database(databases: Databases, number: number): D1Database {
  const found = databases[`DB${number}`]
  if (found === undefined) throw new Error(`The binding DB${number} is missing`)
  return found
}
