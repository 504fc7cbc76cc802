/** What `vaultFetch` and `relayFetch` send to the vault, and what they make of the answer. The vault is a stub. */

import { expect, it, vi } from 'vitest'
import { relayFetch, vaultFetch } from '../../src/callers/fetch.ts'
import { errorCode } from '../../src/shared/answers.ts'
import { CODES, type ErrorCode } from '../../src/shared/error-code.ts'

const URL_ASKED = 'https://api.openai.com/v1/chat?a=%20b'

/** A `fetch` for the user's key at OpenAI, over a binding that always answers with `answer`. */
function fetchOf(answer: Response, userId = 'jane') {
  const bound = vi.fn<(request: Request) => Promise<Response>>(async () => answer)
  return { fetch: vaultFetch({ fetch: bound }, { userId, provider: 'openai' }), bound }
}

/** What the vault answers to refuse a request. */
function refusalOf(code: ErrorCode, detail?: string): Response {
  const { status, error } = CODES[code]
  const headers = { 'X-Vault-Error': code, 'Retry-After': '60', 'Content-Length': '7' }
  return new Response(JSON.stringify({ error, code, detail }), { status, headers })
}

it.for<[form: string, input: string | URL | Request]>([
  ['a text', URL_ASKED],
  ['a URL', new URL(URL_ASKED)],
  ['a Request', new Request(URL_ASKED)],
])('asks the vault with the URL of %s, and the user and the slot in headers', async ([, input]) => {
  const { fetch, bound } = fetchOf(new Response('hello'))
  await fetch(input, { method: 'POST', body: 'the body', headers: { 'X-Own': 'own' } })
  const sent = bound.mock.lastCall?.[0]
  expect(sent?.url).toBe(URL_ASKED)
  expect(sent).toMatchObject({ method: 'POST', redirect: 'manual' })
  expect(await sent?.text()).toBe('the body')
  expect(Object.fromEntries(sent?.headers ?? [])).toMatchObject({
    'x-own': 'own',
    'x-vault-user': 'jane',
    'x-vault-provider': 'openai',
  })
})

it('keeps the method, the body and the headers of a Request', async () => {
  const { fetch, bound } = fetchOf(new Response('hello'))
  const headers = { Authorization: 'Bearer in the vault' }
  await fetch(new Request(URL_ASKED, { method: 'PUT', body: 'the body', headers }))
  const sent = bound.mock.lastCall?.[0]
  expect(sent?.method).toBe('PUT')
  expect(sent?.headers.get('Authorization')).toBe('Bearer in the vault')
  expect(await sent?.text()).toBe('the body')
})

it.for([
  ['openai:work', 'openai:work'],
  ['openai:仕事', 'openai:%E4%BB%95%E4%BA%8B'],
])('writes the slot %s as %s', async ([provider = '', encoded]) => {
  const bound = vi.fn<(request: Request) => Promise<Response>>(async () => new Response('hello'))
  await vaultFetch({ fetch: bound }, { userId: 'jane', provider })(URL_ASKED)
  expect(bound.mock.lastCall?.[0].headers.get('X-Vault-Provider')).toBe(encoded)
})

it.for([
  ['Zoë/%', 'Zo%C3%AB%2F%25'],
  ['auth0|a b', 'auth0%7Ca%20b'],
  ['a\r\nX-Other: b', 'a%0D%0AX-Other%3A%20b'],
] as const)('writes the user id %j as %s', async ([userId, encoded]) => {
  const { fetch, bound } = fetchOf(new Response('hello'), userId)
  await fetch(URL_ASKED)
  expect(bound.mock.lastCall?.[0].headers.get('X-Vault-User')).toBe(encoded)
})

it('drops the vault’s headers of a request, and names the user and the slot', async () => {
  const { fetch, bound } = fetchOf(new Response('hello'))
  const told = ['user', 'provider', 'team', 'key', 'slot', 'condition', 'error', 'anything']
  const headers = Object.fromEntries(told.map((name) => [`X-VAULT-${name}`, 'john']))
  await fetch(URL_ASKED, { headers: { ...headers, 'X-Vaulted': 'own' } })
  expect(Object.fromEntries(bound.mock.lastCall?.[0].headers ?? [])).toEqual({
    'x-vault-user': 'jane',
    'x-vault-provider': 'openai',
    'x-vaulted': 'own',
  })
})

it('passes the signal of a request on', async () => {
  const { fetch, bound } = fetchOf(new Response('hello'))
  const leaving = new AbortController()
  await fetch(URL_ASKED, { signal: leaving.signal })
  leaving.abort()
  expect(bound.mock.lastCall?.[0].signal.aborted).toBe(true)
})

it.for([
  ['an answer', new Response('hello')],
  ['an error', new Response('{"error": {}}', { status: 500 })],
  ['a redirect', new Response(null, { status: 307, headers: { Location: '/v2' } })],
] as const)('returns %s of the provider as it is', async ([, answer]) => {
  expect(await fetchOf(answer).fetch(URL_ASKED)).toBe(answer)
})

it.for<[code: ErrorCode, status: number, retry: string | null]>([
  ['no_api_key', 404, null],
  ['not_granted', 403, null],
  ['rate_limited', 429, null],
  ['limit_reached', 429, 'false'],
  ['provider_unreachable', 502, null],
  ['database_busy', 503, null],
  // An SDK would repeat a request after a 500.
  ['internal', 424, 'false'],
  ['api_key_unreadable', 424, 'false'],
])('an SDK gets the refusal %s with the status %i', async ([code, status, retry]) => {
  const answer = await fetchOf(refusalOf(code)).fetch(URL_ASKED)
  const message = `The key vault refused (${code}): ${CODES[code].error}.`
  expect(await answer.json()).toEqual({
    type: 'error',
    error: { type: 'vault_error', code, message, status: code },
  })
  expect(answer.status).toBe(status)
  expect(Object.fromEntries(answer.headers)).toEqual({
    'content-type': 'text/plain;charset=UTF-8',
    'retry-after': '60',
    'x-vault-error': code,
    ...(retry !== null && { 'x-should-retry': retry }),
  })
})

it('an SDK is told to give up if the same request may not succeed soon', async () => {
  const told: string[] = []
  for (const code of errorCode.options) {
    const answer = await fetchOf(refusalOf(code)).fetch(URL_ASKED)
    if (answer.headers.get('X-Should-Retry') === 'false') told.push(code)
  }
  const isFinal = (code: ErrorCode) => ['next_period', undefined].includes(CODES[code].retry)
  // After a lower status of a use, SDKs do not try again anyway.
  expect(told).toEqual(
    errorCode.options.filter((code) => CODES[code].status >= 429 && isFinal(code)),
  )
})

it('the message to an SDK has the detail of a refusal', async () => {
  const detail = 'Known providers: openai.'
  const answer = await fetchOf(refusalOf('unknown_provider', detail)).fetch(URL_ASKED)
  const message = `The key vault refused (unknown_provider): Unknown provider. ${detail}`
  expect(await answer.json()).toMatchObject({ error: { message, detail } })
})

/** A `fetch` through a relay that always answers with `answer`. */
function relayedFetch(options: Partial<Parameters<typeof relayFetch>[0]> = {}) {
  const sent = vi.spyOn(globalThis, 'fetch').mockImplementation(async () => new Response('hello'))
  const vault = 'https://vault.example.com'
  const fetch = relayFetch({ vault, token: 'the-token', provider: 'openai', ...options })
  return {
    fetch,
    sent: async () => {
      const [[request] = []] = sent.mock.calls.slice(-1)
      if (!(request instanceof Request)) throw new Error('Nothing was sent')
      return request
    },
  }
}

const ROOT = 'https://vault.example.com/relay/openai'

it.for<[asked: string, url: string]>([
  ['https://api.openai.com/v1/x?y', `${ROOT}/v1/x?y`],
  ['https://api.openai.com', `${ROOT}/`],
  ['https://api.openai.com/v1/x?', `${ROOT}/v1/x?`],
  ['https://api.openai.com/v1/$&/%2F?a=%20b&c=$1+d', `${ROOT}/v1/$&/%2F?a=%20b&c=$1+d`],
  ['https://api.openai.com//v1//x', `${ROOT}//v1//x`],
  ['http://127.0.0.1:8080/v1', `${ROOT}/v1`],
  [`${ROOT}/v1/x?y`, `${ROOT}/v1/x?y`],
])('relayFetch asks %s at %s', async ([asked, url]) => {
  const { fetch, sent } = relayedFetch()
  await fetch(asked)
  expect((await sent()).url).toBe(url)
})

it.for([
  ['https://vault.example.com/', 'openai:work', 'https://vault.example.com/relay/openai:work/v1'],
  [
    'https://vault.example.com',
    'openai:仕事',
    'https://vault.example.com/relay/openai:%E4%BB%95%E4%BA%8B/v1',
  ],
  ['http://localhost:8787/keys//', 'openai', 'http://localhost:8787/keys/relay/openai/v1'],
] as const)('relayFetch finds the relay of the vault at %s', async ([vault, provider, url]) => {
  const { fetch, sent } = relayedFetch({ vault, provider })
  await fetch('https://api.openai.com/v1')
  expect((await sent()).url).toBe(url)
})

it('relayFetch sends the token alone, and nothing else that a vault obeys', async () => {
  const { fetch, sent } = relayedFetch()
  const headers = {
    Authorization: 'Bearer own',
    'X-Api-Key': 'own',
    'X-Goog-Api-Key': 'own',
    'Api-Key': 'own',
    'Cf-Access-Jwt-Assertion': 'own',
    Cookie: 'a=b',
    Host: 'app.example.com',
    'X-Vault-User': 'john',
    'OpenAI-Beta': 'kept',
  }
  const response = await fetch('https://api.openai.com/v1', { method: 'POST', body: 'a', headers })
  const request = await sent()
  expect(Object.fromEntries(request.headers)).toEqual({
    authorization: 'Bearer the-token',
    'content-type': 'text/plain;charset=UTF-8',
    'openai-beta': 'kept',
  })
  expect(request).toMatchObject({ method: 'POST', redirect: 'manual' })
  expect([await request.text(), await response.text()]).toEqual(['a', 'hello'])
})

it('relayFetch asks for a token for each request', async () => {
  let count = 0
  const { fetch, sent } = relayedFetch({ token: async () => `token-${++count}` })
  await fetch('https://api.openai.com/v1')
  await fetch('https://api.openai.com/v1')
  expect((await sent()).headers.get('Authorization')).toBe('Bearer token-2')
})

it('relayFetch fails without a request if there is no token', async () => {
  const { fetch, sent } = relayedFetch({ token: async () => Promise.reject(new Error('no')) })
  await expect(fetch('https://api.openai.com/v1')).rejects.toThrow('no')
  await expect(sent()).rejects.toThrow('Nothing was sent')
})

const form = () => {
  const made = new FormData()
  made.set('file', new Blob(['in a form']), 'a.txt')
  return made
}

it.for<[kind: string, body: () => RequestInit['body'], sent: string]>([
  ['a text', () => 'a text', 'a text'],
  ['bytes', () => new TextEncoder().encode('bytes'), 'bytes'],
  ['a blob', () => new Blob(['a blob']), 'a blob'],
  ['parameters', () => new URLSearchParams({ a: 'b' }), 'a=b'],
  ['a stream', () => new Blob(['a stream']).stream(), 'a stream'],
  ['a form', form, 'in a form'],
])('relayFetch sends %s', async ([, body, text]) => {
  const { fetch, sent } = relayedFetch()
  await fetch('https://api.openai.com/v1', { method: 'POST', body: body() ?? null })
  const type = (await sent()).headers.get('Content-Type')
  expect(await textIn(await sent())).toBe(text)
  expect(type?.startsWith('multipart/form-data; boundary=') ?? false).toBe(text === 'in a form')
})

/** The body, or the file of a form. */
async function textIn(request: Request): Promise<string> {
  if (request.headers.get('Content-Type')?.startsWith('multipart/') !== true) return request.text()
  const file = (await request.formData()).get('file')
  return file instanceof File ? file.text() : ''
}

it('relayFetch sends the body of a Request, and ends with its signal', async () => {
  const { fetch, sent } = relayedFetch()
  const leaving = new AbortController()
  const { signal } = leaving
  await fetch(new Request('https://api.openai.com/v1', { method: 'PUT', body: 'own', signal }))
  const request = await sent()
  leaving.abort()
  expect(request).toMatchObject({ method: 'PUT', signal: { aborted: true } })
  expect(await request.text()).toBe('own')
})

it.for([
  ['falls back at the address of the provider', 'https://api.openai.com/v1', 2],
  ['never sends the key of the application to the vault', `${ROOT}/v1`, 1],
] as const)('relayFetch %s', async ([, url, requests]) => {
  const { fetch } = relayedFetch({ fallback: { apiKey: 'sk-app' } })
  const refused = refusalOf('no_api_key')
  vi.mocked(globalThis.fetch).mockResolvedValueOnce(refused)
  await fetch(url, { headers: { Authorization: 'Bearer in the vault' } })
  const sent = vi
    .mocked(globalThis.fetch)
    .mock.calls.map(([request]) =>
      request instanceof Request ? [request.url, request.headers.get('Authorization')] : [],
    )
  expect(sent).toEqual(
    [
      [`${ROOT}/v1`, 'Bearer the-token'],
      ['https://api.openai.com/v1', 'Bearer sk-app'],
    ].slice(0, requests),
  )
})
