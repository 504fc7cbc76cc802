/** What each method does for its caller, and refuses. */

import { exports } from 'cloudflare:workers'
import { describe, expect, it, vi } from 'vitest'
import { KeyVault } from '../../src/binding/key-vault.ts'
import { saveSlot } from '../../src/keys/save.ts'
import { CODES, type ErrorCode } from '../../src/shared/error-code.ts'
import type { BindingProps } from '../../src/shared/caller.ts'
import { teamOwner } from '../../src/shared/owner.ts'
import { env } from '../isolate.ts'
import {
  interceptD1,
  ownerOf,
  PROVIDER,
  recordLogs,
  seenByProvider,
  someKeyUser,
  someUser,
  storedKey,
} from '../support.ts'
import { ALL, bindTo, contextOf, lineOf, MODELS, named, someKeyOf } from './callers.ts'

/** The vault as a binding of this test's Worker reaches it. */
const bind = (props: object) => exports.KeyVault({ props })

const get = () => new Request(MODELS)
const refusal = (code: string) => ({ ok: false, code })

/** The code with which a method refuses; null if it does not. */
function codeOf(outcome: unknown): unknown {
  if (outcome instanceof Response) return outcome.headers.get('X-Vault-Error')
  return Reflect.get(Object(outcome), 'code') ?? null
}

const rowOf = async (userId: string) =>
  env.DB.prepare('SELECT status, last_used_at FROM api_keys WHERE user_id = ?1')
    .bind(userId)
    .first()

type MethodCall = (vault: KeyVault, userId: string) => Promise<unknown>

/** Each method with a call that works on a slot of a user, or on users. */
const CALLS: [method: string, slot: string | null, call: MethodCall][] = [
  ['fetchWithApiKey', 'openai', async (vault, id) => vault.fetchWithApiKey(id, 'openai', get())],
  ['fetch', 'openai', async (vault, id) => vault.fetch(new Request(MODELS, named(id)))],
  ['getDecryptedApiKey', 'openai', async (vault, id) => vault.getDecryptedApiKey(id, 'openai')],
  ['createUser', null, async (vault, id) => vault.createUser(id)],
  ['getUser', null, async (vault, id) => vault.getUser(id)],
  ['listUsers', null, async (vault) => vault.listUsers()],
  ['deleteUser', null, async (vault, id) => vault.deleteUser(id)],
  ['hasUser', null, async (vault, id) => vault.hasUser(id)],
  ['saveKey', 'acme', async (vault, id) => vault.saveKey(id, 'acme', { apiKey: 'sk-new-key' })],
  ['listSlots', null, async (vault, id) => vault.listSlots(id)],
  ['listEvents', null, async (vault, id) => vault.listEvents(id)],
  ['pauseKey', 'openai', async (vault, id) => vault.pauseKey(id, 'openai')],
  ['deleteKey', 'openai', async (vault, id) => vault.deleteKey(id, 'openai')],
]

/** Each call for a team, by the grant that it needs. The team has a key for OpenAI. */
const TEAM_CALLS: [method: string, grant: string, call: MethodCall][] = [
  ['getTeam', 'users', async (vault, teamId) => vault.getTeam(teamId)],
  ['listSlots', 'support', async (vault, teamId) => vault.listSlots({ teamId })],
  ['listEvents', 'support', async (vault, teamId) => vault.listEvents({ teamId })],
  ['pauseKey', 'support', async (vault, teamId) => vault.pauseKey({ teamId }, 'openai')],
  ['deleteKey', 'support', async (vault, teamId) => vault.deleteKey({ teamId }, 'openai')],
  [
    'saveKey',
    'save',
    async (vault, teamId) => vault.saveKey({ teamId }, 'acme', { apiKey: 'k-1' }),
  ],
  ['deleteTeam', 'users', async (vault, teamId) => vault.deleteTeam(teamId)],
]

/** A team with a key for OpenAI. */
async function someTeam(): Promise<string> {
  const teamId = `team-${crypto.randomUUID()}`
  const owner = await ownerOf(await someUser(teamOwner(teamId)))
  await saveSlot(owner, 'openai', { apiKey: someKeyOf('good'), verify: false })
  return teamId
}

describe('the calls for a team', () => {
  it.for(TEAM_CALLS)('%s works on the team, and is logged with it', async ([method, , call]) => {
    const teamId = await someTeam()
    const logs = recordLogs()
    const outcome = await call(bindTo({}, { ...ALL, teams: true }), teamId)
    expect(outcome).toMatchObject({ ok: true })
    expect(lineOf(logs)).toMatchObject({ method, user_id: teamOwner(teamId), code: null })
  })

  it.for(TEAM_CALLS)('%s needs %s, and teams in the props', async ([, grant, call]) => {
    const teamId = await someTeam()
    for (const props of [
      { ...ALL, grants: [grant] },
      { ...ALL, grants: [], teams: true },
      { ...ALL, teams: 'true' },
    ]) {
      // oxlint-disable-next-line no-await-in-loop -- nothing is done
      expect(await call(bindTo({}, props), teamId)).toEqual(refusal('not_granted'))
    }
    expect(await storedKey(teamOwner(teamId), env, 'openai')).not.toBeNull()
  })

  it('says what there is, and leaves nothing of a deleted team', async () => {
    const [teamId, vault] = [await someTeam(), bindTo({}, { ...ALL, teams: true })]
    const found = { team_id: teamId, own_keys: true, created_at: expect.stringMatching(/^20/) }
    expect(await vault.getTeam(teamId)).toEqual({ ok: true, ...found })
    expect(await vault.deleteTeam(teamId)).toEqual({ ok: true, deleted: true })
    expect(await vault.deleteTeam(teamId)).toEqual({ ok: true, deleted: false })
    expect(await vault.getTeam(teamId)).toEqual(refusal('user_not_found'))
    expect(await vault.listSlots({ teamId })).toEqual(refusal('user_not_found'))
  })
})

describe('the grants of a binding', () => {
  it('KeyVault has these methods, and no others', () => {
    const methods = Object.getOwnPropertyNames(KeyVault.prototype)
    const wanted = [...CALLS, ...TEAM_CALLS].map(([method]) => method)
    expect(new Set(methods)).toEqual(new Set(['constructor', ...wanted]))
  })

  it.for<[grants: BindingProps['grants'], granted: string[]]>([
    [[], []],
    [['use'], ['fetchWithApiKey', 'fetch']],
    [['reveal'], ['getDecryptedApiKey']],
    [['users'], ['createUser', 'getUser', 'listUsers', 'deleteUser', 'hasUser']],
    [['save'], ['saveKey']],
    [['support'], ['listSlots', 'listEvents', 'pauseKey', 'deleteKey']],
  ])('the grants %j allow the methods %j, and no others', async ([grants, granted]) => {
    const logs = recordLogs()
    const key = someKeyOf('good')
    const userId = await someKeyUser(key)
    const refused = []
    for (const [method, , call] of CALLS) {
      const code = codeOf(await call(bindTo(undefined, { ...ALL, grants }), userId))
      if (code !== null) refused.push([method, code])
    }
    const others = CALLS.map(([method]) => method).filter((method) => !granted.includes(method))
    expect(refused).toEqual(others.map((method) => [method, 'not_granted']))
    expect(await seenByProvider(key)).toHaveLength(grants.includes('use') ? 2 : 0)
    const lines = logs.events().filter(({ event }) => event === 'binding_call')
    expect(lines.filter(({ code }) => code === 'not_granted')).toHaveLength(others.length)
  })

  it('a refused method leaves the key as it is', async () => {
    const key = someKeyOf('good')
    const userId = await someKeyUser(key)
    for (const [, , call] of CALLS) await call(bindTo(undefined, { ...ALL, grants: [] }), userId)
    expect(await storedKey(userId, env, 'openai')).toBe(key)
    expect(await rowOf(userId)).toEqual({ status: 'unverified', last_used_at: null })
  })

  it('a binding may use the slots that it names, and no others', async () => {
    const key = someKeyOf('good')
    const userId = await someKeyUser(key)
    const vault = bind({ ...ALL, providers: ['anthropic'] })
    const refused = await vault.fetchWithApiKey(userId, 'openai', get())
    expect([refused, Object.keys(refused)]).toEqual([
      refusal('provider_not_granted'),
      ['ok', 'code'],
    ])
    const answer = await vault.fetch(MODELS, named(userId))
    expect(answer.headers.get('X-Vault-Error')).toBe('provider_not_granted')
    for (const call of [
      async () => vault.getDecryptedApiKey(userId, 'openai'),
      async () => vault.getDecryptedApiKey(userId),
      async () => vault.pauseKey(userId, 'openai'),
      async () => vault.deleteKey(userId, 'openai'),
      async () => vault.saveKey(userId, 'acme', { apiKey: key }),
      async () => vault.listEvents(userId),
      async () => vault.listEvents(userId, { provider: 'openai' }),
    ]) {
      expect(await call()).toEqual(refusal('provider_not_granted'))
    }
    expect(await vault.getDecryptedApiKey(userId, 'anthropic')).toEqual({ ok: true, apiKey: null })
    expect(await vault.listSlots(userId)).toMatchObject({ slots: [{ provider: 'anthropic' }] })
    expect(await seenByProvider(key)).toEqual([])
  })
})

describe('a slot with two names', () => {
  /** Each method that takes a slot, called with this name of it. */
  const CALLS_BY_NAME: [
    method: string,
    call: (vault: KeyVault, name: string, id: string) => Promise<unknown>,
  ][] = [
    ['fetchWithApiKey', async (vault, name, id) => vault.fetchWithApiKey(id, name, get())],
    ['fetch', async (vault, name, id) => vault.fetch(new Request(MODELS, named(id, name)))],
    ['getDecryptedApiKey', async (vault, name, id) => vault.getDecryptedApiKey(id, name)],
    ['listEvents', async (vault, name, id) => vault.listEvents(id, { provider: name })],
    ['pauseKey', async (vault, name, id) => vault.pauseKey(id, name)],
    ['deleteKey', async (vault, name, id) => vault.deleteKey(id, name)],
    [
      'saveKey',
      async (vault, name, id) => {
        await vault.deleteKey(id, name)
        return vault.saveKey(id, name, { apiKey: someKeyOf('good') })
      },
    ],
  ]
  const NAMES = ['default', 'openai']
  const cases = CALLS_BY_NAME.flatMap(([method, call]) =>
    NAMES.flatMap((granted) => NAMES.map((name) => [method, name, granted, call] as const)),
  )

  it.for(cases)(
    '%s of %s is granted by the provider %s with DEFAULT_PROVIDER, and by no other slot',
    async ([, name, granted, call]) => {
      const userId = await someKeyUser(someKeyOf('good'))
      const vault = { DEFAULT_PROVIDER: 'openai' }
      const other = bindTo(vault, { ...ALL, providers: ['anthropic'] })
      expect(codeOf(await call(other, name, userId))).toBe('provider_not_granted')
      const outcome = await call(bindTo(vault, { ...ALL, providers: [granted] }), name, userId)
      expect(codeOf(outcome)).toBeNull()
    },
  )

  it.for(NAMES)('the provider %s shows it in the list with DEFAULT_PROVIDER', async (granted) => {
    const userId = await someKeyUser(someKeyOf('good'))
    const vault = bindTo({ DEFAULT_PROVIDER: 'openai' }, { ...ALL, providers: [granted] })
    expect(await vault.listSlots(userId)).toMatchObject({ slots: [{ provider: 'openai' }] })
  })
})

describe('fetchWithApiKey', () => {
  it.for([
    ['another origin', 'origin_not_allowed', 'openai', 'https://api.openai.com/v1/models'],
    ['another port', 'origin_not_allowed', 'openai', 'http://127.0.0.1:1/v1/models'],
    [
      'the origin in the place of a password',
      'origin_not_allowed',
      'openai',
      MODELS.replace('//', '//a@b.test?'),
    ],
    ['an unknown provider', 'unknown_provider', 'nobody', MODELS],
    ['the default slot', 'unknown_provider', 'default', MODELS],
    ['a slot without a key', 'no_api_key', 'acme', MODELS],
    ['a provider that is down', 'provider_unreachable', 'mistral', 'http://127.0.0.1:9/v1'],
    ['the method OPTIONS', 'method_not_allowed', 'openai', MODELS, { method: 'OPTIONS' }],
    ['the method PROPFIND', 'method_not_allowed', 'openai', MODELS, { method: 'PROPFIND' }],
    [
      'a WebSocket, which a method cannot carry',
      'upgrade_not_supported',
      'openai',
      MODELS,
      { headers: { Upgrade: 'websocket' } },
    ],
  ] as const)('fetchWithApiKey refuses %s: %s', async ([, code, provider, url, init]) => {
    recordLogs()
    const key = someKeyOf('good')
    const userId = await someKeyUser(key, provider === 'mistral' ? 'mistral' : 'openai')
    const result = await bind(ALL).fetchWithApiKey(userId, provider, new Request(url, init))
    expect(result).toEqual(refusal(code))
    expect(await seenByProvider(key)).toEqual([])
    expect(await rowOf(userId)).toMatchObject({ status: 'unverified' })
  })

  it('fetchWithApiKey refuses an unknown user', async () => {
    const result = await bind(ALL).fetchWithApiKey('nobody', 'openai', get())
    expect(result).toEqual(refusal('user_not_found'))
  })

  it('a call is logged with its caller, its user and its outcome, and never with the key', async () => {
    const key = someKeyOf('good')
    const userId = await someKeyUser(key)
    const logs = recordLogs()
    const result = await bind(ALL).fetchWithApiKey(userId, 'openai', get())
    if (result.ok) await result.response.text()
    await bind(ALL).getDecryptedApiKey(userId, 'openai')
    const line = { level: 'info', event: 'binding_call', caller: 'binding:chat', code: null }
    const call = { ...line, user_id: userId, provider: 'openai' }
    expect(logs.events()).toMatchObject([
      { ...call, method: 'fetchWithApiKey', provider_status: 200 },
      { ...call, method: 'getDecryptedApiKey' },
    ])
    expect(logs.text()).not.toContain(key)
  })

  it.for<[state: string, isDown: boolean]>([
    ['that answers', false],
    ['that is down', true],
  ])('logs no key in a request to a provider %s', async ([, isDown]) => {
    const key = someKeyOf('misplaced')
    const userId = await someKeyUser(someKeyOf('good'))
    const url = `${PROVIDER}/${key}?key=${key}`
    const headers = { 'X-Api-Key': key, 'X-Request-Id': key, 'cf-ray': key, Prefer: key }
    const down = new TypeError(`cannot load ${url}`)
    if (isDown) vi.spyOn(globalThis, 'fetch').mockRejectedValue(down)
    const logs = recordLogs()
    const request = new Request(url, { method: 'POST', headers, body: key })
    await bindTo().fetchWithApiKey(userId, 'openai', request)
    expect(lineOf(logs)).toMatchObject({ code: isDown ? 'provider_unreachable' : null })
    expect(logs.text()).not.toContain(key)
  })
})

describe('fetch(), which vaultFetch calls', () => {
  it('fetch() uses the key of the user in its headers, whose id may be any text', async () => {
    const key = someKeyOf('good')
    const userId = await someUser(`Zoë/${crypto.randomUUID()}%`)
    await saveSlot(await ownerOf(userId), 'openai', { apiKey: key, verify: false })
    const { headers } = named(encodeURIComponent(userId))
    const answer = await bind(ALL).fetch(MODELS, {
      headers: { ...headers, Authorization: 'Bearer in the vault' },
    })
    expect([answer.status, answer.headers.get('X-Vault-Error')]).toEqual([200, null])
    const [seen] = await seenByProvider(key)
    expect(seen?.headers).toMatchObject({ authorization: `Bearer ${key}` })
    const names = Object.keys(seen?.headers ?? {})
    expect(names.filter((name) => name.startsWith('x-vault'))).toEqual([])
  })

  const DETAIL = { detail: expect.any(String) }

  it.for<[name: string, headers: Record<string, string>, code: ErrorCode, told?: object]>([
    ['no user', { 'X-Vault-Provider': 'openai' }, 'invalid_argument'],
    ['no provider', { 'X-Vault-User': 'user' }, 'invalid_argument'],
    ['a user id that is not percent-encoded', named('%').headers, 'invalid_argument'],
    ['a user who does not exist', named('nobody').headers, 'user_not_found', DETAIL],
    ['another provider than its URL', named('user', 'gemini').headers, 'origin_not_allowed'],
  ])('fetch() refuses, as the HTTP API, a request with %s', async ([, headers, code, told]) => {
    const answer = await bind(ALL).fetch(MODELS, { headers })
    const { status, error } = CODES[code]
    expect([answer.status, answer.headers.get('X-Vault-Error')]).toEqual([status, code])
    expect(answer.headers.get('Retry-After')).toBeNull()
    expect(await answer.json()).toEqual({ error, code, ...told })
  })
})

describe('getDecryptedApiKey', () => {
  const vault = bind({ caller: 'export', grants: ['reveal'] })

  it('returns the key of the named slot or the default slot, and null for an empty slot', async () => {
    const [one, other] = [someKeyOf('one'), someKeyOf('other')]
    expect(await vault.getDecryptedApiKey(await someKeyUser(one, 'default'))).toEqual({
      ok: true,
      apiKey: one,
    })
    const userId = await someKeyUser(other)
    expect(await vault.getDecryptedApiKey(userId, 'openai')).toEqual({ ok: true, apiKey: other })
    expect(await vault.getDecryptedApiKey(userId)).toEqual({ ok: true, apiKey: null })
    expect(await vault.getDecryptedApiKey('nobody')).toEqual(refusal('user_not_found'))
  })

  it('returns null for a key that does not open, and logs an error', async () => {
    const userId = await someKeyUser(someKeyOf('one'))
    await env.DB.prepare("UPDATE api_keys SET encrypted_api_key = 'x' WHERE user_id = ?1")
      .bind(userId)
      .run()
    const logs = recordLogs()
    expect(await vault.getDecryptedApiKey(userId, 'openai')).toEqual({ ok: true, apiKey: null })
    expect(logs.events()).toContainEqual(
      expect.objectContaining({ level: 'error', event: 'api_key_unreadable', user_id: userId }),
    )
  })

  it('ALLOW_REVEAL has to allow the caller of a reveal', async () => {
    const userId = await someKeyUser(someKeyOf('one'))
    const reveal = async (ALLOW_REVEAL: string) =>
      bindTo({ ALLOW_REVEAL }).getDecryptedApiKey(userId, 'openai')
    expect(await reveal('other, chat')).toMatchObject({ ok: true })
    expect(await reveal('other')).toEqual(refusal('not_granted'))
  })
})

it('adds, finds and deletes a user with all keys', async () => {
  const vault = bind({ caller: 'signup', grants: ['users'] })
  const userId = `new-${crypto.randomUUID()}`
  expect(await vault.hasUser(userId)).toEqual({ ok: true, exists: false })
  expect(await vault.createUser(userId)).toEqual({ ok: true, created: true })
  expect(await vault.createUser(userId)).toEqual({ ok: true, created: false })
  expect(await vault.hasUser(userId)).toEqual({ ok: true, exists: true })
  await saveSlot(await ownerOf(userId), 'openai', { apiKey: 'sk', verify: false })
  const user = { user_id: userId, created_at: expect.stringMatching(/^20.*Z$/) }
  expect(await vault.getUser(userId)).toEqual({ ok: true, ...user })
  const { users } = { users: [], ...(await vault.listUsers({ limit: 200 })) }
  expect(users).toContainEqual({ ...user, keys: 1 })
  expect(await vault.deleteUser(userId)).toEqual({ ok: true, deleted: true })
  expect(await vault.getUser(userId)).toEqual(refusal('user_not_found'))
  expect(await vault.deleteUser(userId)).toEqual({ ok: true, deleted: false })
  expect(await rowOf(userId)).toBeNull()
})

it('lists users a page at a time', async () => {
  const vault = bind({ caller: 'admin', grants: ['users'] })
  const ids = [await someUser(), await someUser(), await someUser()]
  const seen: string[] = []
  let cursor: string | null = ''
  while (cursor !== null) {
    const page: Awaited<ReturnType<typeof vault.listUsers>> = await vault.listUsers({
      cursor,
      limit: 2,
    })
    if (!page.ok) throw new Error(page.code)
    expect(page.users.length).toBeLessThanOrEqual(2)
    seen.push(...page.users.map(({ user_id }) => user_id))
    cursor = page.nextCursor
  }
  expect(seen.filter((id) => ids.includes(id))).toEqual(ids.toSorted())
  expect(new Set(seen).size).toBe(seen.length)
})

describe('every method', () => {
  it('makes one round trip to D1 before the answer, and another one for a reveal and a check', async () => {
    // What is counted after the answer makes one, too.
    let counted = 0
    const userId = await someKeyUser(someKeyOf('good'))
    let trips = 0
    const DB = interceptD1(async (trip) => {
      trips += 1
      return trip()
    })
    const context = Object.assign(contextOf(), { waitUntil: () => void (counted += 1) })
    const vault = new KeyVault(context, { ...env, DB })
    const calls: [expected: number, call: () => Promise<unknown>][] = [
      [1, async () => vault.fetchWithApiKey(userId, 'acme', get())],
      [2, async () => vault.getDecryptedApiKey(userId, 'openai')],
      [1, async () => vault.listSlots(userId)],
      [1, async () => vault.listEvents(userId, { provider: 'openai' })],
      [1, async () => vault.pauseKey(userId, 'openai')],
      [1, async () => vault.deleteKey(userId, 'openai')],
      [2, async () => vault.saveKey(userId, 'acme', { apiKey: someKeyOf('good') })],
      [1, async () => vault.hasUser(userId)],
      [1, async () => vault.getUser(userId)],
      [1, async () => vault.listUsers()],
      [1, async () => vault.createUser(userId)],
      [1, async () => vault.deleteUser(userId)],
    ]
    for (const [expected, call] of calls) {
      const before = trips - counted
      await call()
      expect(trips - counted - before).toBe(expected)
    }
  })

  it.for(CALLS)('%s is logged with its user and the slot %s', async ([method, slot, call]) => {
    const userId = await someKeyUser(someKeyOf('good'))
    const logs = recordLogs()
    await call(bindTo(), userId)
    const line = lineOf(logs)
    const user_id = method === 'listUsers' ? null : userId
    expect(line).toMatchObject({ caller: 'binding:chat', method, user_id, code: null })
    expect(line['provider'] ?? null).toBe(slot)
    expect(line['provider_status']).toBe(method.startsWith('fetch') ? 200 : undefined)
  })

  /** Calls a method with arguments of any type, as a binding lets its callers do. */
  async function callWith(method: string, args: unknown[]): Promise<unknown> {
    const vault = bindTo()
    const called: unknown = Reflect.get(vault, method)
    return typeof called === 'function' ? called.apply(vault, args) : undefined
  }

  it.for<[method: string, args: unknown[]]>([
    ['fetchWithApiKey', ['user']],
    ['fetchWithApiKey', ['user', '', get()]],
    ['fetchWithApiKey', ['user', 7, get()]],
    ['fetchWithApiKey', ['user', {}, get()]],
    ['fetchWithApiKey', ['user', 'openai', MODELS]],
    ['fetchWithApiKey', ['', 'openai', get()]],
    ['fetchWithApiKey', [7, 'openai', get()]],
    ['fetchWithApiKey', [{}, 'openai', get()]],
    ['getDecryptedApiKey', ['user', '']],
    ['getDecryptedApiKey', ['', 'openai']],
    ['createUser', ['']],
    ['createUser', [7]],
    ['createUser', ['.']],
    ['createUser', ['\uD800']],
    ['hasUser', [null]],
    ['deleteUser', [['user']]],
    ['deleteUser', ['..']],
    ['getUser', ['']],
    ['getUser', ['..']],
    ['listUsers', [null]],
    ['listUsers', ['jane']],
    ['listUsers', [{ limit: 0 }]],
    ['listUsers', [{ limit: 201 }]],
    ['listUsers', [{ limit: '50' }]],
    ['listUsers', [{ cursor: 7 }]],
    ['listUsers', [{ userId: 'jane' }]],
    ['saveKey', ['', 'openai', { apiKey: 'sk-1' }]],
    ['saveKey', ['user', '', { apiKey: 'sk-1' }]],
    ['saveKey', ['user', 7, { apiKey: 'sk-1' }]],
    ['listSlots', ['']],
    ['listEvents', ['']],
    ['listEvents', ['user', { limit: 1.5 }]],
    ['listEvents', ['user', { provider: 7 }]],
    ['listEvents', ['user', null]],
    ['pauseKey', ['', 'openai']],
    ['pauseKey', [{ teamId: '' }, 'openai']],
    ['pauseKey', [{ teamId: 7 }, 'openai']],
    ['pauseKey', [{ teamId: 'acme', userId: 'jane' }, 'openai']],
    ['getTeam', ['..']],
    ['getTeam', [{ teamId: 'acme' }]],
    ['deleteTeam', [undefined]],
    ['createUser', [{ teamId: 'acme' }]],
    ['deleteUser', [{ teamId: 'acme' }]],
    ['fetchWithApiKey', [{ teamId: 'acme' }, 'openai', get()]],
    ['pauseKey', ['user', '']],
    ['deleteKey', ['', 'openai']],
    ['deleteKey', ['user', null]],
  ])('%s refuses the arguments %j', async ([method, args]) => {
    expect(await callWith(method, args)).toEqual(refusal('invalid_argument'))
  })

  it('a bigint is refused over a binding too', async () => {
    const vault = bind(ALL)
    const odd: unknown = await Reflect.apply(vault.hasUser, vault, [10n])
    expect(odd).toEqual(refusal('invalid_argument'))
  })
})

/** Each method that takes the name of a slot, with a call that gives it another text. */
const NAMING: [method: string, call: (vault: KeyVault, name: string) => Promise<unknown>][] = [
  ['fetchWithApiKey', async (vault, name) => vault.fetchWithApiKey('user', name, get())],
  ['fetch', async (vault, name) => vault.fetch(new Request(MODELS, named('user', name)))],
  ['getDecryptedApiKey', async (vault, name) => vault.getDecryptedApiKey('user', name)],
  ['pauseKey', async (vault, name) => vault.pauseKey('user', name)],
  ['deleteKey', async (vault, name) => vault.deleteKey('user', name)],
  ['saveKey', async (vault, name) => vault.saveKey('user', name, { apiKey: name })],
  ['listEvents', async (vault, name) => vault.listEvents('user', { provider: name, cursor: name })],
]

const brokenD1 = () =>
  interceptD1(async () => {
    throw new Error('D1 is broken')
  })

const SITUATIONS: [situation: string, vault: () => Partial<Env>, props: object][] = [
  ['a caller with all grants', () => ({}), ALL],
  ['a caller without a grant', () => ({}), { ...ALL, grants: [] }],
  ['a caller of another slot', () => ({}), { ...ALL, providers: ['openai'] }],
  ['a vault that is configured wrong', () => ({ JWT_SECRET_KEY: '' }), ALL],
  ['a vault whose D1 is broken', () => ({ DB: brokenD1() }), ALL],
]

describe.for(SITUATIONS)('%s', ([situation, vault, props]) => {
  it.for(NAMING)(`%s logs no key that is given as a slot: ${situation}`, async ([method, call]) => {
    const key = someKeyOf('misplaced')
    const logs = recordLogs()
    await call(bindTo(vault(), props), key)
    expect(lineOf(logs)).toMatchObject({ method, user_id: 'user' })
    expect(lineOf(logs)['provider'] ?? null).toBeNull()
    expect(logs.text()).not.toContain(key)
  })
})
