/** Asks a provider whether a key works: before a save, or at its owner's request. */

import { VaultError } from '../errors.ts'
import { log } from '../log.ts'
import type { Credential } from '../providers/base-url.ts'
import type { Provider } from '../providers/provider.ts'
import { tryKey } from '../providers/request.ts'
import { requireRate } from '../rate.ts'
import type { Settings } from '../settings.ts'
import type { KeyStatus, Verdict } from '../shared/slot.ts'
import { updateVerified } from '../store/api-keys.ts'
import { run, runBatch, type Statement } from '../store/d1.ts'
import { noted, noteEvent, type NewEvent } from '../store/noted-events.ts'
import { requireUsable } from './limits.ts'
import { publishEvents } from './publish.ts'
import { findSlot, requireKnown } from './slot-name.ts'
import { readKey } from './slots.ts'
import { actorOf, type SlotOwner, type StoredKey } from './stored-key.ts'
import { readUsableKey } from './take.ts'

/** A key's status after each verdict. */
export const STATUS_BY_VERDICT: Record<Verdict, KeyStatus> = {
  accepted: 'active',
  refused: 'rejected',
  unknown: 'unverified',
}

/**
 * Asks the provider with one cheap request whether the key works, and logs the answer. A separate rate
 * limit keeps a stolen token from testing many stolen keys.
 *
 * @throws VaultError `rate_limited`
 */
export async function askProvider(
  { service, userId: user_id, requestId: request_id }: SlotOwner,
  name: string,
  { provider, credential }: { provider: Provider; credential: Credential },
): Promise<Verdict> {
  const { probeLimiter } = service.settings
  if (provider.probe !== undefined) await requireRate(probeLimiter, user_id)
  const trial = await tryKey(provider, credential)
  log('info', 'api_key_tried', { request_id, user_id, provider: name, ...trial })
  return trial.verdict
}

/** Whether the provider checks a key before the vault saves it. */
export function isChecked(
  { verifyOnSave }: Settings,
  provider: Provider | null,
  verify: boolean | undefined,
): provider is Provider {
  return provider?.probe !== undefined && (verify ?? verifyOnSave)
}

/**
 * Asks the provider about a new key, and returns the status to save it with. The trail notes a rejection.
 *
 * @throws VaultError `rate_limited`, `api_key_rejected`
 */
export async function checkKey(
  owner: SlotOwner,
  name: string,
  asked: { provider: Provider; credential: Credential },
): Promise<KeyStatus> {
  const verdict = await askProvider(owner, name, asked)
  if (verdict !== 'refused') return STATUS_BY_VERDICT[verdict]
  const { service } = owner
  const what = { event: 'rejected_on_save', verdict } as const
  const event = await run(service.db, noteEvent({ ...actorOf(owner), provider: name, ...what }))
  await publishEvents(service, [event])
  const detail = `${asked.provider.label} does not accept this key.`
  throw new VaultError('api_key_rejected', { detail })
}

/**
 * Runs the statement that records a use or a check of a key, and notes the event if it changes the row.
 *
 * @returns whether it did
 * @throws VaultError `database_busy`
 */
export async function record(
  owner: SlotOwner,
  update: Statement,
  event: Pick<NewEvent, 'event' | 'provider' | 'verdict' | 'providerStatus'> | null,
): Promise<boolean> {
  const { db } = owner.service
  const statements =
    event === null ? ([update] as const) : noted(update, { ...actorOf(owner), ...event })
  const results = await runBatch(db, statements)
  await publishEvents(owner.service, results)
  return results[0].meta.changes === 1
}

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
  const { settings } = owner.service
  const slot = requireKnown(settings, findSlot(settings, given))
  const { name, provider } = slot
  const key = await readUsableKey(owner, slot)
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
    return { key: await readKey(owner, slot), verdict: null }
  }
  return { key: { ...key, status, lastVerifiedAt }, verdict }
}
