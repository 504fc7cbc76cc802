import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { gzipSync } from 'node:zlib'
import { createTestHarness, unstable_readConfig as readConfig } from 'wrangler'
import { describe, expect, it, onTestFinished } from 'vitest'

describe('the deployed Worker', () => {
  it('weighs at most 64 KiB, minified and gzipped, and names the commands for a remote database', () => {
    const outdir = mkdtempSync(join(tmpdir(), 'bundle-'))
    onTestFinished(() => rmSync(outdir, { recursive: true }))
    const options = ['deploy', '--dry-run', '--minify', '--outdir', outdir]
    const args = ['node_modules/wrangler/bin/wrangler.js', ...options]
    // Vitest sets NODE_ENV, and an operator does not.
    const { NODE_ENV: _, ...environment } = process.env
    const { stdout } = spawnSync(process.execPath, args, { encoding: 'utf8', env: environment })
    const [, gzipped] = /gzip: ([\d.]+) KiB/.exec(stdout) ?? []
    expect(Number(gzipped)).toBeGreaterThan(0)
    expect(Number(gzipped)).toBeLessThanOrEqual(64)
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

  it('serves an element of at most 25 KB with one language, minified and gzipped', () => {
    spawnSync(process.execPath, ['scripts/build.ts'])
    const weigh = (name: string) => gzipSync(readFileSync(`dist/${name}`), { level: 9 }).length
    const languages = readdirSync('dist').filter((name) => /settings\.[a-zA-Z-]+\.json$/.test(name))
    expect(languages).toHaveLength(5)
    const heaviest = Math.max(...languages.map(weigh))
    expect(weigh('api-key-settings.js') + heaviest).toBeLessThanOrEqual(25 * 1_024)
  })

  it.for([
    ['has no secret in process.env', {}, null],
    [
      'would have the secret there from the next compatibility date on',
      { compatibility_date: '2026-08-04' },
      'it',
    ],
  ] as const)('%s', async ([, changes, expected]) => {
    const { compatibility_date, compatibility_flags } = readConfig({ config: 'wrangler.toml' })
    const config = {
      name: 'probe',
      main: 'test/node/process-probe.ts',
      compatibility_date,
      compatibility_flags,
      vars: { SECRET: 'it' },
      ...changes,
    }
    const harness = createTestHarness({ workers: [{ config }] })
    onTestFinished(async () => harness.close())
    await harness.listen()
    expect(await (await harness.fetch('/')).json()).toBe(expected)
  })
})
