import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { exports } from 'cloudflare:workers'
import { env } from '../isolate.ts'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { KeyVault } from '../../src/binding/key-vault.ts'
import { deleteExpiredKeys } from '../../src/keys/expiry.ts'
import { deleteOldEvents } from '../../src/keys/trail.ts'
import { openService } from '../../src/service.ts'
import type { EventAnswer } from '../../src/shared/answers.ts'
import { runBatch } from '../../src/store/d1.ts'
import {
  insertImportedUsers,
  noteImported,
  toImportedKeys,
  upsertImported,
  upsertImportedKeys,
} from '../../src/store/imported-keys.ts'
import {
  call,
  interceptD1,
  keyPath,
  mintToken,
  PROVIDER,
  recordLogs,
  slotPath,
  someKeyUser,
  someUser,
} from '../support.ts'

const PATH = `${PROVIDER}/v1/models`
const keyOf = (kind: string) => `sk-${kind}-${crypto.randomUUID()}`
const ALL = { caller: 'chat', grants: ['use', 'reveal', 'users', 'support'] }
const eventsPath = (userId: string) => `/api/users/${encodeURIComponent(userId)}/api-key-events`

afterEach(() => vi.useRealTimers())

/** A user, and everything that the user and a bound Worker can do. The vault counts uses anew for each. */
async function someOwner({
  vault = {},
  userId = '',
}: { vault?: Partial<Env>; userId?: string } = {}) {
  const owner = userId || (await someUser())
  const token = await mintToken({ sub: owner, scope: 'relay', client_id: 'notebook' })
  const bindings = { ...env, ...vault }
  const request = async (method: string, path: string, body?: unknown, query = '') => {
    const options = { token, env: bindings, ...(body !== undefined && { body }) }
    return call(method, path + query, options)
  }
  /** Calls the binding, and waits until what follows the answer is done. */
  const bound = async (work: (binding: KeyVault) => Promise<unknown>, props: object = ALL) => {
    const context = createExecutionContext()
    await work(new KeyVault(Object.assign(context, { props }), bindings))
    await waitOnExecutionContext(context)
  }
  return {
    userId: owner,
    token,
    request,
    bound,
    slot: async (method: string, body?: unknown, query = '') =>
      request(method, slotPath(owner, 'openai'), body, query),
    save: async (apiKey: string, query = '?verify=false') =>
      request('PUT', slotPath(owner, 'openai'), { api_key: apiKey }, query),
    use: async (init: RequestInit = {}) =>
      bound(async (binding) => {
        const result = await binding.fetchWithApiKey(owner, 'openai', new Request(PATH, init))
        if (result.ok) await result.response.text()
      }),
    /** The events, the oldest first. */
    events: async (query = ''): Promise<EventAnswer[]> => {
      // A test may have changed the clock since the first token.
      const reader = await mintToken({ sub: owner })
      const response = await call('GET', eventsPath(owner) + query, { token: reader })
      const { events }: { events: EventAnswer[] } = await response.json()
      return events.toReversed()
    },
  }
}

const kinds = (events: EventAnswer[]) => events.map(({ event }) => event)
const byOwner = { provider: 'openai', by: 'owner', at: expect.stringMatching(/^20\d\d-.*Z$/) }
const byChat = { provider: 'openai', by: 'caller', caller: 'chat' }
const time = expect.stringMatching(/^20\d\d-.*Z$/)
const sum = { at: time, last_at: time, count: 1, errors: 0 }

describe('what the owner does is an event', () => {
  it('of a save, a replacement and a deletion', async () => {
    const { save, slot, events } = await someOwner()
    await save(keyOf('good'))
    await save(keyOf('good'))
    await slot('DELETE')
    await slot('DELETE')
    const ids = { id: expect.any(String), request_id: expect.any(String) }
    const all = await events()
    const same = { ...byOwner, ...ids }
    expect(kinds(all)).toEqual(['saved', 'replaced', 'deleted'])
    for (const event of all) expect(event).toEqual({ ...same, event: event.event })
    for (const { id, at } of all) expect(id.startsWith(at)).toBe(true)
  })

  it('of the plain route, and of a move to a provider', async () => {
    const { userId, request, events } = await someOwner()
    await request('PUT', keyPath(userId), { api_key: keyOf('good') })
    await request('POST', `${slotPath(userId, 'openai')}/assign`)
    await request('PUT', keyPath(userId), { api_key: keyOf('good') })
    await request('DELETE', keyPath(userId))
    const plain = { ...byOwner, provider: 'default' }
    expect(await events()).toMatchObject([
      { ...plain, event: 'saved' },
      { ...byOwner, event: 'assigned' },
      { ...plain, event: 'saved' },
      { ...plain, event: 'deleted' },
    ])
  })

  it.for([
    ['good', 'accepted'],
    ['bad', 'refused'],
    ['busy', 'unknown'],
  ])('of a check of a %s key', async ([kind = '', verdict]) => {
    const { save, request, userId, events } = await someOwner()
    await save(keyOf(kind))
    await request('POST', `${slotPath(userId, 'openai')}/verify`)
    expect((await events()).slice(1)).toMatchObject([{ ...byOwner, event: 'verified', verdict }])
  })

  it('of a key that its provider rejects', async () => {
    const { save, events } = await someOwner()
    expect((await save(keyOf('bad'), '')).status).toBe(422)
    expect(await events()).toMatchObject([
      { ...byOwner, event: 'rejected_on_save', verdict: 'refused' },
    ])
  })

  it('of a pause, once, and of other limits', async () => {
    const { save, slot, events } = await someOwner()
    await save(keyOf('good'))
    for (const paused of [true, true, false, false]) await slot('PATCH', { paused })
    await slot('PATCH', { callers: ['chat'], expires_at: null })
    const all = await events()
    expect(kinds(all)).toEqual(['saved', 'paused', 'resumed', 'limits_changed'])
    await slot('PATCH', { callers: null, paused: true })
    const both = (await events()).slice(all.length)
    expect(kinds(both).toSorted()).toEqual(['limits_changed', 'paused'])
    await slot('PATCH', { callers: ['chat'] })
    expect(kinds((await events()).slice(6))).toEqual(['limits_changed'])
  })

  it('only if it happens', async () => {
    const { userId, slot, request, events } = await someOwner()
    await slot('DELETE')
    await slot('PATCH', { paused: true })
    await slot('PUT', { api_key: '' })
    await request('POST', `${slotPath(userId, 'openai')}/assign`)
    expect(await events()).toEqual([])
  })
})

describe('what a caller does is an event', () => {
  it('of uses, summed by the hour, with their errors', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2_026, 10, 25, 12, 0, 0) })
    const { userId, save, use, events } = await someOwner()
    await save(keyOf('good'))
    await use()
    vi.setSystemTime(Date.UTC(2_026, 10, 25, 12, 30))
    const otherIsolate = await someOwner({ userId })
    await otherIsolate.use({ method: 'POST', body: 'again' })
    vi.setSystemTime(Date.UTC(2_026, 10, 25, 13, 0))
    await use()
    vi.useRealTimers()
    const uses = (await events()).filter(({ event }) => event === 'used')
    const [at, last_at, later] = ['12:00', '12:30', '13:00'].map(
      (hour) => `2026-11-25T${hour}:00.000Z`,
    )
    expect(uses).toMatchObject([
      { ...byChat, count: 2, errors: 0, at, last_at },
      { ...byChat, count: 1, errors: 0, at: later, last_at: later },
    ])
  })

  it('of a use that its provider answered with an error, and of a rejection', async () => {
    const { save, use, events } = await someOwner()
    await save(keyOf('bad'))
    await use()
    const [, rejected, used] = await events()
    expect(rejected).toMatchObject({ ...byChat, event: 'rejected_in_use', provider_status: 401 })
    expect(used).toMatchObject({ ...byChat, ...sum, event: 'used', errors: 1 })
  })

  it('of a use that its provider calls a bad request', async () => {
    const { save, use, events } = await someOwner()
    await save(keyOf('odd'))
    await use()
    expect((await events()).at(-1)).toMatchObject({ ...byChat, ...sum, event: 'used', errors: 1 })
  })

  it('but a use that cannot be recorded is answered and logged', async () => {
    let trips = 0
    const DB = interceptD1(async (trip) => {
      trips += 1
      if (trips > 1) throw new Error('D1 is broken')
      return trip()
    })
    const userId = await someKeyUser(keyOf('good'))
    const { bound } = await someOwner({ userId, vault: { DB } })
    const logs = recordLogs()
    await bound(async (binding) => {
      const result = await binding.fetchWithApiKey(userId, 'openai', new Request(PATH))
      if (!result.ok) throw new Error(result.code)
      expect(await result.response.json()).toEqual({ data: [] })
    })
    expect(logs.events()).toContainEqual({
      level: 'error',
      event: 'use_not_recorded',
      code: 'internal',
      error: expect.objectContaining({ message: 'D1 is broken' }),
    })
  })

  it('of a use that does not reach its provider', async () => {
    const userId = await someKeyUser(keyOf('good'), 'mistral')
    const { bound, events } = await someOwner({ userId })
    await bound(async (binding) =>
      binding.fetchWithApiKey(userId, 'mistral', new Request('http://127.0.0.1:9/v1/models')),
    )
    const used = { ...byChat, provider: 'mistral', event: 'used', errors: 1 }
    expect((await events()).at(-1)).toMatchObject(used)
  })

  it('of a use through the relay, with the client of the token', async () => {
    const { save, token, events } = await someOwner()
    await save(keyOf('good'))
    const context = createExecutionContext()
    await call('GET', '/relay/openai/v1/models', { token, context })
    await waitOnExecutionContext(context)
    expect((await events()).at(-1)).toMatchObject({
      by: 'caller',
      caller: 'notebook',
      event: 'used',
    })
  })

  it('of a key that was read in the clear', async () => {
    const { userId, save, bound, events } = await someOwner()
    await save(keyOf('good'))
    await bound(async (binding) => binding.getDecryptedApiKey(userId, 'openai'))
    expect((await events()).at(-1)).toMatchObject({ ...byChat, ...sum, event: 'revealed' })
  })

  it.for<[name: string, limits: object, event: string, code: string | undefined]>([
    ['a paused key', { paused: true }, 'use_refused', 'api_key_paused'],
    ['another caller', { callers: ['batch'] }, 'use_refused', 'caller_not_allowed'],
    ['a reached limit', { max_uses: { count: 0, per: 'day' } }, 'limit_reached', undefined],
  ])('of a use that is refused: %s', async ([, limits, event, code]) => {
    const { save, slot, use, events } = await someOwner()
    await save(keyOf('good'))
    await slot('PATCH', limits)
    await use()
    const refused = (await events()).at(-1)
    expect(refused).toMatchObject({ ...byChat, ...sum, event })
    expect(refused?.code).toBe(code)
  })

  it('of a key that cannot be decrypted', async () => {
    const { userId, save, use, events } = await someOwner()
    await save(keyOf('good'))
    const damage = "UPDATE api_keys SET encrypted_api_key = 'v1.x.y' WHERE user_id = ?1"
    await env.DB.prepare(damage).bind(userId).run()
    recordLogs()
    await use()
    expect((await events()).at(-1)).toMatchObject({ ...byChat, ...sum, event: 'unreadable' })
  })

  it('of support that looks, pauses and deletes', async () => {
    const { userId, save, bound, events } = await someOwner()
    await save(keyOf('good'))
    const props = { caller: 'desk', grants: ['support'] }
    await bound(async (binding) => binding.listSlots(userId), props)
    await bound(async (binding) => binding.pauseKey(userId, 'openai'), props)
    await bound(async (binding) => binding.deleteKey(userId, 'openai'), props)
    const byDesk = { by: 'caller', caller: 'desk' }
    expect((await events()).slice(1)).toMatchObject([
      { ...byDesk, provider: 'openai', event: 'paused' },
      { ...byDesk, provider: 'openai', event: 'deleted' },
      { ...byDesk, ...sum, provider: '*', event: 'viewed' },
    ])
  })
})

describe('support', () => {
  const binding = exports.KeyVault({ props: { caller: 'desk', grants: ['support'] } })

  it('sees slots and events as their owner does, and no key', async () => {
    const key = keyOf('good')
    const { userId, save, events, request } = await someOwner()
    await save(key)
    const listed = await binding.listSlots(userId)
    const own = await request('GET', slotPath(userId, '').slice(0, -1))
    const { api_keys } = await own.json<{ api_keys: unknown }>()
    expect(listed).toEqual({ ok: true, slots: api_keys })
    const shown = await events('?provider=openai')
    const seen = await binding.listEvents(userId, { provider: 'openai' })
    expect(seen).toEqual({ ok: true, events: shown, nextCursor: null })
    expect(JSON.stringify([listed, seen])).not.toContain(key)
  })

  it.for([
    [{ limit: 0 }],
    [{ limit: 201 }],
    [{ cursor: 5 }],
    [{ providers: ['openai'] }],
    ['openai'],
    [null],
  ])('cannot list events by %j', async ([query]) => {
    const given: object = Object(query)
    const wanted = query === null || typeof query === 'string' ? [query] : given
    expect(await binding.listEvents(await someUser(), Object(wanted))).toEqual({
      ok: false,
      code: 'invalid_argument',
    })
  })

  it('leaves no trace of a key that it gives as the name of a slot', async () => {
    const { userId, bound, events } = await someOwner()
    const key = keyOf('good')
    await bound(async (vault) => vault.listEvents(userId, { provider: key }))
    await bound(async (vault) => vault.listEvents(userId, { provider: 'openai' }))
    const viewed = (await events()).map(({ provider }) => provider)
    expect(viewed.toSorted()).toEqual(['*', 'openai'])
  })

  it('learns which user or key there is not', async () => {
    expect(await binding.listSlots('nobody')).toEqual({ ok: false, code: 'user_not_found' })
    expect(await binding.listEvents('nobody')).toEqual({ ok: false, code: 'user_not_found' })
    const userId = await someUser()
    expect(await binding.pauseKey(userId, 'openai')).toEqual({ ok: false, code: 'no_api_key' })
    expect(await binding.deleteKey(userId, 'openai')).toEqual({ ok: true, deleted: false })
  })
})

describe('what the vault does is an event', () => {
  it('of a key that expires, once, at its time, and of its deletion', async () => {
    const { userId, slot, events } = await someOwner()
    const expires_at = new Date(Date.now() + 60_000).toISOString()
    await slot('PUT', { api_key: keyOf('good'), expires_at }, '?verify=false')
    const past = new Date(Date.now() - 60_000).toISOString()
    const expire = 'UPDATE api_keys SET expires_at = ?2 WHERE user_id = ?1'
    await env.DB.prepare(expire).bind(userId, past).run()
    const service = await openService(env)
    await deleteExpiredKeys(service)
    await deleteExpiredKeys(service)
    const byJob = { provider: 'openai', by: 'job' }
    const id = expect.any(String)
    expect((await events())[0]).toEqual({ ...byJob, id, event: 'expired', at: past })
    recordLogs()
    await deleteExpiredKeys(await openService({ ...env, EXPIRED_KEPT_DAYS: '0' }))
    expect((await events()).at(-1)).toEqual({ ...byJob, id, event: 'deleted', at: time })
    expect(kinds(await events()).toSorted()).toEqual(['deleted', 'expired', 'saved'])
  })

  it('of an imported key, once', async () => {
    const { userId, events } = await someOwner()
    const imported = {
      userId,
      provider: 'openai',
      token: 'gAAAAA',
      savedAt: '2026-01-01T00:00:00.000Z',
    }
    const keys = toImportedKeys([imported])
    const statements = [insertImportedUsers, upsertImportedKeys, noteImported, upsertImported]
    for (const _ of [1, 2])
      await runBatch(
        env.DB,
        statements.map((make) => make(keys)),
      )
    expect(await events()).toMatchObject([{ provider: 'openai', by: 'import', event: 'imported' }])
  })
})

describe('GET …/api-key-events', () => {
  /** A user with events on several days: `count` saves, the last one today. */
  async function someHistory(count: number) {
    const owner = await someOwner()
    const rows = Array.from({ length: count }, (_, index) => {
      const at = new Date(Date.now() - index * 7 * 60 * 60 * 1_000).toISOString()
      return [at.slice(0, 10), `${at}.${index}`, index % 2 === 0 ? 'openai' : 'acme']
    })
    await env.DB.prepare(
      `INSERT INTO api_key_events (day, user_id, id, provider, event, actor)
       SELECT value ->> 0, ?1, value ->> 1, value ->> 2, 'saved', 'owner' FROM json_each(?2)`,
    )
      .bind(owner.userId, JSON.stringify(rows))
      .run()
    return { ...owner, ids: rows.map(([, id]) => id) }
  }

  it.for([
    [30, [7, 7, 7, 7, 2]],
    [28, [7, 7, 7, 7]],
  ] as const)('pages through %i events, the newest first, across days', async ([count, pages]) => {
    const { userId, token, ids } = await someHistory(count)
    const seen: string[][] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const query = `?limit=7${cursor && `&cursor=${encodeURIComponent(cursor)}`}`
      const response = await call('GET', eventsPath(userId) + query, { token })
      const page: { user_id: string; events: EventAnswer[]; next_cursor: string | null } =
        await response.json()
      expect(page.user_id).toBe(userId)
      seen.push(page.events.map(({ id }) => id))
      cursor = page.next_cursor
    }
    expect(seen.map(({ length }) => length)).toEqual(pages)
    expect(seen.flat()).toEqual(ids)
  })

  it('filters by slot, and has 50 events on a page', async () => {
    const { events } = await someHistory(120)
    expect(await events()).toHaveLength(50)
    const filtered = await events('?provider=acme&limit=200')
    expect(new Set(filtered.map(({ provider }) => provider))).toEqual(new Set(['acme']))
    expect(filtered).toHaveLength(60)
  })

  it('exports everything as NDJSON', async () => {
    const { userId, token, ids } = await someHistory(2_500)
    const response = await call('GET', `${eventsPath(userId)}?format=ndjson`, { token })
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'application/x-ndjson',
      'cache-control': 'no-store',
      'content-disposition': 'attachment; filename="api-key-events.ndjson"',
    })
    const lines = (await response.text()).trimEnd().split('\n')
    expect(lines.map((line): string => JSON.parse(line).id)).toEqual(ids)
  })

  it('breaks an export off, and logs it, if D1 fails in the middle', async () => {
    const { userId, token } = await someHistory(1_500)
    let trips = 0
    const DB = interceptD1(async (trip) => {
      trips += 1
      if (trips > 1) throw new Error('D1_ERROR: Network connection lost.')
      return trip()
    })
    const logs = recordLogs()
    const path = `${eventsPath(userId)}?format=ndjson`
    const response = await call('GET', path, { token, env: { DB } })
    await expect(response.text()).rejects.toThrow('database_busy')
    expect(logs.events()).toContainEqual(
      expect.objectContaining({ level: 'error', event: 'export_broken_off' }),
    )
  })

  it.for([
    ['?limit=0', '"limit" must be a number from 1 to 200.'],
    ['?limit=201', '"limit" must be a number from 1 to 200.'],
    ['?limit=1e2', '"limit" must be a number from 1 to 200.'],
    ['?cursor=next', '"cursor" must be the next_cursor of the previous page.'],
    ['?format=csv', '"format" must be json or ndjson.'],
  ])('refuses %s', async ([query, detail]) => {
    const { userId, token } = await someOwner()
    const response = await call('GET', eventsPath(userId) + query, { token })
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ code: 'invalid_query', detail })
  })

  it.for(['', '?format=ndjson'])('is only for its owner: %j', async (query) => {
    const { userId, token } = await someOwner()
    const stranger = await mintToken({ sub: 'stranger' })
    expect((await call('GET', eventsPath(userId) + query)).status).toBe(401)
    expect((await call('GET', eventsPath(userId) + query, { token: stranger })).status).toBe(403)
    const unknown = await call('GET', eventsPath('stranger') + query, { token: stranger })
    expect(await unknown.json()).toMatchObject({ code: 'user_not_found' })
    expect((await call('GET', eventsPath(userId) + query, { token })).status).toBe(200)
  })

  it('makes one round trip, and reads no other user’s events', async () => {
    const { userId, token } = await someHistory(20)
    await someHistory(300)
    let [trips, read] = [0, 0]
    const DB = interceptD1(async (trip) => {
      trips += 1
      const results = await trip()
      if (Array.isArray(results)) for (const { meta } of results) read += meta.rows_read
      return results
    })
    await call('GET', `${eventsPath(userId)}?limit=200`, { token, env: { DB } })
    expect(trips).toBe(1)
    const days = await env.DB.prepare(
      'SELECT count(DISTINCT day) AS n FROM api_key_events',
    ).first<number>('n')
    // A row for each event, and up to four for each day that has events.
    expect(read).toBeLessThan(20 + 4 * Number(days))
  })
})

describe('the end of an event', () => {
  const stored = async (userId: string) =>
    env.DB.prepare('SELECT count(*) AS n FROM api_key_events WHERE user_id = ?1')
      .bind(userId)
      .first('n')

  it('comes with EVENTS_KEPT_DAYS, by the job', async () => {
    const { userId, save, events } = await someOwner()
    await save(keyOf('good'))
    const age = `INSERT INTO api_key_events (day, user_id, id, provider, event, actor)
                 VALUES (?2, ?1, ?2 || 'T00:00:00.000Z.a', 'openai', 'saved', 'owner')`
    const day = (days: number) =>
      new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 10)
    for (const days of [91, 90, 31]) await env.DB.prepare(age).bind(userId, day(days)).run()
    await deleteOldEvents(await openService(env))
    expect(await stored(userId)).toBe(3)
    await deleteOldEvents(await openService({ ...env, EVENTS_KEPT_DAYS: '30' }))
    expect(kinds(await events())).toEqual(['saved'])
  })

  it('comes with its user', async () => {
    const { userId, save, use, bound } = await someOwner()
    const { userId: other, save: saveOther } = await someOwner()
    await save(keyOf('good'))
    await saveOther(keyOf('good'))
    await use()
    await bound(async (binding) => binding.deleteUser(userId))
    expect([await stored(userId), await stored(other)]).toEqual([0, 1])
  })
})

describe('counting uses', () => {
  /** Reads the key of a user again and again, with a clock that only the test moves. */
  async function someReader(intercept: (trip: () => Promise<unknown>) => Promise<unknown>) {
    vi.useFakeTimers({ toFake: ['Date', 'setTimeout'], now: Date.UTC(2_026, 10, 25, 12, 1) })
    const userId = await someKeyUser(keyOf('good'))
    let trips = 0
    const DB = interceptD1(async (trip) => {
      trips += 1
      return intercept(trip)
    })
    const context = Object.assign(createExecutionContext(), { props: ALL })
    const vault = new KeyVault(context, { ...env, DB })
    return {
      trips: () => trips,
      read: async () => vault.getDecryptedApiKey(userId, 'openai'),
      counted: async () => {
        vi.useRealTimers()
        await waitOnExecutionContext(context)
        const all = await (await someOwner({ userId })).events()
        return all.filter(({ event }) => event === 'revealed').map(({ count }) => count)
      },
    }
  }

  it('writes the first of an hour at once, and the rest together', async () => {
    const { trips, read, counted } = await someReader(async (trip) => trip())
    await read()
    expect(trips()).toBe(2)
    for (let count = 0; count < 40; count += 1) await read()
    expect(trips()).toBe(42)
    await vi.advanceTimersByTimeAsync(20_000)
    expect(trips()).toBe(43)
    expect(await counted()).toEqual([41])
  })

  it('keeps the count if D1 fails, and logs that', async () => {
    let [trips, isDown] = [0, true]
    const { read, counted } = await someReader(async (trip) => {
      trips += 1
      if (isDown && trips === 2) throw new Error('D1_ERROR: D1 DB is overloaded.')
      return trip()
    })
    const logs = recordLogs()
    await read()
    await vi.waitFor(() => expect(logs.text()).toContain('uses_not_recorded'))
    isDown = false
    await read()
    await vi.advanceTimersByTimeAsync(20_000)
    expect(await counted()).toEqual([2])
  })
})

it('no event, cell or log line holds a key', async () => {
  const logs = recordLogs()
  const key = keyOf('good')
  const { userId, save, slot, use, request, events } = await someOwner()
  await save(key)
  await use()
  await request('POST', `${slotPath(userId, 'openai')}/verify`)
  await slot('PATCH', { paused: true })
  await use()
  await slot('DELETE')
  const { results } = await env.DB.prepare('SELECT * FROM api_key_events WHERE user_id = ?1')
    .bind(userId)
    .all()
  expect(results.length).toBeGreaterThan(5)
  const everything = JSON.stringify([results, await events()]) + logs.text()
  for (const part of [key, key.slice(0, 12), key.slice(-8)]) expect(everything).not.toContain(part)
})
