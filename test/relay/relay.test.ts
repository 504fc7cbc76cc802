import { describe, expect, it } from 'vitest'
import { splitTarget } from '../../src/relay/relay.ts'
import { env } from '../isolate.ts'
import { call, mintToken, seenByProvider, someKey, someKeyUser } from '../support.ts'

/** A user with a key in the slot `openai`, and a token for the relay. */
async function someCaller() {
  const apiKey = `sk-good-${crypto.randomUUID()}`
  const userId = await someKeyUser(apiKey)
  return { apiKey, token: await mintToken({ sub: userId, scope: 'relay', azp: 'app' }) }
}

describe('a request through the relay', () => {
  it('a request reaches the provider with its method, path, query, body and the key', async () => {
    const { apiKey, token } = await someCaller()
    const path = '/relay/openai/v1/embeddings?a=%20b'
    const response = await call('POST', path, { token, body: { input: 'text' } })
    expect([response.status, await response.text()]).toEqual([200, '{"data": []}'])
    expect(response.headers.get('X-Vault-Location')).toBeNull()
    expect(await seenByProvider(apiKey)).toMatchObject([
      {
        method: 'POST',
        url: '/v1/embeddings?a=%20b',
        body: '{"input":"text"}',
        headers: { authorization: `Bearer ${apiKey}`, 'accept-encoding': 'identity' },
      },
    ])
  })

  it.for([
    ['br, gzip', 'gzip'],
    ['br', 'identity'],
  ])('a client that accepts %s makes the vault ask for %s', async ([accepted = '', asked]) => {
    const { apiKey, token } = await someCaller()
    const headers = { 'Accept-Encoding': accepted }
    await call('GET', '/relay/openai/v1/models', { token, headers })
    const [seen] = await seenByProvider(apiKey)
    expect(seen?.headers['accept-encoding']).toBe(asked)
  })

  it('a client sees the preview in the place of the key in an error', async () => {
    const apiKey = `sk-bad-${crypto.randomUUID()}`
    const token = await mintToken({ sub: await someKeyUser(apiKey), scope: 'relay', azp: 'app' })
    const response = await call('GET', '/relay/openai/v1/models', { token })
    expect([response.status, await response.json()]).toEqual([
      401,
      {
        error: {
          message: `Incorrect API key provided: ${apiKey.slice(0, 8)}...`,
          code: 'invalid_api_key',
        },
      },
    ])
  })

  it('a client gets the provider’s answer with the vault’s headers', async () => {
    const { token } = await someCaller()
    const response = await call('GET', '/relay/openai/redirect', { token })
    expect([response.status, response.headers.get('Location')]).toEqual([307, null])
    expect(response.headers.get('X-Vault-Location')).toMatch(/^http:\/\/localhost:\d+\/v1\/models$/)
    expect(response.headers.get('X-Vault-Request-Id')).not.toBeNull()
  })

  it.for([
    ['/relay/nowhere/v1', 'unknown_provider'],
    ['/relay/default/v1', 'unknown_provider'],
    ['/relay/openai/v1/..%2fadmin', 'origin_not_allowed'],
  ] as const)('a request to %s is refused with %s', async ([path, code]) => {
    const { token } = await someCaller()
    const response = await call('GET', path, { token })
    expect(response.headers.get('X-Vault-Error')).toBe(code)
  })
})

it('an SDK is told not to try again if the stored key cannot be decrypted', async () => {
  const userId = await someKeyUser(someKey())
  const sql = "UPDATE api_keys SET encrypted_api_key = 'v1.0123456789ab.AAAA' WHERE user_id = ?1"
  await env.DB.prepare(sql).bind(userId).run()
  const token = await mintToken({ sub: userId, scope: 'relay' })
  const { status, headers } = await call('GET', '/relay/openai/v1/models', { token })
  expect([status, headers.get('X-Vault-Error')]).toEqual([500, 'api_key_unreadable'])
  expect(headers.get('X-Should-Retry')).toBe('false')
})

const ORIGIN = 'https://vault.test'

describe('the address of a relayed request', () => {
  it.for<[address: string, root: string, path: string]>([
    ['/relay/openai', '/relay/openai', '/'],
    ['/relay/openai/', '/relay/openai', '/'],
    ['/relay/openai?a=1', '/relay/openai', '/?a=1'],
    ['/relay/openai/v1/chat', '/relay/openai', '/v1/chat'],
    ['/relay/openai/v1/chat?a=/b?c&d=..', '/relay/openai', '/v1/chat?a=/b?c&d=..'],
    ['/relay/openai//v1//', '/relay/openai', '//v1//'],
    ['/relay/openai/relay/openai/v1', '/relay/openai', '/relay/openai/v1'],
    ['/relay/a%20b/v1/%2f%41', '/relay/a%20b', '/v1/%2f%41'],
    ['/relay/openai/.../v1..2/.a', '/relay/openai', '/.../v1..2/.a'],
  ])('splits the address %s without a change', ([address, root, path]) => {
    expect(splitTarget(ORIGIN + address)).toEqual({ root, path })
  })

  it.for([
    '/relay/openai/..',
    '/relay/openai/./v1',
    '/relay/openai/v1/../v2',
    '/relay/openai/%2e%2E/v1',
    '/relay/openai/.%2e/v1',
    '/relay/openai/v1%2f..',
    '/relay/openai/v1%2F..%2fv2',
    '/relay/openai/v1%5c..%5Cv2',
    '/relay/openai/v1\\..\\v2',
    '/relay',
    '/other/relay/openai/v1',
    '/other//host/relay/openai/v1',
    '/relay/openai/v1?a=1\nb',
    '/api/users',
  ])('refuses the address %j', (address) => {
    expect(() => splitTarget(ORIGIN + address)).toThrow(
      expect.objectContaining({ code: 'origin_not_allowed' }),
    )
  })

  it('refuses an address that is not a URL', () => {
    expect(() => splitTarget('/relay/openai/v1')).toThrow(
      expect.objectContaining({ code: 'origin_not_allowed' }),
    )
  })
})
