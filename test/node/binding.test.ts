import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestHarness } from 'wrangler'
import { applyMigrations, type MigratedDatabase } from '../../scripts/lib/migrations.ts'
import { signToken } from '../../scripts/lib/token.ts'
import { startProvider } from './provider-server.ts'
import { NO_VARS } from './start-vault.ts'

const GRANTS = { caller: 'probe', grants: ['use', 'reveal', 'users'] }
const entrypoint = { service: 'user-key-vault', entrypoint: 'KeyVault' }
const JWT_SECRET_KEY = randomBytes(32).toString('hex')

let provider: Awaited<ReturnType<typeof startProvider>>
let harness: ReturnType<typeof createTestHarness>
let authorization: string

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
  authorization = `Bearer ${await signToken({ sub: 'user' }, JWT_SECRET_KEY)}`
})
afterAll(async () => {
  await harness.close()
  await provider.close()
})

const json = async (method: string, body: object) => ({
  method,
  headers: { Authorization: authorization, 'Content-Type': 'application/json' },
  body: JSON.stringify(body),
})

async function probe(binding: string, name: string): Promise<unknown> {
  const query = new URLSearchParams({ binding, name })
  return (await harness.getWorker('probe').fetch(`/?${query.toString()}`)).json()
}

describe('the example', () => {
  it('streams a completion with the user’s key, which the chat worker never sees', async () => {
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
    expect(JSON.stringify(seen)).not.toContain(authorization)
    const shown = [first, rest, JSON.stringify([...chat.headers])]
    const logged = harness.getLogs().map(({ message }) => message)
    expect(logged.some((line) => line.includes('"caller":"chat-worker"'))).toBe(true)
    expect([...shown, ...logged].filter((text) => text.includes(key))).toEqual([])
  })

  it('forwards compressed bodies, uploads and HEAD unchanged, and nothing that holds the key', async () => {
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

  it('uses the previous key if the provider rejected a new one', async () => {
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

  it('answers with the reason if there is no completion', async () => {
    const vault = harness.getWorker('user-key-vault')
    await vault.fetch('/api/users/user/api-keys/openai', {
      method: 'DELETE',
      headers: { Authorization: authorization },
    })
    const chat = await harness.fetch('/chat', await json('POST', { messages: [] }))
    expect(chat.status).toBe(404)
    expect(await chat.json()).toMatchObject({ code: 'no_api_key' })
    expect((await harness.fetch('/chat', { method: 'POST' })).status).toBe(401)
  })
})

describe('a binding to the vault', () => {
  it('allows nothing without props', async () => {
    for (const name of ['getDecryptedApiKey', 'createUser', 'deleteUser', 'hasUser']) {
      const refusal = JSON.stringify({ ok: false, code: 'not_granted' })
      expect(await probe('NONE', name)).toEqual({ value: refusal })
    }
  })

  it('reaches the methods of KeyVault', async () => {
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
  ])('reaches nothing else: %s', async (name) => {
    const answer = await probe('ALL', name)
    expect(answer).toEqual({ error: expect.stringMatching(/Error/) })
  })
})
