/** The owners that a database has before the load. */

import { createKeyring } from '../../src/crypto/keyring.ts'
import { sealKey } from '../../src/crypto/seal.ts'

const AT_ONCE = 5_000

/** The user with this number. */
export function nameOwner(index: number): string {
  return `soak-${index}`
}

/** Adds so many users, each with a key of OpenAI that opens. */
export async function seedOwners(
  db: D1Database,
  owners: number,
  encryptionKey: string,
): Promise<void> {
  const keyring = await createKeyring([Buffer.from(encryptionKey, 'base64')])
  for (let start = 0; start < owners; start += AT_ONCE) {
    const ids = Array.from({ length: Math.min(AT_ONCE, owners - start) }, (_, index) =>
      nameOwner(start + index),
    )
    const rows = ids.map(async (userId) => {
      const { sealed } = await sealKey(keyring, { userId, provider: 'openai' }, `sk-${userId}`)
      return [userId, sealed]
    })
    // oxlint-disable-next-line no-await-in-loop -- one statement after the other
    const json = JSON.stringify(await Promise.all(rows))
    // oxlint-disable-next-line no-await-in-loop
    await db.batch([
      db.prepare('INSERT INTO users (id) SELECT value ->> 0 FROM json_each(?1)').bind(json),
      db
        .prepare(
          `INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id)
           SELECT value ->> 0, 'openai', value ->> 1, ?2 FROM json_each(?1)`,
        )
        .bind(json, keyring.sealing.kid),
    ])
  }
}
