/** Keys that expire: nobody uses one after its time, and the job deletes it some days later. */

import { isMovingIn } from '../crypto/keyring.ts'
import { VaultError } from '../errors.ts'
import { log } from '../log.ts'
import type { Service } from '../service.ts'
import { BULK_DEADLINE_MS, runBatch } from '../store/d1.ts'
import { deleteExpired, noteExpired, noteExpiredDeleted } from '../store/expired-keys.ts'
import type { OpenKey, StoredKey } from './stored-key.ts'

const DAY_MS = 24 * 60 * 60 * 1000

/** Whether a key's time has passed. `expiresAt` is ISO 8601 in UTC, or null for never. */
export function isExpired(expiresAt: string | null): boolean {
  return expiresAt !== null && Date.parse(expiresAt) <= Date.now()
}

/**
 * The key of a slot, if it can be used.
 *
 * @throws VaultError `no_api_key`, `api_key_unreadable`, `api_key_expired`
 */
export function requireUsable(key: StoredKey): OpenKey {
  if (key.state === 'empty') throw new VaultError('no_api_key')
  if (key.state === 'unreadable') throw new VaultError('api_key_unreadable')
  if (isExpired(key.expiresAt)) throw new VaultError('api_key_expired')
  return key
}

/**
 * Deletes the keys that expired longer ago than `EXPIRED_KEPT_DAYS`, at most 100 in a run, and logs each one.
 *
 * @throws VaultError `database_busy`, `server_misconfigured`
 */
export async function deleteExpiredKeys({ db, keyring, settings }: Service): Promise<void> {
  const before = new Date(Date.now() - settings.expiredKeptDays * DAY_MS).toISOString()
  const results = await runBatch<{ userId?: string; provider?: string }>(
    db,
    [
      noteExpired(before),
      ...(isMovingIn(keyring) ? [noteExpiredDeleted(before)] : []),
      deleteExpired(before),
    ],
    BULK_DEADLINE_MS,
  )
  for (const { userId: user_id, provider } of results.at(-1)?.results ?? []) {
    log('info', 'expired_key_deleted', { user_id, provider })
  }
}
