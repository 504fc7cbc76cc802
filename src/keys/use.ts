/** Uses a key on its user's behalf: sends a caller's request with it, and records the outcome. */

import { VaultError } from '../errors.ts'
import { logFailure } from '../log.ts'
import { askedPath, findPlace, type Place } from '../providers/base-url.ts'
import { atPath } from '../providers/provider.ts'
import { fetchWithKey, type Sent } from '../providers/request.ts'
import { updateStatus, updateUsed } from '../store/api-keys.ts'
import type { NamedSlot, ProviderSlot } from './slot-name.ts'
import { guardSocket, makeDroppable } from './socket.ts'
import { requireOpen, type OpenKey } from './stored-key.ts'
import { noteLook } from './look.ts'
import { noteUse, takeKey, type KeyUser } from './take.ts'
import { record, STATUS_BY_VERDICT } from './verify.ts'

/** A use is recorded at most once in this time, per slot. */
const USE_RECORDED_MS = 60 * 60 * 1000

/** The methods that providers use. TRACE would echo the key, and an OPTIONS proves nothing about it. */
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'])

/** A caller's request to a provider. */
export interface Use {
  slot: ProviderSlot
  /** Where it goes below the provider: the path and the query. Null if it is for another origin. */
  path: string | null
  request: Omit<Sent, 'url'>
}

/** A provider's answer, and where it came from. */
export interface Used {
  response: Response
  place: Place
}

/**
 * Sends the request with the owner's key in it. It records the outcome later. A WebSocket ends with its key.
 *
 * @throws VaultError `method_not_allowed`, `origin_not_allowed`, `no_api_key`, `api_key_unreadable`, `base_url_invalid`,
 * `provider_unreachable`, and as `takeKey`
 */
export async function sendWithKey(user: KeyUser, { slot, path, request }: Use): Promise<Used> {
  const { method, headers, body } = request
  if (!METHODS.has(method)) throw new VaultError('method_not_allowed')
  if (path === null) throw new VaultError('origin_not_allowed')
  const key = requireOpen(await takeKey(user, slot))
  const place = findPlace(slot.provider, path, key.baseUrl)
  if (place === null) throw new VaultError('base_url_invalid')
  const { signal, drop } = makeDroppable(request)
  const provider = atPath(slot.provider, askedPath(place))
  const sent = { url: place.target, method, headers, body, signal }
  const answer = await fetchWithKey(provider, key.apiKey, sent).catch((cause: unknown) => {
    noteUse(user, key.row, { event: 'used', isError: true })
    throw new VaultError('provider_unreachable', { cause })
  })
  const { response: answered, isRefusal } = answer
  const { status } = answered
  noteUse(user, key.row, { event: 'used', isError: status >= 400 })
  user.waitUntil(recordOutcome(user, { key, method, status, isRefusal }))
  const { row, apiKey } = key
  const response = guardSocket(user, { slot, row, apiKey }, { response: answered, drop })
  return { response, place }
}

/**
 * Returns the key in the slot in the clear, even if its provider was removed; null if there is none, or if it
 * does not open. It counts as a use. The trail has each time.
 *
 * @throws as `takeKey` and `noteLook`
 */
export async function revealKey(user: KeyUser, slot: NamedSlot): Promise<string | null> {
  const key = await takeKey(user, slot)
  if (key.state !== 'open') return null
  const isNoted = await noteLook(user, key.row.provider, 'revealed')
  // The key of a user who was removed meanwhile is gone.
  return isNoted ? key.apiKey : null
}

interface Outcome {
  key: OpenKey
  method: string
  /** Of the provider's answer. */
  status: number
  isRefusal: boolean
}

/** Records a changed status of the key at once, and a use at most once an hour. It never throws. */
async function recordOutcome(user: KeyUser, outcome: Outcome): Promise<void> {
  const { key, status: providerStatus } = outcome
  try {
    const verdict = judge(outcome)
    const status = verdict === 'unknown' ? key.status : STATUS_BY_VERDICT[verdict]
    const now = Date.now()
    const at = new Date(now).toISOString()
    if (status !== key.status) {
      const { provider } = key.row
      const rejection = { event: 'rejected_in_use', provider } as const
      const event = verdict === 'refused' ? { ...rejection, providerStatus } : null
      if (await record(user, updateStatus(key.row, { status, at }), event)) return
    }
    const before = new Date(now - USE_RECORDED_MS).toISOString()
    if ((key.lastUsedAt ?? '') <= before) {
      await record(user, updateUsed(key.row, { at, before }), null)
    }
  } catch (error) {
    logFailure('use_not_recorded', error)
  }
}

/** A successful read proves nothing, since a public endpoint may have answered it without the key. */
function judge({ method, status, isRefusal }: Outcome) {
  if (isRefusal) return 'refused'
  const isOk = status >= 200 && status <= 299
  return isOk && method !== 'GET' && method !== 'HEAD' ? 'accepted' : 'unknown'
}
