/**
 * Requests of any form. Each answer has to be in the OpenAPI document, which `app` checks, and must not repeat what
 * was sent. A failure prints the seed, and `FUZZ_SEED` repeats it. `npm run fuzz` tries more.
 */

import { createExecutionContext } from 'cloudflare:test'
import { inSeconds } from '../../scripts/lib/token.ts'
import { env } from '../isolate.ts'
import * as fc from 'fast-check'
import { expect, it, vi } from 'vitest'
import { expectAlways, expectQuiet, FUZZED, MARK } from './fuzz.ts'
import { app, mintToken, someKey, someKeyUser, URL_BASE } from '../support.ts'
import { anyRequest, TEAM, type Sent } from './any-request.ts'

/** Tokens of the user and of others, by name. */
async function someTokens(userId: string): Promise<Map<string, string>> {
  const unsigned = [{ alg: 'none' }, { sub: userId }].map((part) => btoa(JSON.stringify(part)))
  const member = { sub: userId, scope: 'relay', iat: inSeconds(0), org_id: TEAM }
  return new Map([
    ['not a token', MARK],
    ['two parts', `${MARK}.${MARK}`],
    ['three parts', `${MARK}.${MARK}.${MARK}`],
    ['too long', MARK.repeat(2_000)],
    ['without a signature', `${unsigned.join('.')}.`],
    ['valid', await mintToken({ sub: userId, scope: 'relay' })],
    ['valid, with odd claims', await mintToken({ sub: userId, roles: MARK, [MARK]: [MARK] })],
    ['of another user', await mintToken({ sub: 'another' })],
    ['without a user', await mintToken({ scope: MARK })],
    // One that adds users would answer with their ids.
    ['of a server', await mintToken({ client_id: 'flask-app', scope: 'vault:support vault:save' })],
    ['of an admin', await mintToken({ ...member, org_role: 'admin' })],
    ['of a member', await mintToken(member)],
    ['of an odd team', await mintToken({ ...member, org_id: MARK })],
    ['of many teams', await mintToken({ ...member, org_id: [TEAM, MARK] })],
    ['expired', await mintToken({ sub: userId, exp: 1 })],
    ['forged', await mintToken({ sub: userId }, MARK.repeat(3))],
  ])
}

/** Null if no client can send it. */
function toRequest({ method, path, headers, body }: Sent, token: string | undefined) {
  try {
    const all = new Headers({ 'Content-Type': 'application/json' })
    if (token !== undefined) all.set('Authorization', `Bearer ${token}`)
    for (const [name, value] of headers) all.set(name, value)
    const hasBody = !/^(?:get|head)$/i.test(method)
    return new Request(URL_BASE + path, { method, headers: all, body: hasBody ? body : null })
  } catch (error) {
    if (error instanceof TypeError) return null
    throw error
  }
}

/**
 * Sends the request, and returns what the client and the log show. An answer of the provider on localhost is not the
 * vault's, and neither is a connection that it closes.
 */
async function send(request: Request) {
  const lines: string[] = []
  for (const method of ['log', 'info', 'warn', 'error'] as const) {
    vi.spyOn(console, method).mockImplementation((...args) => void lines.push(args.join(' ')))
  }
  const teams = { JWT_TEAM_CLAIM: 'org_id', JWT_TEAM_ADMIN: 'org_role=admin' }
  const vault = { ...env, ...teams, VERIFY_ON_SAVE: 'false' }
  const response = await app.fetch(request, vault, createExecutionContext())
  const body = new TextDecoder().decode(await response.arrayBuffer())
  const isRelayed = new URL(request.url).pathname.startsWith('/relay/')
  const code = response.headers.get('X-Vault-Error')
  const isProviders = isRelayed && (code === null || code === 'provider_unreachable')
  const shown = isProviders ? '' : JSON.stringify([...response.headers]) + body
  return { isFault: !isProviders && response.status >= 500, shown, logged: lines.join('\n') }
}

it('no request gets a fault, a stack, an echo or an undocumented answer', FUZZED, async () => {
  const userId = await someKeyUser(someKey())
  const tokens = await someTokens(userId)
  const property = fc.asyncProperty(anyRequest(userId, [...tokens.keys()]), async (sent) => {
    const request = toRequest(sent, tokens.get(sent.token))
    if (request === null) return
    const { isFault, shown, logged } = await send(request)
    expect(isFault).toBe(false)
    expectQuiet(shown)
    expect(logged).not.toContain(MARK)
  })
  await expectAlways(property)
})
