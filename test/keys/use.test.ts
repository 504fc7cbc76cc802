/** The use of a key for a caller: what is sent and refused, and what is recorded of the outcome. */

import { afterEach, describe, expect, it, vi } from 'vitest'
import { useKey } from '../../src/binding/methods.ts'
import { VaultError } from '../../src/errors.ts'
import { saveSlot } from '../../src/keys/save.ts'
import type { KeyUser } from '../../src/keys/take.ts'
import { revealKey } from '../../src/keys/use.ts'
import { env } from '../isolate.ts'
import {
  interceptD1,
  ownerOf,
  PROVIDER,
  recordLogs,
  seenByProvider,
  slotOf,
  someKeyUser,
  someUser,
} from '../support.ts'
import { MODELS, someKeyOf } from './key-owner.ts'

/** A caller of the user's keys, and the end of what comes after an answer. */
async function someCaller(userId: string, vault: Env = env) {
  const works: Promise<void>[] = []
  const by = { kind: 'caller', name: 'binding:chat' } as const
  const waitUntil = (work: Promise<void>) => void works.push(work)
  const user: KeyUser = { ...(await ownerOf(userId, vault)), by, waitUntil }
  return { user, ended: async () => Promise.all(works) }
}

const codeOf = async (work: Promise<unknown>) =>
  work.then(
    () => 'ok',
    (error: unknown) => VaultError.from(error).code,
  )

/** The key of a user, as `record` leaves it, and what the trail notes of the caller. */
async function recordedOf(userId: string) {
  const row = 'SELECT status, last_used_at AS used FROM api_keys WHERE user_id = ?1'
  const trail = `SELECT event, provider_status,
      coalesce((SELECT sum(value ->> 1) FROM json_each(hours)), 0) AS errors
    FROM api_key_events
    WHERE user_id = ?1 AND caller = 'binding:chat' ORDER BY event`
  const key = await env.DB.prepare(row).bind(userId).first()
  const { results: events } = await env.DB.prepare(trail).bind(userId).all()
  return { key, events }
}

describe('a request with a key', () => {
  it.for<[code: string, name: string, provider: string, url: string, method?: string]>([
    ['unknown_provider', 'an unknown provider', 'nobody', MODELS],
    ['unknown_provider', 'the default slot', 'default', MODELS],
    ['method_not_allowed', 'the method OPTIONS', 'openai', MODELS, 'OPTIONS'],
    ['method_not_allowed', 'OPTIONS and another origin', 'openai', 'https://a.test/', 'OPTIONS'],
    ['origin_not_allowed', 'another origin', 'openai', 'https://a.test/v1/models'],
    ['no_api_key', 'a slot without a key', 'acme', MODELS],
  ])('refuses with %s: %s', async ([code, , provider, url, method = 'GET']) => {
    const key = someKeyOf('good')
    const { user, ended } = await someCaller(await someKeyUser(key))
    const request = new Request(url, { method })
    expect(await codeOf(useKey(user, slotOf(user, provider), request))).toBe(code)
    await ended()
    expect(await seenByProvider(key)).toEqual([])
    expect((await recordedOf(user.userId)).events).toEqual([])
  })

  it('refuses with api_key_unreadable a key that does not open', async () => {
    recordLogs()
    const { user } = await someCaller(await someKeyUser(someKeyOf('good')))
    await env.DB.prepare("UPDATE api_keys SET encrypted_api_key = 'x' WHERE user_id = ?1")
      .bind(user.userId)
      .run()
    const use = useKey(user, slotOf(user, 'openai'), new Request(MODELS))
    expect(await codeOf(use)).toBe('api_key_unreadable')
  })

  it('refuses with base_url_invalid a key whose base URL is not allowed any more', async () => {
    const userId = await someUser()
    const { host } = new URL(PROVIDER)
    const key = { apiKey: someKeyOf('good'), baseUrl: `http://${host}/v1`, verify: false }
    await saveSlot(await ownerOf(userId), 'own', key)
    const own = { label: 'Own', hosts: ['a.test'], header: 'authorization', refusals: [] }
    const { user } = await someCaller(userId, { ...env, PROVIDERS: { own } })
    const use = useKey(user, slotOf(user, 'own'), new Request('https://own.invalid/models'))
    expect(await codeOf(use)).toBe('base_url_invalid')
  })

  it('puts the key into the header of its path after a base URL', async () => {
    const userId = await someUser()
    const { host } = new URL(PROVIDER)
    const apiKey = someKeyOf('good')
    await saveSlot(await ownerOf(userId), 'own', {
      apiKey,
      baseUrl: `http://${host}/v1`,
      verify: false,
    })
    const paths = [{ prefix: '/models', header: 'x-other-key' }]
    const own = { label: 'Own', hosts: [host], header: 'x-own-key', paths, refusals: [] }
    const { user, ended } = await someCaller(userId, { ...env, PROVIDERS: { own } })
    const request = new Request('https://own.invalid/models')
    await useKey(user, slotOf(user, 'own'), request)
    await ended()
    const [sent] = await seenByProvider(apiKey)
    expect(sent?.headers).toMatchObject({ 'x-other-key': apiKey })
    expect(sent?.headers).not.toHaveProperty('x-own-key')
  })

  it('a provider that cannot be reached is a use with an error', async () => {
    const userId = await someKeyUser(someKeyOf('good'))
    const { user, ended } = await someCaller(userId)
    vi.spyOn(globalThis, 'fetch').mockRejectedValueOnce(new TypeError('Network connection lost.'))
    const use = useKey(user, slotOf(user, 'openai'), new Request(MODELS))
    expect(await codeOf(use)).toBe('provider_unreachable')
    await ended()
    const { key, events } = await recordedOf(userId)
    expect(key).toEqual({ status: 'unverified', used: null })
    expect(events).toEqual([{ event: 'used', errors: 1, provider_status: null }])
  })
})

/** D1, before whose second round trip something else happens: the first one reads the key. */
function lateD1(late: () => Promise<unknown>) {
  let trips = 0
  let isDone: Promise<unknown> | null = null
  return interceptD1(async (trip) => {
    trips += 1
    if (trips > 1) await (isDone ??= late())
    return trip()
  })
}

describe('the outcome of a use', () => {
  const HOUR_MS = 60 * 60 * 1_000
  const change = async (userId: string, set: string, ...values: string[]) =>
    env.DB.prepare(`UPDATE api_keys SET ${set} WHERE user_id = ?1`)
      .bind(userId, ...values)
      .run()

  /** Uses the key of a user, and waits until the use is recorded. Returns the status of the answer. */
  async function use(userId: string, method = 'POST', vault: Env = env): Promise<number> {
    const { user, ended } = await someCaller(userId, vault)
    const request = new Request(MODELS, { method })
    const { response } = await useKey(user, slotOf(user, 'openai'), request)
    await response.text()
    await ended()
    return response.status
  }

  afterEach(() => vi.useRealTimers())

  it.for<[kind: string, method: string, status: string, errors: number, events: string[]]>([
    ['good', 'POST', 'active', 0, ['used']],
    ['good', 'GET', 'unverified', 0, ['used']],
    ['good', 'HEAD', 'unverified', 0, ['used']],
    ['bad', 'GET', 'rejected', 1, ['rejected_in_use', 'used']],
    ['scope', 'POST', 'unverified', 1, ['used']],
    ['busy', 'POST', 'unverified', 1, ['used']],
  ])('a %s key is, after a %s, %s; errors: %i', async ([kind, method, status, ...noted]) => {
    const [errors, events] = noted
    const userId = await someKeyUser(someKeyOf(kind))
    await use(userId, method)
    const recorded = await recordedOf(userId)
    expect(recorded.key).toEqual({ status, used: expect.any(String) })
    expect(recorded.events.map(({ event }) => event)).toEqual(events)
    expect(recorded.events.at(-1)).toMatchObject({ event: 'used', errors })
  })

  /** A key with this status, which was used so long ago, and is used now. */
  interface Used {
    kind: 'good' | 'bad'
    status: string
    msAgo: number
    method?: string
    /** The status that is written; without it, nothing is. */
    written?: string
    isEvent?: boolean
    /** Whether its provider has said that it is out of credit. */
    isExhausted?: boolean
  }

  it.for<[what: string, used: Used]>([
    ['writes no second use of a day', { kind: 'good', status: 'active', msAgo: 12 * HOUR_MS }],
    [
      'writes the first use of a day',
      { kind: 'good', status: 'active', msAgo: 12 * HOUR_MS + 1, written: 'active' },
    ],
    [
      'writes no use of a key without credit within an hour',
      { kind: 'good', status: 'active', msAgo: HOUR_MS - 1, method: 'GET', isExhausted: true },
    ],
    [
      'writes a use of a key without credit after an hour',
      {
        kind: 'good',
        status: 'active',
        msAgo: HOUR_MS,
        method: 'GET',
        isExhausted: true,
        written: 'active',
      },
    ],
    [
      'writes a use at once if the status changes',
      { kind: 'good', status: 'rejected', msAgo: HOUR_MS - 1, written: 'active' },
    ],
    [
      'leaves a rejected key rejected after a successful GET',
      { kind: 'good', status: 'rejected', msAgo: HOUR_MS - 1, method: 'GET' },
    ],
    [
      'notes at once that the provider rejects the key',
      { kind: 'bad', status: 'active', msAgo: HOUR_MS - 1, written: 'rejected', isEvent: true },
    ],
    [
      'notes no event if the provider rejects the key again',
      { kind: 'bad', status: 'rejected', msAgo: 13 * HOUR_MS, written: 'rejected' },
    ],
  ])('%s', async ([, used]) => {
    const { kind, status, msAgo, method, written, isEvent = false, isExhausted = false } = used
    vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2_026, 10, 25, 12) })
    const userId = await someKeyUser(someKeyOf(kind))
    const before = new Date(Date.now() - msAgo).toISOString()
    await change(userId, 'last_used_at = ?2, status = ?3', before, status)
    if (isExhausted) await change(userId, 'exhausted_at = ?2', '2026-11-01T00:00:00.000Z')
    await use(userId, method)
    const { key, events } = await recordedOf(userId)
    const at = written === undefined ? before : new Date().toISOString()
    expect(key).toEqual({ status: written ?? status, used: at })
    expect(events.some(({ event }) => event === 'rejected_in_use')).toBe(isEvent)
  })

  it('records a use with a changed status in one round trip', async () => {
    const userId = await someKeyUser(someKeyOf('good'))
    let trips = 0
    const DB = interceptD1(async (trip) => {
      trips += 1
      return trip()
    })
    await use(userId, 'POST', { ...env, DB })
    expect((await recordedOf(userId)).key).toMatchObject({ status: 'active' })
    // The others read the key, and write the first count of the hour.
    expect(trips).toBe(3)
  })

  it.for([
    ['a check writes the same status', 'good', 'POST', "status = 'active'", 'active'],
    ['the key is rejected', 'good', 'GET', "status = 'rejected'", 'rejected'],
    ['the key is rejected', 'good', 'POST', "status = 'rejected'", 'rejected'],
    ['the key is sealed again', 'bad', 'GET', "encrypted_api_key = ''", 'rejected'],
  ] as const)(
    'records a use during which %s, of a %s key with %s',
    async ([, kind, method, set, status]) => {
      const userId = await someKeyUser(someKeyOf(kind))
      const DB = lateD1(async () => change(userId, set))
      await use(userId, method, { ...env, DB })
      expect((await recordedOf(userId)).key).toEqual({ status, used: expect.any(String) })
    },
  )

  it('answers a use before it is recorded', async () => {
    let record = () => {}
    const DB = lateD1(async () => new Promise<void>((resolve) => (record = resolve)))
    const { user, ended } = await someCaller(await someKeyUser(someKeyOf('good')), { ...env, DB })
    const request = new Request(MODELS, { method: 'POST' })
    const { response } = await useKey(user, slotOf(user, 'openai'), request)
    expect(await response.json()).toEqual({ data: [] })
    record()
    await ended()
  })

  it('a use is answered although D1 fails to record it, which is logged', async () => {
    const userId = await someKeyUser(someKeyOf('good'))
    let isRead = false
    let isBroken = true
    const DB = interceptD1(async (trip) => {
      if (isRead && isBroken) throw new Error('D1_ERROR: D1 DB is overloaded.')
      isRead = true
      return trip()
    })
    const logs = recordLogs()
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] })
    const status = use(userId, 'POST', { ...env, DB })
    const failures = ['use_not_recorded', 'uses_not_recorded']
    await vi.waitFor(() =>
      expect(logs.events().map(({ event }) => event)).toEqual(expect.arrayContaining(failures)),
    )
    isBroken = false
    await vi.advanceTimersByTimeAsync(5_000)
    expect(await status).toBe(200)
    expect(logs.events()).toContainEqual(
      expect.objectContaining({ event: 'use_not_recorded', code: 'database_busy' }),
    )
  })
})

describe('a key in the clear', () => {
  it('reveals the key, and notes that', async () => {
    const key = someKeyOf('good')
    const { user, ended } = await someCaller(await someKeyUser(key))
    expect(await revealKey(user, slotOf(user, 'openai'))).toBe(key)
    await ended()
    const { events } = await recordedOf(user.userId)
    expect(events).toEqual([{ event: 'revealed', errors: 0, provider_status: null }])
  })

  it('reveals no key if D1 does not note that', async () => {
    const userId = await someKeyUser(someKeyOf('good'))
    const DB = lateD1(async () => Promise.reject(new Error('D1_ERROR: D1 DB is overloaded.')))
    const { user } = await someCaller(userId, { ...env, DB })
    expect(await codeOf(revealKey(user, slotOf(user, 'openai')))).toBe('database_busy')
  })

  it('notes each time before it reveals the key', async () => {
    const { user } = await someCaller(await someKeyUser(someKeyOf('good')))
    await revealKey(user, slotOf(user, 'openai'))
    await revealKey(user, slotOf(user, 'openai'))
    expect((await recordedOf(user.userId)).events).toHaveLength(2)
  })

  it.for(['false', 'true'])(
    'reveals null if the user is removed meanwhile, with AUTO_CREATE_USERS of %s',
    async (AUTO_CREATE_USERS) => {
      const userId = await someKeyUser(someKeyOf('good'))
      const remove = env.DB.prepare('DELETE FROM users WHERE id = ?1').bind(userId)
      const DB = lateD1(async () => remove.run())
      const { user } = await someCaller(userId, { ...env, AUTO_CREATE_USERS, DB })
      expect(await revealKey(user, slotOf(user, 'openai'))).toBeNull()
    },
  )

  it('reveals null for an empty slot, and notes nothing', async () => {
    const { user, ended } = await someCaller(await someUser())
    expect(await revealKey(user, slotOf(user, 'openai'))).toBeNull()
    await ended()
    expect((await recordedOf(user.userId)).events).toEqual([])
  })
})
