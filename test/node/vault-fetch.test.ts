import { afterAll, beforeAll, expect, it } from 'vitest'
import { bundleWorker } from '../../scripts/lib/worker-bundle.ts'
import { describeCaller, startDirectVault } from './direct-vault.ts'
import { relayFetch, type KeyUse } from '../../src/callers/fetch.ts'
import { startEcho } from './echo-server.ts'

const KEY = `sk-fetch-${crypto.randomUUID()}`
let provider: Awaited<ReturnType<typeof startEcho>>
let vault: Awaited<ReturnType<typeof startDirectVault>>
let caller: string

beforeAll(async () => {
  provider = await startEcho()
  const origin = provider.url
  const own = { label: 'Own', hosts: [new URL(origin).host], header: 'X-Key', refusals: [] }
  const script = await bundleWorker('test/node/vault-fetch-worker.ts')
  const worker = describeCaller(script, origin, ['openai', 'gemini', 'own'])
  const PROVIDERS = JSON.stringify({ openai: { origin }, own })
  vault = await startDirectVault({ PROVIDERS }, { others: [worker] })
  await vault.save('openai', KEY)
  caller = await vault.urlOf('caller')
})
afterAll(async () => {
  await vault.close()
  await provider.close()
})

interface Told {
  status: number
  headers: Record<string, string>
  body: string
}

/** What came of a scenario in the Worker, and which keys it used. */
async function ask(scenario: string): Promise<{ told: Told; uses: KeyUse[] }> {
  return (await fetch(new URL(`/${scenario}`, caller))).json()
}

const tell = async (scenario: string) => (await ask(scenario)).told

it.for<[scenario: string, method: string, body: string]>([
  ['text', 'GET', ''],
  ['url', 'GET', ''],
  ['request', 'POST', 'the body'],
  ['stream', 'POST', 'streamed'],
  ['signal', 'GET', ''],
])('vaultFetch sends the key with a request as a %s', async ([scenario, method, body]) => {
  const told = await tell(scenario)
  const seen: unknown = JSON.parse(told.body)
  const headers = expect.objectContaining({ authorization: `Bearer ${KEY}` })
  expect(seen).toMatchObject({ method, url: `/v1/${scenario}`, headers, body })
  expect(told.body).not.toMatch(/x-vault|mine/i)
  expect(told.status).toBe(200)
})

it('vaultFetch returns a redirect', async () => {
  expect(await tell('redirect')).toMatchObject({
    status: 307,
    headers: { location: 'https://evil.test/collect' },
  })
})

it('vaultFetch rejects with an AbortError if it is aborted before the answer', async () => {
  const gone = provider.next('gone')
  expect(await tell('early')).toBe('AbortError')
  expect(await gone).toEqual([])
})

it('vaultFetch ends the request at the provider if it is aborted in the middle of the answer', async () => {
  const gone = provider.next('gone')
  expect(await tell('late')).toBe('AbortError')
  expect(await gone).toEqual([])
})

it.for<[query: string, status: number, code: string]>([
  ['text?user=nobody', 404, 'user_not_found'],
  ['text?provider=own', 403, 'origin_not_allowed'],
  ['text?provider=mistral', 403, 'provider_not_granted'],
  ['elsewhere', 403, 'origin_not_allowed'],
])('vaultFetch tells an SDK why the vault refuses: %s', async ([query, status, code]) => {
  const told = await tell(query)
  expect(told).toMatchObject({ status, headers: { 'x-vault-error': code } })
  const { error }: { error: object } = JSON.parse(told.body)
  const message = expect.stringContaining(`The key vault refused (${code})`)
  expect(error).toMatchObject({ type: 'vault_error', code, message })
})

/** The keys that the provider saw in a request that it echoes. */
const keyIn = (body: string) => /"authorization":"([^"]*)"/.exec(body)?.[1]

const OWN: KeyUse = { source: 'own', slot: 'openai', reason: null }
const OURS: KeyUse = { source: 'application', slot: 'openai', reason: 'user_not_found' }

it.for<[user: string, key: string, vault: object, use: KeyUse]>([
  ['user', KEY, { 'x-vault-key': 'own', 'x-vault-slot': 'openai' }, OWN],
  ['nobody', 'sk-of-the-caller', { 'x-vault-key': 'application' }, OURS],
])('vaultFetch says whose key the request of %s used', async ([user, key, vaults, use]) => {
  const { told, uses } = await ask(`request?fallback&user=${user}`)
  expect(keyIn(told.body)).toBe(`Bearer ${key}`)
  expect(JSON.parse(told.body)).toMatchObject({ method: 'POST', body: 'the body' })
  const headers = Object.entries(told.headers).filter(([name]) => name.startsWith('x-vault-'))
  expect([Object.fromEntries(headers), uses]).toEqual([vaults, [use]])
})

it.for<[user: string, key: string, use: KeyUse]>([
  ['user', KEY, OWN],
  ['nobody', 'sk-of-the-caller', OURS],
])('relayFetch says whose key the request of %s used', async ([sub, key, use]) => {
  const uses: KeyUse[] = []
  const fetchWithKey = relayFetch({
    vault: vault.url,
    token: await vault.tokenOf({ sub }),
    provider: 'openai',
    fallback: { apiKey: 'sk-of-the-caller' },
    onKey: (used) => void uses.push(used),
  })
  const headers = { Authorization: 'Bearer in the vault' }
  const init = { method: 'POST', headers, body: 'the body' }
  const response = await fetchWithKey(`${provider.url}/v1/text?a=%20b`, init)
  const body = await response.text()
  expect(keyIn(body)).toBe(`Bearer ${key}`)
  const seen = { url: '/v1/text?a=%20b', body: 'the body' }
  expect(JSON.parse(body)).toMatchObject({ ...seen, headers: { 'content-length': '8' } })
  expect([response.headers.get('X-Vault-Key'), uses]).toEqual([use.source, [use]])
})

it('vaultFetch leaves no key in a log', async () => {
  await tell('text')
  await expect.poll(() => vault.logs().join('\n')).toContain('"caller":"binding:chat"')
  expect(vault.logs().filter((line) => line.includes(KEY))).toEqual([])
})
