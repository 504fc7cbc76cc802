/** What a call over a binding checks first, and what the log and a refusal say of it. */

import { createExecutionContext } from 'cloudflare:test'
import { env } from '../isolate.ts'
import { describe, expect, it, vi } from 'vitest'
import { KeyVault } from '../../src/binding/key-vault.ts'
import { ANSWERS } from '../../src/refusals.ts'
import { interceptD1, PROVIDER, recordLogs, someKeyUser } from '../support.ts'

const PATH = `${PROVIDER}/v1/models`
const ALL = { caller: 'chat', grants: ['use', 'reveal', 'users', 'support'] }

function bindTo(vault: Partial<Env> = {}, props: object = ALL): KeyVault {
  return new KeyVault(Object.assign(createExecutionContext(), { props }), { ...env, ...vault })
}

const someKeyOf = (kind: string) => `sk-${kind}-${crypto.randomUUID()}`

/** The headers with which vaultFetch names a user and a provider. */
const named = (userId: string, provider = 'openai') => ({
  headers: { 'X-Vault-User': userId, 'X-Vault-Provider': provider },
})

/** Each method with a call that works on the slot `openai` of a user, or on the user. */
const CALLS: [method: string, slot: string | null, call: (userId: string) => Promise<unknown>][] = [
  ['fetchWithApiKey', 'openai', async (id) => bindTo().fetchWithApiKey(id, 'openai', get())],
  ['fetch', 'openai', async (id) => bindTo().fetch(new Request(PATH, named(id)))],
  ['getDecryptedApiKey', 'openai', async (id) => bindTo().getDecryptedApiKey(id, 'openai')],
  ['createUser', null, async (id) => bindTo().createUser(id)],
  ['hasUser', null, async (id) => bindTo().hasUser(id)],
  ['deleteUser', null, async (id) => bindTo().deleteUser(id)],
  ['listSlots', null, async (id) => bindTo().listSlots(id)],
  ['listEvents', null, async (id) => bindTo().listEvents(id)],
  ['pauseKey', 'openai', async (id) => bindTo().pauseKey(id, 'openai')],
  ['deleteKey', 'openai', async (id) => bindTo().deleteKey(id, 'openai')],
]

const get = () => new Request(PATH)

/** Calls a method with arguments of any type, as a binding lets its callers do. */
async function callWith(method: string, args: unknown[]): Promise<unknown> {
  const vault = bindTo()
  const called: unknown = Reflect.get(vault, method)
  return typeof called === 'function' ? called.apply(vault, args) : undefined
}

const detailed = (error: string) => ({ error, detail: expect.any(String) })

/** The one line of a call. */
function lineOf(logs: ReturnType<typeof recordLogs>): Record<string, unknown> {
  const [line, ...more] = logs.events().filter(({ event }) => event === 'binding_call')
  expect(more).toEqual([])
  return line ?? {}
}

describe('the log line of a call', () => {
  it.for(CALLS)('names the method, the user and the slot: %s', async ([method, slot, call]) => {
    const userId = await someKeyUser(someKeyOf('good'))
    const logs = recordLogs()
    await call(userId)
    expect(lineOf(logs)).toEqual({
      level: 'info',
      event: 'binding_call',
      request_id: expect.any(String),
      caller: 'chat',
      method,
      user_id: userId,
      ...(slot !== null && { provider: slot }),
      code: null,
      ...(method.startsWith('fetch') && { provider_status: 200 }),
      duration_ms: expect.toSatisfy((ms: number) => ms >= 0 && ms < 60_000),
    })
  })

  it('names the code of a refusal', async () => {
    const logs = recordLogs()
    await bindTo().hasUser('')
    expect(lineOf(logs)).toMatchObject({ level: 'info', code: 'invalid_argument', user_id: '' })
    expect(lineOf(logs)).not.toHaveProperty('reason')
    expect(lineOf(logs)).not.toHaveProperty('error')
  })

  it('says nothing of a caller whose props are malformed', async () => {
    const logs = recordLogs()
    await bindTo({}, { caller: 'a caller', grants: [] }).hasUser('user')
    expect(lineOf(logs)).toMatchObject({ caller: 'unknown', code: 'not_granted' })
  })

  it('cuts a long id', async () => {
    const logs = recordLogs()
    await bindTo().hasUser('x'.repeat(201))
    expect(lineOf(logs)).toMatchObject({ user_id: 'x'.repeat(200) })
  })

  it.for<[given: string, defaultProvider: string, slot: string]>([
    ['default', '', 'default'],
    ['default', 'openai', 'openai'],
    ['acme', 'openai', 'acme'],
  ])('names the slot that %s means if DEFAULT_PROVIDER is "%s"', async ([given, own, slot]) => {
    const logs = recordLogs()
    await bindTo({ DEFAULT_PROVIDER: own }).deleteKey('user', given)
    expect(lineOf(logs)).toMatchObject({ provider: slot })
  })

  it('has null for an argument that is not text', async () => {
    const logs = recordLogs()
    await callWith('pauseKey', [7, {}])
    expect(lineOf(logs)).toMatchObject({ user_id: null, provider: null })
  })

  it('says why a provider is unreachable', async () => {
    const userId = await someKeyUser(someKeyOf('good'), 'mistral')
    const logs = recordLogs()
    const request = new Request('http://127.0.0.1:9/v1')
    await bindTo().fetchWithApiKey(userId, 'mistral', request)
    expect(lineOf(logs)).toMatchObject({
      level: 'info',
      code: 'provider_unreachable',
      reason: 'Error: Network connection lost.',
    })
  })

  it('says what is wrong if the vault is at fault', async () => {
    const logs = recordLogs()
    const DB = interceptD1(async () => {
      throw new Error('D1 is broken')
    })
    expect(await bindTo({ DB }).hasUser('user')).toEqual({ ok: false, code: 'internal' })
    expect(lineOf(logs)).toMatchObject({
      level: 'error',
      code: 'internal',
      error: { message: 'D1 is broken' },
    })
  })
})

it.for<[caller: string, props: object, code: string]>([
  ['with the grant', ALL, 'server_misconfigured'],
  ['without the grant', { ...ALL, grants: [] }, 'not_granted'],
])('a vault that is configured wrong refuses a caller %s', async ([, props, code]) => {
  const vault = bindTo({ JWT_SECRET_KEY: '' }, props)
  expect(await vault.hasUser('user')).toEqual({ ok: false, code })
})

/** Each method that takes the name of a slot, with a call that gives it another text. */
const NAMING: [method: string, call: (vault: KeyVault, name: string) => Promise<unknown>][] = [
  ['fetchWithApiKey', async (vault, name) => vault.fetchWithApiKey('user', name, get())],
  ['fetch', async (vault, name) => vault.fetch(new Request(PATH, named('user', name)))],
  ['getDecryptedApiKey', async (vault, name) => vault.getDecryptedApiKey('user', name)],
  ['pauseKey', async (vault, name) => vault.pauseKey('user', name)],
  ['deleteKey', async (vault, name) => vault.deleteKey('user', name)],
  ['listEvents', async (vault, name) => vault.listEvents('user', { provider: name, cursor: name })],
]

const brokenD1 = interceptD1(async () => {
  throw new Error('D1 is broken')
})

describe.for<[situation: string, vault: Partial<Env>, props: object]>([
  ['a caller with all grants', {}, ALL],
  ['a caller without a grant', {}, { ...ALL, grants: [] }],
  ['a caller of another slot', {}, { ...ALL, providers: ['openai'] }],
  ['a vault that is configured wrong', { JWT_SECRET_KEY: '' }, ALL],
  ['a vault whose D1 is broken', { DB: brokenD1 }, ALL],
])('%s', ([, vault, props]) => {
  it.for(NAMING)('logs no key that is given as a slot: %s', async ([method, call]) => {
    const key = someKeyOf('misplaced')
    const logs = recordLogs()
    await call(bindTo(vault, props), key)
    expect(lineOf(logs)).toMatchObject({ method, user_id: 'user' })
    expect(lineOf(logs)['provider'] ?? null).toBeNull()
    expect(logs.text()).not.toContain(key)
  })
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

describe('a refused fetch()', () => {
  it.for<[userId: string, status: number, body: { code: string; error: string }]>([
    ['nobody', 404, { code: 'user_not_found', ...detailed('User not found') }],
    ['%', 400, { code: 'invalid_argument', error: ANSWERS.invalid_argument.error }],
  ])('has the body of the HTTP API: %s', async ([userId, status, body]) => {
    const answer = await bindTo().fetch(new Request(PATH, named(userId)))
    expect(answer.status).toBe(status)
    expect(answer.headers.get('X-Vault-Error')).toBe(body.code)
    expect(answer.headers.get('Retry-After')).toBeNull()
    expect(await answer.json()).toEqual(body)
  })
})

describe('a malformed argument', () => {
  it.for<[method: string, args: unknown[]]>([
    ['fetchWithApiKey', ['user', '', get()]],
    ['fetchWithApiKey', ['user', 7, get()]],
    ['fetchWithApiKey', [{}, 'openai', get()]],
    ['getDecryptedApiKey', ['user', '']],
    ['getDecryptedApiKey', ['', 'openai']],
    ['createUser', [7]],
    ['hasUser', [null]],
    ['deleteUser', [['user']]],
    ['deleteUser', ['..']],
    ['listSlots', ['']],
    ['listEvents', ['']],
    ['pauseKey', ['', 'openai']],
    ['pauseKey', ['user', '']],
    ['deleteKey', ['', 'openai']],
    ['deleteKey', ['user', null]],
    ['listEvents', ['user', { limit: 0 }]],
    ['listEvents', ['user', { limit: 1.5 }]],
    ['listEvents', ['user', { limit: 201 }]],
    ['listEvents', ['user', { limits: 1 }]],
    ['listEvents', ['user', { provider: 7 }]],
    ['listEvents', ['user', { cursor: 7 }]],
    ['listEvents', ['user', null]],
  ])('is refused: %s %j', async ([method, args]) => {
    expect(await callWith(method, args)).toEqual({ ok: false, code: 'invalid_argument' })
  })
})
