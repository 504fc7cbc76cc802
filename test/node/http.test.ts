import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, it } from 'vitest'
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

it('a chunked body is limited to 16 KiB', async () => {
  const body = ['{"api_key":', ' '.repeat(8_192), '"sk-1234567890"}']
  expect(await put(body)).toMatchObject({ status: 200 })
  const large = await put([...body, ' '.repeat(8_192)])
  expect(large).toMatchObject({ status: 413 })
  expect(large.body).toContain('"body_too_large"')
})

it('a body with a Content-Length is limited to 16 KiB', async () => {
  const body = '{"api_key":"sk-1"}'.padEnd(16_385, ' ')
  expect(await put([body], { 'Content-Length': '16385' })).toMatchObject({ status: 413 })
})

it('GET / gets the page, even if it has a body', async () => {
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
])('browsers are told how to treat %s', async ([path, type, status]) => {
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
  'a TRACE of %s is not echoed',
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

it('a body without a Content-Type is a 400', async () => {
  const { status, body } = await put(['{"api_key":"sk-1"}'], { 'Content-Type': '' })
  expect(status).toBe(400)
  expect(body).toContain('The Content-Type is missing; send Content-Type: application/json.')
})

it('no key and no token is logged', async () => {
  const sentinel = `sk-sentinel-${crypto.randomUUID()}`
  expect(await put([`{"api_key":"${sentinel}"}`])).toMatchObject({ status: 200 })
  expect(await put([`{"api_key":"${sentinel}`])).toMatchObject({ status: 400 })
  await expect.poll(() => vault.logs().join('\n')).toContain('"event":"request"')
  const logs = vault.logs()
  expect(logs.filter((line) => line.includes(sentinel))).toEqual([])
  expect(logs.filter((line) => line.includes(authorization.slice(7)))).toEqual([])
})
