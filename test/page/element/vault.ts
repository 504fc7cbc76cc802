/** Stands for the vault: a `fetch` that answers as a test says, and tokens of a host application. */

import { onTestFinished, vi } from 'vitest'
import type { GetToken } from '../../../src/page/element/host.ts'
import type { Access } from '../../../src/page/element/vault-client.ts'

type Answer = Response | (() => Promise<Response>)

/** For the current test, `fetch` gives these answers in turn, and the device is online or not. */
export function standForVault(answers: readonly Answer[], { onLine = true } = {}) {
  const left = [...answers]
  const fetched = vi.fn<(url: string, init: RequestInit) => Promise<Response>>(async () => {
    const answer = left.shift()
    if (answer === undefined) throw new Error('One request too many')
    return answer instanceof Response ? answer : answer()
  })
  vi.stubGlobal('fetch', fetched)
  vi.stubGlobal('navigator', { onLine })
  onTestFinished(() => {
    vi.unstubAllGlobals()
  })
  return {
    /** Each request, as a method and a URL. */
    asked: () => fetched.mock.calls.map(([url, init]) => `${init.method ?? 'GET'} ${url}`),
    /** The last request. */
    last: () => {
      const [url = '', init] = fetched.mock.lastCall ?? []
      const headers = Object.fromEntries(new Headers(init?.headers))
      const body: unknown = typeof init?.body === 'string' ? JSON.parse(init.body) : undefined
      return { url, method: init?.method ?? 'GET', headers, body, init }
    },
    /** The token of each request. */
    tokens: () =>
      fetched.mock.calls.map(([, init]) => new Headers(init.headers).get('Authorization')),
  }
}

const USER = {
  baseUrl: 'https://vault.test',
  kind: 'users',
  id: 'user-1',
  userId: 'user-1',
  canSignIn: () => false,
  signIn: async () => {},
} as const

/** A call of the user `user-1`, whose application gives these tokens in turn. */
export function someCall(
  tokens: (string | Error)[] = ['token-1', 'token-2'],
  access: Partial<Access> = {},
) {
  const getToken = vi.fn<GetToken>(async () => {
    const token = tokens.shift() ?? new Error('no session')
    if (token instanceof Error) throw token
    return token
  })
  const end = new AbortController()
  const call = {
    access: { ...USER, getToken, ...access },
    signal: end.signal,
  }
  return {
    ...call,
    call,
    end,
    refreshes: () => getToken.mock.calls.map(([{ refresh }]) => refresh),
  }
}

/** An error answer of the vault. */
export function refuse(status: number, code: string, more: object = {}): Response {
  return Response.json({ error: code, code, request_id: 'request-1', ...more }, { status })
}

/** An answer that breaks off after its head. */
export function breakOff(): Response {
  const body = new ReadableStream({ start: (stream) => stream.error(new TypeError('terminated')) })
  return new Response(body)
}
