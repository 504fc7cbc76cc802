/** The D1 statements of the Workers that the vault is compared with. */

import { deleteKey, selectKey, selectKeys, upsertKey } from '../../../src/store/api-keys.ts'
import type { Statement } from '../../../src/store/d1.ts'
import { noteKeyEvent, noteSaved } from '../../../src/store/events.ts'
import { noteGone, selectKnown } from '../../../src/store/fingerprints.ts'
import { noteKid, noteReplaced } from '../../../src/store/kids.ts'
import { selectUser } from '../../../src/store/users.ts'

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
  const slot = { userId, provider: 'default' }
  const event = { ...slot, by: { kind: 'owner' }, requestId: 'bench' } as const
  if (method === 'GET') return [selectKey(userId, ['default'])]
  if (method === 'LIST') return [selectKeys(userId)]
  if (method === 'DELETE') {
    return [
      selectUser(userId),
      noteKeyEvent({ ...event, event: 'deleted' }, NAMES),
      noteGone(userId, NAMES),
      noteReplaced(slot),
      deleteKey(slot),
    ]
  }
  return [
    noteReplaced(slot),
    noteKid(kid),
    noteSaved(event, NAMES),
    noteGone(userId, NAMES, [FINGERPRINT]),
    selectKnown(userId, NAMES, [FINGERPRINT]),
    upsertKey(slot, { ...NEW_ROW, kid }),
  ]
}

const NAMES = ['default'] as const
const SEALED = `v1.0123456789ab.${'A'.repeat(72)}`
const FINGERPRINT = 'A'.repeat(22)
const NEW_ROW = {
  sealed: SEALED,
  status: 'unverified',
  at: null,
  expiresAt: null,
  fingerprint: FINGERPRINT,
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
