import { afterAll, beforeAll, expect, it } from 'vitest'
import { startDirectVault } from './direct-vault.ts'
import { startEcho } from './echo-server.ts'

const COPIES = ['second', 'third', 'fourth']
const KEY = `sk-limit-${crypto.randomUUID()}`
let provider: Awaited<ReturnType<typeof startEcho>>
let vault: Awaited<ReturnType<typeof startDirectVault>>

beforeAll(async () => {
  provider = await startEcho()
  const PROVIDERS = JSON.stringify({ openai: { origin: provider.url } })
  const copies = Object.fromEntries(COPIES.map((name) => [name, {}]))
  vault = await startDirectVault({ PROVIDERS }, { copies })
  await vault.save('openai', KEY)
})
afterAll(async () => {
  await vault.close()
  await provider.close()
})

it.for([10, 1])(
  'four Workers together let exactly %i of 40 concurrent uses through',
  async (count) => {
    const headers = { Authorization: `Bearer ${vault.token}`, 'Content-Type': 'application/json' }
    const limited = await fetch(new URL('/api/users/user/api-keys/openai', vault.url), {
      method: 'PATCH',
      headers,
      body: JSON.stringify({ max_uses: { count, per: count === 1 ? 'month' : 'day' } }),
    })
    expect(limited.status).toBe(200)
    const urls = [vault.url, ...(await Promise.all(COPIES.map(async (name) => vault.urlOf(name))))]
    const uses = Array.from({ length: 40 }, async (_, index) => {
      const response = await fetch(new URL('/relay/openai/v1/x', urls[index % 4]), { headers })
      await response.text()
      return response.headers.get('X-Vault-Error') ?? response.status
    })
    const outcomes = await Promise.all(uses)
    expect(outcomes.filter((outcome) => outcome === 200)).toHaveLength(count)
    expect(outcomes.filter((outcome) => outcome === 'limit_reached')).toHaveLength(40 - count)
  },
)
