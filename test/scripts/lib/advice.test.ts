import { globSync, readFileSync } from 'node:fs'
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

/** What is left of TypeScript without its comments. */
const withoutComments = (code: string) =>
  code.replaceAll(/\/\*\*?[\s\S]*?\*\//g, '').replaceAll(/^\s*\/\/.*$/gm, '')

const COMMANDS =
  /npm run (?:-s )?(?:\$\{\w+|dev|token|users|teams|keys|import|schema|deploy|doctor)\b|npx wrangler [a-z]+/g

/** They name no database: help, a login, keys of no vault, and a pipe to a URL. */
const WITHOUT_DATABASE = [
  'scripts/build.ts: npm run deploy',
  'scripts/build.ts: npm run dev',
  'scripts/deploy.ts: npx wrangler deploy',
  'scripts/deploy.ts: npx wrangler login',
  'scripts/dev.ts: npx wrangler dev',
  'scripts/doctor/configuration.ts: npx wrangler login',
  'scripts/example.ts: npx wrangler dev',
  'scripts/import/command.ts: npm run import',
  'scripts/import/plain.ts: npm run import',
  'scripts/keys.ts: npm run -s keys',
  'scripts/lib/advice.ts: npm run ${script',
  'scripts/lib/banner.ts: npx wrangler dev',
  'scripts/lib/command.ts: npm run ${name',
  'scripts/lib/encryption-key.ts: npm run -s keys',
  'scripts/lib/migrations.ts: npm run schema',
  'src/crypto/keyring.ts: npm run keys',
]

it('advised commands name the configuration and the database that they are for', () => {
  const found = globSync('{scripts,src}/**/*.ts', {
    // Pages for readers are no messages.
    exclude: ['src/page/**', 'scripts/docs/**'],
  }).flatMap((path) => {
    const commands = withoutComments(readFileSync(path, 'utf8')).match(COMMANDS) ?? []
    return commands.map((command) => `${path}: ${command}`)
  })
  expect([...new Set(found)].toSorted()).toEqual([
    ...WITHOUT_DATABASE,
    // A build names the deployed database, and the configuration.
    'src/store/d1.ts: npm run keys',
    'src/store/d1.ts: npm run schema',
  ])
})
