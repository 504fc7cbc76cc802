/** What a call checks before its work, and what the log says of it. */

import { describe, expect, it, vi } from 'vitest'
import {
  perform,
  readProps,
  requireGranted,
  requireUserId,
  type Given,
  type Method,
} from '../../src/binding/call.ts'
import { VaultError } from '../../src/errors.ts'
import { openService } from '../../src/service.ts'
import type { BindingProps, Grant } from '../../src/shared/caller.ts'
import { env } from '../isolate.ts'
import { recordLogs, tightLimiter } from '../support.ts'
import { ALL, contextOf, lineOf } from './callers.ts'

const DONE = { done: true }

const refusal = (code: string) => expect.objectContaining({ code })

interface Call extends Partial<Method<object>> {
  vault?: Partial<Env>
  props?: unknown
  given?: Given
}

/** Performs a method on the slot `openai`, whose work is done at once. */
async function call({ vault, props, ...method }: Call = {}): Promise<unknown> {
  return perform(vault ? { ...env, ...vault } : env, contextOf(props), {
    method: 'pauseKey',
    grant: 'support',
    given: { userId: 'jane', slot: 'openai' },
    work: async () => DONE,
    ...method,
  })
}

/** Performs a method, and returns its line in the log. */
async function logged(given: Call = {}): Promise<Record<string, unknown>> {
  const logs = recordLogs()
  await call(given)
  return lineOf(logs)
}

/** The work of a method that fails. */
const failing = (error: unknown) => async () => {
  throw error
}

const unreachable = (cause: unknown) => failing(new VaultError('provider_unreachable', { cause }))

describe('the work of a call', () => {
  it('the work gets the user, the props, the arguments and the id that is logged', async () => {
    const work = vi.fn<Method<object>['work']>(async () => DONE)
    const { request_id } = await logged({ work })
    expect(work).toHaveBeenCalledExactlyOnceWith({
      user: {
        service: expect.objectContaining({ settings: expect.any(Object) }),
        userId: 'jane',
        requestId: request_id,
        by: { kind: 'caller', name: 'binding:chat' },
        waitUntil: expect.any(Function),
      },
      owner: {
        service: expect.objectContaining({ settings: expect.any(Object) }),
        userId: 'jane',
        requestId: request_id,
        by: { kind: 'operator', name: 'binding:chat' },
      },
      props: ALL,
      given: { userId: 'jane', slot: 'openai' },
    })
  })

  it('returns what the work returns', async () => {
    recordLogs()
    expect(await call()).toBe(DONE)
  })

  it('returns a refusal that the work throws', async () => {
    recordLogs()
    const thrown = new VaultError('no_api_key')
    expect(await call({ work: failing(thrown) })).toBe(thrown)
  })

  it('returns the refusal internal for any other error', async () => {
    recordLogs()
    const cause = new Error('D1 is broken')
    expect(await call({ work: failing(cause) })).toMatchObject({ code: 'internal', cause })
  })

  it.for<[name: string, code: string, given: Call]>([
    ['without the grant', 'not_granted', { props: { ...ALL, grants: ['use'] } }],
    ['without props', 'not_granted', { props: null }],
    ['to a vault that is configured wrong', 'server_misconfigured', misconfigured(ALL)],
    ['without the grant, to such a vault', 'not_granted', misconfigured({ ...ALL, grants: [] })],
  ])('a call %s is refused with %s before its work', async ([, code, given]) => {
    recordLogs()
    const work = vi.fn<Method<object>['work']>(async () => DONE)
    expect(await call({ ...given, work })).toMatchObject({ code })
    expect(work).not.toHaveBeenCalled()
  })
})

function misconfigured(props: object): Call {
  return { vault: { JWT_SECRET_KEY: '' }, props }
}

it.for([
  ['use', 'rate_limited'],
  ['reveal', 'rate_limited'],
  ['users', null],
  ['support', null],
] as const)('CALLER_LIMITER limits the calls with the grant %s: %s', async ([grant, code]) => {
  recordLogs()
  const vault = { CALLER_LIMITER: tightLimiter() }
  const props = { ...ALL, caller: crypto.randomUUID() }
  const outcomes = [1, 2, 3].map(async () => call({ vault, props, grant }))
  const refused = (await Promise.all(outcomes)).filter((outcome) => outcome !== DONE)
  expect(refused).toMatchObject(code === null ? [] : [{ code, retryAfter: 60 }])
})

describe('the log line of a call', () => {
  it('logs the caller, the method, the user, the slot and the time', async () => {
    expect(await logged()).toEqual({
      level: 'info',
      event: 'binding_call',
      request_id: expect.stringMatching(/^[\da-f-]{36}$/),
      caller: 'binding:chat',
      method: 'pauseKey',
      user_id: 'jane',
      provider: 'openai',
      code: null,
      duration_ms: expect.toSatisfy((ms: number) => ms >= 0 && ms < 60_000),
    })
  })

  it('logs the status of the provider’s answer', async () => {
    const work = async () => ({ response: new Response(null, { status: 404 }) })
    expect(await logged({ work })).toMatchObject({ code: null, provider_status: 404 })
  })

  it('logs no slot for a method without one', async () => {
    expect(await logged({ given: { userId: 'jane' } })).not.toHaveProperty('provider')
  })

  it('logs the code of a refusal, and no reason', async () => {
    const line = await logged({ work: failing(new VaultError('invalid_argument')) })
    expect(line).toMatchObject({ level: 'info', code: 'invalid_argument', user_id: 'jane' })
    expect(line).not.toHaveProperty('reason')
    expect(line).not.toHaveProperty('error')
  })

  it('logs no name of a caller whose props are malformed', async () => {
    const props = { ...ALL, caller: 'a caller' }
    expect(await logged({ props })).toMatchObject({
      caller: 'binding:unknown',
      code: 'not_granted',
    })
  })

  it('logs no more than 200 characters of a user id', async () => {
    const given = { userId: 'x'.repeat(201) }
    expect(await logged({ given })).toMatchObject({ user_id: 'x'.repeat(200) })
  })

  it.for<[given: string, defaultProvider: string, slot: string]>([
    ['default', '', 'default'],
    ['default', 'openai', 'openai'],
    ['acme', 'openai', 'acme'],
  ])(
    'logs the slot that %s means if DEFAULT_PROVIDER is "%s": %s',
    async ([slot, own, provider]) => {
      const given = { userId: 'jane', slot }
      expect(await logged({ given, vault: { DEFAULT_PROVIDER: own } })).toMatchObject({
        provider,
      })
    },
  )

  it('logs null for an argument that is not text', async () => {
    const given = { userId: 7, slot: {} }
    expect(await logged({ given })).toMatchObject({ user_id: null, provider: null })
  })

  it.for<[situation: string, given: Call]>([
    ['a caller with all grants', {}],
    ['a caller without a grant', { props: { ...ALL, grants: [] } }],
    ['a vault that is configured wrong', misconfigured(ALL)],
  ])('logs null for a key that is given as a slot: %s', async ([, given]) => {
    const misplaced = { userId: 'jane', slot: 'sk-misplaced-0123456789' }
    expect(await logged({ ...given, given: misplaced })).toMatchObject({ provider: null })
  })

  it('logs why a provider is unreachable', async () => {
    const line = await logged({ work: unreachable(new Error('Network connection lost.')) })
    expect(line).toMatchObject({
      level: 'info',
      code: 'provider_unreachable',
      reason: 'Error: Network connection lost.',
    })
  })

  it('logs no address of a provider that is unreachable', async () => {
    const url = 'https://a.test/sk-misplaced?key=sk-misplaced'
    const line = await logged({ work: unreachable(new TypeError(`cannot load ${url}`)) })
    expect(line).toHaveProperty('reason')
    expect(JSON.stringify(line)).not.toContain('sk-misplaced')
  })

  it('logs an error, and what is wrong, if the vault is at fault', async () => {
    const line = await logged({ work: failing(new Error('D1 is broken')) })
    expect(line).toMatchObject({
      level: 'error',
      code: 'internal',
      error: { message: 'D1 is broken' },
    })
  })
})

/** The code with which the vault refuses a grant; null if it does not. */
async function codeOf(
  props: BindingProps,
  grant: Grant,
  changes: Partial<Env> = {},
): Promise<string | null> {
  const granted = requireGranted(await openService({ ...env, ...changes }), props, grant)
  return granted.then(
    () => null,
    (error: unknown) => VaultError.from(error).code,
  )
}

it('reads the props of a binding', () => {
  const props = { ...ALL, providers: ['openai'] }
  expect(readProps(props)).toEqual(props)
})

it.for<[name: string, props: unknown]>([
  ['no props', undefined],
  ['empty props', {}],
  ['no caller', { grants: ['use'] }],
  ['grants that are a text', { caller: 'chat', grants: 'use' }],
  ['an unknown grant besides a good one', { caller: 'chat', grants: ['use', 'all'] }],
  ['a misspelt limit of slots', { ...ALL, provider: ['openai'] }],
])('grants nothing, and knows no caller, for %s', ([, props]) => {
  expect(readProps(props)).toEqual({ caller: 'unknown', grants: [], providers: [] })
})

it.for([
  ['use', true],
  ['users', true],
  ['reveal', false],
  ['support', false],
] as const)('a binding with the grants use and users may %s: %s', async ([grant, expected]) => {
  const code = await codeOf({ caller: 'chat', grants: ['use', 'users'] }, grant)
  expect(code).toBe(expected ? null : 'not_granted')
})

it.for([
  ['', 'export', false],
  ['false', 'export', false],
  ['true', 'export', true],
  ['other, export', 'export', true],
  ['other', 'export', false],
  ['exports', 'export', false],
] as const)('ALLOW_REVEAL = %j lets %s read keys: %s', async ([allowed, caller, expected]) => {
  const code = await codeOf({ caller, grants: ['reveal'] }, 'reveal', { ALLOW_REVEAL: allowed })
  expect(code).toBe(expected ? null : 'not_granted')
})

it.for([[''], [undefined], [null], [7], [10n], [true], [['a']], [{}], [Symbol('a')]])(
  'refuses %o for a user id',
  ([value]) => {
    expect(() => requireUserId(value)).toThrow(refusal('invalid_argument'))
  },
)

it.for(['jane', 'auth0|a b', '...', 'Zoë'])('takes the user id %j', (userId) => {
  expect(requireUserId(userId)).toBe(userId)
})

it.for(['.', '..', '\uD800'])('refuses the user id %j', (userId) => {
  expect(() => requireUserId(userId)).toThrow(refusal('invalid_argument'))
})

it('takes a user id of 2,000 characters, and none that is longer', () => {
  const longest = 'x'.repeat(2_000)
  expect(requireUserId(longest)).toBe(longest)
  expect(() => requireUserId(`${longest}x`)).toThrow(refusal('invalid_argument'))
})
