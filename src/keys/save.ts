/** Saves a user's key in a slot. */

import { fingerprintKey } from '../crypto/fingerprint.ts'
import { sealKey } from '../crypto/seal.ts'
import { requireBaseUrl, type Credential } from '../providers/base-url.ts'
import type { Settings } from '../settings.ts'
import type { KeyStatus } from '../shared/slot.ts'
import { deleteKey, selectKey, takeOver, upsertKey } from '../store/api-keys.ts'
import { runBatch, type Statement } from '../store/d1.ts'
import { noteSaved } from '../store/events.ts'
import { noteKnown, selectKnown, type KnownKey } from '../store/fingerprints.ts'
import { noteGoneVersions } from '../store/gone-keys.ts'
import { noteKid, noteReplaced } from '../store/kids.ts'
import { insertUser } from '../store/users.ts'
import {
  requireVersion,
  selectVersion,
  type Condition,
  type SeenVersion,
} from '../store/versions.ts'
import { makeMark, retry, runMarked } from './retry.ts'
import { findSlot, rowNames, slotName } from './slot-name.ts'
import {
  actorOf,
  isKeyRow,
  joinCredential,
  summarize,
  type KeySummary,
  type SlotOwner,
} from './stored-key.ts'
import { requireAnyUser, userNotFound } from './users.ts'
import { checkKey, isChecked } from './verdict.ts'

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
 * the previous key is kept. If a later save or deletion comes during that check, that one counts.
 *
 * @throws VaultError `unknown_provider`, `base_url_invalid`, `user_not_found`, `rate_limited`,
 * `api_key_rejected`, `changed_meanwhile`, `database_busy`
 */
export async function saveSlot(
  owner: SlotOwner,
  given: string,
  { apiKey, baseUrl, verify, expiresAt = null, condition = null }: NewKey,
): Promise<SavedKey> {
  const { settings, keyring } = owner.service
  const { name, provider } = findSlot(settings, given)
  const credential = { apiKey, baseUrl: requireBaseUrl(provider, baseUrl) }
  const fingerprints = await fingerprintKey(keyring, owner.userId, apiKey)
  const key = { credential, fingerprints, expiresAt }
  const conditions = condition === null ? [] : [condition]
  if (!isChecked(settings, provider, verify)) {
    return writeKey(owner, name, { ...key, status: 'unverified', conditions, at: null })
  }
  const { version: seen, at } = await readVersion(owner, name, conditions)
  const status = await checkKey(owner, name, { provider, credential, fingerprint: fingerprints[0] })
  const later: Condition = { kind: 'not later', seen, at }
  return writeKey(owner, name, { ...key, status, conditions: [...conditions, later], at })
}

/** A saved key, and where the user has had the same one. */
export interface SavedKey extends KeySummary {
  /** The names of the user's other slots with the same key. */
  sameIn: readonly string[]
  /** Whether it is one that the user deleted or replaced before, or that its provider rejected. */
  knownAs: 'deleted' | 'rejected' | null
}

/** A key to write, and what must be true of its slot. */
interface CheckedKey {
  credential: Credential
  /** See `fingerprintKey`. */
  fingerprints: readonly string[]
  expiresAt: string | null
  status: KeyStatus
  conditions: readonly Condition[]
  /** When the request came; null for a key that was not checked. */
  at: string | null
}

/** Seals the key, and saves it with one round trip to D1. The limits of the previous one stay. */
async function writeKey(
  owner: SlotOwner,
  provider: string,
  { credential, fingerprints, expiresAt, status, conditions, at }: CheckedKey,
): Promise<SavedKey> {
  const { userId, service } = owner
  const { db, keyring, settings } = service
  const slot = { userId, provider }
  const names = rowNames(settings, provider)
  const [, older] = names
  const [fingerprint = ''] = fingerprints
  const sealedKey = await sealKey(keyring, slot, joinCredential(credential))
  const mark = makeMark()
  const statements = [
    ...(settings.autoCreateUsers ? [insertUser(userId)] : []),
    ...conditions.map((condition) => requireVersion(userId, names, condition)),
    noteReplaced(slot),
    noteGoneVersions(userId, names),
    noteKid(sealedKey.kid),
    noteSaved({ ...actorOf(owner), provider, mark }, names),
    noteKnown(userId, names, fingerprints),
    selectKnown(userId, names, fingerprints),
    ...(older === undefined ? [] : replaceOlder(userId, [provider, older])),
    upsertKey(slot, { ...sealedKey, status, at, expiresAt, fingerprint }),
  ]
  const read = [selectKey(userId, [provider])]
  // If the slot does not hold the saved key any more, nobody knows its version.
  const isResult = (row: object) => isKeyRow(row) && row.sealed === sealedKey.sealed
  const results = await runMarked(db, { userId, mark, statements, read, isResult })
  const rows = results.flatMap((result) => result.results)
  const row = rows.find(isKeyRow)
  if (row === undefined) throw userNotFound()
  return { ...summarize(row, credential), ...describeKnown(settings, rows.filter(isKnownKey)) }
}

function describeKnown(settings: Settings, known: readonly KnownKey[]) {
  const others = known.flatMap(({ otherProvider: name }) => (name === null ? [] : [name]))
  const sameIn = others.map((name) => slotName(settings, name))
  return { sameIn, knownAs: known[0]?.state ?? null }
}

function isKnownKey(row: object): row is KnownKey {
  return 'otherProvider' in row
}

/** Replaces a key that was saved before `DEFAULT_PROVIDER` was set. */
function replaceOlder(userId: string, names: [own: string, older: string]): Statement[] {
  const row = { userId, provider: names[1] }
  return [noteReplaced(row), takeOver(userId, names), deleteKey(row)]
}

/**
 * The version of the slot's key, and the time of D1. A token without a user cannot test keys. It only reads, so it
 * is tried again if D1 fails.
 *
 * @throws VaultError `user_not_found`, `changed_meanwhile` if a condition is not true, `database_busy`
 */
async function readVersion(owner: SlotOwner, name: string, conditions: readonly Condition[]) {
  const { service, userId } = owner
  const names = rowNames(service.settings, name)
  const statements: Statement<Partial<SeenVersion>>[] = [
    ...conditions.map((condition) => requireVersion(userId, names, condition)),
    selectVersion(userId, names),
  ]
  const results = await retry(async (ms) => runBatch(service.db, statements, ms))
  const { isUser = 0, version = null, at = '' } = results.at(-1)?.results[0] ?? {}
  if (isUser === 0) requireAnyUser(owner)
  return { version, at }
}
