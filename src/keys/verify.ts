/** Asks a provider whether a key works: before a save, or at its owner's request. */

import { VaultError } from '../errors.ts'
import { log } from '../log.ts'
import type { Credential } from '../providers/base-url.ts'
import type { Provider } from '../providers/provider.ts'
import { tryKey, type Trial } from '../providers/request.ts'
import { requireRate } from '../rate.ts'
import type { Settings } from '../settings.ts'
import { encodeSlot, type RejectionReason, type Verdict } from '../shared/slot.ts'
import { updateVerified, type KeyState } from '../store/api-keys.ts'
import { conditionEvents, NEW, note, record, stateAfterCheck } from './key-state.ts'
import { requireUsable } from './limits.ts'
import { findSlot, requireKnown } from './slot-name.ts'
import { readKey } from './slots.ts'
import type { SlotOwner, StoredKey } from './stored-key.ts'
import { readUsableKey } from './take.ts'

/** What a provider is asked about. */
interface Asked {
  provider: Provider
  credential: Credential
}

/**
 * Asks the provider with one cheap request whether the key works, and logs the answer. A separate rate
 * limit keeps a stolen token from testing many stolen keys.
 *
 * @throws VaultError `rate_limited`
 */
export async function askProvider(owner: SlotOwner, name: string, asked: Asked): Promise<Trial> {
  const { probeLimiter } = owner.service.settings
  const { member = owner.userId } = owner
  if (asked.provider.probe !== undefined) await requireRate(probeLimiter, member)
  return tryAndLog(owner, name, asked)
}

/** As {@link askProvider}, without the rate limit. */
export async function tryAndLog(
  { userId: user_id, requestId: request_id }: SlotOwner,
  name: string,
  { provider, credential }: Asked,
): Promise<Trial> {
  const trial = await tryKey(provider, credential)
  const { verdict, reason } = trial
  const about = { request_id, user_id, provider: encodeSlot(name) }
  log('info', 'api_key_tried', { ...about, verdict, reason })
  return trial
}

/** Whether the provider checks a key before the vault saves it. */
export function isChecked(
  { verifyOnSave }: Settings,
  provider: Provider | null,
  verify: boolean | undefined,
): provider is Provider {
  return provider?.probe !== undefined && (verify ?? verifyOnSave)
}

/** The end of the `detail` of a refused save. */
const WHY: Record<RejectionReason, string> = {
  revoked: ' It was revoked.',
  leaked: ' It was reported as leaked.',
  suspended: ' Its account is suspended.',
  unknown: '',
}

/**
 * Asks the provider about a new key, and returns the state to save it with. The trail notes a rejection.
 *
 * @throws VaultError `rate_limited`, `api_key_rejected`
 */
export async function checkKey(owner: SlotOwner, name: string, asked: Asked): Promise<KeyState> {
  const trial = await askProvider(owner, name, asked)
  const { verdict, rejection: reason } = trial
  if (verdict !== 'refused') return stateAfterCheck(NEW, trial, new Date().toISOString())
  await note(owner, name, { event: 'rejected_on_save', verdict, reason })
  const detail = `${asked.provider.label} does not accept this key.${WHY[reason ?? 'unknown']}`
  throw new VaultError('api_key_rejected', { detail })
}

/** The result of a check. */
interface Verified {
  /** The key after the check. */
  key: StoredKey
  /** Null if the slot has no readable key or no provider, or if the key was replaced or its state has changed meanwhile. */
  verdict: Verdict | null
}

/**
 * Asks the provider about the key in the slot, and records the answer, unless its state has changed meanwhile.
 *
 * @throws VaultError `unknown_provider`, `user_not_found`, `api_key_paused`, `api_key_expired`, `rate_limited`,
 * `database_busy`
 */
export async function verifySlot(owner: SlotOwner, given: string): Promise<Verified> {
  const { settings } = owner.service
  const slot = requireKnown(owner, findSlot(settings, given))
  const { name, provider } = slot
  const key = await readUsableKey(owner, slot)
  if (key.state !== 'open' || provider === null) return { key, verdict: null }
  requireUsable(key.row)
  const trial = await askProvider(owner, name, { provider, credential: key })
  const { verdict, rejection: reason } = trial
  const event = { event: 'verified', verdict, reason } as const
  const { provider: inRow } = key.row
  if (verdict === 'unknown') {
    await note(owner, inRow, event)
    return { key, verdict }
  }
  const at = new Date().toISOString()
  const state = stateAfterCheck(key.row, trial, at)
  const events = [event, ...conditionEvents(key.row, state, {})]
  const update = updateVerified(key.row, { ...state, at })
  if (!(await record(owner, update, { provider: inRow, events }))) {
    return { key: await readKey(owner, slot), verdict: null }
  }
  return { key: { ...key, ...state, lastVerifiedAt: at }, verdict }
}
