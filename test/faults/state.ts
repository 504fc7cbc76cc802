/** What D1 holds about a user, in a form in which two users can be compared. */

import { env } from '../isolate.ts'
import { storedKey } from '../support.ts'

/** What each identity belonged to when the user was remembered: a slot, or the user. Other users have other ones. */
const remembered = new Map<string, string>()

/** Remembers the identities that the user and the keys have now. */
export async function rememberIdentities(userId: string): Promise<void> {
  const { results } = await env.DB.prepare(
    `SELECT identity, 'the user' AS name FROM users WHERE id = ?1
     UNION ALL SELECT identity, provider FROM api_keys WHERE user_id = ?1`,
  )
    .bind(userId)
    .all<{ identity: string; name: string }>()
  for (const { identity, name } of results) remembered.set(identity, `${userId} ${name}`)
}

/** What an identity belonged to when the user was remembered; `new` for any other one. */
function nameIdentity(userId: string, identity: unknown): string {
  const name = remembered.get(String(identity)) ?? ''
  return name.startsWith(`${userId} `) ? name.slice(userId.length + 1) : 'new'
}

/**
 * The user, the keys in the clear with their limits, what was noted of changes, and the tombstones of what was
 * remembered. Uses are left out: they are recorded after the answer, by themselves.
 */
export async function stateOf(userId: string) {
  const read = async (sql: string) => {
    const { results } = await env.DB.prepare(sql).bind(userId).all()
    for (const row of results) {
      if ('identity' in row) row['identity'] = nameIdentity(userId, row['identity'])
    }
    return results
  }
  const rows = await read(
    `SELECT provider, identity, revision, status, saved_by AS savedBy, paused_at IS NOT NULL AS isPaused, callers, max_uses AS maxUses,
       uses, expires_at AS expiresAt, expiry_noted AS expiryNoted, fingerprint IS NOT NULL AS hasFingerprint
     FROM api_keys WHERE user_id = ?1 ORDER BY provider`,
  )
  const texts = rows.map(async ({ provider }) => storedKey(userId, env, String(provider)))
  const gone = await read('SELECT cause, identity FROM gone_keys WHERE ?1 IS NOT NULL')
  return {
    users: await read('SELECT identity, own_keys AS ownKeys FROM users WHERE id = ?1'),
    keys: rows,
    texts: await Promise.all(texts),
    events: await read(
      `SELECT event, provider, verdict, actor, caller FROM api_key_events
       WHERE user_id = ?1 AND actor <> 'import' AND hours IS NULL ORDER BY event, provider`,
    ),
    gone: gone
      .map(({ cause, identity }) => `${String(identity)}: ${String(cause)}`)
      .filter((tombstone) => !tombstone.startsWith('new:'))
      .toSorted(),
  }
}
