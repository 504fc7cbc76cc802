/** A save by a server or a bound Worker: only into an empty slot, and the slot says so until its owner replaces the key. */

import { expect, it } from 'vitest'
import { VaultError } from '../../src/errors.ts'
import { saveSlot } from '../../src/keys/save.ts'
import { bindTo } from '../binding/callers.ts'
import { env } from '../isolate.ts'
import {
  call,
  interceptD1,
  keyPath,
  mintToken,
  ownerOf,
  seenByProvider,
  slotPath,
  someUser,
  storedKey,
  tightLimiter,
} from '../support.ts'
import { someKeyOf, someOwner } from './key-owner.ts'

const OPERATOR = { kind: 'operator', name: 'server:flask-app' } as const
const BY = { by: 'operator', caller: 'server:flask-app' }
const UNCHECKED = '?verify=false'

interface Sent {
  headers?: Record<string, string>
  vault?: Partial<Env>
}

/** Saves as a server. */
async function save(path: string, body: unknown, { headers = {}, vault }: Sent = {}) {
  const token = await mintToken({ client_id: 'flask-app', scope: 'vault:save' })
  const response = await call('PUT', path, { token, body, headers, ...(vault && { env: vault }) })
  const code = response.headers.get('X-Vault-Error') ?? 'ok'
  return { code, body: await response.json<{ user?: object; detail?: string }>() }
}

it('the slot, the list and the event say who saved the key, until its owner replaces it', async () => {
  const { userId, get, getPlain, list, put, events, stored } = await someOwner()
  const key = someKeyOf('good')
  const bySomebody = { saved_by: 'operator' }
  expect((await save(keyPath(userId), { api_key: key })).body.user).toMatchObject(bySomebody)
  const expires_at = '2100-01-01T00:00:00.000Z'
  const saved = await save(slotPath(userId, 'openai'), { api_key: key, expires_at })
  // Which other slots have the key is not for an operator.
  expect(saved.body.user).toMatchObject({ ...bySomebody, status: 'active', expires_at })
  expect(saved.body.user).not.toHaveProperty('same_key_in')
  expect([await stored('default'), await stored('openai')]).toEqual([key, key])
  expect([(await getPlain()).body, (await get('openai')).body]).toMatchObject([
    bySomebody,
    bySomebody,
  ])
  const { api_keys } = (await list()).body
  expect(api_keys).toContainEqual(expect.objectContaining({ provider: 'openai', ...bySomebody }))
  expect(await events()).toMatchObject([
    { ...BY, event: 'saved', provider: 'default' },
    { ...BY, event: 'saved', provider: 'openai' },
  ])
  await put('openai', someKeyOf('good'))
  expect((await get('openai')).body).not.toHaveProperty('saved_by')
  expect((await events()).at(-1)).toMatchObject({ event: 'replaced', by: 'owner' })
})

it('a key keeps saying who saved it while it is limited, moved and sealed again', async () => {
  const { userId, limit, assign, get } = await someOwner()
  await save(keyPath(userId), { api_key: someKeyOf('good') })
  await limit('default', { paused: true })
  await limit('default', { paused: false })
  await assign('openai')
  expect((await get('openai')).body).toMatchObject({ saved_by: 'operator' })
})

it.for<[what: string, headers: Record<string, string>, empty: string]>([
  ['without a condition', {}, 'ok'],
  ['if it is empty', { 'If-None-Match': '*' }, 'ok'],
  ['if it has a key', { 'If-Match': '*' }, 'changed_meanwhile'],
  ['if it has this key', { 'If-Match': '"0123abcd.1"' }, 'changed_meanwhile'],
])('saves into a slot %s, and never over a key', async ([, headers, empty]) => {
  for (const path of [keyPath, (userId: string) => slotPath(userId, 'openai') + UNCHECKED]) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other is quick enough
    const { userId, request } = await someOwner()
    // oxlint-disable-next-line no-await-in-loop
    expect((await save(path(userId), { api_key: someKeyOf('good') }, { headers })).code).toBe(empty)
    const own = someKeyOf('good')
    // oxlint-disable-next-line no-await-in-loop
    await request('PUT', path(userId), { api_key: own })
    // oxlint-disable-next-line no-await-in-loop
    const filled = await save(path(userId), { api_key: someKeyOf('good') }, { headers })
    expect(filled.code).toBe('api_key_exists')
    const provider = path === keyPath ? 'default' : 'openai'
    // oxlint-disable-next-line no-await-in-loop
    expect(await storedKey(userId, env, provider)).toBe(own)
  }
})

it('does not ask the provider about a key for a slot that has one', async () => {
  const { userId, put } = await someOwner()
  await put('openai', someKeyOf('good'))
  const key = someKeyOf('good')
  expect((await save(slotPath(userId, 'openai'), { api_key: key })).code).toBe('api_key_exists')
  expect(await seenByProvider(key)).toEqual([])
})

it('a key of the owner wins over a save that is still checked with the provider', async () => {
  const { userId, save: saveOwn, stored } = await someOwner()
  const own = someKeyOf('good')
  let trips = 0
  const DB = interceptD1(async (trip) => {
    trips += 1
    // The second round trip writes the key, after the check.
    if (trips === 2) await saveOwn(own)
    return trip()
  })
  const body = { api_key: someKeyOf('good') }
  const { code } = await save(slotPath(userId, 'openai'), body, { vault: { DB } })
  expect([code, await stored('openai')]).toEqual(['api_key_exists', own])
})

it('a user who is removed during the check has no key afterwards', async () => {
  const userId = await someUser()
  let trips = 0
  const DB = interceptD1(async (trip) => {
    trips += 1
    if (trips === 2) await env.DB.prepare('DELETE FROM users WHERE id = ?1').bind(userId).run()
    return trip()
  })
  const vault = { DB, AUTO_CREATE_USERS: 'true' }
  const { code } = await save(slotPath(userId, 'openai'), { api_key: someKeyOf('good') }, { vault })
  expect([code, await storedKey(userId, env, 'openai')]).toEqual(['user_not_found', null])
})

it('adds no user, also with AUTO_CREATE_USERS', async () => {
  const vault = { AUTO_CREATE_USERS: 'true' }
  const userId = crypto.randomUUID()
  const key = someKeyOf('good')
  for (const path of [keyPath(userId), slotPath(userId, 'openai')]) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other is quick enough
    const { code, body } = await save(path, { api_key: key }, { vault })
    expect([code, body.detail]).toEqual([
      'user_not_found',
      'The user is not in the vault: add the user first.',
    ])
  }
  expect(await seenByProvider(key)).toEqual([])
})

it.for<[body: unknown, code: string]>([
  [{ api_key: 'sk-1', base_url: 'https://my.openai.azure.com' }, 'not_granted'],
  [{ api_key: 'sk-1', base_url: '' }, 'not_granted'],
  [{ api_key: 'sk-1', base_url: null }, 'base_url_invalid'],
  [{ base_url: 'https://my.openai.azure.com' }, 'api_key_missing'],
  [{ api_key: '', base_url: 'https://my.openai.azure.com' }, 'api_key_invalid'],
  [{ api_key: 'sk-1', expires_at: 'tomorrow' }, 'expires_at_invalid'],
  ['{"api_key', 'invalid_json'],
])('the body %j is %s, before D1 is called', async ([body, code]) => {
  let trips = 0
  const DB = interceptD1(async (trip) => {
    trips += 1
    return trip()
  })
  expect((await save(slotPath('nobody', 'azure'), body, { vault: { DB } })).code).toBe(code)
  expect(trips).toBe(0)
})

it('the checks of a server count for the user, and a rejection is in the user’s trail', async () => {
  const { userId, put, events } = await someOwner()
  const vault = { PROBE_LIMITER: tightLimiter() }
  const path = slotPath(userId, 'openai')
  const codes = []
  for (const kind of ['bad', 'bad', 'good'])
    // oxlint-disable-next-line no-await-in-loop -- the limiter counts one after the other
    codes.push((await save(path, { api_key: someKeyOf(kind) }, { vault })).code)
  expect(codes).toEqual(['api_key_rejected', 'api_key_rejected', 'rate_limited'])
  expect(await events()).toMatchObject([
    { ...BY, event: 'rejected_on_save' },
    { ...BY, event: 'rejected_on_save' },
  ])
  expect((await put('openai', someKeyOf('good'))).status).toBe(200)
})

it.for(['default', 'openai'])(
  'saves over no key of the plain route that belongs into the slot, by its name %s',
  async (name) => {
    const { userId, putPlain } = await someOwner()
    const own = someKeyOf('good')
    await putPlain(own)
    const vault = { ...env, DEFAULT_PROVIDER: 'openai' }
    const owner = { ...(await ownerOf(userId, vault)), by: OPERATOR }
    const saved = saveSlot(owner, name, { apiKey: someKeyOf('good'), verify: false })
    expect(await codeOf(saved)).toBe('api_key_exists')
    expect(await storedKey(userId, vault, 'openai')).toBe(own)
    expect(await storedKey(userId, vault, 'default')).toBeNull()
  },
)

it('saves over neither of two keys, of which the later one does not open', async () => {
  const { userId, putPlain, save: saveOwn } = await someOwner()
  const own = someKeyOf('good')
  await saveOwn(own)
  await putPlain(someKeyOf('good'))
  await env.DB.prepare(
    `UPDATE api_keys SET encrypted_api_key = 'x', updated_at = '2100-01-01T00:00:00.000Z'
     WHERE user_id = ?1 AND provider = 'default'`,
  )
    .bind(userId)
    .run()
  const vault = { ...env, DEFAULT_PROVIDER: 'openai' }
  const owner = { ...(await ownerOf(userId, vault)), by: OPERATOR }
  const saved = saveSlot(owner, 'openai', { apiKey: someKeyOf('good'), verify: false })
  expect(await codeOf(saved)).toBe('api_key_exists')
  expect(await storedKey(userId, env, 'openai')).toBe(own)
})

async function codeOf(saved: Promise<unknown>): Promise<string> {
  return saved.then(
    () => 'ok',
    (error: unknown) => VaultError.from(error).code,
  )
}

it('stores one of many saves that come at once into an empty slot', async () => {
  const { userId, events } = await someOwner()
  const keys = Array.from({ length: 8 }, () => someKeyOf('good'))
  const path = slotPath(userId, 'openai') + UNCHECKED
  const codes = await Promise.all(keys.map(async (api_key) => (await save(path, { api_key })).code))
  expect(codes.toSorted()).toEqual([...Array(7).fill('api_key_exists'), 'ok'])
  expect(await storedKey(userId, env, 'openai')).toBe(keys[codes.indexOf('ok')])
  expect(await events()).toHaveLength(1)
})

it('saveKey of the binding does the same with the name of its caller', async () => {
  const { userId, events, stored } = await someOwner()
  const vault = bindTo()
  const apiKey = someKeyOf('good')
  const saved = await vault.saveKey(userId, 'openai', { apiKey: ` ${apiKey}\n` })
  const slot = { saved_by: 'operator', status: 'active', api_key_preview: 'sk-good-...' }
  expect(saved).toMatchObject({ ok: true, slot })
  expect(await stored('openai')).toBe(apiKey)
  const again = await vault.saveKey(userId, 'openai', { apiKey })
  expect(again).toEqual({ ok: false, code: 'api_key_exists' })
  const caller = 'binding:chat'
  expect(await events()).toMatchObject([{ event: 'saved', by: 'operator', caller }])
})

it.for<[key: unknown, code: string]>([
  [undefined, 'invalid_argument'],
  [null, 'invalid_argument'],
  ['sk-1', 'invalid_argument'],
  [{}, 'invalid_argument'],
  [{ apiKey: 7 }, 'invalid_argument'],
  [{ apiKey: 'sk-1', baseUrl: 'https://a.test' }, 'invalid_argument'],
  [{ apiKey: 'sk-1', verify: false }, 'invalid_argument'],
  [{ apiKey: '' }, 'api_key_invalid'],
  [{ apiKey: 'sk 1' }, 'api_key_invalid'],
  [{ apiKey: 'sk-1', expiresAt: 'tomorrow' }, 'expires_at_invalid'],
  [{ apiKey: 'sk-1', expiresAt: '2020-01-01T00:00:00Z' }, 'expires_at_invalid'],
])('saveKey of the binding refuses %j: %s', async ([key, code]) => {
  const vault = bindTo()
  const method: unknown = Reflect.get(vault, 'saveKey')
  if (typeof method !== 'function') throw new Error('There is no saveKey')
  const refused: unknown = await method.call(vault, 'user', 'openai', key)
  expect(refused).toEqual({ ok: false, code })
})
