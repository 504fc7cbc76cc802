import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { createTestHarness, unstable_readConfig as readConfig } from 'wrangler'
import { describe, expect, it, onTestFinished } from 'vitest'

describe('the deployed Worker', () => {
  it('weighs at most 60 KiB, minified and gzipped', () => {
    const args = ['node_modules/wrangler/bin/wrangler.js', 'deploy', '--dry-run', '--minify']
    const { stdout } = spawnSync(process.execPath, args, { encoding: 'utf8' })
    const [, gzipped] = /gzip: ([\d.]+) KiB/.exec(stdout) ?? []
    expect(Number(gzipped)).toBeGreaterThan(0)
    expect(Number(gzipped)).toBeLessThanOrEqual(60)
  })

  it('serves an element of at most 20 KB with one language, minified and gzipped', () => {
    spawnSync(process.execPath, ['scripts/build.ts'])
    const weigh = (name: string) => gzipSync(readFileSync(`dist/${name}`), { level: 9 }).length
    const languages = readdirSync('dist').filter((name) => /settings\.[a-zA-Z-]+\.json$/.test(name))
    expect(languages).toHaveLength(5)
    const heaviest = Math.max(...languages.map(weigh))
    expect(weigh('api-key-settings.js') + heaviest).toBeLessThanOrEqual(20 * 1_024)
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
