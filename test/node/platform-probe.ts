/** Uses the binding in a Node.js process, as `next dev` does. It prints what it got as JSON. */

import { writeFileSync } from 'node:fs'
import { getPlatformProxy } from 'wrangler'
import type { KeyVault } from '../../src/callers/binding.ts'
import { vaultFetch, type FetchBinding } from '../../src/callers/fetch.ts'

const [, , userId = '', url = ''] = process.argv

const entrypoint = { service: 'user-key-vault', entrypoint: 'KeyVault' }
const props = { caller: 'next-app', grants: ['use'] }
writeFileSync(
  'next-app.json',
  JSON.stringify({
    name: 'next-app',
    compatibility_date: '2026-08-03',
    services: [{ binding: 'KEY_VAULT', ...entrypoint, props }],
  }),
)
const { env, dispose } = await getPlatformProxy<{ KEY_VAULT: KeyVault & FetchBinding }>({
  configPath: 'next-app.json',
  envFiles: [],
})
const vault = env.KEY_VAULT

async function useBySdk(user: string): Promise<[status: number, body: string]> {
  const response = await vaultFetch(vault, { userId: user, provider: 'openai' })(url)
  return [response.status, await response.text()]
}

async function fallBack(): Promise<[status: number, source: string | null]> {
  const fallback = { apiKey: 'sk-mine' }
  const send = vaultFetch(vault, { userId: 'nobody', provider: 'openai', fallback })
  const headers = { Authorization: 'Bearer in the vault' }
  const response = await send(url, { method: 'POST', headers, body: '{}' })
  await response.text()
  return [response.status, response.headers.get('X-Vault-Key')]
}

async function useOnce(): Promise<string> {
  const result = await vault.fetchWithApiKey(userId, 'openai', new Request(url))
  if (!result.ok) return result.code
  const { response } = result
  return response.text()
}

async function useTwice(): Promise<string> {
  const result = await vault.fetchWithApiKey(userId, 'openai', new Request(url))
  if (!result.ok) return result.code
  const { status } = result.response
  return result.response.text().then((text) => `${status} ${text}`)
}

const printed = {
  sdk: await useBySdk(userId),
  refused: await useBySdk('nobody'),
  fallback: await fallBack(),
  once: await useOnce(),
  twice: await useTwice().catch(String),
}
console.log(JSON.stringify(printed))
await dispose()
