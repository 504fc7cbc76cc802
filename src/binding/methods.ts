/** The table of the binding's methods: the grant of each, and its work, which checks the arguments. */

import * as z from 'zod/mini'
import type { KeyVault, Result } from '../callers/binding.ts'
import { VaultError } from '../errors.ts'
import { describeListedSlot } from '../keys/answer-bodies.ts'
import { findSlot, requireProvider, slotName, type NamedSlot } from '../keys/slot-name.ts'
import { deleteSlot, listSlots, setLimits } from '../keys/slots.ts'
import { noteLook, type KeyUser } from '../keys/take.ts'
import { DEFAULT_EVENTS, listEvents, MAX_EVENTS } from '../keys/trail.ts'
import { revealKey, sendWithKey } from '../keys/use.ts'
import { addUser, hasUser, removeUser, requireAnyUser } from '../keys/users.ts'
import { calledOrigin, callersUrl, type Passage } from '../providers/base-url.ts'
import { asksForWebSocket } from '../providers/headers.ts'
import type { Grant } from '../shared/caller.ts'
import { isWhole } from '../shared/json.ts'
import { describeEvent } from '../store/events.ts'
import type { Call, Method } from './call.ts'

type Published = Omit<KeyVault, '__WORKER_ENTRYPOINT_BRAND'>

/** What each method returns if it does not refuse, as its callers see it. */
export type Outcomes = { fetch: { response: Response } } & {
  [Name in keyof Published]: Published[Name] extends (
    ...given: never
  ) => Promise<Result<infer Done>>
    ? Done
    : never
}

export const METHODS: { [Name in keyof Outcomes]: Method<Outcomes[Name]> } = {
  fetchWithApiKey: method('use', async (call) => ({
    response: await useKey(call.user, slotOf(call), plainRequestOf(call)),
  })),
  fetch: method('use', async (call) => ({
    response: await useKey(call.user, slotOf(call), requestOf(call)),
  })),
  getDecryptedApiKey: method('reveal', async (call) => ({
    apiKey: await revealKey(call.user, slotOf(call)),
  })),
  createUser: method('users', async ({ user: { service, userId } }) => ({
    created: await addUser(service, userId),
  })),
  deleteUser: method('users', async ({ user: { service, userId } }) => ({
    deleted: await removeUser(service, userId),
  })),
  hasUser: method('users', async ({ user: { service, userId } }) => ({
    exists: await hasUser(service, userId),
  })),
  listSlots: method('support', viewSlots),
  listEvents: method('support', viewEvents),
  pauseKey: method('support', pauseKey),
  deleteKey: method('support', async (call) => ({
    deleted: await deleteSlot(call.user, slotOf(call).name),
  })),
}

function method<T extends object>(grant: Grant, work: Method<T>['work']): Method<T> {
  return { grant, work }
}

/** In the trail: the caller has seen all slots. */
const ALL_SLOTS = '*'

const eventQuery = z.strictObject({
  provider: z.optional(z.string()),
  cursor: z.optional(z.string()),
  limit: z.optional(z.custom<number>((limit) => isWhole(limit, 1, MAX_EVENTS))),
})

/** The user's slots, as far as the binding names them. @throws VaultError as `listSlots` and `noteLook` */
async function viewSlots(call: Call) {
  const slots = await listSlots(call.user)
  await noteView(call.user, ALL_SLOTS)
  return { slots: slots.filter(({ name }) => isNamed(call, name)).map(describeListedSlot) }
}

/** @throws VaultError `invalid_argument`, `provider_not_granted`, and as `listEvents` and `noteLook` */
async function viewEvents(call: Call) {
  const { user, given } = call
  const query = eventQuery.safeParse(given.query)
  if (!query.success) throw new VaultError('invalid_argument')
  const { provider = ALL_SLOTS, limit = DEFAULT_EVENTS } = query.data
  const { name, isKnown } = requireNamed(call, provider)
  const { events, next } = await listEvents(user, { ...query.data, limit })
  await noteView(user, isKnown ? name : ALL_SLOTS)
  return { events: events.map(describeEvent), nextCursor: next }
}

/** The user may have been removed since the look. */
async function noteView(user: KeyUser, provider: string): Promise<void> {
  if (!(await noteLook(user, provider, 'viewed'))) requireAnyUser(user)
}

/** Pauses the key in the slot, and returns when it was paused. @throws VaultError as `setLimits` */
async function pauseKey(call: Call) {
  const key = await setLimits(call.user, slotOf(call).name, { isPaused: true, condition: null })
  if (key.state === 'empty' || key.row.pausedAt === null) throw new VaultError('no_api_key')
  return { pausedAt: key.row.pausedAt }
}

/** The slot, if the binding names it. @throws VaultError `invalid_argument`, `provider_not_granted` */
export function slotOf(call: Call): NamedSlot {
  const { slot } = call.given
  if (typeof slot !== 'string' || slot === '') throw new VaultError('invalid_argument')
  return requireNamed(call, slot)
}

function requestOf({ given: { request } }: Call): Request {
  if (!(request instanceof Request)) throw new VaultError('invalid_argument')
  return request
}

/** Of a method, which cannot carry a WebSocket. @throws VaultError `invalid_argument`, `upgrade_not_supported` */
function plainRequestOf(call: Call): Request {
  const request = requestOf(call)
  if (asksForWebSocket(request.headers)) throw new VaultError('upgrade_not_supported')
  return request
}

function requireNamed(call: Call, given: string): NamedSlot {
  const slot = findSlot(call.user.service.settings, given)
  if (!isNamed(call, slot.name)) throw new VaultError('provider_not_granted')
  return slot
}

/** Whether the binding names the slot. With `DEFAULT_PROVIDER`, `default` and that provider are one slot. */
function isNamed({ user, props }: Call, name: string): boolean {
  const { settings } = user.service
  return props.providers?.some((named) => slotName(settings, named) === name) !== false
}

/**
 * Sends the request with the key in the slot, and returns the answer. A `Location` below the user's base URL is below the
 * origin that the caller addressed.
 *
 * @throws VaultError `unknown_provider`, and as `sendWithKey`
 */
export async function useKey(user: KeyUser, named: NamedSlot, request: Request): Promise<Response> {
  const slot = requireProvider(user.service.settings, named)
  const root = calledOrigin(slot.name, slot.provider)
  const { origin, pathname, search } = new URL(request.url)
  const path = origin === root ? pathname + search : null
  const { response, place } = await sendWithKey(user, { slot, path, request })
  const location = response.headers.get('Location')
  if (location !== null && place.base !== root) {
    response.headers.set('Location', callersLocation(location, { ...place, root }))
  }
  return response
}

/** A `Location` for the caller. It is complete, so that nobody takes a path of the provider for one of `root`. */
export function callersLocation(location: string, passage: Passage): string {
  const whole = URL.parse(location, passage.target)?.href ?? location
  return callersUrl(whole, passage) ?? whole
}
