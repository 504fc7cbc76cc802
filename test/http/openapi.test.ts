import { describe, expect, it } from 'vitest'
import document from '../../src/page/reference/openapi.json'
import { expectDocumented } from '../contract.ts'
import { app, call, keyPath, URL_BASE } from '../support.ts'

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

describe('an answer fails its test', () => {
  const limited = { error: 'Too many requests', code: 'rate_limited' }

  it.for<[fault: string, status: number, body: object, message: RegExp]>([
    ['with a status', 418, limited, /418 is in the OpenAPI document/],
    ['with a code', 404, { error: 'Not found', code: 'not_found' }, /404 has a body/],
    ['with the code of another status', 404, limited, /404 has a body/],
    ['with another sentence', 404, { error: 'Nobody', code: 'user_not_found' }, /404 has a body/],
    ['with a field', 200, { has_api_key: false, key: 'sk-1' }, /200 has a body/],
    ['without a field', 200, { has_api_key: true }, /200 has a body/],
    ['without a header', 429, limited, /429 has Retry-After/],
    [
      'without its code in a header',
      404,
      { error: 'User not found', code: 'user_not_found' },
      /404 has its code in X-Vault-Error/,
    ],
  ])('%s that the document does not have so', async ([, status, body, message]) => {
    const request = new Request(URL_BASE + keyPath('user'))
    const answer = expectDocumented(request, Response.json(body, { status }))
    await expect(answer).rejects.toThrow(message)
  })

  it('from a route that the document does not have', async () => {
    const request = new Request(`${URL_BASE}/api/nowhere`)
    const answer = expectDocumented(request, Response.json({ status: 'ok' }))
    await expect(answer).rejects.toThrow(/nowhere: 200 is in the OpenAPI document/)
    expect((await call('GET', '/api/nowhere')).status).toBe(404)
  })
})
