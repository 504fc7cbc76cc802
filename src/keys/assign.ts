/** Assigns keys that were saved through the plain route to a provider. */

import { fingerprintKey } from '../crypto/fingerprint.ts'
import { sealKey } from '../crypto/seal.ts'
import { VaultError } from '../errors.ts'
import { requireBaseUrl } from '../providers/base-url.ts'
import { findProvider } from '../providers/table.ts'
import { DEFAULT_SLOT } from '../shared/slot.ts'
import type { Service } from '../service.ts'
import type { Resealed } from '../store/api-keys.ts'
import { runBatch } from '../store/d1.ts'
import { noteChange } from '../store/events.ts'
import { noteKid, noteReplaced } from '../store/kids.ts'
import { moveKey, type MovedKey } from '../store/moved-keys.ts'
import { readUsableKey } from './gone.ts'
import { isExpired } from './limits.ts'
import { readRow } from './slots.ts'
import {
  actorOf,
  joinCredential,
  requireOpen,
  summarize,
  type KeySummary,
  type SlotOwner,
} from './stored-key.ts'
import { checkKey, isChecked } from './verdict.ts'

/**
 * Moves the key of the default slot to the slot `name`. As on a save, the provider may check it first.
 *
 * @throws VaultError `unknown_provider`, `base_url_invalid`, `user_not_found`, `no_api_key`,
 * `api_key_unreadable`, `api_key_expired`, `rate_limited`, `api_key_rejected`, `api_key_exists`, `database_busy`
 */
export async function assignKey(
  owner: SlotOwner,
  name: string,
  verify: boolean | undefined,
): Promise<KeySummary> {
  const { db, keyring, settings } = owner.service
  const provider = findProvider(settings.providers, name)
  if (provider === null) throw new VaultError('unknown_provider')
  requireBaseUrl(provider, undefined)
  const key = requireOpen(await readUsableKey(owner, [DEFAULT_SLOT]))
  if (isExpired(key.expiresAt)) throw new VaultError('api_key_expired')
  const status = isChecked(settings, provider, verify)
    ? await checkKey(owner, name, { provider, credential: key })
    : 'unverified'
  const { userId } = owner
  const slot = { userId, provider: name }
  const sealed = await sealKey(keyring, slot, joinCredential(key))
  // An imported key has none yet, and during a rotation it may be one under the old encryption key.
  const [fingerprint = ''] = await fingerprintKey(keyring, userId, key.apiKey)
  const [, , moved] = await runBatch(db, [
    noteReplaced(key.row),
    noteKid(sealed.kid),
    moveKey(key.row, name, { ...sealed, status, fingerprint }),
    noteChange({ ...actorOf(owner), provider: name, event: 'assigned' }),
  ])
  const [row] = moved.results
  if (row !== undefined) return summarize(row, key)
  if ((await readRow(owner, [name])).state !== 'empty') throw new VaultError('api_key_exists')
  // The key was replaced or deleted since it was read.
  return assignKey(owner, name, verify)
}

/** The default slots' keys in `opened`, sealed for the slot `provider`: for `npm run keys -- assign`. */
export async function sealForProvider(
  { keyring, settings }: Service,
  provider: string | null,
  opened: readonly (Resealed & { text: string })[],
): Promise<MovedKey[]> {
  // A provider without an origin needs a base URL, which only the user knows.
  if (provider === null || settings.providers.get(provider)?.origin === undefined) return []
  const plain = opened.filter(({ row }) => row.provider === DEFAULT_SLOT)
  return Promise.all(
    plain.map(async ({ row: { userId }, sealed: from, text }) => {
      const { sealed } = await sealKey(keyring, { userId, provider }, text)
      return { userId, from, sealed }
    }),
  )
}
