import { afterEach, expect, it, vi } from 'vitest'
import { readUrl } from '../../../scripts/lib/wrangler.ts'

afterEach(() => {
  vi.unstubAllEnvs()
  vi.resetModules()
})

it.for([
  [undefined, 'wrangler.toml'],
  ['', 'wrangler.toml'],
  ['wrangler.own.toml', 'wrangler.own.toml'],
] as const)('reads, with VAULT_CONFIG=%s, the configuration %s', async ([given, expected]) => {
  vi.stubEnv('VAULT_CONFIG', given)
  vi.resetModules()
  const { CONFIG } = await import('../../../scripts/lib/wrangler.ts')
  expect(CONFIG).toBe(expected)
})

it('reads the address of the Worker from the line that tells it', () => {
  expect(readUrl('[wrangler:info] Ready on http://localhost:8787')).toBe('http://localhost:8787')
  expect(readUrl('[wrangler:info] GET / 200 OK')).toBeUndefined()
})
