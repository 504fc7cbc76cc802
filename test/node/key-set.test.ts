import { once } from 'node:events'
import { createServer } from 'node:http'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { describe, expect, it, onTestFinished } from 'vitest'
import { listen, stop } from '../../scripts/lib/local-server.ts'
import { startVault } from './start-vault.ts'

/** An identity provider whose answers wait until they are released. */
async function startProvider() {
  const { privateKey, publicKey } = await generateKeyPair('ES256')
  const jwk = { ...(await exportJWK(publicKey)), kid: 'key', alg: 'ES256' }
  const released = Promise.withResolvers<void>()
  let requests = 0
  const server = createServer((_request, response) => {
    requests += 1
    void released.promise.then(() => response.end(JSON.stringify({ keys: [jwk] })))
  })
  const port = await listen(server)
  onTestFinished(async () => stop(server))
  const token = await new SignJWT({ sub: 'user', iss: 'https://id.test/', aud: 'vault' })
    .setProtectedHeader({ alg: 'ES256', kid: 'key' })
    .setExpirationTime('1h')
    .sign(privateKey)
  return {
    url: `http://127.0.0.1:${port}/jwks.json`,
    headers: { Authorization: `Bearer ${token}` },
    asked: async () => once(server, 'request'),
    release: () => released.resolve(),
    requests: () => requests,
  }
}

describe('an isolate that has no keys yet', () => {
  it('fetches them once for all the requests that come meanwhile', async () => {
    const provider = await startProvider()
    const vault = await startVault({
      JWT_JWKS_URL: provider.url,
      JWT_ISSUER: 'https://id.test/',
      JWT_AUDIENCE: 'vault',
    })
    onTestFinished(vault.close)
    const asked = provider.asked()
    const requests = Array.from({ length: 20 }, async () =>
      fetch(vault.keyUrl, { headers: provider.headers }),
    )
    await asked
    provider.release()
    const statuses = (await Promise.all(requests)).map(({ status }) => status)
    expect(statuses).toEqual(requests.map(() => 200))
    expect(provider.requests()).toBe(1)
  })
})
