/** A user's slots, one a provider: a key is tried before it takes the place of another one. */

import { readConfig, type Config } from '../settings.ts'
import { ApiError } from '../errors.ts'
import { log } from '../log.ts'
import { tryKey, type Trial } from '../providers/request.ts'
import { DEFAULT_SLOT, type Provider } from '../providers/provider.ts'
import {
  deleteKey,
  listKeys,
  openVault,
  readKey,
  recordUse,
  saveKey,
  type KeySummary,
  type StoredKey,
} from '../store/api-keys.ts'

/** Whose slots, for which request. */
export interface SlotOwner {
  env: Env
  userId: string
  requestId: string | undefined
}

/** A slot of a user, with a key or without. */
export interface ListedSlot {
  name: string
  provider: Provider | null
  key: StoredKey | null
}

/**
 * Every slot of the user, the default one first, those without a key too, and last the keys of
 * providers that there are no more.
 *
 * @throws ApiError as all functions here: `user_not_found`, `database_busy`, `server_misconfigured`,
 * and where a slot is named `unknown_provider`
 */
export async function listSlots(owner: SlotOwner): Promise<ListedSlot[]> {
  const { PROVIDERS } = readConfig(owner.env)
  const keys = await listKeys(await openVault(owner.env, owner.requestId), owner.userId)
  const names = new Set([DEFAULT_SLOT, ...PROVIDERS.keys(), ...keys.keys()])
  return Array.from(names, (name) => ({
    name,
    provider: PROVIDERS.get(name) ?? null,
    key: keys.get(name) ?? null,
  }))
}

/** The key in the slot: null where there is none, `'unreadable'` where it does not open. */
export async function readSlot(owner: SlotOwner, name: string): Promise<StoredKey | null> {
  findProvider(readConfig(owner.env), name)
  const vault = await openVault(owner.env, owner.requestId)
  return readKey(vault, { userId: owner.userId, provider: name })
}

/**
 * Saves `apiKey` in the slot, unless its provider refuses it: then the key before stays.
 *
 * @param options.verify whether it is tried first; left out, `VERIFY_ON_SAVE` says
 * @throws ApiError `api_key_rejected` too
 */
export async function saveSlot(
  owner: SlotOwner,
  name: string,
  { apiKey, verify }: { apiKey: string; verify: boolean | undefined },
): Promise<KeySummary> {
  const config = readConfig(owner.env)
  const provider = findProvider(config, name)
  const vault = await openVault(owner.env, owner.requestId)
  const slot = { userId: owner.userId, provider: name }
  const verifies = verify ?? config.VERIFY_ON_SAVE !== 'false'
  if (provider === null || !verifies) return saveKey(vault, slot, { apiKey, status: 'unverified' })
  const { verdict } = await tryAndLog(owner, name, { provider, apiKey })
  if (verdict === 'refused') {
    const detail = `${provider.label} does not accept this key. A key that was saved before is unchanged.`
    throw new ApiError('api_key_rejected', { detail })
  }
  const status = verdict === 'accepted' ? 'active' : 'unverified'
  return saveKey(vault, slot, { apiKey, status })
}

/** Deletes the key in the slot, if there is one: that of a provider that there is no more, too. */
export async function deleteSlot(owner: SlotOwner, name: string): Promise<void> {
  const vault = await openVault(owner.env, owner.requestId)
  const deleted = await deleteKey(vault, { userId: owner.userId, provider: name })
  if (!deleted) findProvider(readConfig(owner.env), name)
}

/**
 * Tries the key in the slot, and records what its provider made of it.
 *
 * @returns the key as it is now, and the verdict; null where there was nothing to try, or what was
 * tried has been replaced meanwhile
 */
export async function verifySlot(
  owner: SlotOwner,
  name: string,
): Promise<{ key: StoredKey | null; verdict: Trial['verdict'] | null }> {
  const provider = findProvider(readConfig(owner.env), name)
  const vault = await openVault(owner.env, owner.requestId)
  const key = await readKey(vault, { userId: owner.userId, provider: name })
  if (key === null || key === 'unreadable' || provider === null) return { key, verdict: null }
  const { verdict } = await tryAndLog(owner, name, { provider, apiKey: key.apiKey })
  if (verdict === 'unknown') return { key, verdict }
  const status = verdict === 'accepted' ? 'active' : 'rejected'
  const lastUsedAt = await recordUse(vault, key.row, status)
  if (lastUsedAt !== null) return { key: { ...key, status, lastUsedAt }, verdict }
  return { key: await readKey(vault, { userId: owner.userId, provider: name }), verdict: null }
}

async function tryAndLog(
  { requestId: request_id }: SlotOwner,
  name: string,
  { provider, apiKey }: { provider: Provider; apiKey: string },
): Promise<Trial> {
  const trial = await tryKey(provider, apiKey)
  log('info', 'api_key_tried', { request_id, provider: name, ...trial })
  return trial
}

/** The provider of a slot; null for the default one. */
function findProvider({ PROVIDERS }: Config, name: string): Provider | null {
  if (name === DEFAULT_SLOT) return null
  const provider = PROVIDERS.get(name)
  if (provider !== undefined) return provider
  const detail = `Known ones: ${[...PROVIDERS.keys()].join(', ')}.`
  throw new ApiError('unknown_provider', { detail })
}
