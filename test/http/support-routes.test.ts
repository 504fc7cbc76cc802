/** What support sees of a user's keys over HTTP, and that its user sees each look. */

import { describe, expect, it } from 'vitest'
import { env } from '../isolate.ts'
import {
  call,
  interceptD1,
  keyPath,
  mintToken,
  recordLogs,
  slotPath,
  tightLimiter,
} from '../support.ts'
import { eventsPath, kinds, listPath, someKeyOf, someOwner } from '../keys/key-owner.ts'

const BY = { by: 'operator', caller: 'server:flask-app' }

/** Asks as support. */
async function ask(
  method: string,
  path: string,
  { body, vault, tag }: { body?: unknown; vault?: object; tag?: unknown } = {},
) {
  const token = await mintToken({ client_id: 'flask-app', scope: 'vault:support' })
  const headers = { ...(typeof tag === 'string' && { 'If-Match': tag }) }
  const response = await call(method, path, { token, body, headers, ...(vault && { env: vault }) })
  const code = response.headers.get('X-Vault-Error') ?? 'ok'
  const text = await response.text()
  return {
    code,
    text,
    body: text.startsWith('{') && !text.includes('\n') ? JSON.parse(text) : null,
  }
}

/** An owner with a key of the plain route and one for OpenAI, and the kinds of what happened since. */
async function someKeys() {
  const owner = await someOwner()
  const keys = [someKeyOf('good'), someKeyOf('good')] as const
  await owner.putPlain(keys[0])
  await owner.save(keys[1])
  return { ...owner, keys, since: async () => (await owner.events()).slice(2) }
}

const openai = (userId: string) => slotPath(userId, 'openai')

type Look = [what: string, path: (userId: string) => string, noted: string]
const LOOKS: Look[] = [
  ['the key of the plain route', keyPath, 'default'],
  ['the slots', listPath, '*'],
  ['a slot', openai, 'openai'],
  ['the trail', eventsPath, '*'],
  ['the trail of a slot', (userId) => `${eventsPath(userId)}?provider=acme`, 'acme'],
]

/** An answer without what changes with each. */
const still = (answer: unknown) => JSON.stringify(answer).replaceAll(/"request_id":"[^"]*",?/g, '')

it.for(LOOKS)('shows support %s as its owner sees it, and notes that', async ([, path, noted]) => {
  const { userId, keys, since, request } = await someKeys()
  const { body: own } = await request('GET', path(userId))
  const seen = await ask('GET', path(userId))
  expect(still(seen.body)).toBe(still(own))
  for (const key of keys) expect(seen.text).not.toContain(key)
  expect(await since()).toMatchObject([{ ...BY, event: 'viewed', provider: noted }])
})

it('notes a HEAD request of support too', async () => {
  const { userId, since } = await someKeys()
  expect(await ask('HEAD', openai(userId))).toMatchObject({ code: 'ok', body: null })
  expect(await since()).toMatchObject([{ ...BY, event: 'viewed' }])
})

it.for(LOOKS)('does not show support %s if D1 does not note that', async ([, path]) => {
  recordLogs()
  const { userId, since } = await someKeys()
  let trips = 0
  const DB = interceptD1(async () => {
    trips += 1
    throw new Error('D1_ERROR: D1 DB is overloaded.')
  })
  const refused = await ask('GET', path(userId), { vault: { DB } })
  expect([refused.code, trips]).toEqual(['database_busy', 1])
  expect(await since()).toEqual([])
})

it('exports the trail for support, notes that, and counts it apart from its owner’s exports', async () => {
  const { userId, token, since } = await someKeys()
  const vault = { ...env, EXPORT_LIMITER: tightLimiter() }
  const path = `${eventsPath(userId)}?format=ndjson`
  const codes = []
  // oxlint-disable-next-line no-await-in-loop -- the limiter counts one after the other
  for (const _ of [1, 2, 3]) codes.push((await ask('GET', path, { vault })).code)
  expect(codes).toEqual(['ok', 'ok', 'rate_limited'])
  expect((await call('GET', path, { token, env: vault })).status).toBe(200)
  expect(await since()).toMatchObject([{ ...BY, event: 'viewed' }, BY])
})

describe('what support changes', () => {
  it.for<[what: string, method: string, path: (id: string) => string, body: object | undefined]>([
    ['deleted', 'DELETE', keyPath, undefined],
    ['deleted', 'DELETE', openai, undefined],
    ['paused', 'PATCH', openai, { paused: true }],
  ])(
    'a key is %s by %s of support, with the caller in the trail',
    async ([what, method, path, body]) => {
      const { userId, since } = await someKeys()
      const provider = path === keyPath ? 'default' : 'openai'
      expect(await ask(method, path(userId), { body })).toMatchObject({ code: 'ok' })
      expect(await since()).toMatchObject([{ ...BY, event: what, provider }])
    },
  )

  it('a pause of a paused key is a look, which is noted or refused', async () => {
    recordLogs()
    const { userId, since } = await someKeys()
    const body = { paused: true }
    await ask('PATCH', openai(userId), { body })
    const again = await ask('PATCH', openai(userId), { body })
    expect(again).toMatchObject({ code: 'ok', body: { paused_at: expect.any(String) } })
    expect(kinds(await since())).toEqual(['paused', 'viewed'])
    let trips = 0
    const DB = interceptD1(async (trip) => {
      trips += 1
      if (trips > 1) throw new Error('D1_ERROR: D1 DB is overloaded.')
      return trip()
    })
    const refused = await ask('PATCH', openai(userId), { body, vault: { DB } })
    expect([refused.code, trips]).toEqual(['database_busy', 2])
    expect(refused.text).not.toContain('paused_at')
  })

  it.for([
    ['DELETE', keyPath],
    ['DELETE', openai],
    ['PATCH', openai],
  ] as const)(
    'a %s is refused if the key is another one than the tag says',
    async ([method, path]) => {
      const { userId, since } = await someKeys()
      const body = method === 'PATCH' ? { paused: true } : undefined
      const { etag: tag } = (await ask('GET', path(userId))).body
      const other = await ask(method, path(userId), { body, tag: '"0123abcd.1"' })
      expect(other.code).toBe('changed_meanwhile')
      expect((await ask(method, path(userId), { body, tag })).code).toBe('ok')
      expect(await since()).toHaveLength(2)
    },
  )
})

describe('a body that support may not send', () => {
  it.for<[body: unknown, code: string]>([
    [{ paused: false }, 'not_granted'],
    [{ paused: true, callers: null }, 'not_granted'],
    [{ paused: true, expires_at: null }, 'not_granted'],
    [{ paused: true, max_uses: null }, 'not_granted'],
    [{ callers: [] }, 'not_granted'],
    [{ max_uses: { count: 0, per: 'day' } }, 'not_granted'],
    [{ expires_at: '2100-01-01T00:00:00Z' }, 'not_granted'],
    [{ label: 'work' }, 'not_granted'],
    [{ position: 0 }, 'not_granted'],
    [{}, 'limits_invalid'],
    [{ paused: true, label: 'work' }, 'limits_invalid'],
    [{ label: 7 }, 'label_invalid'],
    [{ paused: 'yes' }, 'limits_invalid'],
    [{ paused: true, owner: 'me' }, 'limits_invalid'],
    [{ expires_at: 'tomorrow' }, 'expires_at_invalid'],
    ['{"paused": true', 'invalid_json'],
  ])('%j is %s, before D1 is called', async ([body, code]) => {
    let trips = 0
    const DB = interceptD1(async (trip) => {
      trips += 1
      return trip()
    })
    const refused = await ask('PATCH', openai('nobody'), { body, vault: { DB } })
    expect([refused.code, trips]).toEqual([code, 0])
  })
})

it.for([
  ['GET', keyPath],
  ['GET', openai],
  ['GET', listPath],
  ['GET', eventsPath],
  ['DELETE', keyPath],
  ['DELETE', openai],
  ['PATCH', openai],
] as const)('answers support that there is no such user: %s', async ([method, path]) => {
  const body = method === 'PATCH' ? { paused: true } : undefined
  const vault = { AUTO_CREATE_USERS: 'true' }
  const userId = crypto.randomUUID()
  const { code, text } = await ask(method, path(userId), { body, vault })
  expect(code).toBe('user_not_found')
  expect(text).not.toContain('The token is valid')
})

it('notes looks at the slot that counts, if the plain route has a provider', async () => {
  const { userId, keys, since } = await someKeys()
  const vault = { ...env, DEFAULT_PROVIDER: 'openai' }
  const seen = await ask('GET', keyPath(userId), { vault })
  expect(seen.body.api_key_preview).toBe(`${keys[1].slice(0, 8)}...`)
  await ask('GET', listPath(userId), { vault })
  const looks = (await since()).filter(({ by }) => by === 'operator')
  expect(looks).toMatchObject([
    { ...BY, event: 'viewed', provider: 'openai' },
    { ...BY, event: 'viewed', provider: '*' },
  ])
})
