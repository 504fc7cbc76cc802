/** Checks a stored key with its provider, at its owner's request. */

import type { Verdict } from '../shared/slot.ts'
import { VaultError } from '../errors.ts'
import { isExpired } from './expiry.ts'
import { findSlot } from './slot-name.ts'
import { readKey } from './slots.ts'
import type { SlotOwner, StoredKey } from './stored-key.ts'
import { askProvider, recordUse, STATUS_BY_VERDICT } from './verdict.ts'

/** The result of a check. */
interface Verified {
  /** The key after the check. */
  key: StoredKey
  /** Null if the slot has no readable key or no provider, or if the key was replaced meanwhile. */
  verdict: Verdict | null
}

/**
 * Asks the provider about the key in the slot, and records the answer.
 *
 * @throws VaultError `unknown_provider`, `user_not_found`, `api_key_expired`, `rate_limited`, `database_busy`
 */
export async function verifySlot(owner: SlotOwner, given: string): Promise<Verified> {
  const { name, provider } = findSlot(owner.service.settings, given)
  const key = await readKey(owner, name)
  if (key.state !== 'open' || provider === null) return { key, verdict: null }
  if (isExpired(key.expiresAt)) throw new VaultError('api_key_expired')
  const verdict = await askProvider(owner, name, { provider, credential: key })
  if (verdict === 'unknown') return { key, verdict }
  const status = STATUS_BY_VERDICT[verdict]
  const lastVerifiedAt = await recordUse(owner.service, key.row, { status, as: 'verified' })
  if (lastVerifiedAt !== null) return { key: { ...key, status, lastVerifiedAt }, verdict }
  return { key: await readKey(owner, name), verdict: null }
}
