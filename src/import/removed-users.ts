/**
 * The table `removed_users`: the users whom no import adds again, each as an HMAC of the id. SQL cannot compute an HMAC.
 * A statement that needs one fails if it is missing, so that only such work reads the secret.
 */

import * as base64url from 'jose/base64url'
import { isHmacMissing, refuse, run, type Statement } from '../store/d1.ts'
import type { Selection } from '../store/gone-keys.ts'

/** HMACs by user id, and the secret that made them; null before it was read. */
export interface Hmacs {
  secret: string | null
  byId: ReadonlyMap<string, string>
}

export const NO_HMACS: Hmacs = { secret: null, byId: new Map() }

/**
 * The secret of each database that was read. If a secret has changed since, a statement fails, and the secret is read again.
 */
const secrets = new WeakMap<D1Database, string>()

/**
 * Does `work` on these users. If one of its statements needs their HMACs, it reads the secret and does the work again with
 * them. Later calls have the secret from the start.
 *
 * @throws as `run` and `work`
 */
export async function withHmacs<T>(
  db: D1Database,
  userIds: readonly string[],
  work: (hmacs: Hmacs) => Promise<T>,
): Promise<T> {
  const secret = secrets.get(db)
  try {
    return await work(secret === undefined ? NO_HMACS : await makeHmacs(secret, userIds))
  } catch (error) {
    if (!isHmacMissing(error)) throw error
  }
  return work(await readHmacs(db, userIds))
}

/** The users' HMACs. @throws as `run` */
export async function readHmacs(db: D1Database, userIds: readonly string[]): Promise<Hmacs> {
  const { results } = await run(db, selectSecret())
  const [{ secret } = { secret: '' }] = results
  secrets.set(db, secret)
  return makeHmacs(secret, userIds)
}

function selectSecret(): Statement<{ secret: string }> {
  return { sql: 'SELECT secret FROM import_secret', values: [] }
}

async function makeHmacs(secret: string, userIds: readonly string[]): Promise<Hmacs> {
  const hmac = { name: 'HMAC', hash: 'SHA-256' }
  // Node 24 has no Uint8Array.fromHex.
  const bytes = Uint8Array.from(secret.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16))
  const key = await crypto.subtle.importKey('raw', bytes, hmac, false, ['sign'])
  const encoder = new TextEncoder()
  const entries = userIds.map(async (userId) => {
    const mac = await crypto.subtle.sign('HMAC', key, encoder.encode(userId))
    return [userId, base64url.encode(new Uint8Array(mac))] as const
  })
  return { secret, byId: new Map(await Promise.all(entries)) }
}

const IS_SECRET = (secret: string) =>
  `EXISTS (SELECT 1 FROM import_secret WHERE secret = ${secret})`

/** Whether the user with an HMAC was removed, in SQL. Its statement needs {@link requireHmacs} in the transaction. */
export const IS_REMOVED = (hmac: string) =>
  `EXISTS (SELECT 1 FROM removed_users WHERE hmac = ${hmac})`

/** Fails if there are removed users, and the HMACs were not made with the secret of the database. */
export function requireHmacs({ secret }: Hmacs): Statement {
  return {
    sql: `SELECT CASE WHEN NOT ${IS_SECRET('?1')} THEN ${refuse('hmac_missing')} END
          FROM removed_users LIMIT 1`,
    values: [secret],
  }
}

/**
 * Notes that users are removed: those of these ids for which `condition`, SQL about `id`, is true. It fails if one of
 * their HMACs is missing.
 */
export function noteRemoved(
  { sql, values }: Selection,
  condition: string,
  { secret, byId }: Hmacs,
): Statement {
  const [json, made] = [`?${values.length + 1}`, `?${values.length + 2}`]
  return {
    sql: `WITH all_going (id) AS (${sql}),
            going (id) AS (SELECT id FROM all_going WHERE ${condition}),
            hmacs (id, hmac) AS (
              SELECT value ->> 0, value ->> 1 FROM json_each(${json}) WHERE ${IS_SECRET(made)}
            )
          INSERT INTO removed_users (hmac)
          SELECT hmac FROM hmacs WHERE id IN going
          UNION ALL SELECT CASE WHEN id NOT IN (SELECT id FROM hmacs) THEN ${refuse('hmac_missing')} END
            FROM going WHERE id NOT IN (SELECT id FROM hmacs)
          ON CONFLICT DO NOTHING`,
    values: [...values, JSON.stringify([...byId]), secret],
  }
}

/** Forgets that the user was removed. It belongs in the transaction that adds the user, with {@link requireHmacs}. */
export function forgetRemoved(userId: string, { byId }: Hmacs): Statement {
  return {
    sql: 'DELETE FROM removed_users WHERE hmac = ?1',
    values: [byId.get(userId) ?? null],
  }
}

/** Forgets at most `limit` users, when nothing will be imported any more. */
export function forgetAllRemoved(limit: number): Statement {
  return {
    sql: `DELETE FROM removed_users WHERE hmac IN (SELECT hmac FROM removed_users LIMIT ?1)`,
    values: [limit],
  }
}
