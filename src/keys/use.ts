/** Uses a key on its user's behalf: sends a caller's request with it, and records the outcome. */

import { VaultError } from '../errors.ts'
import { logFailure } from '../log.ts'
import { askedPath, findPlace, type Place } from '../providers/base-url.ts'
import { atPath } from '../providers/provider.ts'
import { fetchWithKey, type Finding, type Sent } from '../providers/request.ts'
import { encodeSlot, OUT_OF_CREDIT, type UsedKey } from '../shared/slot.ts'
import { CONDITION_HEADER, KEY_HEADER, SLOT_HEADER } from '../shared/vault-headers.ts'
import { markChanged } from '../store/changes.ts'
import { updateState, updateUsed, type KeyState } from '../store/api-keys.ts'
import { conditionEvents, record, type KeyEvent } from './key-state.ts'
import type { PickedRow } from '../store/uses.ts'
import { slotName, type NamedSlot, type ProviderSlot } from './slot-name.ts'
import { guardSocket, makeDroppable } from './socket.ts'
import { requireOpen, type OpenKey, type SlotOwner } from './stored-key.ts'
import { noteLook } from './look.ts'
import { CREDIT_MS } from './at-hand.ts'
import { noteUse, takeKey, type KeyUser } from './take.ts'

/** The methods that providers use. TRACE would echo the key, and an OPTIONS proves nothing about it. */
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'])

/** A caller's request to a provider. */
export interface Use {
  slot: ProviderSlot
  /** Where it goes below the provider: the path and the query. Null if it is for another origin. */
  path: string | null
  request: Omit<Sent, 'url'>
}

/** A provider's answer, where it came from, and the key that the request had. */
export interface Used {
  /** Its headers also say which key was used, and what the answer says of it. */
  response: Response
  place: Place
  key: UsedKey
}

/**
 * Sends the request with the owner's key in it. It records the outcome later. A WebSocket ends with its key.
 *
 * @throws VaultError `method_not_allowed`, `origin_not_allowed`, `no_api_key`, `api_key_unreadable`, `base_url_invalid`,
 * `provider_unreachable`, and as `takeKey`
 */
export async function sendWithKey(user: KeyUser, { slot, path, request }: Use): Promise<Used> {
  const { method } = request
  if (!METHODS.has(method)) throw new VaultError('method_not_allowed')
  if (path === null) throw new VaultError('origin_not_allowed')
  const key = requireOpen(await takeKey(user, slot))
  const place = findPlace(slot.provider, path, key.baseUrl)
  if (place === null) throw new VaultError('base_url_invalid')
  const { signal, drop } = makeDroppable(request)
  const provider = atPath(slot.provider, askedPath(place))
  const { headers, body, coding } = request
  const sent = { url: place.target, method, headers, body, signal, coding }
  const answer = await fetchWithKey(provider, key.apiKey, sent).catch((cause: unknown) => {
    noteUse(user, key.row, { event: 'used', isError: true })
    throw new VaultError('provider_unreachable', { cause })
  })
  const { response: answered, finding } = answer
  const { status } = answered
  noteUse(user, key.row, { event: 'used', isError: status >= 400 })
  user.waitUntil(recordOutcome(user, { key, method, status, finding }))
  const { row, apiKey } = key
  const source = row.userId === user.userId ? 'own' : 'team'
  const taken = { source, slot: slotName(user.service.settings, row.provider) } as const
  markAnswer(answered.headers, taken, finding)
  const response = guardSocket(user, { row, apiKey }, { response: answered, drop })
  return { response, place, key: taken }
}

/** Says whose key was used. The provider's own headers of these names were dropped before. */
function markAnswer(headers: Headers, { source, slot }: UsedKey, finding: Finding): void {
  headers.set(KEY_HEADER, source)
  headers.set(SLOT_HEADER, encodeSlot(slot))
  if (finding === 'exhausted') headers.set(CONDITION_HEADER, OUT_OF_CREDIT)
}

/** What a log line says of an answer to a use. */
export function describeUse({ status, headers }: Response) {
  return {
    provider_status: status,
    key_source: headers.get(KEY_HEADER),
    condition: headers.get(CONDITION_HEADER),
  }
}

/**
 * Returns the key in the slot in the clear, even if its provider was removed; null if there is none, or if it
 * does not open. It counts as a use. The trail has each time.
 *
 * @throws as `takeKey` and `noteLook`
 */
export async function revealKey(user: KeyUser, slot: NamedSlot): Promise<string | null> {
  // D1 is asked anyway, for the trail.
  const key = await takeKey(user, slot, { isAtHand: false })
  if (key.state !== 'open') return null
  const isNoted = await noteLook(ownerOf(user, key.row), key.row.provider, 'revealed')
  // The key of a user who was removed meanwhile is gone.
  return isNoted ? key.apiKey : null
}

interface Outcome {
  key: OpenKey<PickedRow>
  method: string
  /** Of the provider's answer. */
  status: number
  finding: Finding
}

/** The owner of the key that the user's caller took. */
function ownerOf(user: KeyUser, { userId }: PickedRow): SlotOwner {
  return userId === user.userId ? user : { ...user, userId, member: user.userId }
}

/**
 * Records a changed state of the key at once, and otherwise the first use of a day in UTC. Of a key without credit, it records
 * a use after each hour: before that, the key is not tried again if there is another one. It never throws.
 */
async function recordOutcome(user: KeyUser, outcome: Outcome): Promise<void> {
  const { key, finding } = outcome
  const { row } = key
  const { provider, lastUsedAt } = row
  const owner = ownerOf(user, row)
  // After a finding, a use may take another key. Otherwise, what was read before is as good as what is written.
  const changes = finding === null ? null : row.userId
  if (changes !== null) markChanged(user.service.db, changes)
  try {
    const now = Date.now()
    const at = new Date(now).toISOString()
    const state = stateAfter(outcome, at)
    if (state.status !== row.status || state.exhaustedAt !== row.exhaustedAt) {
      const events = eventsOf(outcome, state)
      const update = { ...updateState(row, { ...state, at }), changes }
      // A row at hand is one for all uses, and one of them records that the key is accepted. A finding makes it old. Uses that
      // began before still have the earlier state, and do not undo the finding.
      if (finding === null) Object.assign(row, state, { lastUsedAt: at })
      if (await record(owner, update, { provider, events })) return
    }
    const before =
      row.exhaustedAt === null ? at.slice(0, 10) : new Date(now - CREDIT_MS).toISOString()
    if ((lastUsedAt ?? '') > before) return
    row.lastUsedAt = at
    await record(owner, updateUsed(row, { at, before }), { provider, events: [] })
  } catch (error) {
    logFailure('use_not_recorded', error)
  }
}

/** The state of the key after an answer. */
function stateAfter({ key: { row }, method, status, finding }: Outcome, at: string): KeyState {
  if (finding === 'exhausted') return { ...row, exhaustedAt: row.exhaustedAt ?? at }
  if (finding !== null) return { ...row, status: 'rejected' }
  return isAccepted(method, status) ? { status: 'active', exhaustedAt: null } : row
}

/** A successful read proves nothing, since a public endpoint may have answered it without the key. */
function isAccepted(method: string, status: number): boolean {
  return status >= 200 && status <= 299 && method !== 'GET' && method !== 'HEAD'
}

/** The events of a changed state. A status that is `active` again has none. */
function eventsOf({ key: { row }, status, finding }: Outcome, state: KeyState): KeyEvent[] {
  if (finding === null || finding === 'exhausted') {
    return [...conditionEvents(row, state, { providerStatus: status })]
  }
  return [{ event: 'rejected_in_use', reason: finding.rejection, providerStatus: status }]
}
