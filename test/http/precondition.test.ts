import { env } from '../isolate.ts'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import {
  call,
  interceptD1,
  keyPath,
  mintToken,
  PROVIDER,
  seenByProvider,
  slotPath,
  someKey,
  someUser,
  storedKey,
} from '../support.ts'

const PATHS = [
  ['the plain route', keyPath, 'default'],
  ['a slot', (userId: string) => slotPath(userId, 'acme'), 'acme'],
] as const

/** A user, and requests to one of the user's slots. */
async function someOwner(pathOf: (userId: string) => string) {
  const userId = await someUser()
  const token = await mintToken({ sub: userId })
  const send = async (method: string, headers: Record<string, string> = {}, apiKey = someKey()) => {
    const body = method === 'PUT' ? { api_key: apiKey } : undefined
    const path = `${pathOf(userId)}${method === 'PUT' ? '?verify=false' : ''}`
    const response = await call(method, path, { token, headers, body })
    return { status: response.status, tag: response.headers.get('ETag') ?? '', response }
  }
  return { userId, send }
}

describe.for(PATHS)('the entity tag of %s', ([, pathOf, provider]) => {
  it('is that of the saved key, and changes with it', async () => {
    const { send } = await someOwner(pathOf)
    expect((await send('GET')).tag).toBe('')
    const first = await send('PUT')
    expect(first.tag).toMatch(/^"20.*Z"$/)
    expect((await send('GET')).tag).toBe(first.tag)
    const second = await send('PUT')
    expect(second.tag > first.tag).toBe(true)
    await send('DELETE')
    expect((await send('GET')).tag).toBe('')
  })

  it('is later than that of the key before, even in one millisecond', async () => {
    const { send } = await someOwner(pathOf)
    const tags: string[] = []
    for (let index = 0; index < 20; index += 1) tags.push((await send('PUT')).tag)
    expect(new Set(tags).size).toBe(20)
    expect(tags.toSorted()).toEqual(tags)
  })

  it('is also that of a key that does not open', async () => {
    const { userId, send } = await someOwner(pathOf)
    const { tag } = await send('PUT')
    const sql = "UPDATE api_keys SET encrypted_api_key = 'v1.0123456789ab.AAAA' WHERE user_id = ?1"
    await env.DB.prepare(sql).bind(userId).run()
    expect((await send('GET')).tag).toBe(tag)
    expect((await send('DELETE', { 'If-Match': tag })).status).toBe(200)
  })

  it('lets a client change only what it saw', async () => {
    const { userId, send } = await someOwner(pathOf)
    const { tag: old } = await send('PUT')
    const key = someKey()
    const { tag } = await send('PUT', { 'If-Match': old }, key)
    for (const method of ['PUT', 'DELETE']) {
      const late = await send(method, { 'If-Match': old })
      expect(late.status).toBe(412)
      expect(await late.response.json()).toMatchObject({ code: 'changed_meanwhile' })
    }
    expect(await storedKey(userId, env, provider)).toBe(key)
    expect((await send('DELETE', { 'If-Match': tag })).status).toBe(200)
  })

  it.for<[headers: Record<string, string>, empty: number, filled: number]>([
    [{ 'If-None-Match': '*' }, 200, 412],
    [{ 'If-Match': '*' }, 412, 200],
    [{ 'If-Match': '"other"' }, 412, 412],
    [{ 'If-Match': 'no quotes' }, 412, 412],
    [{ 'If-Match': '' }, 412, 412],
    [{ 'If-None-Match': '"other"' }, 200, 200],
  ])('%j asks of an empty slot and of one with a key', async ([headers, empty, filled]) => {
    const { send } = await someOwner(pathOf)
    expect((await send('PUT', headers)).status).toBe(empty)
    await send('PUT')
    expect((await send('PUT', headers)).status).toBe(filled)
    expect((await send('DELETE', headers)).status).toBe(filled)
  })

  it('may be one of several, and weak, as a proxy makes it', async () => {
    const { send } = await someOwner(pathOf)
    const { tag } = await send('PUT')
    expect((await send('PUT', { 'If-Match': `"other", W/${tag}` })).status).toBe(200)
  })

  it('is asked in the same round trip', async () => {
    const { userId, send } = await someOwner(pathOf)
    const { tag } = await send('PUT')
    let trips = 0
    const DB = interceptD1(async (trip) => {
      trips += 1
      return trip()
    })
    const token = await mintToken({ sub: userId })
    const headers = { 'If-Match': tag }
    const body = { api_key: someKey() }
    const path = `${pathOf(userId)}?verify=false`
    const put = await call('PUT', path, { token, headers, body, env: { DB } })
    expect([put.status, trips]).toEqual([200, 1])
  })

  it('is asked before the provider is', async () => {
    const { userId } = await someOwner(pathOf)
    const token = await mintToken({ sub: userId })
    const apiKey = `sk-good-${crypto.randomUUID()}`
    const options = { token, headers: { 'If-Match': '"other"' }, body: { api_key: apiKey } }
    const answer = await call('PUT', `${slotPath(userId, 'openai')}?verify=true`, options)
    expect(await answer.json()).toMatchObject({ code: 'changed_meanwhile' })
    expect(await seenByProvider(apiKey)).toEqual([])
  })

  it('does not hide that the user does not exist', async () => {
    const token = await mintToken({ sub: 'nobody' })
    const options = { token, headers: { 'If-Match': '"x"' }, body: { api_key: someKey() } }
    expect((await call('PUT', `${pathOf('nobody')}?verify=false`, options)).status).toBe(404)
    const answer = await call('DELETE', pathOf('nobody'), { token, headers: { 'If-Match': '"x"' } })
    expect(answer.status).toBe(404)
  })
})

describe('a change while an earlier save is checked with its provider', () => {
  /** Saves `earlier` with a check, and does `change` while the check runs. */
  async function during(
    change: (userId: string) => Promise<unknown>,
    before: string | null,
    { user, ...vault }: Partial<Env> & { user?: string } = {},
  ) {
    const userId = user ?? (await someUser())
    const token = await mintToken({ sub: userId })
    const path = slotPath(userId, 'openai')
    const put = async (apiKey: string, query: string) =>
      call('PUT', path + query, { token, body: { api_key: apiKey } })
    if (before !== null) await put(before, '?verify=false')
    const earlier = `sk-good-${crypto.randomUUID()}`
    let trips = 0
    const DB = interceptD1(async (trip) => {
      trips += 1
      // The second round trip writes the key, after the check.
      if (trips === 2) await change(userId)
      return trip()
    })
    const body = { api_key: earlier }
    const response = await call('PUT', path, { token, body, env: { ...vault, DB } })
    return { status: response.status, earlier, stored: await storedKey(userId, env, 'openai') }
  }

  const later = `sk-good-${crypto.randomUUID()}`
  const saveIn = (vault: Partial<Env>) => async (userId: string) => {
    const token = await mintToken({ sub: userId })
    const options = { token, body: { api_key: later }, env: vault }
    await call('PUT', `${slotPath(userId, 'openai')}?verify=false`, options)
  }
  const save = saveIn({})
  const remove = async (userId: string) => {
    const token = await mintToken({ sub: userId })
    await call('DELETE', slotPath(userId, 'openai'), { token })
  }

  it.for<[name: string, before: string | null]>([
    ['into an empty slot', null],
    ['over another key', 'sk-before-0123456789'],
  ])('a later save counts: %s', async ([, before]) => {
    expect(PROVIDER).toContain('http')
    const { status, stored } = await during(save, before)
    expect([status, stored]).toEqual([412, later])
  })

  // The versions of keys are times of D1.
  it.for([-3_600, -60, 60, 3_600])(
    'a later save counts that adds the user, in an isolate whose clock is off by %i s',
    async (seconds) => {
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + seconds * 1_000 })
      onTestFinished(() => void vi.useRealTimers())
      const vault = { AUTO_CREATE_USERS: 'true' }
      const user = `user-${crypto.randomUUID()}`
      const { status, stored } = await during(saveIn(vault), null, { user, ...vault })
      expect([status, stored]).toEqual([412, later])
    },
  )

  it('a later deletion counts', async () => {
    const { status, stored } = await during(remove, 'sk-before-0123456789')
    expect([status, stored]).toEqual([412, null])
  })

  it('a save counts that came earlier and ends later', async () => {
    const older = async (userId: string) => {
      const sql = `INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id, updated_at)
        VALUES (?1, 'openai', 'v1.0123456789ab.AAAA', '0123456789ab', '2020-01-01T00:00:00.000Z')`
      await env.DB.prepare(sql).bind(userId).run()
    }
    const { status, earlier, stored } = await during(older, null)
    expect([status, stored]).toEqual([200, earlier])
  })

  it('nothing counts but the check if nobody changes the slot', async () => {
    const { status, earlier, stored } = await during(async () => undefined, 'sk-before-0123456789')
    expect([status, stored]).toEqual([200, earlier])
  })
})
