/** Requests of any form to the relay: only the provider is called, and nobody sees what is another's. */

import { createExecutionContext } from 'cloudflare:test'
import { env } from '../isolate.ts'
import * as fc from 'fast-check'
import { expect, it, vi } from 'vitest'
import { errorCode } from '../../src/shared/answers.ts'
import { CODES, FAULTS } from '../../src/shared/error-code.ts'
import { saveSlot } from '../../src/keys/save.ts'
import { expectAlways, expectQuiet, FUZZED, MARK } from './fuzz.ts'
import {
  app,
  mintToken,
  ownerOf,
  PROVIDER,
  recordLogs,
  someKey,
  someUser,
  URL_BASE,
} from '../support.ts'
import { anyAnswered, anyForm, anyRelayed, KEY, TOKEN } from './any-relayed.ts'
import type { Answered, Relayed } from './any-relayed.ts'

const NULL_BODY = new Set([204, 205, 304])

/** A user with a key in four slots, and a token for the relay. */
async function someClient(key: string) {
  const userId = await someUser()
  const owner = await ownerOf(userId)
  for (const slot of ['openai', 'openai:work', 'acme'])
    await saveSlot(owner, slot, { apiKey: key, verify: false })
  const baseUrl = `${PROVIDER}/tenant`
  await saveSlot(owner, 'own', { apiKey: key, baseUrl, verify: false })
  return mintToken({ sub: userId, scope: 'relay' })
}

/** Null if no client can send it, or not to the relay. */
function toRequest({ method, path, headers, body }: Relayed, token: string): Request | null {
  try {
    const all = new Headers()
    for (const [name, value] of headers) all.append(name, value.replace(TOKEN, token))
    const sent = method === 'GET' || method === 'HEAD' ? null : body
    const request = new Request(URL_BASE + path, { method, headers: all, body: sent })
    // A URL with enough dots names another route, such as the page.
    return new URL(request.url).pathname.startsWith('/relay/') ? request : null
  } catch (error) {
    if (error instanceof TypeError) return null
    throw error
  }
}

/** Null if no provider can send it. */
function toAnswer({ status, headers, body }: Answered, key: string): Response | null {
  try {
    const all = new Headers()
    for (const [name, value] of headers) all.append(name.replace(KEY, key), value.replace(KEY, key))
    return new Response(NULL_BODY.has(status) ? null : body, { status, headers: all })
  } catch (error) {
    if (error instanceof TypeError) return null
    throw error
  }
}

/** Replaces the network. @returns the requests that leave the vault */
function recordCalls(answer: Response): Request[] {
  const calls: Request[] = []
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    calls.push(new Request(input, { ...init, body: null }))
    return answer
  })
  return calls
}

/** Whether a path would climb, for a provider that decodes it. */
function climbs(path: string): boolean {
  const decoded = path.replaceAll(/%2e/gi, '.').replaceAll(/%(?:2f|5c)|\\/gi, '/')
  return /\/\.\.?(?:\/|$)/.test(decoded)
}

/** Whether the request went to the provider with the user's key, and without the token. */
function isSafe({ url, headers }: Request, key: string, token: string): boolean {
  const { origin, username, pathname } = new URL(url)
  const sent = JSON.stringify([...headers])
  const keys = sent.split(key).length - 1
  const isThere = origin === PROVIDER && username === '' && !climbs(pathname)
  return isThere && keys === 1 && !(url + sent).includes(token)
}

/** Whether the answer is the provider's, or a refusal that is documented. */
function isDocumented(response: Response, status: number, wasCalled: boolean): boolean {
  const { data: code } = errorCode.safeParse(response.headers.get('X-Vault-Error'))
  if (code === undefined) return response.status === (wasCalled ? status : 204)
  return response.status === CODES[code].status && !(code in FAULTS)
}

it('the relay calls the provider alone, and shows no key and no token', FUZZED, async () => {
  const key = someKey()
  const token = await someClient(key)
  const any = fc.record({ relayed: anyRelayed, answered: anyAnswered, form: anyForm })
  const property = fc.asyncProperty(any, async ({ relayed, answered, form }) => {
    const request = toRequest(relayed, token)
    const answer = toAnswer(answered, form(key))
    if (request === null || answer === null) return
    const logs = recordLogs()
    const calls = recordCalls(answer)
    const response = await app.fetch(request, env, createExecutionContext())
    expect(calls.filter((call) => !isSafe(call, key, token))).toEqual([])
    expect(isDocumented(response, answered.status, calls.length === 1)).toBe(true)
    const headers = JSON.stringify([...response.headers])
    expectQuiet(headers + (calls.length === 0 ? await response.text() : ''), key, form(key), token)
    expect(response.headers.has('Set-Cookie')).toBe(false)
    expect(response.headers.get('Location') ?? '/relay/a/').toMatch(/^\/relay\/[^/?]+\//)
    expect(response.headers.get('Content-Security-Policy')).toContain("default-src 'none'")
    expect(logs.text()).not.toMatch(new RegExp(`${key}|${token}|${MARK}`))
  })
  await expectAlways(property, 0.3)
})
