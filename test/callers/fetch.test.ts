/** What `vaultFetch` sends over a binding, and what it makes of the answer. The binding is a stub. */

import { expect, it, vi } from 'vitest'
import { vaultFetch } from '../../src/callers/fetch.ts'
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
  ['Zoë/%', 'Zo%C3%AB%2F%25'],
  ['auth0|a b', 'auth0%7Ca%20b'],
  ['a\r\nX-Other: b', 'a%0D%0AX-Other%3A%20b'],
] as const)('writes the user id %j as %s', async ([userId, encoded]) => {
  const { fetch, bound } = fetchOf(new Response('hello'), userId)
  await fetch(URL_ASKED)
  expect(bound.mock.lastCall?.[0].headers.get('X-Vault-User')).toBe(encoded)
})

it('replaces the user and the slot that a request names itself', async () => {
  const { fetch, bound } = fetchOf(new Response('hello'))
  const headers = { 'X-Vault-User': 'john', 'X-Vault-Provider': 'gemini' }
  await fetch(URL_ASKED, { headers })
  const sent = bound.mock.lastCall?.[0].headers
  expect([sent?.get('X-Vault-User'), sent?.get('X-Vault-Provider')]).toEqual(['jane', 'openai'])
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
    error: { type: 'vault_error', code, message, param: null, status: code },
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
  expect(await answer.json()).toMatchObject({ error: { message } })
})
