import { expect, it, vi } from 'vitest'
import { fetchTokenEndpoint } from '../../src/http/token-endpoint.ts'

const ISSUER = 'https://id.example.com/tenant'
const ENDPOINT = 'https://id.example.com/token'

const answerWith = (body: string, init?: ResponseInit) =>
  vi.spyOn(globalThis, 'fetch').mockResolvedValue(new Response(body, init))

it('returns the endpoint that the metadata of the issuer names', async () => {
  const fetched = answerWith(JSON.stringify({ issuer: ISSUER, token_endpoint: ENDPOINT }))
  expect(await fetchTokenEndpoint(ISSUER)).toBe(ENDPOINT)
  const asked = new URL(`${ISSUER}/.well-known/openid-configuration`)
  expect(fetched).toHaveBeenCalledExactlyOnceWith(asked, expect.anything())
})

it.for<[body: string, init: ResponseInit, message: string]>([
  ['', { status: 404 }, 'OIDC_ISSUER answered with 404'],
  ['<h1>Sign in</h1>', {}, 'is not valid JSON'],
  ['{"issuer": "https://other.example.com"}', {}, 'names another issuer'],
  [
    JSON.stringify({ issuer: ISSUER, token_endpoint: 'http://id.example.com/token' }),
    {},
    'is not an https: URL',
  ],
])('refuses the answer %j', async ([body, init, message]) => {
  answerWith(body, init)
  await expect(fetchTokenEndpoint(ISSUER)).rejects.toThrow(message)
})
