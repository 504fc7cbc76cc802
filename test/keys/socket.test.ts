/** A WebSocket with a user's key: what passes through it, and what ends it. */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { useKey } from '../../src/binding/methods.ts'
import { arrangeKey } from '../../src/keys/arrange.ts'
import { changeTeam } from '../../src/keys/teams.ts'
import { removeUser } from '../../src/keys/users.ts'
import { saveSlot } from '../../src/keys/save.ts'
import { deleteSlot, setLimits } from '../../src/keys/slots.ts'
import type { SlotOwner } from '../../src/keys/stored-key.ts'
import type { KeyUser } from '../../src/keys/take.ts'
import { teamOwner } from '../../src/shared/owner.ts'
import type { NewLimits } from '../../src/store/limits.ts'
import { env } from '../isolate.ts'
import {
  interceptD1,
  ownerOf,
  recordLogs,
  slotOf,
  someKey,
  someKeyUser,
  someUser,
} from '../support.ts'
import { MODELS } from './key-owner.ts'
import { MOMENTS, moving, someMovingUser } from './moving-slot.ts'
import { age, backUp, someCopiedOwner, someVault } from './restoration.ts'

const MINUTE_MS = 60_000

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'], now: Date.now() })
})
afterEach(() => vi.useRealTimers())

/** One end of a WebSocket, as the caller or the provider has it. */
function endOf(socket: WebSocket) {
  const received: unknown[] = []
  const { promise: closed, resolve } = Promise.withResolvers<[code: number, reason: string]>()
  socket.binaryType = 'arraybuffer'
  socket.addEventListener('message', ({ data }) => received.push(data))
  socket.addEventListener('close', ({ code, reason }) => resolve([code, reason]))
  socket.accept({ allowHalfOpen: true })
  return { socket, received, closed }
}

interface Opening {
  vault?: Env
  caller?: string
  team?: KeyUser['team']
  granted?: string[]
}

/** Waits for what a use has left to do. One work may begin another. */
async function endAll(works: readonly Promise<void>[], awaited = 0): Promise<void> {
  await Promise.all(works)
  if (works.length > awaited) await endAll(works, works.length)
}

/** Opens a WebSocket with the key of the user or the team. */
async function open(
  userId: string,
  { vault = env, caller = 'binding:chat', team, granted }: Opening = {},
) {
  const works: Promise<void>[] = []
  const user: KeyUser = {
    ...(await ownerOf(userId, vault)),
    by: { kind: 'caller', name: caller },
    waitUntil: (work) => void works.push(work),
    ...(team !== undefined && { team }),
    granted,
  }
  const { 0: theirs, 1: ours } = new WebSocketPair()
  const opened = new Response(null, { status: 101, webSocket: theirs })
  vi.spyOn(globalThis, 'fetch').mockResolvedValueOnce(opened)
  const request = new Request(MODELS, { headers: { Upgrade: 'websocket' } })
  const {
    response: { webSocket },
  } = await useKey(user, slotOf(user, 'openai'), request)
  if (webSocket === null) throw new Error('It is not a WebSocket')
  const ended = async () => endAll(works)
  await ended()
  return {
    caller: endOf(webSocket),
    provider: endOf(ours),
    /** Lets this time pass, and waits for what it causes. */
    pass: async (ms: number) => {
      vi.advanceTimersByTime(ms)
      await ended()
    },
    /** How much work it has left until now, each look included. */
    left: () => works.length,
  }
}

type Socket = Awaited<ReturnType<typeof open>>
type Side = 'caller' | 'provider'

/** Sends a text through the socket in both directions, and waits until both have arrived. */
async function talk({ caller, provider }: Socket): Promise<void> {
  const arrive = async ({ socket }: Socket[Side], text: string) =>
    new Promise<void>((resolve) =>
      socket.addEventListener('message', ({ data }) => data === text && resolve()),
    )
  const arrived = Promise.all([arrive(caller, 'down'), arrive(provider, 'up')])
  caller.socket.send('up')
  provider.socket.send('down')
  await arrived
}

/** The time for which an end may stay open after the other one. The runtime may not tell before that an end has closed. */
const CLOSING_MS = 20_000

/** A socket of an earlier test may tell only now that it has closed, which takes a timer for a while. */
async function noTimerIsLeft({ pass, left }: Socket): Promise<void> {
  const before = left()
  await vi.waitFor(async () => {
    await pass(CLOSING_MS)
    expect(vi.getTimerCount()).toBe(0)
  })
  expect(left()).toBe(before)
}

const END = 4_001

describe('an open socket', () => {
  const other: Record<Side, Side> = { caller: 'provider', provider: 'caller' }
  const sides: readonly Side[] = ['caller', 'provider']

  it('a socket carries text and bytes in order, in both directions', async () => {
    const socket = await open(await someKeyUser(someKey()))
    const bytes = Uint8Array.of(0, 255, 128).buffer
    for (const side of sides) {
      socket[side].socket.send('text €')
      socket[side].socket.send(bytes)
    }
    await talk(socket)
    expect(socket.caller.received).toEqual(['text €', bytes, 'down'])
    expect(socket.provider.received).toEqual(['text €', bytes, 'up'])
  })

  it.for(
    sides.flatMap((side): [Side, number | undefined, string | undefined, [number, string]][] => [
      [side, 1_000, 'done', [1_000, 'done']],
      [side, 4_999, 'é'.repeat(61), [4_999, 'é'.repeat(61)]],
      [side, undefined, undefined, [1_005, '']],
    ]),
  )('a close by the %s with %s %s passes to the other end', async ([side, code, reason, told]) => {
    const socket = await open(await someKeyUser(someKey()))
    socket[side].socket.close(code, reason)
    expect(await socket[other[side]].closed).toEqual(told)
  })

  it.for<[name: string, reasonOf: (key: string) => string, told: (start: string) => string]>([
    [
      'the key',
      (key) => `api_key:${key} is suspended`,
      (start) => `api_key:${start}... is suspended`,
    ],
    ['half the key', (key) => `${'é'.repeat(54)}${key}`.slice(0, 69), () => 'é'.repeat(54)],
  ])('the reason of a close does not hold %s', async ([, reasonOf, told]) => {
    const apiKey = someKey()
    const socket = await open(await someKeyUser(apiKey))
    socket.provider.socket.close(1_008, reasonOf(apiKey))
    expect(await socket.caller.closed).toEqual([1_008, told(apiKey.slice(0, 8))])
  })

  it.for(sides)(
    'a socket that the %s has closed carries what the other end still sends',
    async (side) => {
      const socket = await open(await someKeyUser(someKey()))
      const { [side]: first, [other[side]]: second } = socket
      first.socket.close(1_000, 'no more')
      await second.closed
      second.socket.send('the rest')
      second.socket.close(3_000, 'agreed')
      expect(await first.closed).toEqual([3_000, 'agreed'])
      expect(first.received).toEqual(['the rest'])
    },
  )

  it('a socket whose ends are both closed is looked at no more', async () => {
    const socket = await open(await someKeyUser(someKey()), { vault: { ...env } })
    socket.caller.socket.close()
    await socket.provider.closed
    socket.provider.socket.close()
    await socket.caller.closed
    const before = socket.left()
    await socket.pass(2 * MINUTE_MS)
    expect(socket.left()).toBe(before)
    await noTimerIsLeft(socket)
  })
})

/** What happens to a key, and the code that then ends its sockets. */
type Change = [code: string, what: string, change: (owner: SlotOwner) => Promise<unknown>]

const limit = (limits: NewLimits) => async (owner: SlotOwner) =>
  setLimits(owner, 'openai', { condition: null, ...limits })
const soon = () => new Date(Date.now() + 1_000).toISOString()

const ENDING: Change[] = [
  ['api_key_paused', 'is paused', limit({ isPaused: true })],
  ['caller_not_allowed', 'allows another caller', limit({ callers: ['binding:batch'] })],
  ['caller_not_allowed', 'allows no caller', limit({ callers: [] })],
  ['api_key_expired', 'expires', async (owner) => limit({ expiresAt: soon() })(owner)],
  ['no_api_key', 'is deleted', async (owner) => deleteSlot(owner, 'openai')],
  [
    'changed_meanwhile',
    'is replaced',
    async (owner) => saveSlot(owner, 'openai', { apiKey: someKey(), verify: false }),
  ],
  [
    'changed_meanwhile',
    'is deleted and saved again',
    async (owner) => {
      await deleteSlot(owner, 'openai')
      await saveSlot(owner, 'openai', { apiKey: someKey(), verify: false })
    },
  ],
  ['user_not_found', 'loses its owner', async ({ service, userId }) => removeUser(service, userId)],
]

const KEEPING: [what: string, change: (owner: SlotOwner) => Promise<unknown>][] = [
  ['stays as it is', async () => null],
  ['has reached its maximum', limit({ maxUses: { count: 1, per: 'day' } })],
  [
    'gets a label',
    async (owner) => arrangeKey(owner, 'openai', { label: 'work', condition: null }),
  ],
  ['allows its caller by name', limit({ callers: ['binding:chat'] })],
  [
    'is rejected',
    async ({ service: { db }, userId }) =>
      db.prepare("UPDATE api_keys SET status = 'rejected' WHERE user_id = ?1").bind(userId).run(),
  ],
  [
    'is sealed again',
    async ({ service: { db }, userId }) =>
      db
        .prepare("UPDATE api_keys SET encrypted_api_key = 'v1.x' WHERE user_id = ?1")
        .bind(userId)
        .run(),
  ],
]

describe('a socket and its key', () => {
  it.for(ENDING)('%s ends both ends of a socket whose key %s', async ([code, , change]) => {
    const userId = await someKeyUser(someKey())
    const socket = await open(userId)
    const logs = recordLogs()
    await change(await ownerOf(userId))
    await socket.pass(MINUTE_MS)
    const ends = [await socket.caller.closed, await socket.provider.closed]
    expect(ends).toEqual([
      [END, code],
      [END, code],
    ])
    for (const { socket: end } of [socket.caller, socket.provider]) end.close()
    await noTimerIsLeft(socket)
    const about = { user_id: userId, caller: 'binding:chat', provider: 'openai' }
    expect(logs.events()).toMatchObject([{ level: 'info', event: 'socket_ended', ...about, code }])
  })

  it.for(KEEPING)('a socket stays open if its key %s', async ([, change]) => {
    const userId = await someKeyUser(someKey())
    const socket = await open(userId)
    await change(await ownerOf(userId))
    await socket.pass(MINUTE_MS)
    await socket.pass(MINUTE_MS)
    await talk(socket)
    expect([socket.caller.received, socket.provider.received]).toEqual([['down'], ['up']])
  })

  it.for(Object.entries(MOMENTS))(
    'a socket stays open while its slot has %s',
    async ([, moment]) => {
      recordLogs()
      const { userId } = await someMovingUser(moment)
      const socket = await open(userId, { vault: moving() })
      await socket.pass(MINUTE_MS)
      await talk(socket)
      expect([socket.caller.received, socket.provider.received]).toEqual([['down'], ['up']])
    },
  )

  it('provider_not_granted ends a socket whose key has a label that its caller may not use', async () => {
    recordLogs()
    const userId = await someKeyUser(someKey())
    const owner = await ownerOf(userId)
    await arrangeKey(owner, 'openai', { label: 'work', condition: null })
    const socket = await open(userId, { granted: ['openai:work'] })
    await arrangeKey(owner, 'openai:work', { label: 'private', condition: null })
    await socket.pass(MINUTE_MS)
    expect(await socket.caller.closed).toEqual([END, 'provider_not_granted'])
  })

  it('no_api_key ends a socket whose owner any save would add again', async () => {
    const userId = await someKeyUser(someKey())
    const socket = await open(userId, { vault: { ...env, AUTO_CREATE_USERS: 'true' } })
    recordLogs()
    const { service } = await ownerOf(userId)
    await removeUser(service, userId)
    await socket.pass(MINUTE_MS)
    expect(await socket.caller.closed).toEqual([END, 'no_api_key'])
  })

  it('no_api_key ends a socket whose key a restored database has again', async () => {
    const { userId } = await someCopiedOwner()
    const socket = await open(userId)
    const restore = await backUp()
    await someVault().remove(userId)
    await someVault().runJob()
    await restore()
    await age(10)
    await socket.pass(MINUTE_MS)
    expect(await socket.caller.closed).toEqual([END, 'no_api_key'])
  })

  it('token_expired ends a socket with a team’s key once an admin has ended its token', async () => {
    const userId = await someUser()
    const team = await ownerOf(await someUser(teamOwner(userId)))
    await saveSlot(team, 'openai', { apiKey: someKey(), verify: false })
    const issuedAt = new Date(Date.now() - MINUTE_MS).toISOString()
    const socket = await open(userId, { team: { userId: team.userId, issuedAt } })
    const logs = recordLogs()
    await changeTeam(team, { tokensSince: new Date().toISOString() })
    await socket.pass(MINUTE_MS)
    expect(await socket.caller.closed).toEqual([END, 'token_expired'])
    expect(logs.events()).toMatchObject([{ event: 'socket_ended', user_id: team.userId }])
  })

  it('a socket carries nothing after it was ended', async () => {
    const userId = await someKeyUser(someKey())
    const socket = await open(userId)
    await deleteSlot(await ownerOf(userId), 'openai')
    await socket.pass(MINUTE_MS)
    await socket.caller.closed
    socket.caller.socket.send('late')
    await socket.provider.closed
    for (const { socket: end } of [socket.caller, socket.provider]) end.close()
    await noTimerIsLeft(socket)
    expect(socket.provider.received).toEqual([])
  })
})

/** D1, which counts its round trips, and fails while `fault` is set. */
function countingD1() {
  const state: { trips: number; fault: Error | null } = { trips: 0, fault: null }
  const DB = interceptD1(async (trip) => {
    state.trips += 1
    if (state.fault !== null) throw state.fault
    return trip()
  })
  return { state, vault: { ...env, DB } }
}

const noted = async (userId: string) =>
  env.DB.prepare(
    `SELECT uses, last_used_at, (SELECT json_group_array(id || coalesce(hours, '')) FROM api_key_events WHERE user_id = ?1) AS events
     FROM api_keys WHERE user_id = ?1`,
  )
    .bind(userId)
    .first()

describe('the looks at a key', () => {
  it('a look counts no use and notes no event', async () => {
    const userId = await someKeyUser(someKey())
    await limit({ maxUses: { count: 5, per: 'month' } })(await ownerOf(userId))
    const socket = await open(userId)
    const before = await noted(userId)
    expect(before).toMatchObject({ uses: 1 })
    await socket.pass(MINUTE_MS)
    await socket.pass(MINUTE_MS)
    expect(await noted(userId)).toEqual(before)
  })

  it('all sockets of a slot share one look a minute, and all end', async () => {
    const userId = await someKeyUser(someKey())
    const { state, vault } = countingD1()
    const openAs = async (caller: string) => open(userId, { vault, caller })
    const sockets = [await openAs('chat'), await openAs('batch')]
    vi.advanceTimersByTime(MINUTE_MS / 2)
    sockets.push(await openAs('late'))
    state.trips = 0
    const pass = async (ms: number) => {
      vi.advanceTimersByTime(ms)
      for (const socket of sockets) await socket.pass(0)
    }
    for (const _ of Array.from({ length: 24 })) await pass(5_000)
    expect(state.trips).toBe(2)
    await limit({ isPaused: true })(await ownerOf(userId))
    for (const _ of Array.from({ length: 13 })) await pass(5_000)
    for (const { caller } of sockets) expect(await caller.closed).toEqual([END, 'api_key_paused'])
    expect(state.trips).toBe(3)
  })

  it('the sockets of another user have looks of their own', async () => {
    const { state, vault } = countingD1()
    const sockets = [
      await open(await someKeyUser(someKey()), { vault }),
      await open(await someKeyUser(someKey()), { vault }),
    ]
    state.trips = 0
    for (const socket of sockets) await socket.pass(MINUTE_MS / 2)
    for (const socket of sockets) await socket.pass(0)
    expect(state.trips).toBe(2)
  })

  it('a socket outlives a look that D1 fails, and ends at a later one', async () => {
    const userId = await someKeyUser(someKey())
    const { state, vault } = countingD1()
    const socket = await open(userId, { vault })
    await limit({ isPaused: true })(await ownerOf(userId))
    const logs = recordLogs()
    state.fault = new Error('D1_ERROR: D1 DB is overloaded.')
    state.trips = 0
    await socket.pass(MINUTE_MS)
    await talk(socket)
    for (const _ of Array.from({ length: 11 })) await socket.pass(5_000)
    expect(state.trips).toBe(1)
    const failed = { level: 'error', event: 'socket_not_checked', code: 'database_busy' }
    expect(logs.events()).toMatchObject([failed])
    state.fault = null
    await socket.pass(5_000)
    expect(await socket.caller.closed).toEqual([END, 'api_key_paused'])
  })
})

it('an answer that opens no socket is not looked at', async () => {
  const works: Promise<void>[] = []
  const user: KeyUser = {
    // An isolate of its own, where no count of other uses waits.
    ...(await ownerOf(await someKeyUser(someKey()), { ...env })),
    by: { kind: 'caller', name: 'binding:chat' },
    waitUntil: (work) => void works.push(work),
  }
  const { response: answer } = await useKey(user, slotOf(user, 'openai'), new Request(MODELS))
  await answer.text()
  await endAll(works)
  const before = works.length
  vi.advanceTimersByTime(2 * MINUTE_MS)
  expect([answer.webSocket, works.length]).toEqual([null, before])
})
