import { emptyVault, env } from '../isolate.ts'
import { describe, expect, it } from 'vitest'
import { rewrap } from '../../src/keys/rewrap.ts'
import { run } from '../../src/store/d1.ts'
import { askForPass } from '../../src/store/rewrap.ts'
import {
  call,
  interceptD1,
  keyPath,
  mintToken,
  ownerOf,
  putKey,
  seenByProvider,
  slotPath,
  someKeyUser,
  someUser,
  someEncryptionKey,
  storedKey,
} from '../support.ts'

const someKeyOf = (kind: string) => `sk-${kind}-${crypto.randomUUID()}`

/** Adds a user with a key of the plain route, and returns the calls for that user's slots. */
async function somePlainUser(apiKey: string, vault: Env = env) {
  const userId = await someUser()
  await putKey(userId, apiKey)
  const token = await mintToken({ sub: userId })
  const request = async (method: string, path: string, body?: object) => {
    const response = await call(method, path, { token, env: vault, ...(body && { body }) })
    return { status: response.status, body: await response.json<Record<string, unknown>>() }
  }
  const assign = async (provider: string, query = '') =>
    request('POST', `${slotPath(userId, provider)}/assign${query}`)
  const stored = async (provider: string) => storedKey(userId, vault, provider)
  return { userId, request, assign, stored, plain: keyPath(userId) }
}

describe('POST …/assign', () => {
  it('moves the key of the plain route to the provider if it accepts the key', async () => {
    const key = someKeyOf('good')
    const { request, assign, stored, plain, userId } = await somePlainUser(key)
    expect(await assign('openai')).toMatchObject({
      status: 200,
      body: { provider: 'openai', has_api_key: true, status: 'active', last_used_at: null },
    })
    expect([await stored('openai'), await stored('default')]).toEqual([key, null])
    expect(await request('GET', plain)).toMatchObject({ body: { has_api_key: false } })
    expect(await request('GET', slotPath(userId, 'openai'))).toMatchObject({
      body: { has_api_key: true, status: 'active' },
    })
    expect(await seenByProvider(key)).toHaveLength(1)
  })

  it('does not ask the provider with verify=false', async () => {
    const key = someKeyOf('bad')
    const { assign } = await somePlainUser(key)
    expect(await assign('openai', '?verify=false')).toMatchObject({
      body: { status: 'unverified' },
    })
    expect(await seenByProvider(key)).toEqual([])
  })

  it('keeps both keys if the provider already has one', async () => {
    const [key, other] = [someKeyOf('good'), someKeyOf('good')]
    const { userId, request, assign, stored } = await somePlainUser(key)
    await request('PUT', slotPath(userId, 'openai'), { api_key: other })
    expect(await assign('openai')).toMatchObject({
      status: 409,
      body: { code: 'api_key_exists', error: 'This provider has an API key already' },
    })
    expect([await stored('openai'), await stored('default')]).toEqual([other, key])
  })

  it.for([
    ['openai', 'bad', 422, 'api_key_rejected'],
    ['default', 'good', 404, 'unknown_provider'],
    ['nobody', 'good', 404, 'unknown_provider'],
    ['own', 'good', 400, 'base_url_invalid'],
  ] as const)('to %s of a %s key answers %i %s and changes nothing', async (row) => {
    const [provider, kind, status, code] = row
    const key = someKeyOf(kind)
    const { assign, stored } = await somePlainUser(key)
    expect(await assign(provider)).toMatchObject({ status, body: { code } })
    expect(await stored('default')).toBe(key)
  })

  it.for(['deleted', 'replaced'] as const)(
    'takes what is there if the key is %s meanwhile',
    async (change) => {
      const [key, later] = [someKeyOf('good'), someKeyOf('good')]
      const { userId, request, stored, plain } = await somePlainUser(key)
      let isRead = false
      const DB = interceptD1(async (trip) => {
        const result = await trip()
        if (!isRead) {
          isRead = true
          await (change === 'deleted' ? request('DELETE', plain) : putKey(userId, later))
        }
        return result
      })
      const token = await mintToken({ sub: userId })
      const path = `${slotPath(userId, 'openai')}/assign`
      const answer = await call('POST', path, { token, env: { DB } })
      const isDeleted = change === 'deleted'
      expect(answer.status).toBe(isDeleted ? 404 : 200)
      expect(await answer.json()).toMatchObject(
        isDeleted ? { code: 'no_api_key' } : { status: 'active' },
      )
      expect(await stored('openai')).toBe(isDeleted ? null : later)
    },
  )

  it('answers 404 no_api_key without a key', async () => {
    const { request, assign, plain } = await somePlainUser(someKeyOf('good'))
    await request('DELETE', plain)
    expect(await assign('openai')).toMatchObject({ status: 404, body: { code: 'no_api_key' } })
  })
})

describe('with DEFAULT_PROVIDER', () => {
  const vault = { ...env, DEFAULT_PROVIDER: 'openai' }

  it('uses a key of the plain route as the provider’s, also one saved before DEFAULT_PROVIDER was set', async () => {
    const [before, after] = [someKeyOf('good'), someKeyOf('good2')]
    const { userId, request, stored, plain } = await somePlainUser(before, vault)
    const slot = slotPath(userId, 'openai')
    expect(await request('GET', slot)).toMatchObject({ body: { api_key_preview: 'sk-good-...' } })
    expect(await request('POST', `${slot}/verify`)).toMatchObject({ body: { verdict: 'accepted' } })
    await request('PUT', plain, { api_key: after })
    expect([await stored('openai'), await stored('default')]).toEqual([after, null])
    expect(await request('GET', slot)).toMatchObject({ body: { api_key_preview: 'sk-good2...' } })
    expect(await request('GET', plain)).toMatchObject({ body: { api_key_preview: 'sk-good2...' } })
    await request('DELETE', plain)
    expect(await request('GET', slot)).toMatchObject({ body: { has_api_key: false } })
  })

  it('uses the later of two keys, and deletes both', async () => {
    const [plainKey, slotKey] = [someKeyOf('good'), someKeyOf('good2')]
    const userId = await someKeyUser(slotKey)
    await putKey(userId, plainKey)
    const token = await mintToken({ sub: userId })
    const preview = async () => {
      const response = await call('GET', slotPath(userId, 'openai'), { token, env: vault })
      return (await response.json<Record<string, unknown>>())['api_key_preview']
    }
    expect(await preview()).toBe('sk-good-...')
    await env.DB.prepare(
      "UPDATE api_keys SET updated_at = '2020-01-01T00:00:00.000Z' WHERE provider = 'default'",
    ).run()
    expect(await preview()).toBe('sk-good2...')
    await call('DELETE', slotPath(userId, 'openai'), { token, env: vault })
    expect(await storedKey(userId, vault, 'default')).toBeNull()
    expect(await preview()).toBeUndefined()
  })

  it.for(['anthropic', 'openai'])(
    'the key of %s counts if both are as old, in the list too',
    async (provider) => {
      const own = { ...env, DEFAULT_PROVIDER: provider }
      const userId = await someKeyUser(someKeyOf('own'), provider)
      await putKey(userId, someKeyOf('plain'))
      await env.DB.prepare(
        "UPDATE api_keys SET updated_at = '2020-01-01T00:00:00.000Z' WHERE user_id = ?1",
      )
        .bind(userId)
        .run()
      const token = await mintToken({ sub: userId })
      const get = async (path: string) =>
        (await call('GET', path, { token, env: own })).json<Record<string, unknown>>()
      const key = { provider, api_key_preview: expect.stringMatching(/^sk-own-/) }
      expect(await get(slotPath(userId, provider))).toMatchObject(key)
      const listed = await get(slotPath(userId, '').slice(0, -1))
      expect(listed['api_keys']).toContainEqual(expect.objectContaining(key))
    },
  )

  it('the list has one slot for both', async () => {
    const { userId, request } = await somePlainUser(someKeyOf('good'), vault)
    const { body } = await request('GET', slotPath(userId, '').slice(0, -1))
    expect(body['api_keys']).toContainEqual(
      expect.objectContaining({ provider: 'openai', has_api_key: true }),
    )
    expect(body['api_keys']).not.toContainEqual(expect.objectContaining({ provider: 'default' }))
  })
})

describe('npm run keys -- assign', () => {
  async function runJob(vault: Env, times: number): Promise<void> {
    const { service } = await ownerOf('', vault)
    // oxlint-disable-next-line no-await-in-loop -- one run after the other, as a Cron Trigger has it
    for (let time = 0; time < times; time += 1) await rewrap(service)
  }

  it.for(['the same encryption key', 'a new one'] as const)(
    'moves every key of the plain route, sealed under %s',
    async (keyring) => {
      await emptyVault()
      const keys = ['good', 'bad', 'busy'].map(someKeyOf)
      const users = await Promise.all(keys.map(async (key) => (await somePlainUser(key)).userId))
      const [taken, other] = [await somePlainUser(someKeyOf('good')), someKeyOf('good')]
      await taken.request('PUT', slotPath(taken.userId, 'openai'), { api_key: other })
      const plain = await taken.stored('default')
      const old = env.API_KEY_ENCRYPTION_KEY
      await runJob(env, 2)
      const isNew = keyring === 'a new one'
      const both = { ...env, API_KEY_ENCRYPTION_KEY: `${someEncryptionKey()},${old}` }
      const vault = isNew ? both : env
      await run(env.DB, askForPass(new Date().toISOString(), 'openai'))
      await runJob(vault, 2)
      const moved = await Promise.all(users.map(async (id) => storedKey(id, vault, 'openai')))
      expect(moved).toEqual(keys)
      const left = await Promise.all(users.map(async (id) => storedKey(id, vault, 'default')))
      expect(left).toEqual([null, null, null])
      expect(await storedKey(taken.userId, vault, 'openai')).toBe(other)
      expect(await storedKey(taken.userId, vault, 'default')).toBe(plain)
      const after = await env.DB.prepare('SELECT assign_to, finished_at FROM rewrap').first()
      expect(after).toEqual({ assign_to: null, finished_at: expect.any(String) })
      const noted = await env.DB.prepare(
        `SELECT user_id, provider, actor FROM api_key_events WHERE event = 'assigned'
         AND user_id IN (SELECT value FROM json_each(?1))`,
      )
        .bind(JSON.stringify([...users, taken.userId]))
        .all()
      const expected = users.map((user_id) => ({ user_id, provider: 'openai', actor: 'job' }))
      expect(noted.results).toHaveLength(users.length)
      expect(noted.results).toEqual(expect.arrayContaining(expected))
      const kids = await env.DB.prepare('SELECT DISTINCT key_id FROM api_keys').all()
      expect(kids.results).toHaveLength(1)
    },
  )

  it('moves nothing to a provider that is not configured', async () => {
    await emptyVault()
    const key = someKeyOf('good')
    const { stored } = await somePlainUser(key)
    await runJob(env, 2)
    await run(env.DB, askForPass(new Date().toISOString(), 'nobody'))
    await runJob(env, 2)
    expect(await stored('default')).toBe(key)
  })
})
