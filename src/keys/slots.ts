/** A user's slots: list them, and read, save or delete the key in one. */

import { fingerprintKey } from '../crypto/fingerprint.ts'
import { isMovingIn } from '../crypto/keyring.ts'
import { sealKey, type Slot } from '../crypto/seal.ts'
import { VaultError } from '../errors.ts'
import { requireBaseUrl, type Credential } from '../providers/base-url.ts'
import type { Provider } from '../providers/provider.ts'
import type { Settings } from '../settings.ts'
import { DEFAULT_SLOT, type KeyStatus } from '../shared/slot.ts'
import {
  deleteKey,
  selectKey,
  selectKeys,
  takeOver,
  upsertKey,
  type KeyRow,
  type UserWithoutKey,
  type RowNames,
  type SealedRow,
} from '../store/api-keys.ts'
import { run, runBatch, type Statement } from '../store/d1.ts'
import { noteKeyEvent, noteSaved } from '../store/events.ts'
import { noteGone, selectKnown, type KnownKey } from '../store/fingerprints.ts'
import { noteGoneVersions } from '../store/gone-keys.ts'
import { noteKeyDeleted } from '../store/imported-keys.ts'
import { noteKid, noteReplaced } from '../store/kids.ts'
import { insertUser, selectUser } from '../store/users.ts'
import { requireVersion, selectVersion, type Condition } from '../store/versions.ts'
import { publishEvents } from './publish.ts'
import {
  EMPTY,
  isKeyRow,
  joinCredential,
  logUnreadable,
  openRow,
  OWNER,
  summarize,
  type KeySummary,
  type SlotOwner,
  type StoredKey,
} from './stored-key.ts'
import { retry } from './retry.ts'
import { findSlot, rowNames, slotName } from './slot-name.ts'
import { checkKey, isChecked } from './verdict.ts'

/** A slot of a user. */
export interface ListedSlot {
  name: string
  /** Null for the default slot, and for a removed provider. */
  provider: Provider | null
  key: StoredKey
}

/**
 * Every slot of the user, with or without a key: the default slot, then one per provider, then those of
 * removed providers. It only reads, so it is tried again if D1 fails.
 *
 * @throws VaultError `user_not_found`, `database_busy`
 */
export async function listSlots(owner: SlotOwner): Promise<ListedSlot[]> {
  const { db, settings } = owner.service
  const { results } = await retry(async (ms) => run(db, selectKeys(owner.userId), ms))
  if (results.length === 0) requireAnyUser(owner)
  const rows = laterRows(settings, results.filter(isKeyRow))
  const opening = Array.from(
    rows,
    async ([name, row]) => [name, await openAndLog(owner, row)] as const,
  )
  const keys = new Map(await Promise.all(opening))
  const first = slotName(settings, DEFAULT_SLOT)
  const names = new Set([first, ...settings.providers.keys(), ...keys.keys()])
  return Array.from(names, (name) => ({
    name,
    provider: settings.providers.get(name) ?? null,
    key: keys.get(name) ?? EMPTY,
  }))
}

/** The row of each slot. Of two rows it is the later one, or its own if both are as old, as in `selectKey`. */
function laterRows(settings: Settings, rows: readonly KeyRow[]): Map<string, KeyRow> {
  const chosen = new Map<string, KeyRow>()
  for (const row of rows) {
    const name = slotName(settings, row.provider)
    const known = chosen.get(name)
    const isOwn = row.provider === name
    const isLater =
      known === undefined ||
      known.updatedAt < row.updatedAt ||
      (isOwn && known.updatedAt === row.updatedAt)
    if (isLater) chosen.set(name, row)
  }
  return chosen
}

/**
 * The key in the slot.
 *
 * @throws VaultError `unknown_provider`, `user_not_found`, `database_busy`
 */
export async function readSlot(owner: SlotOwner, name: string): Promise<StoredKey> {
  findSlot(owner.service.settings, name)
  return readKey(owner, name)
}

/**
 * The key in the slot, even if its provider was removed.
 *
 * @throws VaultError `user_not_found`, `database_busy`
 */
export async function readKey(owner: SlotOwner, name: string): Promise<StoredKey> {
  const { settings } = owner.service
  return readRow(owner, rowNames(settings, slotName(settings, name)))
}

/**
 * The key in the later of the rows. It only reads, so it is tried again if D1 fails.
 *
 * @throws VaultError `user_not_found`, `database_busy`
 */
export async function readRow(owner: SlotOwner, names: RowNames): Promise<StoredKey> {
  const { db } = owner.service
  const [row] = (await retry(async (ms) => run(db, selectKey(owner.userId, names), ms))).results
  if (row === undefined) requireAnyUser(owner)
  return row !== undefined && isKeyRow(row) ? openAndLog(owner, row) : EMPTY
}

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
  { service: { db, keyring, settings }, userId, requestId, by = OWNER }: SlotOwner,
  provider: string,
  { credential, fingerprints, expiresAt, status, conditions, at }: CheckedKey,
): Promise<SavedKey> {
  const slot = { userId, provider }
  const names = rowNames(settings, provider)
  const [, older] = names
  const [fingerprint = ''] = fingerprints
  const sealedKey = await sealKey(keyring, slot, joinCredential(credential))
  const save = [
    ...(settings.autoCreateUsers ? [insertUser(userId)] : []),
    ...conditions.map((condition) => requireVersion(userId, names, condition)),
    noteReplaced(slot),
    noteGoneVersions(userId, names),
    noteKid(sealedKey.kid),
    noteSaved({ ...slot, by, requestId }, names),
    noteGone(userId, names, fingerprints),
    selectKnown(userId, names, fingerprints),
    ...(older === undefined ? [] : replaceOlder(userId, [provider, older])),
    upsertKey(slot, { ...sealedKey, status, at, expiresAt, fingerprint }),
  ]
  const rows = await runSave(db, { ...slot, ...sealedKey }, save)
  const row = rows.find(isKeyRow)
  if (row === undefined) throw userNotFound()
  return { ...summarize(row, credential), ...describeKnown(settings, rows.filter(isKnownKey)) }
}

function describeKnown(settings: Settings, known: readonly KnownKey[]) {
  const others = known.flatMap(({ otherProvider: name }) => (name === null ? [] : [name]))
  const sameIn = others.map((name) => slotName(settings, name))
  return { sameIn, knownAs: known.find(({ state }) => state !== null)?.state ?? null }
}

function isKnownKey(row: object): row is KnownKey {
  return 'otherProvider' in row
}

/**
 * Runs the statements of a save, and returns their rows. If D1 fails, it tries again unless the slot holds this
 * sealed key, which no other save makes. So the event is noted once, and conditions are tested once.
 */
async function runSave(
  db: D1Database,
  { userId, provider, sealed }: SealedRow,
  statements: readonly Statement<object>[],
): Promise<object[]> {
  const save = async (ms?: number) =>
    (await runBatch(db, statements, ms)).flatMap(({ results }) => results)
  return retry(save, async (ms) => {
    const [held] = (await run(db, selectKey(userId, [provider]), ms)).results
    return held?.sealed === sealed ? [held] : save(ms)
  })
}

/** Replaces a key that was saved before `DEFAULT_PROVIDER` was set. */
function replaceOlder(userId: string, names: [own: string, older: string]): Statement[] {
  const row = { userId, provider: names[1] }
  return [noteReplaced(row), takeOver(userId, names), deleteKey(row)]
}

/**
 * Deletes the key in the slot, if there is one, even if its provider was removed.
 *
 * @returns whether there was one
 * @throws VaultError `unknown_provider`, `user_not_found`, `changed_meanwhile`, `database_busy`
 */
export async function deleteSlot(
  owner: SlotOwner,
  given: string,
  condition: Condition | null = null,
): Promise<boolean> {
  const { userId, requestId, by = OWNER } = owner
  const { db, keyring, settings } = owner.service
  const name = slotName(settings, given)
  const names = rowNames(settings, name)
  const event = { event: 'deleted', userId, provider: name, by, requestId } as const
  const slots = names.map((provider) => ({ userId, provider }))
  const isKnown = name === DEFAULT_SLOT || settings.providers.has(name)
  const notes = isMovingIn(keyring) ? slots.map((slot) => noteKeyDeleted(slot, isKnown)) : []
  const first = [
    selectUser(userId),
    ...(condition === null ? [] : [requireVersion(userId, names, condition)]),
    noteKeyEvent(event, names),
    noteGone(userId, names),
    noteGoneVersions(userId, names),
    ...notes,
  ]
  const deletion = [...first, ...slots.flatMap(deleteRow)]
  const results = await runDeletion(db, selectKey(userId, names), deletion)
  if (results[0]?.results.length === 0) requireAnyUser(owner)
  const deleted = results.slice(first.length).some(({ meta }) => meta.changes > 0)
  if (!deleted) findSlot(settings, given)
  await publishEvents(owner.service, results)
  return deleted
}

/**
 * Runs the statements of a deletion. If D1 fails, it tries again while the slot holds a key: then nothing was
 * deleted. An empty slot does not tell whether this deletion emptied it.
 */
async function runDeletion(
  db: D1Database,
  slot: Statement<KeyRow | UserWithoutKey>,
  statements: readonly Statement<object>[],
): Promise<D1Result<object>[]> {
  const work = async (ms?: number) => runBatch(db, statements, ms)
  return retry(work, async (ms, error) => {
    const [held] = (await run(db, slot, ms)).results
    if (held?.sealed === null) throw error
    return work(ms)
  })
}

function deleteRow(row: Slot): Statement[] {
  return [noteReplaced(row), deleteKey(row)]
}

export async function openAndLog({ service, requestId }: SlotOwner, row: KeyRow) {
  const key = await openRow(service.keyring, row)
  if (key.state === 'unreadable') logUnreadable(key, requestId)
  return key
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
  const statements: Statement<{ version?: string | null; at?: string }>[] = [
    ...conditions.map((condition) => requireVersion(userId, names, condition)),
    selectVersion(userId, names),
  ]
  const results = await retry(async (ms) => runBatch(service.db, statements, ms))
  const [row] = results.at(-1)?.results ?? []
  if (row === undefined) requireAnyUser(owner)
  const { version = null, at = new Date().toISOString() } = row ?? {}
  return { version, at }
}

/** For a user without a row. @throws VaultError `user_not_found`, unless `AUTO_CREATE_USERS` is on */
export function requireAnyUser({ service }: SlotOwner): void {
  if (!service.settings.autoCreateUsers) throw userNotFound()
}

function userNotFound(): VaultError {
  const detail = 'The token is valid, but its user has not been added yet, or was removed.'
  return new VaultError('user_not_found', { detail })
}
