/** What a call checks before its work, and what the log and the counts say of it. */

import { describe, expect, it, vi } from 'vitest'
import { perform, type Method } from '../../src/binding/perform.ts'
import { VaultError } from '../../src/errors.ts'
import { env } from '../isolate.ts'
import { recordLogs } from '../support.ts'
import { ALL, contextOf, lineOf } from './callers.ts'

const DONE = { done: true }

interface Call extends Partial<Method<object>> {
  vault?: Partial<Env>
  props?: unknown
}

/** Performs a method on the slot `openai`, whose work is done at once. */
async function call({ vault, props, ...method }: Call = {}): Promise<unknown> {
  return perform(vault ? { ...env, ...vault } : env, contextOf(props), {
    method: 'pauseKey',
    grant: 'support',
    about: { user_id: 'jane', provider: 'openai' },
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
  it('the work gets the service, the props and the id that is logged', async () => {
    const work = vi.fn<Method<object>['work']>(async () => DONE)
    const { request_id } = await logged({ work })
    expect(work).toHaveBeenCalledExactlyOnceWith(
      expect.objectContaining({ settings: expect.any(Object) }),
      ALL,
      request_id,
    )
  })

  it('returns what the work returns', async () => {
    recordLogs()
    expect(await call()).toBe(DONE)
  })

  it('returns a refusal that the work throws', async () => {
    recordLogs()
    const refusal = new VaultError('no_api_key')
    expect(await call({ work: failing(refusal) })).toBe(refusal)
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
  const vault = { CALLER_LIMITER: env.TIGHT_RATE_LIMITER }
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
    expect(await logged({ about: { user_id: 'jane' } })).not.toHaveProperty('provider')
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
    const about = { user_id: 'x'.repeat(201) }
    expect(await logged({ about })).toMatchObject({ user_id: 'x'.repeat(200) })
  })

  it.for<[given: string, defaultProvider: string, slot: string]>([
    ['default', '', 'default'],
    ['default', 'openai', 'openai'],
    ['acme', 'openai', 'acme'],
  ])(
    'logs the slot that %s means if DEFAULT_PROVIDER is "%s": %s',
    async ([provider, own, slot]) => {
      const about = { user_id: 'jane', provider }
      expect(await logged({ about, vault: { DEFAULT_PROVIDER: own } })).toMatchObject({
        provider: slot,
      })
    },
  )

  it('logs null for an argument that is not text', async () => {
    const about = { user_id: 7, provider: {} }
    expect(await logged({ about })).toMatchObject({ user_id: null, provider: null })
  })

  it.for<[situation: string, given: Call]>([
    ['a caller with all grants', {}],
    ['a caller without a grant', { props: { ...ALL, grants: [] } }],
    ['a vault that is configured wrong', misconfigured(ALL)],
  ])('logs null for a key that is given as a slot: %s', async ([, given]) => {
    const about = { user_id: 'jane', provider: 'sk-misplaced-0123456789' }
    expect(await logged({ ...given, about })).toMatchObject({ provider: null })
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
