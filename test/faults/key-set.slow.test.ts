/** The identity provider's key set fails in each way, in each operation. */

import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { describe, expect, it, vi } from 'vitest'
import { inSeconds } from '../../scripts/lib/token.ts'
import { recordLogs } from '../support.ts'
import { expectQuiet, expectSafe, fail, MARK, someVault } from './fault.ts'
import { claimsOf, METHODS, REQUESTS, someSubject, type Operation } from './operations.ts'
import { stateOf } from './state.ts'

const KEY_SET = 'https://id.test/jwks.json'
const [ISSUER, AUDIENCE] = ['https://id.test/', 'vault']
const IDENTITY = {
  JWT_SECRET_KEY: '',
  JWT_JWKS_URL: KEY_SET,
  JWT_ISSUER: ISSUER,
  JWT_AUDIENCE: AUDIENCE,
}
const REST_MS = 5_001
/** They need no valid token. */
const OPEN = new Set(['the health', 'the configuration', 'a refused token'])

type Serve = () => Promise<Response>

const limit = { passed: new AbortController() }
const untilAborted = async () =>
  new Promise<never>((_, reject) => {
    const { signal } = limit.passed
    signal.addEventListener('abort', () => reject(new Error(MARK)))
    queueMicrotask(() => limit.passed.abort())
  })

const WAYS: readonly [way: string, serve: Serve][] = [
  ['is down', fail],
  ['answers with a 500', async () => new Response(MARK, { status: 500 })],
  ['redirects', async () => new Response(null, { status: 302, headers: { Location: '/' } })],
  ['is not JSON', async () => new Response(MARK)],
  ['is not a key set', async () => Response.json({ keys: MARK })],
  ['is empty', async () => Response.json({ keys: [] })],
  ['hangs', untilAborted],
  ['stops in the middle', async () => new Response(new ReadableStream({ pull: untilAborted }))],
]

/** Serves the key set; other requests go where they go. */
function serveKeySet(serve: Serve): void {
  limit.passed = new AbortController()
  const { fetch: send } = globalThis
  vi.spyOn(AbortSignal, 'timeout').mockReturnValue(limit.passed.signal)
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) =>
    input instanceof URL && input.href === KEY_SET ? serve() : send(input, init),
  )
}

const { privateKey, publicKey } = await generateKeyPair('ES256')
const jwk = { ...(await exportJWK(publicKey)), kid: '1', alg: 'ES256' }

async function tokenOf(userId: string, { as }: Operation): Promise<string> {
  const claims = { ...claimsOf(userId, as), iss: ISSUER, aud: AUDIENCE, exp: inSeconds(600) }
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'ES256', kid: '1', typ: 'at+jwt' })
    .sign(privateKey)
}

/** Does the operation for a user of the identity provider. */
async function attempt(operation: Operation, vault: Env) {
  const userId = await someSubject(operation)
  const before = await stateOf(userId)
  const { code, text } = await operation.run(userId, vault, await tokenOf(userId, operation))
  expectQuiet(text)
  return { code, isUnchanged: JSON.stringify(before) === JSON.stringify(await stateOf(userId)) }
}

/** Each route if the key set is down or hangs. It fails in the same place in the other ways, so two are enough. */
function routesOf(way: string) {
  const isEach = way === 'is down' || way === 'hangs'
  const routes = REQUESTS.filter(
    ({ name }) => isEach || name === 'a save' || name === 'a use over the relay',
  )
  return routes.map((route) => [route.name, route] as const)
}

describe.for(WAYS)('a key set that %s', ([way, serve]) => {
  it.for(routesOf(way))(
    `%s changes nothing while the key set ${way}, and works again after it`,
    async ([name, operation]) => {
      const logs = recordLogs()
      const vault = someVault({ ...operation.vars, ...IDENTITY })
      serveKeySet(serve)
      expect(await attempt(operation, vault)).toEqual({
        code: OPEN.has(name) ? operation.code : 'token_keys_unreachable',
        isUnchanged: true,
      })
      vi.restoreAllMocks()
      serveKeySet(async () => Response.json({ keys: [jwk] }))
      vi.spyOn(Date, 'now').mockReturnValue(Date.now() + REST_MS)
      expect(await attempt(operation, vault)).toMatchObject({ code: operation.code })
      expectSafe(logs.text())
    },
  )
})

it.for(METHODS.map((method) => [method.name, method] as const))(
  '%s over a binding works while the key set is down',
  async ([, operation]) => {
    serveKeySet(fail)
    const vault = someVault({ ...operation.vars, ...IDENTITY })
    expect(await attempt(operation, vault)).toMatchObject({ code: operation.code })
  },
)
