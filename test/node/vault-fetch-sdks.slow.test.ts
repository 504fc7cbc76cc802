import { afterAll, beforeAll, expect, it } from 'vitest'
import { bundleWorker } from '../../scripts/lib/worker-bundle.ts'
import { describeCaller, startDirectVault } from './direct-vault.ts'
import { CALLERS, type Kind, type Outcome } from './sdk-scenarios.ts'
import { EXHAUSTED, PAYING_KEY, startSdkServer } from './sdk-server.ts'

const KEY = `sk-sdk-${crypto.randomUUID()}`
let provider: Awaited<ReturnType<typeof startSdkServer>>
let vault: Awaited<ReturnType<typeof startDirectVault>>
let caller: string

beforeAll(async () => {
  provider = await startSdkServer()
  const stub = { origin: provider.url, exhausted: EXHAUSTED }
  const providers = { openai: stub, anthropic: stub, gemini: stub, deepseek: stub }
  const script = await bundleWorker('test/node/sdk-worker.ts')
  const worker = {
    ...describeCaller(script, provider.url),
    compatibilityFlags: ['nodejs_compat'],
  }
  const PROVIDERS = JSON.stringify(providers)
  vault = await startDirectVault({ PROVIDERS }, { others: [worker] })
  for (const slot of Object.keys(providers)) await vault.save(slot, KEY)
  await vault.sql("INSERT INTO users (id) VALUES ('keyless'), ('damaged')")
  // A key that is sealed for one user cannot be opened for another.
  await vault.sql(`INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id, status)
    SELECT 'damaged', provider, encrypted_api_key, key_id, status FROM api_keys`)
  caller = await vault.urlOf('caller')
})
afterAll(async () => {
  await vault.close()
  await provider.close()
})

/** What the SDKs in the Worker were shown. */
const shown: string[] = []

interface Call {
  name: string
  model: string
  kind: Kind
  userId?: string
  apiKey?: string
}

async function run(call: Call) {
  const body = JSON.stringify({ userId: 'user', ...call })
  const response = await fetch(caller, { method: 'POST', body })
  const outcome: Outcome = await response.json()
  shown.push(JSON.stringify(outcome))
  return outcome
}

const names = Object.keys(CALLERS)

const ofBothKinds = names.flatMap((name): [string, Kind][] => [
  [name, 'whole'],
  [name, 'stream'],
])
const left = names.flatMap((name): [name: string, model: string][] => [
  [name, 'hang'],
  [name, 'silent'],
])
const refused = names.flatMap((name): [string, code: string, userId: string, status: number][] => [
  [name, 'no_api_key', 'keyless', 404],
  [name, 'user_not_found', 'nobody', 404],
  [name, 'api_key_unreadable', 'damaged', 424],
])

it.for(names)('%s gets the text through vaultFetch', async (name) => {
  const outcome = await run({ name, model: 'good', kind: 'whole' })
  expect(outcome).toMatchObject({ text: 'Hello', attempts: 1 })
})

it.for(names)('%s gets the start of a stream before the provider sends the rest', async (name) => {
  const outcome = await run({ name, model: 'step', kind: 'step' })
  expect(outcome).toMatchObject({ text: 'Hello', parts: 2, attempts: 1 })
  expect(outcome.error).toBeUndefined()
})

it.for(ofBothKinds)('%s shows the error of the provider: %s', async ([name, kind]) => {
  const { error, attempts } = await run({ name, model: 'error', kind })
  expect(error).toMatchObject({ status: 400, message: expect.stringContaining('Bad model') })
  expect(attempts).toBe(1)
})

it.for(ofBothKinds)(
  '%s shows the preview of a key that the provider repeats in an error: %s',
  async ([name, kind]) => {
    const { error, shown: told } = await run({ name, model: 'suspended', kind })
    const message = expect.stringContaining(`'api_key:${KEY.slice(0, 8)}...' has been suspended`)
    expect(error).toMatchObject({ status: 403, message })
    expect(told).not.toContain(KEY)
  },
)

it.for(ofBothKinds)('%s waits for a slow first byte: %s', async ([name, kind]) => {
  const begun = provider.next('begun')
  const outcome = run({ name, model: 'slow', kind })
  await begun
  provider.release()
  expect(await outcome).toMatchObject({ text: 'Hello', attempts: 1 })
})

it.for(names)('%s fails if the provider breaks off a stream', async (name) => {
  const { text, error } = await run({ name, model: 'torn', kind: 'stream' })
  expect('Hello'.startsWith(text)).toBe(true)
  expect(error).toBeDefined()
})

it.for(left)('%s ends the request at the provider when it leaves: %s', async ([name, model]) => {
  const gone = provider.next('gone')
  const { text } = await run({ name, model, kind: 'leave' })
  expect([text, await gone]).toEqual(['Hel', []])
})

it.for(refused)(
  '%s shows the refusal %s of the vault, and asks it once',
  async ([name, code, userId, status]) => {
    const outcome = await run({ name, model: 'good', kind: 'whole', userId })
    expect(outcome).toMatchObject({ attempts: 1, error: { status } })
    expect(outcome.error?.message).toContain(code)
  },
)

const fallingBack = names.flatMap((name): [string, Kind, string, string][] => [
  [name, 'whole', 'good', 'keyless'],
  [name, 'stream', 'good', 'keyless'],
  [name, 'whole', 'credit', 'user'],
  [name, 'stream', 'credit', 'user'],
])

it.for(fallingBack)(
  '%s gets the text with the application’s key: %s, %s of %s',
  async ([name, kind, model, userId]) => {
    const outcome = await run({ name, model, kind, userId, apiKey: PAYING_KEY })
    expect(outcome).toMatchObject({ text: 'Hello', attempts: 1 })
    expect(outcome.shown).toContain('"x-vault-key","application"')
    const headers = provider.seen.at(-1)?.headers ?? {}
    const keys = [headers['authorization'], headers['x-api-key'], headers['x-goog-api-key']]
    expect(keys.filter(Boolean).map((key) => String(key).replace('Bearer ', ''))).toEqual([
      PAYING_KEY,
    ])
  },
)

const extra = async (path: string): Promise<unknown> => (await fetch(new URL(path, caller))).json()

it('openai uploads a file through vaultFetch', async () => {
  expect(await extra('/upload')).toMatchObject({ id: 'file-1' })
  const seen = provider.seen.at(-1)
  expect(seen?.body).toContain('x'.repeat(200_000))
  expect(seen?.headers['content-type']).toMatch(/^multipart\/form-data; boundary=/)
})

it('openai speaks over a WebSocket through vaultFetch', async () => {
  const types = ['session.created', 'response.done']
  expect(await extra('/realtime')).toEqual({ status: 101, types })
})

it('openai cannot open a WebSocket through vaultFetch without a key', async () => {
  expect(await extra('/realtime?user=keyless')).toEqual({ status: 404 })
})

it('the provider sees the key alone, and it is in no answer, error or log', async () => {
  for (const name of names) await run({ name, model: 'good', kind: 'whole' })
  const secrets = provider.seen.map(({ headers }) =>
    [headers['authorization'], headers['x-api-key'], headers['x-goog-api-key']].filter(Boolean),
  )
  const isKeyAlone = ([one, ...more]: unknown[]) =>
    [KEY, PAYING_KEY].some((key) => String(one).includes(key)) && more.length === 0
  expect(secrets.length).toBeGreaterThanOrEqual(names.length)
  expect(secrets.every(isKeyAlone)).toBe(true)
  expect(JSON.stringify(provider.seen)).not.toContain('in the vault')
  expect([...shown, ...vault.logs()].filter((line) => line.includes(KEY))).toEqual([])
  expect(vault.logs().filter((line) => line.includes(PAYING_KEY))).toEqual([])
})
