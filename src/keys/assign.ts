/** Assigns the key of the plain route to a provider. */

import { VaultError } from '../errors.ts'
import { requireBaseUrl } from '../providers/base-url.ts'
import { DEFAULT_SLOT } from '../shared/slot.ts'
import { run, runBatch } from '../store/d1.ts'
import { noted } from '../store/noted-events.ts'
import { moveKey } from '../store/resealed-keys.ts'
import { checkSlot } from '../store/slot-check.ts'
import { conditionEvents, NEW } from './key-state.ts'
import { isExpired, requireUsable } from './limits.ts'
import { publishEvents } from './publish.ts'
import { retry } from './retry.ts'
import { findSlot, requireProvider } from './slot-name.ts'
import {
  actorOf,
  joinCredential,
  requireOpen,
  sealText,
  summarize,
  type KeySummary,
  type SlotOwner,
} from './stored-key.ts'
import { checkKey, isChecked } from './verify.ts'
import { readUsableKey } from './take.ts'

/**
 * Moves the key of the plain route's slot to the slot, if it is not there already. As on a save, the provider may
 * check it first.
 *
 * @throws VaultError `label_invalid`, `unknown_provider`, `base_url_invalid`, `user_not_found`, `no_api_key`, `api_key_unreadable`,
 * `api_key_paused` before a check, `api_key_expired`, `api_key_exists`, `rate_limited`, `api_key_rejected`,
 * `too_many_keys`, `database_busy`
 */
export async function assignKey(
  owner: SlotOwner,
  given: string,
  verify: boolean | undefined,
): Promise<KeySummary> {
  const { db, keyring, settings } = owner.service
  if (given === DEFAULT_SLOT) throw new VaultError('unknown_provider')
  const slot = requireProvider(settings, findSlot(settings, given))
  const { name, provider } = slot
  requireBaseUrl(provider, undefined)
  const from = findSlot(settings, DEFAULT_SLOT)
  const key = requireOpen(await readUsableKey(owner, from))
  if (from.name === name) return key
  const isTried = isChecked(settings, provider, verify)
  if (isTried) requireUsable(key.row)
  if (isExpired(key.expiresAt)) throw new VaultError('api_key_expired')
  if (isTried) await requireEmpty(owner, name)
  const state = isTried ? await checkKey(owner, name, { provider, credential: key }) : NEW
  const { userId } = owner
  const sealed = await sealText(keyring, { userId, provider: name }, joinCredential(key))
  const by = { ...actorOf(owner), provider: name }
  const events = [{ ...by, event: 'assigned' }, ...conditionEvents(NEW, state, by)] as const
  const results = await runBatch(db, noted(moveKey(key.row, { ...sealed, ...state }), ...events))
  await publishEvents(owner.service, results)
  const [row] = results[0].results
  if (row !== undefined) return summarize(row, key)
  // The key was replaced, changed or deleted since it was read.
  return assignKey(owner, given, verify)
}

/** @throws VaultError `api_key_exists`, `too_many_keys`, `database_busy` */
async function requireEmpty({ service, userId }: SlotOwner, name: string): Promise<void> {
  const slot = { userId, provider: name, takesDefault: false }
  const { results } = await retry(async (ms) => run(service.db, checkSlot(slot, null, true), ms))
  if (results.some(({ tag }) => tag !== null)) throw new VaultError('api_key_exists')
}
