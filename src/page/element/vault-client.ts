/** Calls the service. A 401 is tried once more with a new token; any other failure is a Problem. */

import type {
  DecryptionFault,
  KeyAnswer,
  ListedAnswer,
  MemberSlot,
  SavedFields,
  SlotFields,
} from '../../shared/answers.ts'
import { MAX_LABEL } from '../../shared/label.ts'
import type { AnswerOf, BodyOf, MethodOf, OwnOperation, PathOf } from '../../shared/routes.ts'
import { OUT_OF_CREDIT, splitSlot, type Verdict } from '../../shared/slot.ts'
import type { GetToken } from './host.ts'
import { Problem, readProblem } from './problem.ts'
import { readableKey, type ShownKey, type ShownSlot } from './slot.ts'

/** A user or a team, and the vault with their keys. */
export interface Access {
  baseUrl: string
  /** As paths name them. */
  kind: 'users' | 'teams'
  id: string
  /** The user who looks at the keys of a team; null if that is not known. */
  userId: string | null
  getToken: GetToken
  /** Whether the application can sign the user in again without leaving the page. */
  canSignIn: () => boolean
  signIn: () => Promise<void>
}

/** A request, and what ends it. */
export interface Call {
  access: Access
  signal: AbortSignal
}

/**
 * Fetches every slot. A member who is not an admin sees only of which providers the team has keys: `shared` has the names of
 * these, and is null for anybody else. All functions here throw a Problem.
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

/** The path after the user. It never has a key, since paths are logged: a label that looks like one is refused here. */
function pathOf({ name, label, keyPrefixes }: ShownSlot) {
  const isKey = keyPrefixes.some((prefix) => label?.startsWith(prefix))
  if (isKey || Array.from(label ?? '').length > MAX_LABEL) throw new Problem('label_invalid')
  return `/api-keys/${encodeURIComponent(name)}` as const
}

type SavedSlot = AnswerOf<'saveSlot'>

/** The answer about a team has `team` instead of `user`. */
interface Saved extends SavedSlot {
  team?: SavedSlot['user']
}

/** The slot as its user saw it: the service refuses a change (`changed_meanwhile`) if its owner has changed it since. */
function precondition({ etag }: ShownSlot): Record<string, string> {
  return etag === null ? { 'If-None-Match': '*' } : { 'If-Match': etag }
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
    headers: precondition(slot),
    body: { api_key: apiKey, base_url: baseUrl, expires_at: expiresAt },
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
  const init = { method: 'DELETE', headers: precondition(slot) } as const
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
    headers: precondition(slot),
    body: changes,
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

/** The path of an operation after the user, with the name of a slot in it, and its query. */
type PathTo<Id extends OwnOperation> =
  PathOf<Id> extends `/api/users/:userId${infer Path}`
    ? `${Named<Path>}${'' | `?${string}`}`
    : never

type Named<Path extends string> = Path extends `${infer Start}:provider${infer End}`
  ? `${Start}${string}${End}`
  : Path

interface Init<Id extends OwnOperation> {
  method: Uppercase<MethodOf<Id>>
  headers?: Record<string, string>
  body?: BodyOf<Id>
}

/** Returns the body of a 200. */
export async function request<Id extends OwnOperation>(
  call: Call,
  path: PathTo<Id>,
  init: Init<Id>,
): Promise<AnswerOf<Id>> {
  const response = await send<Id>(call, path, init)
  return response.json().catch(() => {
    throw new Problem(call.signal.aborted ? 'no_answer' : 'not_an_answer')
  })
}

/** Returns a 200. `path` begins after the user. */
export async function send<Id extends OwnOperation>(
  { access, signal }: Call,
  path: PathTo<Id>,
  { method, headers: given, body }: Init<Id>,
): Promise<Response> {
  const { baseUrl, kind, id } = access
  const url = `${baseUrl.replace(/\/$/, '')}/api/${kind}/${encodeURIComponent(id)}${path}`
  const type = body && { 'Content-Type': 'application/json' }
  const ask = async (refresh: boolean): Promise<Response> => {
    const Authorization = `Bearer ${await askToken(access, refresh)}`
    return fetch(url, {
      method,
      headers: { ...type, ...given, Authorization },
      body: body === undefined ? null : JSON.stringify(body),
      signal,
      // The token alone says who asks. A redirect would pass it on, or a key.
      credentials: 'omit',
      redirect: 'error',
      cache: 'no-store',
    }).catch(() => {
      throw new Problem(nameSilence(signal))
    })
  }
  const first = await ask(false)
  const response = first.status === 401 ? await ask(true).catch(unlessNoToken(first)) : first
  if (!response.ok) throw await readProblem(response)
  return response
}

/** Returns the answer to the first token if the application has no second one. */
function unlessNoToken(first: Response): (error: unknown) => Response {
  return (error) => {
    if (error instanceof Problem && error.code === 'token_missing') return first
    throw error
  }
}

async function askToken({ getToken }: Access, refresh: boolean): Promise<string> {
  try {
    return await getToken({ refresh })
  } catch (error) {
    // For whoever builds the application. Its cause is left out: it may hold a token.
    console.error(String(error))
    throw new Problem(navigator.onLine ? 'token_missing' : 'offline')
  }
}

/** Why no answer came, or no more of it. */
export function nameSilence(signal: AbortSignal) {
  if (signal.aborted) return 'no_answer'
  return navigator.onLine ? 'unreachable' : 'offline'
}
