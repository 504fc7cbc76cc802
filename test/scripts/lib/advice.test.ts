import { afterEach, expect, it, vi } from 'vitest'

afterEach(() => {
  vi.unstubAllEnvs()
  vi.resetModules()
})

it.for<[config: string | undefined, wrangler: string, npm: string]>([
  [undefined, '--config wrangler.toml', 'npm run keys -- plan'],
  ['my/vault.toml', '--config my/vault.toml', 'VAULT_CONFIG=my/vault.toml npm run keys -- plan'],
  [
    "it's.toml",
    String.raw`--config 'it'\''s.toml'`,
    String.raw`VAULT_CONFIG='it'\''s.toml' npm run keys -- plan`,
  ],
])('names the configuration %s in the commands', async ([config, wrangler, npm]) => {
  vi.stubEnv('VAULT_CONFIG', config)
  const { npmCommand, wranglerCommand } = await import('../../../scripts/lib/advice.ts')
  expect(wranglerCommand('secret delete ONE')).toBe(`npx wrangler secret delete ONE ${wrangler}`)
  expect(npmCommand('keys -- plan', { remote: false })).toBe(npm)
  expect(npmCommand('keys -- plan', { remote: true })).toBe(`${npm} --remote`)
})

it('puts the options of a script after two hyphens', async () => {
  const { npmCommand } = await import('../../../scripts/lib/advice.ts')
  expect(npmCommand('schema', { remote: true })).toBe('npm run schema -- --remote')
  expect(npmCommand('schema', { remote: false })).toBe('npm run schema')
})
