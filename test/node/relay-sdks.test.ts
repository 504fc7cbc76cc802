import { readFileSync } from 'node:fs'
import OpenAI, { toFile } from 'openai'
import { OpenAIRealtimeWS } from 'openai/realtime/ws'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { startDirectVault } from './direct-vault.ts'
import { CALLERS, runCall, type Access } from './sdk-scenarios.ts'
import { startSdkServer, type Seen } from './sdk-server.ts'
import { startTls } from './tls-proxy.ts'

const KEY = `sk-sdk-${crypto.randomUUID()}`
let provider: Awaited<ReturnType<typeof startSdkServer>>
let vault: Awaited<ReturnType<typeof startDirectVault>>
let access: Access

beforeAll(async () => {
  provider = await startSdkServer()
  const stub = { origin: provider.url }
  const providers = { openai: stub, anthropic: stub, gemini: stub }
  vault = await startDirectVault({ PROVIDERS: JSON.stringify(providers) })
  for (const slot of Object.keys(providers)) await vault.save(slot, KEY)
  access = accessWith(vault.token)
})
afterAll(async () => {
  await vault.close()
  await provider.close()
})

const accessWith = (apiKey: string): Access => ({
  base: (name) => `${vault.url}relay/${name}`,
  apiKey,
  fetch: () => fetch,
})

const names = Object.keys(CALLERS)

describe.for(names)('%s through the relay', (name) => {
  it.for(['whole', 'stream'] as const)('gets the text: %s', async (kind) => {
    const outcome = await runCall(access, { name, model: 'good', kind })
    expect(outcome).toEqual({ text: 'Hello', parts: kind === 'whole' ? 0 : 2 })
  })

  it('shows the error of the provider', async () => {
    const { error } = await runCall(access, { name, model: 'error', kind: 'whole' })
    expect(error).toMatchObject({ status: 400, message: expect.stringContaining('Bad model') })
  })

  it('waits for a slow first byte', async () => {
    const begun = provider.next('begun')
    const outcome = runCall(access, { name, model: 'slow', kind: 'stream' })
    await begun
    provider.release()
    expect(await outcome).toMatchObject({ text: 'Hello' })
  })

  it('ends the request at the provider when it leaves in the middle of a stream', async () => {
    const gone = provider.next('gone')
    const { text } = await runCall(access, { name, model: 'hang', kind: 'leave' })
    expect([text, await gone]).toEqual(['Hel', []])
  })

  it('shows why the vault refuses', async () => {
    const token = await vault.tokenOf({ scope: 'openid' })
    const { error } = await runCall(accessWith(token), { name, model: 'good', kind: 'whole' })
    expect(error).toMatchObject({ status: 403 })
    expect(error?.message).toMatch(/Token lacks the scope|scope_missing|Forbidden/)
  })
})

const lastSeen = (): Seen => {
  const seen = provider.seen.at(-1)
  if (seen === undefined) throw new Error('The provider saw nothing')
  return seen
}

describe('openai through the relay', () => {
  it('uploads a file', async () => {
    const client = new OpenAI({ baseURL: `${vault.url}relay/openai/v1`, apiKey: vault.token })
    const file = await toFile(readFileSync('LICENSE'), 'LICENSE')
    const { id } = await client.files.create({ file, purpose: 'user_data' })
    expect(id).toBe('file-1')
    expect(lastSeen().body).toContain('MIT License')
    expect(lastSeen().headers['content-type']).toMatch(/^multipart\/form-data; boundary=/)
  })

  it('speaks over a WebSocket (Realtime)', async () => {
    const secure = await startTls(vault.url)
    onTestFinished(secure.close)
    const client = new OpenAI({ baseURL: `${secure.url}/relay/openai/v1`, apiKey: vault.token })
    const options = { rejectUnauthorized: false }
    const realtime = await OpenAIRealtimeWS.create(client, { model: 'good', options })
    const received: string[] = []
    const { promise: done, resolve, reject } = Promise.withResolvers<void>()
    realtime.on('error', reject)
    realtime.on('event', ({ type }) => {
      received.push(type)
      if (type === 'session.created') realtime.send({ type: 'response.create' })
      else resolve()
    })
    await done
    realtime.close()
    expect(received).toEqual(['session.created', 'response.done'])
    expect(lastSeen().url).toBe('/v1/realtime?model=good')
    expect(lastSeen().headers['authorization']).toBe(`Bearer ${KEY}`)
  })
})

it('the provider saw the key and no token, and the logs hold neither', () => {
  const secrets = provider.seen.map(({ headers }) =>
    [headers['authorization'], headers['x-api-key'], headers['x-goog-api-key']].filter(Boolean),
  )
  expect(secrets.length).toBeGreaterThan(names.length * 5)
  expect(secrets.every(([one, ...more]) => one?.includes(KEY) === true && more.length === 0)).toBe(
    true,
  )
  expect(JSON.stringify(provider.seen)).not.toContain(vault.token)
  const leaked = vault.logs().filter((line) => line.includes(KEY) || line.includes(vault.token))
  expect(leaked).toEqual([])
})
