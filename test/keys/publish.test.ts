/** The queue gets the events that an application acts on, and changes no answer. */

import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { afterEach, expect, it, vi } from 'vitest'
import { deleteExpiredKeys, deleteOldEvents } from '../../src/keys/expiry.ts'
import { publishEvents } from '../../src/keys/publish.ts'
import { saveSlot } from '../../src/keys/save.ts'
import { openService } from '../../src/service.ts'
import { teamOwner, userOwner } from '../../src/shared/owner.ts'
import type { WrittenEvent } from '../../src/store/events.ts'
import { env } from '../isolate.ts'
import { someEventRow } from '../store/rows.ts'
import {
  call,
  mintToken,
  ownerOf,
  recordLogs,
  slotPath,
  someKey,
  someKeyUser,
  someUser,
} from '../support.ts'
import { faultyD1 } from './retried-operations.ts'

afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

const BAD = 'sk-bad'
const GOOD = 'sk-good'
const DAY_MS = 24 * 60 * 60 * 1000

interface Event {
  id: string
  user_id?: string
  team_id?: string
  event: string
  at: string
}

type Send = (messages: { body: Event; contentType: string }[]) => Promise<void>

/** A queue that keeps what it gets, and answers as `send` does. */
function someQueue(send: Send = async () => undefined) {
  const batches: Event[][] = []
  const sendBatch = async (messages: { body: Event; contentType: string }[]) => {
    batches.push(structuredClone(messages.map(({ body }) => body)))
    return send(messages)
  }
  return { EVENTS_QUEUE: { send: null, sendBatch }, batches, messages: () => batches.flat() }
}

/** A user with a key for OpenAI in a vault whose environment has `changes`. */
async function someOwner(word: string, changes: object) {
  const apiKey = `${word}-${crypto.randomUUID()}`
  const userId = await someKeyUser(apiKey)
  const vault = { ...env, ...changes }
  const token = await mintToken({ sub: userId, scope: 'relay', client_id: 'notebook' })
  /** Waits until what follows the answer is done. */
  const request = async (method: string, path: string, body?: unknown) => {
    const context = createExecutionContext()
    const options = { token, env: vault, context, ...(body !== undefined && { body }) }
    const response = await call(method, path, options)
    await waitOnExecutionContext(context)
    return response
  }
  const slot = slotPath(userId, 'openai')
  return {
    userId,
    apiKey,
    token,
    slot,
    request,
    relay: async (method = 'GET') => (await request(method, '/relay/openai/v1/models')).status,
    change: async (sql: string, value: string) =>
      void (await env.DB.prepare(`UPDATE api_keys SET ${sql} WHERE user_id = ?1`)
        .bind(userId, value)
        .run()),
    runJob: async () => deleteExpiredKeys(await openService(vault)),
    trim: async () => deleteOldEvents(await openService(vault)),
    /** The events of this kind in the trail. */
    shown: async (kind: string) => {
      const response = await request('GET', `/api/users/${userId}/api-key-events`)
      const { events }: { events: Event[] } = await response.json()
      return events.filter(({ event }) => event === kind)
    },
  }
}

type Owner = Awaited<ReturnType<typeof someOwner>>

/** What makes an event, and the answer to it. */
type Cause = (owner: Owner) => Promise<unknown>

const expire = async ({ change, runJob }: Owner, days: number) => {
  await change('expires_at = ?2', new Date(Date.now() - days * DAY_MS).toISOString())
  await runJob()
  return null
}

const CAUSES: [what: string, kind: string, word: string, cause: Cause, answer: number | null][] = [
  [
    'a key that its provider rejects on saving',
    'rejected_on_save',
    BAD,
    async ({ request, slot, apiKey }) =>
      (await request('PUT', `${slot}?verify=true`, { api_key: apiKey })).status,
    422,
  ],
  [
    'a key that its provider rejects in use',
    'rejected_in_use',
    BAD,
    async ({ relay }) => relay(),
    401,
  ],
  ['a key that is out of credit', 'out_of_credit', 'sk-spent', async ({ relay }) => relay(), 429],
  [
    'a key that has credit again',
    'in_credit',
    GOOD,
    async ({ change, relay }) => {
      await change('exhausted_at = ?2', '2026-11-03T12:00:00.000Z')
      return relay('POST')
    },
    200,
  ],
  ['a key that expires', 'expired', GOOD, async (owner) => expire(owner, 0.5), null],
  [
    'an expired key that the job deletes',
    'deleted',
    GOOD,
    async (owner) => {
      await owner.change('expiry_noted = ?2', '1')
      return expire(owner, 31)
    },
    null,
  ],
  [
    'a key that its owner deletes',
    'deleted',
    GOOD,
    async ({ request, slot }) => (await request('DELETE', slot)).status,
    200,
  ],
  [
    'a key that has reached its limit',
    'limit_reached',
    GOOD,
    async ({ request, slot, relay }) => {
      await request('PATCH', slot, { max_uses: { count: 0, per: 'day' } })
      return relay()
    },
    429,
  ],
  [
    'a key that does not open',
    'unreadable',
    GOOD,
    async ({ change, relay }) => {
      await change('encrypted_api_key = ?2', 'v1.damaged')
      return relay()
    },
    500,
  ],
]

it.for(CAUSES)(
  'the queue gets %s as the trail shows it: %s',
  async ([, kind, word, cause, answer]) => {
    const logs = recordLogs()
    const queue = someQueue()
    const owner = await someOwner(word, queue)
    expect(await cause(owner)).toBe(answer)
    const mine = () => queue.messages().filter(({ user_id }) => user_id === owner.userId)
    expect(mine()).toHaveLength(1)
    const [event] = await owner.shown(kind)
    expect(mine()).toEqual([{ ...event, user_id: owner.userId }])
    expect(JSON.stringify(queue.messages())).not.toContain(owner.apiKey)
    expect(logs.text()).not.toContain('event_not_queued')
  },
)

it('the queue gets no event that does not happen or that no application acts on', async () => {
  const queue = someQueue()
  const { request, slot, apiKey, relay } = await someOwner(GOOD, queue)
  await request('PUT', `${slot}?verify=true`, { api_key: apiKey })
  await request('PATCH', slot, { paused: true })
  await request('PATCH', slot, { paused: false })
  await relay()
  await request('DELETE', slot)
  await request('DELETE', slot)
  expect(queue.messages().map(({ event }) => event)).toEqual(['deleted'])
})

it('the queue gets a saved key that is out of credit after a lost answer of D1', async () => {
  recordLogs()
  vi.spyOn(Math, 'random').mockReturnValue(0)
  vi.spyOn(globalThis, 'fetch').mockImplementation(async () =>
    Response.json({ is_available: false }),
  )
  const queue = someQueue()
  const userId = await someUser()
  const { db } = faultyD1(['ok', 'unheard', 'ok'])
  const owner = await ownerOf(userId, { ...env, ...queue, DB: db })
  await saveSlot(owner, 'deepseek', { apiKey: someKey(), verify: true })
  expect(queue.messages()).toMatchObject([{ user_id: userId, event: 'out_of_credit' }])
})

it('the queue gets an expired key once', async () => {
  const queue = someQueue()
  const owner = await someOwner(GOOD, queue)
  await expire(owner, 0.5)
  await owner.runJob()
  const mine = queue.messages().filter(({ user_id }) => user_id === owner.userId)
  expect(mine).toHaveLength(1)
})

it.for(['0', '1', '90'])(
  'the queue gets an expiry once, with EVENTS_KEPT_DAYS of %s',
  async (days) => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const queue = someQueue()
    const owner = await someOwner(GOOD, { ...queue, EVENTS_KEPT_DAYS: days })
    await owner.change('expires_at = ?2', '2026-11-25T23:30:00.000Z')
    for (const minute of ['25T23:30', '25T23:59', '26T00:00', '26T00:01', '26T23:29']) {
      vi.setSystemTime(`2026-11-${minute}:00.000Z`)
      await owner.trim()
      await owner.runJob()
    }
    expect(queue.messages().filter(({ user_id }) => user_id === owner.userId)).toHaveLength(1)
  },
)

it('the queue gets a reached limit once an hour, from the isolate that writes it first', async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: new Date().setUTCMinutes(30) })
  const queue = someQueue()
  const { request, slot, relay, shown, token } = await someOwner(GOOD, queue)
  await request('PATCH', slot, { max_uses: { count: 0, per: 'day' } })
  await relay()
  expect(queue.messages()).toHaveLength(1)
  const otherIsolate = { ...env, EVENTS_QUEUE: queue.EVENTS_QUEUE }
  const context = createExecutionContext()
  await call('GET', '/relay/openai/v1/models', { token, env: otherIsolate, context })
  await waitOnExecutionContext(context)
  expect(await shown('limit_reached')).toMatchObject([{ count: 2 }])
  expect(queue.messages()).toMatchObject([{ event: 'limit_reached', count: 1 }])
})

it('the queue gets many events in batches of at most 25', async () => {
  const queue = someQueue()
  const owner = await someOwner(GOOD, queue)
  const at = new Date(Date.now() - DAY_MS / 2).toISOString()
  const users = Array.from({ length: 60 }, (_, index) => `${index}-${crypto.randomUUID()}`)
  const insertKey = `INSERT INTO api_keys
      (user_id, provider, encrypted_api_key, key_id, updated_at, expires_at)
    SELECT ?1, provider, encrypted_api_key, key_id, updated_at, ?3
    FROM api_keys WHERE user_id = ?2`
  await env.DB.batch(
    users.flatMap((id) => [
      env.DB.prepare('INSERT INTO users (id) VALUES (?1)').bind(id),
      env.DB.prepare(insertKey).bind(id, owner.userId, at),
    ]),
  )
  await owner.runJob()
  const sent = new Set(queue.messages().map(({ user_id }) => user_id))
  expect(users.filter((id) => !sent.has(id))).toEqual([])
  const mine = queue.batches.map(({ length }) => length)
  expect([Math.max(...mine), Math.min(...mine) > 0]).toEqual([25, true])
})

it('the queue gets the id of a user or of a team, and the log has the text of the owner', async () => {
  const logs = recordLogs()
  const ids = ['ann', 'team:acme']
  const owners = ids.flatMap((id) => [userOwner(id), teamOwner(id)])
  const deletedBy = (userId: string) => ({ userId, ...someEventRow({ event: 'deleted' }) })
  const written = owners.map(deletedBy)
  const queue = someQueue(async () => Promise.reject(new Error('Too Many Requests')))
  await publishEvents(await openService({ ...env, ...queue }), [{ results: written }])
  expect(queue.messages().map(({ user_id, team_id }) => ({ user_id, team_id }))).toEqual(
    ids.flatMap((id) => [
      { user_id: id, team_id: undefined },
      { user_id: undefined, team_id: id },
    ]),
  )
  const id = someEventRow().id
  const events = ['ann', 'team:ann', '~team:acme', 'team:team:acme'].map((user_id) => ({
    user_id,
    id,
  }))
  expect(logs.events()).toMatchObject([{ event: 'event_not_queued', events }])
})

/** Events of one moment, each of another user. */
const someEvents = (count: number): WrittenEvent[] =>
  Array.from({ length: count }, (_, index) => ({
    userId: `user-${index}`,
    ...someEventRow({
      id: `2026-11-25T12:00:00.000Z.${index}`,
      event: 'expired',
      actor: 'job',
    }),
  }))

/** A queue that takes 6 calls at a time, as a Worker has 6 connections, and `ms` for each. */
function busyQueue(ms: number) {
  const waiting: (() => void)[] = []
  let [free, open, most] = [6, 0, 0]
  const queue = someQueue(async () => {
    open += 1
    most = Math.max(most, open)
    if (free > 0) free -= 1
    else await new Promise<void>((resolve) => void waiting.push(resolve))
    await new Promise((resolve) => setTimeout(resolve, ms))
    open -= 1
    const next = waiting.shift()
    if (next === undefined) free += 1
    else next()
  })
  return { ...queue, most: () => most }
}

it.for([50, 1_900])(
  'the queue gets all of 10,000 events if it takes 6 calls at a time and %i ms for each',
  async (ms) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const logs = recordLogs()
    const queue = busyQueue(ms)
    const published = publishEvents(await openService({ ...env, ...queue }), [
      { results: someEvents(10_000) },
    ])
    await vi.advanceTimersByTimeAsync(100 * ms)
    await published
    const users = new Set(queue.messages().map(({ user_id }) => user_id))
    expect([users.size, queue.messages().length, queue.most()]).toEqual([10_000, 10_000, 4])
    expect(logs.text()).not.toContain('event_not_queued')
  },
)

it('a batch has as much time as another if it is sent after one that got no answer', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const logs = recordLogs()
  let calls = 0
  const queue = someQueue(async () => {
    calls += 1
    return new Promise((resolve) => setTimeout(resolve, calls <= 4 ? 60_000 : 1_900))
  })
  const published = publishEvents(await openService({ ...env, ...queue }), [
    { results: someEvents(200) },
  ])
  await vi.advanceTimersByTimeAsync(2_000 + 1_900)
  await published
  const failed = logs.events().filter((line) => line['event'] === 'event_not_queued')
  expect([calls, failed.map(({ events }) => events)]).toEqual([
    8,
    Array.from({ length: 4 }, () => expect.objectContaining({ length: 25 })),
  ])
})

const FAULTS: [what: string, send: Send][] = [
  ['fails', async () => Promise.reject(new Error('Too Many Requests'))],
  [
    'hangs',
    async () => {
      queueMicrotask(() => void vi.advanceTimersByTime(2_000))
      return new Promise(() => {})
    },
  ],
]

const FAILURES = FAULTS.flatMap(([fault, send]) =>
  CAUSES.map(([what, ...given]) => [fault, what, send, given] as const),
)

it.for(FAILURES)('a queue that %s changes no answer and no trail: %s', async (row) => {
  const [, , send, [kind, word, cause, answer]] = row
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'], shouldAdvanceTime: true })
  const logs = recordLogs()
  const owner = await someOwner(word, someQueue(send))
  expect(await cause(owner)).toBe(answer)
  const [event, ...more] = await owner.shown(kind)
  expect([event?.event, more]).toEqual([kind, []])
  const failed = logs.events().filter((line) => line['event'] === 'event_not_queued')
  const named = { user_id: owner.userId, id: event?.id }
  expect(failed.flatMap(({ events }) => events)).toContainEqual(named)
  expect(logs.text()).not.toContain(owner.apiKey)
})
