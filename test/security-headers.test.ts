/** The security headers of every answer that is not a page. */

import { expect, it } from 'vitest'
import { call, keyPath, mintToken, putKey, someKeyUser, someUser } from './support.ts'

type Ask = () => Promise<Response>

/** Calls the provider through the relay. */
async function useRelay(): Promise<Response> {
  const token = await mintToken({ sub: await someKeyUser('sk-good-headers'), scope: 'relay' })
  return call('GET', '/relay/openai/v1/models', { token })
}

it.for<[name: string, status: number, ask: Ask, policy?: string]>([
  ['a save', 200, async () => putKey(await someUser(), 'sk-1')],
  ['a refused body', 400, async () => putKey(await someUser(), '')],
  ['a refused token', 401, async () => call('GET', keyPath('user'))],
  ['an unknown route', 404, async () => call('GET', '/nowhere')],
  ['another method', 405, async () => call('POST', keyPath('user'))],
  ['a misconfigured vault', 500, async () => putKey('user', '', { env: { JWT_SECRET_KEY: '' } })],
  ['a preflight', 204, async () => call('OPTIONS', keyPath('user'))],
  ['a relayed request', 200, useRelay, 'sandbox; '],
])('the answer to %s has the security headers', async ([, status, ask, policy = '']) => {
  const response = await ask()
  expect([response.status, Object.fromEntries(response.headers)]).toMatchObject([
    status,
    {
      'content-security-policy': `${policy}default-src 'none'; base-uri 'none'; frame-ancestors 'none'`,
      'cross-origin-resource-policy': 'same-origin',
      'referrer-policy': 'no-referrer',
      'strict-transport-security': 'max-age=31536000; includeSubDomains',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
    },
  ])
})
