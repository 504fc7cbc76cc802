/** The kids that rows are sealed under, known without a scan: noted with every write of a row. */

import { throwApiError } from './d1.ts'
import { ApiError } from '../errors.ts'
import { hasKey, type Keyring, type Slot } from '../crypto/seal.ts'

/** To be run with every statement that writes a row under `keyId`; it writes at its first use alone. */
export function noteKeyId(db: D1Database, keyId: string): D1PreparedStatement {
  return db
    .prepare(
      `INSERT INTO key_ids (key_id) VALUES (?1)
       ON CONFLICT (key_id) DO UPDATE SET state = 'in_use' WHERE state <> 'in_use'`,
    )
    .bind(keyId)
}

/** Rows that did not open may be the last of their kid: the rewrap job looks again. One slot, or all. */
export function noteReplaced(
  db: D1Database,
  { userId, provider }: Pick<Slot, 'userId'> & Partial<Slot>,
): D1PreparedStatement {
  return db
    .prepare(
      `UPDATE key_ids SET state = 'in_use' WHERE state = 'settled'
         AND key_id IN (
           SELECT key_id FROM api_keys WHERE user_id = ?1 AND provider = coalesce(?2, provider)
         )`,
    )
    .bind(userId, provider ?? null)
}

/**
 * Checks that D1 answers, has the tables, and that no stored key needs an encryption key that the
 * keyring lacks.
 *
 * @throws ApiError `server_misconfigured`, `database_busy`
 */
export async function checkVault({
  db,
  keyring,
}: {
  db: D1Database
  keyring: Keyring
}): Promise<void> {
  const { results } = await db
    .prepare(
      `SELECT key_id, EXISTS (SELECT 1 FROM users), EXISTS (SELECT 1 FROM api_keys)
       FROM key_ids WHERE state <> 'unused'`,
    )
    .all<{ key_id: string }>()
    .catch(throwApiError)
  const missing = results.map((row) => row.key_id).filter((keyId) => !hasKey(keyring, keyId))
  if (missing.length === 0) return
  const fix = `stored keys are sealed under ${missing.join(', ')}; put the key of that kid back`
  throw new ApiError('server_misconfigured', {
    cause: new Error(`API_KEY_ENCRYPTION_KEY or LEGACY_FERNET_KEY lacks a key: ${fix}`),
  })
}
