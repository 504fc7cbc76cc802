/** What D1 holds about a user, in a form in which two users can be compared. */

import { env } from '../isolate.ts'
import { storedKey } from '../support.ts'

/**
 * The user, the keys in the clear with their limits, and what was noted of changes. Uses are left out: they are
 * recorded after the answer, by themselves.
 */
export async function stateOf(userId: string) {
  const read = async (sql: string) => (await env.DB.prepare(sql).bind(userId).all()).results
  const rows = await read(
    `SELECT provider, status, paused_at IS NOT NULL AS isPaused, callers, uses,
       fingerprint IS NOT NULL AS hasFingerprint FROM api_keys WHERE user_id = ?1`,
  )
  const texts = rows.map(async ({ provider }) => storedKey(userId, env, String(provider)))
  return {
    users: await read('SELECT 1 AS found FROM users WHERE id = ?1'),
    keys: rows,
    texts: await Promise.all(texts),
    events: await read(
      `SELECT event, provider, verdict FROM api_key_events
       WHERE user_id = ?1 AND actor <> 'import' AND last_at IS NULL ORDER BY event`,
    ),
    gone: await read('SELECT provider FROM gone_keys WHERE user_id = ?1 ORDER BY 1'),
    known: await read('SELECT state FROM known_keys WHERE user_id = ?1 ORDER BY 1'),
  }
}
