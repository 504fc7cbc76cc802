/** The OpenAPI document has every route, and an answer that it lacks fails a test. */

import { describe, expect, it } from 'vitest'
import document from '../src/page/reference/openapi.json'
import { expectDocumented } from './contract.ts'
import { app, call, keyPath, URL_BASE } from './support.ts'

it('the OpenAPI document has the routes of the app, and no others', () => {
  const served = app.routes
    .filter(({ method, path }) => method !== 'ALL' && path !== '/')
    .map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`)
  const documented = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.keys(item)
      .filter((key) => key !== 'parameters')
      .map((method) => `${method.toUpperCase()} ${path}`),
  )
  expect(documented.toSorted()).toEqual([...new Set(served)].toSorted())
})

describe('expectDocumented', () => {
  const limited = { error: 'Too many requests', code: 'rate_limited' }

  it.for<[fault: string, status: number, body: object, message: RegExp]>([
    ['a status that the document does not have', 418, limited, /418 is in the OpenAPI document/],
    [
      'a code that its status does not have',
      404,
      { error: 'Not found', code: 'not_found' },
      /404 has a body/,
    ],
    ['the code of another status', 404, limited, /404 has a body/],
    ['another sentence', 404, { error: 'Nobody', code: 'user_not_found' }, /404 has a body/],
    ['one more field', 200, { has_api_key: false, key: 'sk-1' }, /200 has a body/],
    ['a field less', 200, { has_api_key: true }, /200 has a body/],
    ['a header less', 429, limited, /429 has Retry-After/],
    [
      'no code in its header',
      404,
      { error: 'User not found', code: 'user_not_found' },
      /404 has its code in X-Vault-Error/,
    ],
  ])('fails an answer with %s', async ([, status, body, message]) => {
    const request = new Request(URL_BASE + keyPath('user'))
    const answer = expectDocumented(request, Response.json(body, { status }))
    await expect(answer).rejects.toThrow(message)
  })

  const refused = { message: 'No', type: 'vault_error', code: 'not_found', status: 'not_found' }

  it.for<[fault: string, code: string, body: object, message: RegExp]>([
    ['the form of the API', 'not_found', { error: 'No', code: 'not_found' }, /the form for SDKs/],
    ['one more field', 'not_found', { type: 'error', error: refused, key: 1 }, /form for SDKs/],
    ['another code in its header', 'internal', { type: 'error', error: refused }, /X-Vault-Error/],
  ])('fails a refusal of the relay with %s', async ([, code, body, message]) => {
    const request = new Request(`${URL_BASE}/relay/openai/v1`)
    const headers = { 'X-Vault-Error': code }
    const answer = expectDocumented(request, Response.json(body, { status: 404, headers }))
    await expect(answer).rejects.toThrow(message)
  })

  it('fails an answer of a route that the document does not have', async () => {
    const request = new Request(`${URL_BASE}/api/nowhere`)
    const answer = expectDocumented(request, Response.json({ status: 'ok' }))
    await expect(answer).rejects.toThrow(/nowhere: 200 is in the OpenAPI document/)
    expect((await call('GET', '/api/nowhere')).status).toBe(404)
  })
})
