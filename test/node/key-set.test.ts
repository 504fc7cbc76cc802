import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { listen, stop } from '../../scripts/lib/local-server.ts'
import { bundleWorker } from '../../scripts/lib/worker-bundle.ts'
import { startDirectVault } from './direct-vault.ts'

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
    close: async () => stop(server),
  }
}

type IdentityProvider = Awaited<ReturnType<typeof startProvider>>

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

let forVerifier: IdentityProvider
let forVault: IdentityProvider
let vault: Awaited<ReturnType<typeof startDirectVault>>

beforeAll(async () => {
  ;[forVerifier, forVault] = await Promise.all([startProvider(), startProvider()])
  const verifier = {
    name: 'verifier',
    modules: true,
    script: await bundleWorker('test/node/verifier-worker.ts'),
    compatibilityDate: '2026-08-03',
    bindings: { KEY_SET: forVerifier.url },
  }
  const vars = {
    JWT_SECRET_KEY: '',
    JWT_JWKS_URL: forVault.url,
    JWT_ISSUER: 'https://id.test/',
    JWT_AUDIENCE: 'vault',
  }
  vault = await startDirectVault(vars, { others: [verifier] })
})
afterAll(async () => {
  await vault.close()
  await Promise.all([forVerifier.close(), forVault.close()])
})

it('a fetch of keys goes on after its request has ended, and serves other requests', async () => {
  const { headers } = forVerifier
  const url = new URL(await vault.urlOf('verifier'))
  const first = forVerifier.asked()
  const statusOf = async () => (await fetch(url, { headers })).status
  const before = statusOf()
  await first
  forVerifier.release()
  expect(await before).toBe(200)

  forVerifier.hold()
  await sendAndReset(url, forVerifier.asked())
  const after = Array.from({ length: 10 }, statusOf)
  forVerifier.release()
  expect(await Promise.all(after)).toEqual(after.map(() => 200))
  expect(forVerifier.requests()).toBe(2)
})

it('an isolate without keys fetches them once for all concurrent requests', async () => {
  const { headers } = forVault
  const url = new URL('/api/users/user/api-key', vault.url)
  const asked = forVault.asked()
  const requests = Array.from({ length: 20 }, async () => fetch(url, { headers }))
  await asked
  forVault.release()
  const statuses = (await Promise.all(requests)).map(({ status }) => status)
  expect(statuses).toEqual(requests.map(() => 200))
  expect(forVault.requests()).toBe(1)
})
