import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { gzipSync } from 'node:zlib'
import { createTestHarness, unstable_readConfig as readConfig } from 'wrangler'
import { expect, it, onTestFinished } from 'vitest'

it('the deployed Worker weighs at most 89 KiB, minified and gzipped, and names remote commands', () => {
  const outdir = mkdtempSync(join(tmpdir(), 'bundle-'))
  onTestFinished(() => rmSync(outdir, { recursive: true }))
  const options = ['deploy', '--dry-run', '--minify', '--outdir', outdir]
  const args = ['node_modules/wrangler/bin/wrangler.js', ...options]
  // Vitest sets NODE_ENV, and an operator does not.
  const { NODE_ENV: _, ...environment } = process.env
  const { stdout } = spawnSync(process.execPath, args, { encoding: 'utf8', env: environment })
  const [, gzipped] = /gzip: ([\d.]+) KiB/.exec(stdout) ?? []
  expect(Number(gzipped)).toBeGreaterThan(0)
  expect(Number(gzipped)).toBeLessThanOrEqual(89)
  const schemaCommands = readFileSync(join(outdir, 'index.js'), 'utf8').match(
    /npm run schema[\w -]*/g,
  )
  expect(new Set(schemaCommands)).toEqual(new Set(['npm run schema -- --remote']))
  const map = readFileSync(join(outdir, 'index.js.map'), 'utf8')
  const { sources }: { sources: string[] } = JSON.parse(map)
  const own = sources.map((source) => relative('.', resolve(outdir, source)))
  expect(own).toContain('src/index.ts')
  expect(own.filter((path) => /^(?:test|scripts)\//.test(path))).toEqual([])
})

it('the element weighs at most 28 KB with one language, minified and gzipped', () => {
  spawnSync(process.execPath, ['scripts/build.ts'])
  const weigh = (name: string) => gzipSync(readFileSync(`dist/${name}`), { level: 9 }).length
  const languages = readdirSync('dist').filter((name) => /settings\.[a-zA-Z-]+\.json$/.test(name))
  expect(languages).toHaveLength(5)
  const heaviest = Math.max(...languages.map(weigh))
  expect(weigh('api-key-settings.js') + heaviest).toBeLessThanOrEqual(28 * 1_024)
  // They are loaded with the limits or the activity of a key.
  const panels = readdirSync('dist').filter((name) => name.includes('settings.panels.'))
  expect(panels).toHaveLength(6)
  expect(Math.max(...panels.map(weigh))).toBeLessThanOrEqual(1_300)
})

it('the client for browsers weighs at most 6 KB, minified and gzipped', () => {
  spawnSync(process.execPath, ['scripts/build.ts'])
  const client = readFileSync('dist/browser.js')
  expect(client.length).toBeGreaterThan(0)
  expect(gzipSync(client, { level: 9 }).length).toBeLessThanOrEqual(6 * 1_000)
})

it('process.env has no secret, which the next compatibility date would change', async () => {
  const { compatibility_date, compatibility_flags } = readConfig({ config: 'wrangler.toml' })
  const probe = {
    main: 'test/node/process-probe.ts',
    compatibility_flags,
    vars: { SECRET: 'it' },
  }
  const workers = Object.entries({ now: compatibility_date, next: '2026-08-04' }).map(
    ([name, date]) => ({ config: { ...probe, name, compatibility_date: date } }),
  )
  const harness = createTestHarness({ workers })
  onTestFinished(async () => harness.close())
  await harness.listen()
  const shownTo = async (name: string) => (await harness.getWorker(name).fetch('/')).json()
  expect([await shownTo('now'), await shownTo('next')]).toEqual([null, 'it'])
})
