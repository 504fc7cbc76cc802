import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { mintFlaskTokens } from './flask.ts'
import { mintToken, startVault } from './start-vault.ts'

let vault: Awaited<ReturnType<typeof startVault>>
let authorization: string

beforeAll(async () => {
  vault = await startVault()
  const token = await mintToken(vault.secret, 'user')
  authorization = `Bearer ${token}`
})
afterAll(async () => vault.close())

interface Answer {
  status: number | undefined
  body: string
}

/** PUTs `chunks` one after another. The body is chunked if no Content-Length is given. */
async function put(chunks: string[], headers: Record<string, string> = {}): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const json = { 'Content-Type': 'application/json', Authorization: authorization, ...headers }
  const sent = request(vault.keyUrl.href, { method: 'PUT', headers: json }, (response) => {
    text(response).then((body) => resolve({ status: response.statusCode, body }), reject)
  })
  sent.on('error', reject)
  for (const chunk of chunks) sent.write(chunk)
  sent.end()
  return promise
}

describe('the Worker over HTTP', () => {
  it('limits a chunked body to 16 KiB, and accepts a smaller one', async () => {
    const body = ['{"api_key":', ' '.repeat(8_192), '"sk-1234567890"}']
    expect(await put(body)).toMatchObject({ status: 200 })
    const large = await put([...body, ' '.repeat(8_192)])
    expect(large).toMatchObject({ status: 413 })
    expect(large.body).toContain('"body_too_large"')
  })

  it('limits a body with a Content-Length', async () => {
    const body = '{"api_key":"sk-1"}'.padEnd(16_385, ' ')
    expect(await put([body], { 'Content-Length': '16385' })).toMatchObject({ status: 413 })
  })

  it('answers GET / with the page, even if the request has a body', async () => {
    const { promise, resolve, reject } = Promise.withResolvers<number | undefined>()
    const { href } = new URL('/', vault.keyUrl)
    const headers = { 'Content-Length': '100000' }
    const sent = request(href, { method: 'GET', headers }, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
    sent.on('error', reject).end('x'.repeat(100_000))
    expect(await promise).toBe(200)
    expect(vault.logs().filter((line) => /uncaught|internal/i.test(line))).toEqual([])
  })

  it.for<[path: string, type: string, status: number]>([
    ['/', 'text/html; charset=utf-8', 200],
    ['/page.js', 'text/javascript; charset=utf-8', 200],
    ['/page.css', 'text/css; charset=utf-8', 200],
    ['/api-key-settings.js', 'text/javascript; charset=utf-8', 200],
    ['/openapi.json', 'application/json', 200],
    ['/reference', 'text/html; charset=utf-8', 200],
    ['/nowhere', 'application/json', 404],
    ['/.git/config', 'application/json', 404],
    ['/_headers', 'application/json', 404],
  ])('tells browsers how to treat %s', async ([path, type, status]) => {
    const { status: answered, headers } = await fetch(new URL(path, vault.keyUrl))
    expect([answered, headers.get('Content-Type')]).toEqual([status, type])
    expect(Object.fromEntries(headers)).toMatchObject({
      'content-security-policy': expect.stringMatching(/^default-src 'none';.*base-uri 'none';/),
      'referrer-policy': 'no-referrer',
      'strict-transport-security': 'max-age=31536000; includeSubDomains',
      'x-content-type-options': 'nosniff',
    })
    expect(headers.get('Content-Security-Policy')).toContain("frame-ancestors 'none'")
  })

  it.for(['/', '/page.js', '/api/config', '/api/users/user/api-key'])(
    'does not echo a TRACE of %s',
    async (path) => {
      const { promise, resolve, reject } = Promise.withResolvers<Answer>()
      const headers = { Authorization: authorization }
      const { href } = new URL(path, vault.keyUrl)
      const sent = request(href, { method: 'TRACE', headers }, (response) => {
        text(response).then((body) => resolve({ status: response.statusCode, body }), reject)
      })
      sent.on('error', reject).end()
      const { status, body } = await promise
      expect(status).toBe(405)
      expect(body).not.toContain(authorization.slice(7))
    },
  )

  it('answers 400 to a body without a Content-Type', async () => {
    const { status, body } = await put(['{"api_key":"sk-1"}'], { 'Content-Type': '' })
    expect(status).toBe(400)
    expect(body).toContain('The Content-Type is missing; send Content-Type: application/json.')
  })

  it('logs no key and no token', async () => {
    const sentinel = `sk-sentinel-${crypto.randomUUID()}`
    expect(await put([`{"api_key":"${sentinel}"}`])).toMatchObject({ status: 200 })
    expect(await put([`{"api_key":"${sentinel}`])).toMatchObject({ status: 400 })
    const logs = vault.logs()
    expect(logs.some((line) => line.includes('"event":"request"'))).toBe(true)
    expect(logs.filter((line) => line.includes(sentinel))).toEqual([])
    expect(logs.filter((line) => line.includes(authorization.slice(7)))).toEqual([])
  })
})

const mintedByFlask = mintFlaskTokens('user')

describe.runIf(mintedByFlask)('a token of flask-jwt-extended', () => {
  const get = async (kind: 'access' | 'refresh') => {
    const token = mintedByFlask?.(vault.secret)[kind]
    return fetch(vault.keyUrl, { headers: { Authorization: `Bearer ${token}` } })
  }

  it('is accepted', async () => {
    expect((await get('access')).status).toBe(200)
  })

  it('is accepted for an integer identity', async () => {
    await vault.sql('INSERT INTO users (id) VALUES (?)', '7')
    const token = mintFlaskTokens(7)?.(vault.secret).access ?? ''
    const [, claims = ''] = token.split('.')
    expect(JSON.parse(Buffer.from(claims, 'base64url').toString())).toMatchObject({ sub: 7 })
    const url = new URL('/api/users/7/api-key', vault.keyUrl)
    const headers = { Authorization: `Bearer ${token}` }
    expect((await fetch(url, { headers })).status).toBe(200)
  })

  it('is accepted with the identity claim of its backend', async () => {
    const other = await startVault({ JWT_IDENTITY_CLAIM: 'identity' })
    onTestFinished(other.close)
    const statusOf = async (claim?: string) => {
      const token = mintFlaskTokens('user', claim)?.(other.secret).access
      const headers = { Authorization: `Bearer ${token}` }
      return (await fetch(other.keyUrl, { headers })).status
    }
    expect([await statusOf('identity'), await statusOf()]).toEqual([200, 401])
  })

  it('is refused if it is the refresh token', async () => {
    const response = await get('refresh')
    expect(response.status).toBe(401)
    expect(await response.json()).toMatchObject({
      code: 'token_invalid',
      detail: 'Its "type" is not "access": send the access token, not an ID or refresh token.',
    })
  })
})
