import { afterAll, beforeAll, expect, it } from 'vitest'
import { bundleWorker, describeCaller, startDirectVault } from './direct-vault.ts'
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

const tell = async (scenario: string): Promise<Told> =>
  (await fetch(new URL(`/${scenario}`, caller))).json()

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

it('vaultFetch leaves no key in a log', async () => {
  await tell('text')
  await expect.poll(() => vault.logs().join('\n')).toContain('"caller":"binding:chat"')
  expect(vault.logs().filter((line) => line.includes(KEY))).toEqual([])
})
