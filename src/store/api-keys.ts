/** The rows of D1 and the keys sealed in them. Every function here is one round trip to D1. */

import { readConfig } from '../settings.ts'
import { throwApiError } from './d1.ts'
import { ApiError } from '../errors.ts'
import { noteKeyId, noteReplaced } from './kids.ts'
import { log } from '../log.ts'
import { DEFAULT_SLOT } from '../providers/provider.ts'
import {
  openKey,
  openKeyring,
  SealError,
  sealKey,
  type Keyring,
  type Slot,
} from '../crypto/seal.ts'

/** What the functions of this module work on. */
export interface Vault {
  db: D1Database
  keyring: Keyring
  /** Whether any user may be asked for, and the first save creates its row. */
  autoCreateUsers: boolean
  /** The request that this is for, named in the log. */
  requestId: string | undefined
}

/** What is known of a key: its provider took it, refused it, or has not been asked. */
export type KeyStatus = 'active' | 'rejected' | 'unverified'

/** A key as its user may see it: the first 8 code points. Times are ISO 8601, UTC. */
export interface KeySummary {
  preview: string
  updatedAt: string
  status: KeyStatus
  lastUsedAt: string | null
}

/** A key that has been opened, with the row that it is in. */
export interface OpenedKey extends KeySummary {
  apiKey: string
  row: SealedRow
}

/** What a row holds; one that does not open is told from none, and has been logged. */
export type StoredKey = OpenedKey | 'unreadable'

/** A row of `api_keys`, as far as it takes to open it. */
export interface SealedRow {
  user_id: string
  provider: string
  encrypted_api_key: string
  key_id: string
}

interface KeyRow extends SealedRow {
  updated_at: string
  status: KeyStatus
  last_used_at: string | null
}

/** @throws ApiError `server_misconfigured` */
export async function openVault(env: Env, requestId?: string): Promise<Vault> {
  const config = readConfig(env)
  const keyring = await openKeyring(config)
  return {
    db: config.DB,
    keyring,
    autoCreateUsers: config.AUTO_CREATE_USERS === 'true',
    requestId,
  }
}

/**
 * Saves `apiKey` in `slot`, over the one before, with what is known of it.
 *
 * @throws ApiError `user_not_found`, `database_busy`
 */
export async function saveKey(
  vault: Vault,
  slot: Slot,
  { apiKey, status }: { apiKey: string; status: KeyStatus },
): Promise<KeySummary> {
  const { sealed, keyId } = await sealKey(vault.keyring, slot, apiKey)
  const statements = [
    noteReplaced(vault.db, slot),
    noteKeyId(vault.db, keyId),
    upsertKey(vault.db, slot, { sealed, keyId, status }),
  ]
  if (vault.autoCreateUsers) statements.unshift(insertUser(vault.db, slot.userId))
  const results = await vault.db.batch<{ updated_at: string }>(statements).catch(throwApiError)
  const row = results.at(-1)?.results[0]
  if (row === undefined) throw userNotFound()
  return { preview: previewKey(apiKey), updatedAt: row.updated_at, status, lastUsedAt: null }
}

/**
 * The key in `slot`: null where there is none, `'unreadable'` where there is one that does not open,
 * which is logged.
 *
 * @throws ApiError `user_not_found`, `database_busy`
 */
export async function readKey(vault: Vault, slot: Slot): Promise<StoredKey | null> {
  const row = await selectKey(vault.db, slot).first<KeyRow | UserWithoutKey>().catch(throwApiError)
  if (row === null && !vault.autoCreateUsers) throw userNotFound()
  if (row === null || row.encrypted_api_key === null) return null
  return openRow(vault, row)
}

/**
 * All keys of a user, by provider; `'unreadable'` where one does not open, which is logged.
 *
 * @throws ApiError `user_not_found`, `database_busy`
 */
export async function listKeys(vault: Vault, userId: string): Promise<Map<string, StoredKey>> {
  const { results } = await selectKeys(vault.db, userId)
    .all<KeyRow | UserWithoutKey>()
    .catch(throwApiError)
  if (results.length === 0 && !vault.autoCreateUsers) throw userNotFound()
  const rows = results.filter((row) => row.encrypted_api_key !== null)
  const keys = rows.map(async (row) => [row.provider, await openRow(vault, row)] as const)
  return new Map(await Promise.all(keys))
}

/**
 * Records what the provider made of the key in `row`, and that it was used.
 *
 * @returns when; null where the row has another key by now, and nothing was written
 * @throws ApiError `database_busy`
 */
export async function recordUse(
  vault: Vault,
  row: SealedRow,
  status: KeyStatus,
): Promise<string | null> {
  const usedAt = new Date().toISOString()
  const { meta } = await vault.db
    .prepare(
      `UPDATE api_keys SET status = ?4, last_used_at = ?5
       WHERE user_id = ?1 AND provider = ?2 AND encrypted_api_key = ?3`,
    )
    .bind(row.user_id, row.provider, row.encrypted_api_key, status, usedAt)
    .run()
    .catch(throwApiError)
  return meta.changes === 1 ? usedAt : null
}

/**
 * Deletes the key in `slot`; false where there is none.
 *
 * @throws ApiError `user_not_found`, `database_busy`
 */
export async function deleteKey(vault: Vault, slot: Slot): Promise<boolean> {
  const statements = [
    selectUser(vault.db, slot.userId),
    noteReplaced(vault.db, slot),
    removeKey(vault.db, slot),
  ]
  if (slot.provider === DEFAULT_SLOT) statements.push(...noteDeletion(vault, slot.userId))
  const [users, , removed] = await vault.db.batch(statements).catch(throwApiError)
  if (users?.results.length === 0 && !vault.autoCreateUsers) throw userNotFound()
  return removed?.meta.changes === 1
}

/** The first 8 code points of `apiKey`; none of a key that is no longer than that. */
function previewKey(apiKey: string): string {
  const codePoints = Array.from(apiKey)
  return codePoints.length > 8 ? `${codePoints.slice(0, 8).join('')}...` : '****'
}

interface UserWithoutKey {
  encrypted_api_key: null
}

async function openRow(vault: Vault, row: KeyRow): Promise<StoredKey> {
  const { updated_at: updatedAt, status, last_used_at: lastUsedAt } = row
  try {
    const apiKey = await openKey(vault.keyring, slotOf(row), row.encrypted_api_key)
    return { apiKey, row, preview: previewKey(apiKey), updatedAt, status, lastUsedAt }
  } catch (error) {
    if (!(error instanceof SealError)) throw error
    logUnreadable(row, error, vault.requestId)
    return 'unreadable'
  }
}

/** What a row says of itself, as `openKey` takes it. */
export function slotOf({ user_id, provider, key_id }: SealedRow): Slot & { keyId: string } {
  return { userId: user_id, provider, keyId: key_id }
}

/** Logs a stored key that does not open: whose it is and under which kid. */
export function logUnreadable(row: SealedRow, { reason }: SealError, request_id?: string): void {
  const { user_id, provider, key_id } = row
  log('error', 'api_key_unreadable', { request_id, user_id, provider, key_id, reason })
}

/** While rows move in from a backend before: no import brings back what was deleted here. */
export function noteDeletion({ db, keyring }: Vault, userId: string): D1PreparedStatement[] {
  if (keyring.fernetKeys.size === 0) return []
  const statement = db.prepare(
    `INSERT INTO imported_users (id, saved_at)
     SELECT id, strftime('%Y-%m-%dT%H:%M:%fZ', 'now') FROM users WHERE id = ?1
     ON CONFLICT (id) DO UPDATE SET saved_at = excluded.saved_at`,
  )
  return [statement.bind(userId)]
}

function userNotFound(): ApiError {
  const detail = 'The token is valid, but its user has not been added here yet, or was removed.'
  return new ApiError('user_not_found', { detail })
}

function upsertKey(
  db: D1Database,
  slot: Slot,
  { sealed, keyId, status }: { sealed: string; keyId: string; status: KeyStatus },
): D1PreparedStatement {
  return db
    .prepare(
      `INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id, status)
       SELECT id, ?2, ?3, ?4, ?5 FROM users WHERE id = ?1
       ON CONFLICT (user_id, provider) DO UPDATE SET
         encrypted_api_key = excluded.encrypted_api_key,
         key_id = excluded.key_id,
         status = excluded.status,
         updated_at = excluded.updated_at,
         last_used_at = NULL
       RETURNING updated_at`,
    )
    .bind(slot.userId, slot.provider, sealed, keyId, status)
}

const KEY_COLUMNS = 'user_id, provider, encrypted_api_key, key_id, updated_at, status, last_used_at'

function selectKey(db: D1Database, slot: Slot): D1PreparedStatement {
  return db
    .prepare(
      `SELECT ${KEY_COLUMNS} FROM users LEFT JOIN api_keys ON user_id = id AND provider = ?2
       WHERE id = ?1`,
    )
    .bind(slot.userId, slot.provider)
}

function selectKeys(db: D1Database, userId: string): D1PreparedStatement {
  return db
    .prepare(`SELECT ${KEY_COLUMNS} FROM users LEFT JOIN api_keys ON user_id = id WHERE id = ?1`)
    .bind(userId)
}

function removeKey(db: D1Database, slot: Slot): D1PreparedStatement {
  return db
    .prepare('DELETE FROM api_keys WHERE user_id = ?1 AND provider = ?2')
    .bind(slot.userId, slot.provider)
}

function insertUser(db: D1Database, userId: string): D1PreparedStatement {
  return db.prepare('INSERT INTO users (id) VALUES (?1) ON CONFLICT DO NOTHING').bind(userId)
}

function selectUser(db: D1Database, userId: string): D1PreparedStatement {
  return db.prepare('SELECT 1 FROM users WHERE id = ?1').bind(userId)
}
