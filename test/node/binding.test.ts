import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createTestHarness } from 'wrangler'
import { applyMigrations, type MigratedDatabase } from '../../scripts/lib/migrations.ts'
import { signToken } from '../../scripts/lib/token.ts'
import { makeFernet } from '../import/make-fernet.ts'
import { enterFolder, runScript } from '../scripts/run-script.ts'
import { startProvider } from './provider-server.ts'
import { NO_VARS } from './wrangler-names.ts'

const GRANTS = { caller: 'probe', grants: ['use', 'reveal', 'users'] }
const entrypoint = { service: 'user-key-vault', entrypoint: 'KeyVault' }
const JWT_SECRET_KEY = randomBytes(32).toString('hex')
const fernetKey = randomBytes(32)

let provider: Awaited<ReturnType<typeof startProvider>>
let harness: ReturnType<typeof createTestHarness>

/** The example's Worker and the vault with their own wrangler.toml, and a probe. */
beforeAll(async () => {
  provider = await startProvider()
  harness = createTestHarness({
    workers: [
      {
        configPath: 'examples/chat-worker/wrangler.toml',
        vars: { OPENAI_ORIGIN: provider.url },
        secrets: { JWT_SECRET_KEY },
      },
      {
        configPath: 'wrangler.toml',
        vars: {
          ...NO_VARS,
          ALLOW_REVEAL: 'probe',
          LEGACY_FERNET_KEY: `${fernetKey.toString('base64url')}=`,
          PROVIDERS: JSON.stringify({ openai: { origin: provider.url } }),
        },
        secrets: { JWT_SECRET_KEY, API_KEY_ENCRYPTION_KEY: randomBytes(32).toString('base64') },
      },
      {
        config: {
          name: 'probe',
          main: 'test/node/binding-probe.ts',
          compatibility_date: '2026-08-03',
          services: [
            { binding: 'ALL', ...entrypoint, props: GRANTS },
            { binding: 'NONE', ...entrypoint },
          ],
        },
      },
    ],
  })
  await harness.listen()
  const vault = harness.getWorker<{ DB: MigratedDatabase }>('user-key-vault')
  const { DB } = await vault.getEnv()
  await applyMigrations(DB)
  await DB.prepare("INSERT INTO users (id) VALUES ('user')").run()
})
afterAll(async () => {
  await harness.close()
  await provider.close()
})

const authorize = async (userId: string) =>
  `Bearer ${await signToken({ sub: userId }, JWT_SECRET_KEY)}`

const json = async (method: string, body: object, userId = 'user') => ({
  method,
  headers: { Authorization: await authorize(userId), 'Content-Type': 'application/json' },
  body: JSON.stringify(body),
})

async function probe(binding: string, name: string): Promise<unknown> {
  const query = new URLSearchParams({ binding, name })
  return (await harness.getWorker('probe').fetch(`/?${query.toString()}`)).json()
}

it('the chat Worker streams a completion with the user’s key, and never sees the key', async () => {
  const key = `sk-good-${crypto.randomUUID()}`
  const vault = harness.getWorker('user-key-vault')
  const saved = await vault.fetch(
    '/api/users/user/api-keys/openai',
    await json('PUT', { api_key: key }),
  )
  expect(await saved.json()).toMatchObject({ user: { status: 'active' } })

  const chat = await harness.fetch('/chat', await json('POST', { messages: [] }))
  expect(chat.status).toBe(200)
  if (chat.body === null) throw new Error('The body is missing')
  const parts = Readable.fromWeb(chat.body).setEncoding('utf8')[Symbol.asyncIterator]()
  const first = String((await parts.next()).value)
  expect(first).toContain('first')
  expect(first).not.toContain('last')
  await fetch(`${provider.url}/release`, { method: 'POST' })
  let rest = ''
  for await (const part of parts) rest += String(part)
  expect(rest).toContain('[DONE]')

  const seen = await (await fetch(`${provider.url}/seen/${key}`)).json()
  expect(seen).toMatchObject([
    { url: '/v1/models' },
    { url: '/v1/chat/completions', headers: { authorization: `Bearer ${key}` } },
  ])
  expect(JSON.stringify(seen)).not.toContain('Bearer ey')
  const shown = [first, rest, JSON.stringify([...chat.headers])]
  const logged = harness.getLogs().map(({ message }) => message)
  expect(logged.some((line) => line.includes('"caller":"binding:chat-worker"'))).toBe(true)
  expect([...shown, ...logged].filter((text) => text.includes(key))).toEqual([])
})

it('a binding forwards compressed bodies, uploads and HEAD unchanged, and nothing that holds the key', async () => {
  const key = `sk-good-${crypto.randomUUID()}`
  const vault = harness.getWorker('user-key-vault')
  await vault.fetch('/api/users/user/api-keys/openai', await json('PUT', { api_key: key }))
  const pass = async (path: string, init = {}) => {
    const query = new URLSearchParams({ url: provider.url + path })
    return harness.getWorker('probe').fetch(`/?${query.toString()}`, init)
  }
  const echo = await pass('/echo')
  expect(await echo.text()).toBe('echo')
  expect(JSON.stringify([...echo.headers])).not.toContain(key)
  expect(echo.headers.get('X-Other')).toBe('kept')
  const body = 'x'.repeat(100_000)
  const upload = await pass('/v1/upload', { method: 'POST', body })
  expect(await upload.json()).toEqual({ data: [] })
  expect((await pass('/v1/head', { method: 'HEAD' })).status).toBe(200)
  const seen = await (await fetch(`${provider.url}/seen/${key}`)).json()
  expect(seen).toMatchObject([
    { method: 'GET', url: '/v1/models' },
    { method: 'GET', url: '/echo' },
    { method: 'POST', url: '/v1/upload', body, headers: { 'content-length': '100000' } },
    { method: 'HEAD', url: '/v1/head' },
  ])
})

it('the previous key is used if the provider rejected a new one', async () => {
  const [good, bad] = [`sk-good-${crypto.randomUUID()}`, `sk-bad-${crypto.randomUUID()}`]
  const vault = harness.getWorker('user-key-vault')
  const put = async (api_key: string) =>
    (await vault.fetch('/api/users/user/api-keys/openai', await json('PUT', { api_key }))).status
  expect([await put(good), await put(bad)]).toEqual([200, 422])
  const chat = await harness.fetch('/chat', await json('POST', { messages: [] }))
  await fetch(`${provider.url}/release`, { method: 'POST' })
  expect(await chat.text()).toContain('[DONE]')
  expect(await (await fetch(`${provider.url}/seen/${bad}`)).json()).toHaveLength(1)
  expect(await (await fetch(`${provider.url}/seen/${good}`)).json()).toHaveLength(2)
})

it('the chat Worker answers with the reason if there is no completion', async () => {
  const vault = harness.getWorker('user-key-vault')
  await vault.fetch('/api/users/user/api-keys/openai', {
    method: 'DELETE',
    headers: { Authorization: await authorize('user') },
  })
  const chat = await harness.fetch('/chat', await json('POST', { messages: [] }))
  expect(chat.status).toBe(404)
  expect(await chat.json()).toMatchObject({ code: 'no_api_key' })
  expect((await harness.fetch('/chat', { method: 'POST' })).status).toBe(401)
})

it('users who are imported from Flask and PostgreSQL keep using their keys over a binding', async () => {
  const keys = new Map(['7', '8'].map((id) => [id, `sk-good-${crypto.randomUUID()}`]))
  const lines = Array.from(keys, async ([id, key]) => {
    const text = new TextEncoder().encode(key)
    const token = await makeFernet(fernetKey, randomBytes(16), 1_700_000_000, text)
    return `${id},a@example.com,\\x${Buffer.from(token).toString('hex')}`
  })
  const header = 'id,email,encrypted_api_key'
  const csv = [header, ...(await Promise.all(lines)), '9,b@example.com,NULL'].join('\n')
  const vault = harness.getWorker<{ DB: D1Database }>('user-key-vault')
  const { DB } = await vault.getEnv()
  const { leave } = enterFolder()
  writeFileSync('users.csv', csv)
  const { stdout } = await runScript(['import/command', 'users.csv', '--provider', 'openai'], DB)
  leave()
  expect(stdout).toMatch(/Read +3\nUsers added +3\nKeys added +2\nAlready there +0\nRefused +0/)

  const chat = async (userId: string) => {
    const request = await json('POST', { messages: [] }, userId)
    const response = await harness.fetch('/chat', request)
    if (response.status !== 200) return response.json()
    await fetch(`${provider.url}/release`, { method: 'POST' })
    return response.text()
  }
  for (const [userId, key] of keys) {
    expect(await chat(userId)).toContain('data: [DONE]')
    expect(await (await fetch(`${provider.url}/seen/${key}`)).json()).toMatchObject([
      { url: '/v1/chat/completions', headers: { authorization: `Bearer ${key}` } },
    ])
  }
  expect(await chat('9')).toMatchObject({ code: 'no_api_key' })
})

it('a binding without props allows nothing', async () => {
  for (const name of ['getDecryptedApiKey', 'createUser', 'deleteUser', 'hasUser']) {
    const refusal = JSON.stringify({ ok: false, code: 'not_granted' })
    expect(await probe('NONE', name)).toEqual({ value: refusal })
  }
})

it('a binding reaches the methods of KeyVault', async () => {
  expect(await probe('ALL', 'hasUser')).toEqual({ value: '{"ok":true,"exists":true}' })
  expect(await probe('ALL', 'getDecryptedApiKey')).toEqual({ value: '{"ok":true,"apiKey":null}' })
})

it.for([
  'env',
  'ctx',
  'props',
  'DB',
  'keyring',
  'constructor',
  'prototype',
  'answer',
  'useKey',
  'findKey',
  'recordOutcome',
  'rewrap',
  'queue',
  'scheduled',
  'tail',
  'trace',
  'test',
  'alarm',
  'email',
])('a binding reaches no other member: %s', async (name) => {
  const answer = await probe('ALL', name)
  expect(answer).toEqual({ error: expect.stringMatching(/Error/) })
})
