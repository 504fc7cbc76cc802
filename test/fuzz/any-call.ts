/** Calls of any form over a binding, for the fuzz test. */

import { RpcTarget } from 'cloudflare:workers'
import * as fc from 'fast-check'
import { MARK } from './fuzz.ts'
import { PROVIDER } from '../support.ts'

/** Stands for the id of a user who has a key, and for that key's slot. */
export const USER = 'USER'
export const SLOT = 'openai'

/** The methods that take values, each with the grant that it needs. `fetch` takes a request alone. */
export const METHODS = {
  fetchWithApiKey: 'use',
  getDecryptedApiKey: 'reveal',
  createUser: 'users',
  deleteUser: 'users',
  hasUser: 'users',
  getTeam: 'users',
  deleteTeam: 'users',
  listSlots: 'support',
  listEvents: 'support',
  pauseKey: 'support',
  deleteKey: 'support',
} as const

export type MethodName = keyof typeof METHODS

/** A call, as a failure prints it. */
export interface Call {
  props: unknown
  method: MethodName
  values: unknown[]
}

const word = fc.constantFrom(
  '__proto__',
  'constructor',
  'toString',
  'then',
  'default',
  'acme',
  'own',
  'openai:work',
  'openai:home',
  'openai:',
  'default:work',
  'mistral',
  '*',
  '',
  '.',
  '..',
  '\0',
  '\uD800',
  `\u202E${MARK}`,
  `${MARK}'; DROP TABLE users; --`,
)
const text = fc.oneof(
  word,
  fc.string({ unit: 'binary', maxLength: 30 }).map((some) => some + MARK),
  fc.constantFrom(2_000, 2_001, 100_000).map((length) => 'x'.repeat(length)),
)

/** The caller's code, which a binding passes on as a stub. */
class Hostile extends RpcTarget {
  get provider(): string {
    throw new Error(MARK)
  }
}

function cycle(): object {
  const some: Record<string, unknown> = { provider: SLOT }
  some['cursor'] = some
  return some
}

/** What is not text, but passes a binding. */
const odd = fc.constantFrom<() => unknown>(
  () => undefined,
  () => null,
  () => Number.NaN,
  () => 10n ** 30n,
  () => true,
  () => [SLOT],
  () => [USER],
  () => ({ toString: 'x', valueOf: 1, length: MARK }),
  () => JSON.parse(`{"__proto__": {"limit": 1}, "constructor": "${MARK}"}`),
  () => new Date(Number.NaN),
  () => new Map([[SLOT, USER]]),
  () => /x/g,
  () => new Error(MARK),
  () => new Uint8Array(100_000),
  () => cycle(),
  () => new Hostile(),
  () => () => MARK,
  () => ({ provider: () => SLOT, limit: 1 }),
  () => new Headers({ provider: MARK }),
  () => new Response(),
)
const other = fc.oneof(
  odd.map((make) => make()),
  fc.jsonValue(),
)

const query = fc.record(
  {
    provider: fc.oneof(fc.constant(SLOT), text, other),
    cursor: fc.oneof(fc.constantFrom('', 'z', '2026-01-01T00:00:00.000Z'), text, other),
    limit: fc.oneof(fc.integer({ min: -1, max: 201 }), fc.double(), other),
    [MARK]: other,
  },
  { requiredKeys: [], noNullPrototype: true },
)

const header = fc.tuple(
  fc.constantFrom(
    'Authorization',
    'X-Api-Key',
    'Upgrade',
    'X-Vault-User',
    'X-Vault-Team',
    'Cookie',
    'X-Acme-Key',
  ),
  fc.constantFrom(MARK, `Bearer ${MARK}`, 'websocket', 'WebSocket', USER),
)

/** A request for a provider, or for somewhere else. */
export const request = fc
  .record({
    base: fc.oneof(
      { weight: 4, arbitrary: fc.constant(PROVIDER) },
      fc.constantFrom('https://own.invalid', 'https://evil.test', 'http://127.0.0.1:1'),
      fc.constantFrom(`${PROVIDER}.evil.test`, PROVIDER.replace('//', '//a@evil.test:')),
    ),
    path: fc.oneof(
      fc.constantFrom('/v1/models', '//evil.test', '/..%2f', '/@evil.test'),
      fc.webPath(),
    ),
    method: fc.constantFrom('GET', 'POST', 'HEAD', 'DELETE', 'OPTIONS', 'PROPFIND', 'TRACE'),
    headers: fc.array(header, { maxLength: 3 }),
  })
  .filter(({ base, path }) => URL.canParse(base + path))

export type Asked = typeof request extends fc.Arbitrary<infer One> ? One : never

/** The request that was described. It has no body: workerd reports each one that nobody reads. */
export function toRequest({ base, path, method, headers }: Asked): Request {
  return new Request(base + path, { method, headers })
}

function valuesOf(method: MethodName): fc.Arbitrary<unknown[]> {
  const team = fc.oneof(text, other).map((teamId) => ({ teamId }))
  const user = fc.oneof({ weight: 6, arbitrary: fc.constant(USER) }, team, text, other)
  const slot = fc.oneof({ weight: 4, arbitrary: fc.constant(SLOT) }, text, other)
  const asked = fc.oneof({ weight: 6, arbitrary: request.map(toRequest) }, text, other)
  const second = method === 'listEvents' ? fc.oneof(query, other) : slot
  const options = fc.oneof(fc.constantFrom({ teamId: 'acme' }, { teamId: MARK }, {}), other)
  const usual = fc.tuple(user, second, asked, options).map((all) => {
    if (method === 'fetchWithApiKey') return all
    return all.slice(0, /User|Slots|Team/.test(method) ? 1 : 2)
  })
  const missing = fc.tuple(usual, fc.nat(2)).map(([all, count]) => all.slice(0, count))
  return fc.oneof({ weight: 6, arbitrary: usual }, missing, fc.array(fc.oneof(text, other)))
}

const grant = fc.constantFrom('use', 'reveal', 'users', 'support')
const valid = fc.record(
  {
    caller: fc.stringMatching(/^[\w.-]{1,64}$/),
    grants: fc.oneof(fc.subarray(['use', 'reveal', 'users', 'support']), fc.array(grant)),
    providers: fc.oneof(fc.constantFrom([SLOT], [], ['default'], ['*']), fc.array(word)),
    teams: fc.oneof(fc.boolean(), word),
  },
  { requiredKeys: ['caller', 'grants'], noNullPrototype: true },
)
const all = { caller: 'chat', grants: ['use', 'reveal', 'users', 'support'], teams: true }
/** One field of valid props, with another value. */
const nearly = fc
  .tuple(
    fc.constantFrom('caller', 'grants', 'providers', 'teams', 'provider', '__proto__'),
    fc.oneof(word, fc.jsonValue()),
  )
  .map(([name, value]) => JSON.parse(JSON.stringify({ ...all, [name]: value })))
/** The `props` of a binding. */
export const anyProps: fc.Arbitrary<object> = fc.oneof(
  { weight: 3, arbitrary: fc.constant(all) },
  { weight: 3, arbitrary: valid },
  { weight: 2, arbitrary: nearly },
  fc.dictionary(word, fc.jsonValue(), { noNullPrototype: true }),
)

/** Any call of a method that takes values. */
export const anyCall: fc.Arbitrary<Call & { props: object }> = fc
  .constantFrom(...Object.keys(METHODS).filter((name): name is MethodName => name in METHODS))
  .chain((method) =>
    fc.record({ props: anyProps, method: fc.constant(method), values: valuesOf(method) }),
  )
