/** Makes the users and keys for a benchmark. */

import type { Keyring } from '../../../src/crypto/keyring.ts'
import { sealKey } from '../../../src/crypto/seal.ts'
import { signToken } from '../../lib/token.ts'

export const API_KEY = 'sk-bench-0123456789'
/** The number of users in the load. They are spread evenly over all users. */
const LOADED = 1_000
const AT_ONCE = 20_000
const SLOTS = 'default openai anthropic gemini mistral groq xai cohere github deepseek'.split(' ')

/** A user in the load. */
export interface BenchUser {
  id: string
  authorization: string
}

interface Seed {
  keyring: Keyring
  secret: string
  users: number
  slots: number
}

/** Fills the database. Keys of users in the load open. The other keys only have the same length. */
export async function seed(
  db: D1Database,
  { keyring, secret, users, slots }: Seed,
): Promise<BenchUser[]> {
  const providers = SLOTS.slice(0, slots)
  for (let start = 0; start < users; start += AT_ONCE) {
    // oxlint-disable-next-line no-await-in-loop -- one statement after the other
    await insertUsers(db, {
      start,
      end: Math.min(start + AT_ONCE, users),
      providers,
      kid: keyring.sealing.kid,
    })
  }
  const count = Math.min(users, LOADED)
  const ids = Array.from({ length: count }, (_, index) =>
    nameUser(Math.floor((index * users) / count)),
  )
  for (const userId of ids) {
    // oxlint-disable-next-line no-await-in-loop
    await sealFor(db, keyring, { userId, providers })
  }
  return Promise.all(
    ids.map(async (id) => ({
      id,
      authorization: `Bearer ${await signToken({ sub: id, scope: 'relay' }, secret)}`,
    })),
  )
}

function nameUser(index: number): string {
  return `user-${String(index).padStart(9, '0')}`
}

interface Range {
  start: number
  end: number
  providers: readonly string[]
  kid: string
}

async function insertUsers(db: D1Database, { start, end, providers, kid }: Range): Promise<void> {
  const numbers = `WITH RECURSIVE n (i) AS (SELECT ${start} UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ${end})`
  const filler = `v1.${kid}.${'A'.repeat(62)}`
  await db.batch([
    db.prepare(`INSERT INTO users (id) ${numbers} SELECT printf('user-%09d', i) FROM n`),
    ...providers.map((provider) =>
      db
        .prepare(
          `INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id)
           ${numbers} SELECT printf('user-%09d', i), ?1, ?2, ?3 FROM n`,
        )
        .bind(provider, filler, kid),
    ),
  ])
}

async function sealFor(
  db: D1Database,
  keyring: Keyring,
  { userId, providers }: { userId: string; providers: readonly string[] },
): Promise<void> {
  const sql = 'UPDATE api_keys SET encrypted_api_key = ?3 WHERE user_id = ?1 AND provider = ?2'
  const updates = providers.map(async (provider) => {
    const { sealed } = await sealKey(keyring, { userId, provider }, API_KEY)
    return db.prepare(sql).bind(userId, provider, sealed)
  })
  await db.batch(await Promise.all(updates))
}
