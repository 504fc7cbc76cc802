/** The D1 statements of the Workers that the vault is compared with. */

import { selectKey, selectKeys, upsertKey } from '../../../src/store/api-keys.ts'
import { noted, notedSave } from '../../../src/store/noted-events.ts'
import { deleteKey, replaceKey } from '../../../src/store/gone-keys.ts'
import { checkSlot } from '../../../src/store/slot-check.ts'
import type { Statement } from '../../../src/store/d1.ts'

/** The bindings of a peer. */
export interface PeerEnv {
  PEER: 'hello' | 'same' | 'least' | 'hand'
  DB: D1Database
  API_KEY_ENCRYPTION_KEY: string
  JWT_SECRET_KEY: string
  KID: string
}

/** The operation of a request: its method, or `LIST`. */
export interface Asked {
  method: string
  userId: string
}

/** The statements that the vault runs for the same request. */
export function sameStatements(
  { KID: kid }: PeerEnv,
  { method, userId }: Asked,
): Statement<unknown>[] {
  const slot = { userId, provider: 'default', takesDefault: false }
  const event = { userId, provider: 'default', by: { kind: 'owner' }, requestId: 'bench' } as const
  if (method === 'GET') return [selectKey(slot)]
  if (method === 'LIST') return [selectKeys(userId)]
  if (method === 'DELETE') {
    const [tombstone, deletion] = deleteKey(slot, 'request')
    return [checkSlot(slot), tombstone, ...noted(deletion, { ...event, event: 'deleted' })]
  }
  return replaceKey(slot, notedSave(upsertKey(slot, { ...NEW_ROW, kid }), event, []))
}

/** The sealed key of each save, in the place of one that is sealed for it. */
export const SEALED = `v1.0123456789ab.${'A'.repeat(72)}`
const NEW_ROW = {
  sealed: SEALED,
  savedBy: null,
  status: 'unverified',
  exhaustedAt: null,
  expiresAt: null,
  fingerprints: ['A'.repeat(22)],
} as const

/** One statement that uses only the table of keys. */
export function leastStatements(_env: PeerEnv, { method, userId }: Asked): Statement<unknown>[] {
  if (method === 'PUT') {
    const sql = `INSERT INTO api_keys (user_id, encrypted_api_key, key_id) VALUES (?1, ?2, 'x')
      ON CONFLICT DO UPDATE SET encrypted_api_key = excluded.encrypted_api_key`
    return [{ sql, values: [userId, SEALED] }]
  }
  const where = `FROM api_keys WHERE user_id = ?1${method === 'LIST' ? '' : " AND provider = 'default'"}`
  const verb = method === 'DELETE' ? 'DELETE' : 'SELECT encrypted_api_key'
  return [{ sql: `${verb} ${where}`, values: [userId] }]
}
