/** The table of the binding's methods: the grant of each, and its work, which checks the arguments. */

import * as z from 'zod/mini'
import type { Effect, KeyVault, Result } from '../callers/binding.ts'
import { VaultError } from '../errors.ts'
import {
  describeListedSlot,
  describeSavedFields,
  describeTeam,
  describeUser,
  describeUsers,
} from '../keys/answer-bodies.ts'
import { ALL_SLOTS } from '../keys/look.ts'
import { saveSlot } from '../keys/save.ts'
import { findSlot, requireProvider, type NamedSlot } from '../keys/slot-name.ts'
import { deleteSlot, listSlots, setLimits } from '../keys/slots.ts'
import type { KeyUser } from '../keys/take.ts'
import { readTeam } from '../keys/teams.ts'
import { DEFAULT_EVENTS, listEvents, MAX_EVENTS } from '../keys/trail.ts'
import { revealKey, sendWithKey, type Used } from '../keys/use.ts'
import {
  addUser,
  DEFAULT_USERS,
  hasUser,
  listUsers,
  MAX_USERS,
  readUser,
  removeUser,
} from '../keys/users.ts'
import { calledOrigin, callersUrl, type Passage } from '../providers/base-url.ts'
import { asksForWebSocket } from '../providers/headers.ts'
import type { Grant } from '../shared/caller.ts'
import { isWhole } from '../shared/json.ts'
import { nameKeyFault } from '../shared/key-text.ts'
import { teamOwner } from '../shared/owner.ts'
import { covers, coversUse, splitSlot } from '../shared/slot.ts'
import { VOUCHED } from '../shared/team.ts'
import { expiresAt } from '../shared/time.ts'
import { nameUserIdFault } from '../shared/user-id.ts'
import { describeEvent } from '../store/events.ts'
import type { Call, Method } from './call.ts'

type Published = Omit<KeyVault, '__WORKER_ENTRYPOINT_BRAND'>

/** What each method returns if it does not refuse, as its callers see it. */
export type Outcomes = { fetch: Outcomes['fetchWithApiKey'] } & {
  [Name in keyof Published]: Published[Name] extends (
    ...given: never
  ) => Promise<Result<infer Done>>
    ? Done
    : never
}

export const METHODS: { [Name in keyof Outcomes]: Method<Outcomes[Name]> } = {
  fetchWithApiKey: method('use', (call) =>
    useKey(userOf(call), usedSlotOf(call), plainRequestOf(call)),
  ),
  fetch: method('use', (call) => useKey(userOf(call), usedSlotOf(call), requestOf(call))),
  getDecryptedApiKey: method('reveal', async (call) => ({
    apiKey: await revealKey(call.user, usedSlotOf(call)),
  })),
  createUser: method('users', async ({ owner: { service, userId } }) => ({
    created: await addUser(service, userId),
  })),
  deleteUser: change('users', remove),
  hasUser: method('users', async ({ owner }) => ({ exists: await hasUser(owner) })),
  getUser: method('users', async ({ owner }) => describeUser(await readUser(owner))),
  listUsers: method('users', viewUsers),
  getTeam: method('users', async ({ owner }) => describeTeam(owner.userId, await readTeam(owner))),
  deleteTeam: change('users', remove),
  saveKey: change('save', saveKey),
  listSlots: method('support', viewSlots),
  listEvents: method('support', viewEvents),
  pauseKey: change('support', pauseKey),
  deleteKey: change('support', async (call) => ({
    deleted: await deleteSlot(call.owner, slotOf(call).name),
  })),
}

async function remove({ owner: { service, userId } }: Call) {
  return { deleted: await removeUser(service, userId) }
}

function method<T extends object>(grant: Grant, work: Method<T>['work']): Method<T> {
  return { grant, work }
}

/** A method that changes who may use a key. It also returns how soon the change counts in every isolate. */
function change<T extends object>(grant: Grant, work: Method<T>['work']): Method<T & Effect> {
  return method(grant, async (call) => {
    const { useFreshSeconds: effectiveWithinSeconds } = call.user.service.settings
    const done = await work(call)
    return effectiveWithinSeconds > 0 ? { ...done, effectiveWithinSeconds } : done
  })
}

const userQuery = z.strictObject({
  cursor: z.optional(z.string()),
  limit: z.optional(z.custom<number>((limit) => isWhole(limit, 1, MAX_USERS))),
})

async function viewUsers({ owner, given }: Call) {
  const { limit = DEFAULT_USERS, cursor } = parse(userQuery, given.query)
  const { users, next_cursor } = describeUsers(await listUsers(owner.service, { cursor, limit }))
  return { users, nextCursor: next_cursor }
}

const newKey = z.strictObject({ apiKey: z.string(), expiresAt: z.optional(z.string()) })

/** @throws VaultError `invalid_argument`, `api_key_invalid`, `expires_at_invalid`, `provider_not_granted`, and as `saveSlot` */
async function saveKey(call: Call) {
  const { name } = slotOf(call)
  const given = parse(newKey, call.given.key)
  const apiKey = given.apiKey.trim()
  if (nameKeyFault(apiKey, 'apiKey') !== null) throw new VaultError('api_key_invalid')
  const time = z.optional(expiresAt).safeParse(given.expiresAt)
  if (!time.success) throw new VaultError('expires_at_invalid')
  const key = { apiKey, expiresAt: time.data, verify: undefined }
  return { slot: describeSavedFields(await saveSlot(call.owner, name, key)) }
}

const eventQuery = z.strictObject({
  provider: z.optional(z.string()),
  cursor: z.optional(z.string()),
  limit: z.optional(z.custom<number>((limit) => isWhole(limit, 1, MAX_EVENTS))),
})

/** The user's slots, as far as the binding names them. @throws VaultError as `listSlots` */
async function viewSlots(call: Call) {
  const isSeen = (name: string) => isNamed(call, name)
  const slots = (await listSlots(call.owner)).filter(({ name }) => isSeen(name))
  return {
    slots: slots.map((slot) => describeListedSlot({ ...slot, sameIn: slot.sameIn.filter(isSeen) })),
  }
}

/** @throws VaultError `invalid_argument`, `provider_not_granted`, and as `listEvents` */
async function viewEvents(call: Call) {
  const query = parse(eventQuery, call.given.query)
  requireNamed(call, query.provider ?? ALL_SLOTS)
  const { limit = DEFAULT_EVENTS } = query
  const { events, next } = await listEvents(call.owner, { ...query, limit })
  return { events: events.map(describeEvent), nextCursor: next }
}

/** @throws VaultError `invalid_argument` */
function parse<T>(schema: z.ZodMiniType<T>, given: unknown): T {
  const parsed = schema.safeParse(given)
  if (!parsed.success) throw new VaultError('invalid_argument')
  return parsed.data
}

/** Pauses the key in the slot, and returns when it was paused. @throws VaultError as `setLimits` */
async function pauseKey(call: Call) {
  const key = await setLimits(call.owner, slotOf(call).name, { isPaused: true, condition: null })
  if (key.state === 'empty' || key.row.pausedAt === null) throw new VaultError('no_api_key')
  return { pausedAt: key.row.pausedAt }
}

/** The slot, if the binding covers it. @throws VaultError `invalid_argument`, `provider_not_granted` */
export function slotOf(call: Call): NamedSlot {
  return requireNamed(call, givenSlot(call))
}

/** As {@link slotOf}, for a use. The slot may also be a provider if the binding names some of its slots. */
export function usedSlotOf(call: Call): NamedSlot {
  return requireNamed(call, givenSlot(call), coversUse)
}

function givenSlot({ given: { slot } }: Call): string {
  if (typeof slot !== 'string' || slot === '') throw new VaultError('invalid_argument')
  return slot
}

const useOptions = z.strictObject({ teamId: z.optional(z.string()) })

/** Who uses a key, with the team whose key the use may take. @throws VaultError `invalid_argument`, `not_granted` */
function userOf({ user, props, given }: Call): KeyUser {
  if (given.options === undefined) return user
  const { teamId } = parse(useOptions, given.options)
  if (teamId === undefined) return user
  if (nameUserIdFault(teamId) !== null) throw new VaultError('invalid_argument')
  // The caller vouches that the user is a member.
  if (props.teams !== true) throw new VaultError('not_granted')
  return { ...user, team: { userId: teamOwner(teamId), issuedAt: VOUCHED } }
}

function requestOf({ given: { request } }: Call): Request {
  if (!(request instanceof Request)) throw new VaultError('invalid_argument')
  return request
}

/**
 * The request in the arguments of a method. A method cannot carry a WebSocket.
 *
 * @throws VaultError `invalid_argument`, `upgrade_not_supported`
 */
function plainRequestOf(call: Call): Request {
  const request = requestOf(call)
  if (asksForWebSocket(request.headers)) throw new VaultError('upgrade_not_supported')
  return request
}

function requireNamed(call: Call, given: string, isCovered = covers): NamedSlot {
  const slot = findSlot(call.user.service.settings, given)
  if (!isNamed(call, slot.name, isCovered)) throw new VaultError('provider_not_granted')
  return slot
}

/** Whether the binding names the slot, or its provider. */
function isNamed({ user: { granted } }: Call, name: string, isCovered = covers): boolean {
  return granted?.some((named) => isCovered(named, name)) !== false
}

/**
 * Sends the request with the key in the slot, and returns the answer. A `Location` below the user's base URL is below the
 * origin that the caller addressed.
 *
 * @throws VaultError `unknown_provider`, and as `sendWithKey`
 */
export async function useKey(
  user: KeyUser,
  named: NamedSlot,
  request: Request,
): Promise<Pick<Used, 'response' | 'key'>> {
  const slot = requireProvider(user.service.settings, named)
  const root = calledOrigin(splitSlot(slot.name).provider, slot.provider)
  const path = pathBelow(root, request.url)
  const { response, place, key } = await sendWithKey(user, { slot, path, request })
  const location = response.headers.get('Location')
  if (location !== null && place.base !== root) {
    response.headers.set('Location', callersLocation(location, { ...place, root }))
  }
  return { response, key }
}

/** The path and the query of a URL of the origin; null if it has another one. */
function pathBelow(origin: string, url: string): string | null {
  // A URL in its usual form is parsed only once, together with the base that it is sent to.
  if (url.startsWith(`${origin}/`) && !UNUSUAL.test(url)) return url.slice(origin.length)
  const parsed = new URL(url)
  return parsed.origin === origin ? parsed.pathname + parsed.search : null
}

/** What parsing changes in a URL or removes from it: dots, backslashes, white space, a fragment and an empty query. */
const UNUSUAL = /\/\.|%2e|[\\\s#]|\?$/i

/** A `Location` for the caller. It is an absolute URL, so that nobody mistakes a path of the provider for one of `root`. */
export function callersLocation(location: string, passage: Passage): string {
  const whole = URL.parse(location, passage.target)?.href ?? location
  return callersUrl(whole, passage) ?? whole
}
