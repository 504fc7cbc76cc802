/** Checks a stored key with its provider, at its owner's request. */

import type { Verdict } from '../shared/slot.ts'
import { updateVerified } from '../store/api-keys.ts'
import { run } from '../store/d1.ts'
import { noteEvent } from '../store/events.ts'
import { requireUsable } from './limits.ts'
import { findSlot } from './slot-name.ts'
import { readKey } from './slots.ts'
import { actorOf, type SlotOwner, type StoredKey } from './stored-key.ts'
import { askProvider, record, STATUS_BY_VERDICT } from './verdict.ts'
import { readUsableKey } from './usable-key.ts'

/** The result of a check. */
interface Verified {
  /** The key after the check. */
  key: StoredKey
  /** Null if the slot has no readable key or no provider, or if the key was replaced or rejected meanwhile. */
  verdict: Verdict | null
}

/**
 * Asks the provider about the key in the slot, and records the answer, unless the key was rejected meanwhile.
 *
 * @throws VaultError `unknown_provider`, `user_not_found`, `api_key_paused`, `api_key_expired`, `rate_limited`,
 * `database_busy`
 */
export async function verifySlot(owner: SlotOwner, given: string): Promise<Verified> {
  const { name, provider } = findSlot(owner.service.settings, given)
  const key = await readUsableKey(owner, name)
  if (key.state !== 'open' || provider === null) return { key, verdict: null }
  requireUsable(key.row)
  const verdict = await askProvider(owner, name, { provider, credential: key })
  const what = { event: 'verified', provider: key.row.provider, verdict } as const
  if (verdict === 'unknown') {
    await run(owner.service.db, noteEvent({ ...actorOf(owner), ...what }))
    return { key, verdict }
  }
  const status = STATUS_BY_VERDICT[verdict]
  const lastVerifiedAt = new Date().toISOString()
  const update = updateVerified(key.row, { status, at: lastVerifiedAt })
  if (!(await record(owner, update, what))) {
    return { key: await readKey(owner, name), verdict: null }
  }
  return { key: { ...key, status, lastVerifiedAt }, verdict }
}
