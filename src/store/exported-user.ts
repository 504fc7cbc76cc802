/** What the tables hold about one user, but no sealed key and no fingerprint. */

import { COLUMNS, type KeyRow } from './api-keys.ts'
import type { Statement } from './d1.ts'

/** The row of a user. */
export interface ExportedUser {
  /** Random. A user who is added again has another one. */
  identity: string
  createdAt: string
}

/** Returns one row if the user exists. */
export function selectExportedUser(userId: string): Statement<ExportedUser> {
  return {
    sql: 'SELECT identity, created_at AS createdAt FROM users WHERE id = ?1',
    values: [userId],
  }
}

/** The row of a key, which tells whether the key has a fingerprint. */
export interface ExportedKey extends KeyRow {
  hasFingerprint: 0 | 1
}

/** All keys of the user, by slot. */
export function selectExportedKeys(userId: string): Statement<ExportedKey> {
  return {
    sql: `SELECT ${COLUMNS}, fingerprint IS NOT NULL AS hasFingerprint
          FROM api_keys WHERE user_id = ?1 ORDER BY provider`,
    values: [userId],
  }
}
