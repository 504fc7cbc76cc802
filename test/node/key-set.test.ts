import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { describe, expect, it, onTestFinished } from 'vitest'
import { listen, stop } from '../../scripts/lib/local-server.ts'
import { startVault } from './start-vault.ts'
import { startWorkerd } from './workerd.ts'

/** An identity provider that holds its answers back until they are released. */
async function startProvider() {
  const { privateKey, publicKey } = await generateKeyPair('ES256')
  const jwk = { ...(await exportJWK(publicKey)), kid: 'key', alg: 'ES256' }
  let released = Promise.withResolvers<void>()
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
    hold: () => (released = Promise.withResolvers()),
    release: () => released.resolve(),
    requests: () => requests,
  }
}

/** A Worker that only verifies tokens. A request sets how many ms its clock is ahead. */
const verifierWorker = (jwksUrl: string) => `
  import { tokenVerifier } from '../../src/tokens/access-token.ts'

  const source = { kind: 'key_set', url: new URL('${jwksUrl}'), issuer: 'https://id.test/', audience: 'vault' }
  const verify = tokenVerifier(source, { identityClaim: 'sub', scope: null, pageClient: null })
  const now = Date.now
  let ahead = 0
  Date.now = () => now() + ahead

  export default {
    async fetch(request) {
      ahead = Number(request.headers.get('X-Ahead') ?? ahead)
      const [, token] = request.headers.get('Authorization').split(' ')
      return verify(token).then(() => new Response(), ({ code }) => new Response(code, { status: 503 }))
    },
  }`

/** Sends a request with a forged token, and resets the connection (RST) when `begun`. */
async function sendAndReset(url: URL, begun: Promise<unknown>): Promise<void> {
  const token = [{ alg: 'ES256', kid: 'key' }, { sub: 'user' }, 0]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
  const socket = connect(Number(url.port), url.hostname)
  socket.write(
    `GET / HTTP/1.1\r\nHost: ${url.host}\r\nX-Ahead: 600001\r\nAuthorization: Bearer ${token}\r\n\r\n`,
  )
  await begun
  socket.resetAndDestroy()
  await once(socket, 'close')
}

describe('a fetch of an identity provider’s keys', () => {
  it('continues after the request that began it has ended, and serves other requests', async () => {
    const provider = await startProvider()
    const url = await startWorkerd(verifierWorker(provider.url))
    const first = provider.asked()
    const statusOf = async () => (await fetch(url, { headers: provider.headers })).status
    const before = statusOf()
    await first
    provider.release()
    expect(await before).toBe(200)

    provider.hold()
    await sendAndReset(url, provider.asked())
    const after = Array.from({ length: 10 }, statusOf)
    provider.release()
    expect(await Promise.all(after)).toEqual(after.map(() => 200))
    expect(provider.requests()).toBe(2)
  })
})

describe('an isolate without keys', () => {
  it('fetches the keys once for all concurrent requests', async () => {
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
