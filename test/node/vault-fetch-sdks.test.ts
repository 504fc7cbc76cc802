import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bundleWorker, startDirectVault } from './direct-vault.ts'
import { CALLERS, type Kind, type Outcome } from './sdk-scenarios.ts'
import { startSdkServer } from './sdk-server.ts'

const KEY = `sk-sdk-${crypto.randomUUID()}`
let provider: Awaited<ReturnType<typeof startSdkServer>>
let vault: Awaited<ReturnType<typeof startDirectVault>>
let caller: string

beforeAll(async () => {
  provider = await startSdkServer()
  const stub = { origin: provider.url }
  const providers = { openai: stub, anthropic: stub, gemini: stub }
  const props = { caller: 'chat', grants: ['use'] }
  vault = await startDirectVault({ PROVIDERS: JSON.stringify(providers) }, [
    {
      name: 'caller',
      modules: true,
      script: await bundleWorker('test/node/sdk-worker.ts'),
      compatibilityDate: '2026-08-03',
      compatibilityFlags: ['nodejs_compat'],
      bindings: { PROVIDER: provider.url },
      serviceBindings: { KEY_VAULT: { name: 'user-key-vault', entrypoint: 'KeyVault', props } },
    },
  ])
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

async function run(call: { name: string; model: string; kind: Kind; userId?: string }) {
  const body = JSON.stringify({ userId: 'user', ...call })
  const response = await fetch(caller, { method: 'POST', body })
  const outcome: Outcome = await response.json()
  shown.push(JSON.stringify(outcome))
  return outcome
}

const names = Object.keys(CALLERS)

describe.for(names)('%s through vaultFetch', (name) => {
  it('gets the text', async () => {
    const outcome = await run({ name, model: 'good', kind: 'whole' })
    expect(outcome).toMatchObject({ text: 'Hello', attempts: 1 })
  })

  it('gets the first part of a stream before the provider sends the rest', async () => {
    const outcome = await run({ name, model: 'step', kind: 'step' })
    expect(outcome).toMatchObject({ text: 'Hello', parts: 2, attempts: 1 })
    expect(outcome.error).toBeUndefined()
  })

  it.for<Kind>(['whole', 'stream'])('shows the error of the provider: %s', async (kind) => {
    const { error, attempts } = await run({ name, model: 'error', kind })
    expect(error).toMatchObject({ status: 400, message: expect.stringContaining('Bad model') })
    expect(attempts).toBe(1)
  })

  it.for<Kind>(['whole', 'stream'])('waits for a slow first byte: %s', async (kind) => {
    const begun = provider.next('begun')
    const outcome = run({ name, model: 'slow', kind })
    await begun
    provider.release()
    expect(await outcome).toMatchObject({ text: 'Hello', attempts: 1 })
  })

  it('fails if the provider breaks off a stream', async () => {
    const { text, error } = await run({ name, model: 'torn', kind: 'stream' })
    expect('Hello'.startsWith(text)).toBe(true)
    expect(error).toBeDefined()
  })

  it.for(['hang', 'silent'])(
    'ends the request at the provider when it leaves: %s',
    async (model) => {
      const gone = provider.next('gone')
      const { text } = await run({ name, model, kind: 'leave' })
      expect([text, await gone]).toEqual(['Hel', []])
    },
  )

  it.for<[code: string, userId: string, status: number]>([
    ['no_api_key', 'keyless', 404],
    ['user_not_found', 'nobody', 404],
    ['api_key_unreadable', 'damaged', 424],
  ])('shows why the vault refuses, and asks it once: %s', async ([code, userId, status]) => {
    const outcome = await run({ name, model: 'good', kind: 'whole', userId })
    expect(outcome).toMatchObject({ attempts: 1, error: { status } })
    expect(outcome.error?.message).toContain(code)
  })
})

describe('openai through vaultFetch', () => {
  const extra = async (path: string): Promise<unknown> =>
    (await fetch(new URL(path, caller))).json()

  it('uploads a file', async () => {
    expect(await extra('/upload')).toMatchObject({ id: 'file-1' })
    const seen = provider.seen.at(-1)
    expect(seen?.body).toContain('x'.repeat(200_000))
    expect(seen?.headers['content-type']).toMatch(/^multipart\/form-data; boundary=/)
  })

  it('speaks over a WebSocket', async () => {
    const types = ['session.created', 'response.done']
    expect(await extra('/realtime')).toEqual({ status: 101, types })
  })

  it('cannot open a WebSocket without a key', async () => {
    expect(await extra('/realtime?user=keyless')).toEqual({ status: 404 })
  })
})

it('the provider saw the key alone, and it is in no answer, error or log', () => {
  const secrets = provider.seen.map(({ headers }) =>
    [headers['authorization'], headers['x-api-key'], headers['x-goog-api-key']].filter(Boolean),
  )
  expect(secrets.length).toBeGreaterThan(names.length * 4)
  const isKeyAlone = ([one, ...more]: unknown[]) => String(one).includes(KEY) && more.length === 0
  expect(secrets.every(isKeyAlone)).toBe(true)
  expect(JSON.stringify(provider.seen)).not.toContain('in the vault')
  expect([...shown, ...vault.logs()].filter((line) => line.includes(KEY))).toEqual([])
})
