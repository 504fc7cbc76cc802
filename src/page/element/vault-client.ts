/** The slots of the service as the element shows them. All functions here throw a Problem. */

import {
  pathOf,
  request,
  type Access as VaultAccess,
  type Call as VaultCall,
} from '../../callers/browser/exchange.ts'
import type {
  DecryptionFault,
  KeyAnswer,
  ListedAnswer,
  MemberSlot,
  SavedFields,
  SlotFields,
} from '../../shared/answers.ts'
import type { AnswerOf, BodyOf } from '../../shared/routes.ts'
import { OUT_OF_CREDIT, splitSlot, type Verdict } from '../../shared/slot.ts'
import { readableKey, type ShownKey, type ShownSlot } from './slot.ts'

/** A user or a team, and the vault with their keys. */
export interface Access extends VaultAccess {
  /** The user who looks at the keys of a team; null if that is not known. */
  userId: string | null
  /** Whether the application can sign the user in again without leaving the page. */
  canSignIn: () => boolean
  signIn: () => Promise<void>
}

/** A request, and what ends it. */
export interface Call extends VaultCall {
  access: Access
}

/**
 * Fetches every slot. A member who is not an admin sees only for which providers the team has keys: `shared` has their
 * names. It is null for anybody else.
 */
export async function fetchSlots(call: Call) {
  const { api_keys }: List = await request<'listSlots'>(call, '/api-keys', { method: 'GET' })
  const labels = new Map(api_keys.map(({ provider: name, label }) => [name, label]))
  const known = api_keys.filter((listed) => 'key_prefixes' in listed)
  const stored = api_keys.filter(({ has_api_key }) => has_api_key)
  const providers = stored.map(({ provider: name }) => splitSlot(name).provider)
  return {
    slots: known.map((listed) => readSlot(listed, labels)),
    shared:
      known.length < api_keys.length
        ? Array.from(new Set(providers), (name) => labels.get(name) ?? name)
        : null,
  }
}

interface List {
  api_keys: (ListedAnswer | MemberSlot)[]
}

/** `labels` has the name of each provider, by its slot without a label. */
function readSlot(listed: ListedAnswer, labels: Map<string, string | null>): ShownSlot {
  const {
    provider: name,
    key_page: keyPage,
    billing_page: billingPage = null,
    key_prefixes: keyPrefixes,
    hosts = null,
  } = listed
  const { provider: bare, label } = splitSlot(name)
  const provider = labels.get(bare) ?? null
  return { name, provider, label, keyPage, billingPage, keyPrefixes, hosts, ...readKey(listed) }
}

/** A key as it is entered. */
interface EnteredKey {
  apiKey: string
  baseUrl?: string | undefined
  /** When it is to expire; undefined for never. */
  expiresAt?: string | undefined
  /** Whether the service checks the key with its provider first. */
  verify: boolean
}

type SavedSlot = AnswerOf<'saveSlot'>

/** The answer about a team has `team` instead of `user`. */
interface Saved extends SavedSlot {
  team?: SavedSlot['user']
}

/** Saves a key in the slot, unless it has changed. Returns the slot after that, as the functions below do. */
export async function putKey(
  call: Call,
  slot: ShownSlot,
  { apiKey, baseUrl, expiresAt, verify }: EnteredKey,
): Promise<ShownSlot> {
  const {
    user,
    team = user,
    effective_within_s = 0,
  }: Saved = await request<'saveSlot'>(call, `${pathOf(slot)}${verify ? '' : '?verify=false'}`, {
    method: 'PUT',
    body: { api_key: apiKey, base_url: baseUrl, expires_at: expiresAt },
    etag: slot.etag,
  })
  // No application could use a key before.
  const lag = readableKey(slot) === null ? 0 : effective_within_s
  return { ...slot, ...readKey(team), lag }
}

/** Moves the key of the default slot to another slot. */
export async function assignKey(call: Call, from: ShownSlot, to: ShownSlot): Promise<ShownSlot> {
  const path = `${pathOf(to)}/assign` as const
  const answer = await request<'assignKey'>(call, path, { method: 'POST' })
  return { ...to, ...readKey(answer, from) }
}

/** Deletes the key in the slot, unless it has changed. */
export async function deleteKey(call: Call, slot: ShownSlot): Promise<ShownSlot> {
  const init = { method: 'DELETE', etag: slot.etag } as const
  const { effective_within_s: lag = 0 } = await request<'deleteSlot'>(call, pathOf(slot), init)
  return { ...slot, key: null, etag: null, lag }
}

/**
 * What its user changes of a key: its limits, or its label and its place. What is left out stays as it is, and null removes a
 * limit or the label.
 */
export type KeyChanges = BodyOf<'setLimits'>

/** Changes the limits of the key in the slot, its label or its place, unless it has changed. */
export async function patchKey(
  call: Call,
  slot: ShownSlot,
  changes: KeyChanges,
): Promise<ShownSlot> {
  const answer = await request<'setLimits'>(call, pathOf(slot), {
    method: 'PATCH',
    body: changes,
    etag: slot.etag,
  })
  const { provider: name, effective_within_s: lag = 0 } = answer
  return { ...slot, name, label: splitSlot(name).label, ...readKey(answer, slot), lag }
}

/** Has the service check the stored key with its provider. */
export async function verifyKey(
  call: Call,
  slot: ShownSlot,
): Promise<{ tested: ShownSlot; verdict: Verdict | null }> {
  const path = `${pathOf(slot)}/verify` as const
  const answer = await request<'verifySlot'>(call, path, { method: 'POST' })
  return { tested: { ...slot, ...readKey(answer, slot) }, verdict: answer.verdict }
}

/**
 * What an answer says of a key. Some answers do not say which slots have the same key: what was known of the key in the
 * slot `before` then stays.
 */
function readKey(
  answer: KeyAnswer<SlotFields & Partial<SavedFields>> & { reason?: DecryptionFault },
  before?: ShownSlot,
): Pick<ShownSlot, 'key' | 'etag' | 'lag'> {
  if (answer.error !== undefined) {
    const key = answer.reason === 'encryption_key_missing' ? 'unavailable' : 'unreadable'
    return { key, etag: answer.etag, lag: 0 }
  }
  if (!answer.has_api_key) return { key: null, etag: null, lag: 0 }
  const known = before && readableKey(before)
  const sameIn = known?.savedAt === answer.api_key_updated_at ? known.sameIn : []
  const key: ShownKey = {
    preview: answer.api_key_preview + (answer.api_key_last4 ?? ''),
    status: answer.status,
    exhaustedAt: answer.condition === OUT_OF_CREDIT ? (answer.condition_at ?? null) : null,
    savedAt: answer.api_key_updated_at,
    isFromOperator: answer.saved_by === 'operator',
    usedAt: answer.last_used_at,
    testedAt: answer.last_verified_at ?? null,
    expiresAt: answer.expires_at ?? null,
    isPaused: answer.paused_at !== undefined,
    callers: answer.callers ?? null,
    maxUses: answer.max_uses ?? null,
    maxUsesPerMember: answer.max_uses_per_member ?? null,
    sameIn: answer.same_key_in ?? sameIn,
    baseUrl: answer.base_url ?? null,
  }
  return { key, etag: answer.etag, lag: 0 }
}
