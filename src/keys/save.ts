/** Saves an owner's key in a slot. */

import { sealKey } from '../crypto/seal.ts'
import { requireBaseUrl, type Credential } from '../providers/base-url.ts'
import { selectSaved, upsertKey, type KeyState, type SavedRow } from '../store/api-keys.ts'
import { notedSave } from '../store/noted-events.ts'
import { deleteKey, replaceKey } from '../store/gone-keys.ts'
import { checkSlot, type Condition } from '../store/slot-check.ts'
import { insertUser } from '../store/users.ts'
import { conditionEvents, NEW } from './key-state.ts'
import { runOwned } from './owned.ts'
import { publishEvents } from './publish.ts'
import { makeMark, retry, runMarked } from './retry.ts'
import { findSlot, requireKnown, slotName, type NamedSlot } from './slot-name.ts'
import { inRow } from './slot-row.ts'
import {
  actorOf,
  fingerprintsOf,
  isKeyRow,
  isOperator,
  joinCredential,
  summarize,
  type KeySummary,
  type SlotOwner,
} from './stored-key.ts'
import { addsUser, requireAnyUser, userNotFound } from './users.ts'
import { checkKey, isChecked } from './verify.ts'

/** A key to save. */
interface NewKey {
  apiKey: string
  /** Required for a provider with `hosts`. */
  baseUrl?: string | undefined
  /** Whether the provider checks the key first; undefined means as `VERIFY_ON_SAVE` says. */
  verify: boolean | undefined
  /** When it expires: ISO 8601 in UTC. */
  expiresAt?: string | null | undefined
  /** What must be true of the slot; null for nothing. */
  condition?: Condition | null
}

/**
 * Saves a key, and replaces the slot's previous one. If the provider checks the key first and rejects it,
 * the previous key is kept. If its owner changes the slot during that check, that change counts.
 *
 * @throws VaultError `label_invalid`, `unknown_provider`, `base_url_invalid`, `user_not_found`, `rate_limited`,
 * `api_key_rejected`, `api_key_exists` for an operator, or if another label differs only in case, `too_many_keys`, `changed_meanwhile`,
 * `database_busy`
 */
export async function saveSlot(
  owner: SlotOwner,
  given: string,
  { apiKey, baseUrl, verify, expiresAt = null, condition = null }: NewKey,
): Promise<SavedKey> {
  const { settings } = owner.service
  const slot = requireKnown(owner, findSlot(settings, given))
  const { name, provider } = slot
  const credential = { apiKey, baseUrl: requireBaseUrl(provider, baseUrl) }
  const key = { credential, expiresAt }
  const before = isOperator(owner) ? vacantBefore(condition) : condition
  if (!isChecked(settings, provider, verify)) {
    return writeKey(owner, slot, { ...key, state: NEW, condition: before })
  }
  const tag = await readTag(owner, slot, before)
  const state = await checkKey(owner, name, { provider, credential })
  const since = isOperator(owner) ? before : ({ kind: 'tagged', tags: [tag] } as const)
  return writeKey(owner, slot, { ...key, state, condition: since })
}

/**
 * An operator may save only into an empty slot: whoever could replace a key could plant their own, and read the user's
 * traffic in their account.
 */
function vacantBefore(condition: Condition | null): Condition {
  return { kind: 'vacant', isMatched: condition !== null && condition.kind !== 'empty' }
}

/** A saved key. */
export interface SavedKey extends KeySummary {
  /** The names of the owner's other slots with the same key, if it is not a short one. */
  sameIn: readonly string[]
}

/** A key to write, and what must be true of its slot. */
interface CheckedKey {
  credential: Credential
  expiresAt: string | null
  state: KeyState
  condition: Condition | null
}

/** Seals the key, and saves it with one round trip to D1. The limits of the previous one stay. */
async function writeKey(
  owner: SlotOwner,
  named: NamedSlot,
  { credential, expiresAt, state, condition }: CheckedKey,
): Promise<SavedKey> {
  const { userId, service } = owner
  const { keyring, settings } = service
  const fingerprints = await fingerprintsOf(keyring, owner, credential.apiKey)
  const results = await inRow(owner, named, async (slot, other) => {
    const sealedKey = await sealKey(keyring, slot, joinCredential(credential))
    const mark = makeMark()
    const isAsking = condition !== null || slot.takesDefault
    const savedBy = isOperator(owner) ? ('operator' as const) : null
    const row = { ...sealedKey, ...state, savedBy, expiresAt, fingerprints }
    const save = [
      ...(addsUser(owner) ? [insertUser(userId)] : []),
      ...(isAsking ? [checkSlot(slot, condition)] : []),
      ...(other === null ? [] : [...other.asRead, ...deleteKey(other, 'request')]),
      ...notedSave(
        upsertKey(slot, row),
        { ...actorOf(owner), provider: slot.provider, mark },
        conditionEvents(NEW, state, {}),
      ),
    ]
    const statements = replaceKey(slot, save)
    const read = [selectSaved(slot, fingerprints)]
    // If the slot does not hold the saved key any more, nobody knows what to answer.
    const isResult = (found: object) => isKeyRow(found) && found.sealed === sealedKey.sealed
    return runMarked(owner, { slot, mark, statements, read, isResult })
  })
  await publishEvents(service, results)
  const row = results.flatMap((result) => result.results).find(isSavedRow)
  if (row === undefined) throw userNotFound(owner)
  // It would tell an operator which keys the user has.
  const sameIn: string[] = isOperator(owner) ? [] : JSON.parse(row.sameIn)
  return { ...summarize(row, credential), sameIn: sameIn.map((other) => slotName(settings, other)) }
}

function isSavedRow(row: object): row is SavedRow {
  return 'sameIn' in row
}

/**
 * The slot's tag; null if it is empty. It refuses a token without a user, which could otherwise test keys. It only reads, so
 * it is tried again if D1 fails.
 *
 * @throws VaultError `user_not_found`, `changed_meanwhile` if the condition is not true, `too_many_keys`, `api_key_exists`,
 * `database_busy`
 */
async function readTag(
  owner: SlotOwner,
  named: NamedSlot,
  condition: Condition | null,
): Promise<string | null> {
  const [{ results }] = await inRow(owner, named, async (slot) =>
    retry(async (ms) => runOwned(owner, [checkSlot(slot, condition, true)], ms)),
  )
  if (results.length === 0) requireAnyUser(owner)
  return results[0]?.tag ?? null
}
