import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bundleWorker, startDirectVault } from './direct-vault.ts'
import { CALLERS, type Outcome } from './sdk-scenarios.ts'
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
  caller = await vault.urlOf('caller')
})
afterAll(async () => {
  await vault.close()
  await provider.close()
})

async function run(call: { name: string; model: string; kind: string; userId?: string }) {
  const body = JSON.stringify({ userId: 'user', ...call })
  const response = await fetch(caller, { method: 'POST', body })
  const outcome: Outcome = await response.json()
  return outcome
}

const names = Object.keys(CALLERS)

describe.for(names)('%s through vaultFetch', (name) => {
  it.for(['whole', 'stream'])('gets the text: %s', async (kind) => {
    const outcome = await run({ name, model: 'good', kind })
    expect(outcome).toEqual({ text: 'Hello', parts: kind === 'whole' ? 0 : 2 })
  })

  it('shows the error of the provider', async () => {
    const { error } = await run({ name, model: 'error', kind: 'whole' })
    expect(error).toMatchObject({ status: 400, message: expect.stringContaining('Bad model') })
  })

  it('waits for a slow first byte', async () => {
    const begun = provider.next('begun')
    const outcome = run({ name, model: 'slow', kind: 'stream' })
    await begun
    provider.release()
    expect(await outcome).toMatchObject({ text: 'Hello' })
  })

  it('ends the request at the provider when it leaves in the middle of a stream', async () => {
    const gone = provider.next('gone')
    const { text } = await run({ name, model: 'hang', kind: 'leave' })
    expect([text, await gone]).toEqual(['Hel', []])
  })

  it('shows why the vault refuses, and asks it once', async () => {
    const before = vault.logs().length
    const { error } = await run({ name, model: 'good', kind: 'whole', userId: 'nobody' })
    expect(error).toMatchObject({ status: 404 })
    expect(error?.message).toContain('user_not_found')
    const calls = vault.logs().slice(before)
    expect(calls.filter((line) => line.includes('"binding_call"'))).toHaveLength(1)
  })
})

it('the provider saw the key alone, and the logs do not hold it', () => {
  const secrets = provider.seen.map(({ headers }) =>
    [headers['authorization'], headers['x-api-key'], headers['x-goog-api-key']].filter(Boolean),
  )
  expect(secrets.length).toBeGreaterThan(names.length * 4)
  const isKeyAlone = ([one, ...more]: unknown[]) => String(one).includes(KEY) && more.length === 0
  expect(secrets.every(isKeyAlone)).toBe(true)
  expect(JSON.stringify(provider.seen)).not.toContain('in the vault')
  expect(vault.logs().filter((line) => line.includes(KEY))).toEqual([])
})
