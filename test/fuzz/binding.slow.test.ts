/** Calls of any form over a binding: the answer is always a documented one, and no key comes without a grant. */

import { exports } from 'cloudflare:workers'
import * as fc from 'fast-check'
import { beforeEach, expect, it, vi } from 'vitest'
import * as z from 'zod/mini'
import { errorCode, event, listedAnswer, teamAnswer } from '../../src/shared/answers.ts'
import { CODES, FAULTS } from '../../src/shared/error-code.ts'
import { covers } from '../../src/shared/slot.ts'
import { expectAlways, expectQuiet, FUZZED, MARK } from './fuzz.ts'
import { PROVIDER, recordLogs, someKey, someKeyUser } from '../support.ts'
import { anyCall, anyProps, METHODS, request, SLOT, toRequest, USER } from './any-call.ts'
import type { MethodName } from './any-call.ts'

/** What each method returns if it does not refuse. */
const RETURNS: Record<MethodName, z.ZodMiniType> = {
  fetchWithApiKey: returned({
    response: z.instanceof(Response),
    key: z.strictObject({ source: z.literal('own'), slot: z.string() }),
  }),
  getDecryptedApiKey: returned({ apiKey: z.nullable(z.string()) }),
  createUser: returned({ created: z.boolean() }),
  deleteUser: returned({ deleted: z.boolean() }),
  hasUser: returned({ exists: z.boolean() }),
  getTeam: returned(teamAnswer.shape),
  deleteTeam: returned({ deleted: z.boolean() }),
  listSlots: returned({ slots: z.array(listedAnswer) }),
  listEvents: returned({ events: z.array(event), nextCursor: z.nullable(z.string()) }),
  pauseKey: returned({ pausedAt: z.iso.datetime() }),
  deleteKey: returned({ deleted: z.boolean() }),
}
const refusal = z.strictObject({
  ok: z.literal(false),
  code: errorCode,
  retryAfter: z.optional(z.number()),
})

function returned(fields: z.core.$ZodShape): z.ZodMiniType {
  return z.strictObject({ ok: z.literal(true), ...fields })
}

/** Whether the props, as they are, grant this. */
function allow(props: { grants?: unknown }, grant: string): boolean {
  return Array.isArray(props.grants) && props.grants.includes(grant)
}

/** Whether the props, as they are, name the slot. */
function reach({ providers }: { providers?: unknown }, slot: unknown): boolean {
  if (!Array.isArray(providers)) return providers === undefined
  return typeof slot === 'string' && providers.some((name) => covers(name, slot))
}

/** The methods for one slot. */
const OF_SLOT: ReadonlySet<MethodName> = new Set([
  'fetchWithApiKey',
  'getDecryptedApiKey',
  'pauseKey',
  'deleteKey',
])

let called: { url: URL; headers: Headers }[]
beforeEach(() => {
  called = []
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    called.push({ url: new URL(new Request(input).url), headers: new Headers(init?.headers) })
    return Response.json({ data: [] })
  })
})

/** Fails the test if the provider got anything but its own requests, with the key where it belongs. */
function expectSafeUse(key: string, mayUse: boolean): void {
  const uses = called.map(({ url, headers }) => [url.origin, headers.get('Authorization')])
  const safe = mayUse ? called.map(() => [PROVIDER, `Bearer ${key}`]) : []
  expect(uses).toEqual(safe)
}

/** What a refusal says; null for any other value. */
function readRefusal(result: unknown): string | null {
  const { data } = refusal.safeParse(result)
  return data?.code ?? null
}

/** Whether a method returned what its type has. */
function isDocumented(method: MethodName, result: unknown): boolean {
  return readRefusal(result) !== null || RETURNS[method].safeParse(result).success
}

const ANY_TEXT = new Set(['user_id', 'caller'])

/** The log without the fields that may be any text. */
function readFields(logs: ReturnType<typeof recordLogs>): string {
  const lines = logs.events()
  return JSON.stringify(lines, (field, value: unknown) => (ANY_TEXT.has(field) ? null : value))
}

const isFault = (code: string | null) => code !== null && code in FAULTS

it('a method answers any call with a value that its type has', FUZZED, async () => {
  const property = fc.asyncProperty(anyCall, async ({ props, method, values }) => {
    called = []
    const logs = recordLogs()
    const key = someKey()
    const userId = await someKeyUser(key, SLOT)
    const vault = exports.KeyVault({ props })
    const given = values.map((value) => (value === USER ? userId : value))
    const result: unknown = await Reflect.apply(vault[method], vault, given)
    const [, slot = 'default'] = given
    const isAllowed = allow(props, METHODS[method]) && (reach(props, slot) || !OF_SLOT.has(method))
    const code = readRefusal(result)
    expect(isDocumented(method, result) && !isFault(code)).toBe(true)
    expect(code !== null || isAllowed).toBe(true)
    expectSafeUse(key, isAllowed && method === 'fetchWithApiKey')
    const isRevealed = isAllowed && method === 'getDecryptedApiKey'
    expectQuiet(JSON.stringify(result), ...(isRevealed ? [] : [key]))
    expectQuiet(readFields(logs), key)
  })
  await expectAlways(property, 0.5)
})

const named = fc.record({
  user: fc.oneof(fc.constant(USER), fc.constantFrom('%', '%C3%28', '%00', '%ED%A0%80', MARK, '')),
  provider: fc.oneof(fc.constant(SLOT), fc.constantFrom('', '__proto__', 'own', MARK, '*')),
})

it(
  'fetch() answers any request with the provider’s answer, or a documented one',
  FUZZED,
  async () => {
    const any = fc.tuple(anyProps, request, named)
    const property = fc.asyncProperty(any, async ([props, asked, { user, provider }]) => {
      called = []
      const logs = recordLogs()
      const key = someKey()
      const sent = toRequest(asked)
      sent.headers.set('X-Vault-User', user === USER ? await someKeyUser(key, SLOT) : user)
      sent.headers.set('X-Vault-Provider', provider)
      const answer = await exports.KeyVault({ props }).fetch(sent)
      expectSafeUse(key, allow(props, 'use') && reach(props, SLOT) && provider === SLOT)
      const { data: code = null } = errorCode.safeParse(answer.headers.get('X-Vault-Error'))
      expect(answer.status).toBe(code === null ? 200 : CODES[code].status)
      expect(isFault(code)).toBe(false)
      expectQuiet(JSON.stringify([...answer.headers]) + (await answer.text()), key)
      expectQuiet(readFields(logs), key)
    })
    await expectAlways(property, 0.5)
  },
)
