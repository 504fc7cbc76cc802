/** A checkout of its own, with a local D1 of its own, for the commands of the README. */

import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { afterAll, onTestFinished } from 'vitest'
import { getPlatformProxy, unstable_splitSqlQuery as splitSql } from 'wrangler'
import { readUrl } from '../../scripts/lib/wrangler.ts'
import { NO_VARS } from './start-vault.ts'

/** The local D1 of `wrangler.toml`. */
const D1 = { binding: 'DB', database_name: 'user-key-vault' }

/** As much of its binding as the tests need; the browser tests do not know Workers' types. */
interface LocalD1 {
  prepare: (sql: string) => object
  batch: (statements: object[]) => Promise<{ results: Record<string, unknown>[] }[]>
}

/** What `npm run dev` has printed, and the way to end it. */
export interface Dev {
  url: string
  curls: string[]
  printed: () => string
  /** Runs the scheduled job once. */
  runJob: () => Promise<void>
  stop: () => Promise<void>
}

/** Makes the checkout, with the secrets of `required`; it is removed after the tests of the file. */
export function makeCheckout(required = ['API_KEY_ENCRYPTION_KEY', 'JWT_SECRET_KEY']) {
  const directory = mkdtempSync(join(tmpdir(), 'user-key-vault-'))
  afterAll(() => rmSync(directory, { recursive: true }))
  for (const path of ['package.json', 'migrations', 'scripts', 'src']) {
    cpSync(path, join(directory, path), { recursive: true })
  }
  const config = readFileSync('wrangler.toml', 'utf8')
    .replaceAll(new RegExp(`^(${Object.keys(NO_VARS).join('|')}) = .*`, 'gm'), '$1 = ""')
    .replace(/^required = .*/m, `required = ${JSON.stringify(required)}`)
  writeFileSync(join(directory, 'wrangler.toml'), config)
  symlinkSync(join(process.cwd(), 'node_modules'), join(directory, 'node_modules'))

  /** Starts `npm run dev` on a free port and waits for the line that holds `awaited`. */
  async function startDev(args: string[] = [], awaited = '-X DELETE'): Promise<Dev> {
    const command = ['scripts/dev.ts', '--port', '0', ...args]
    const stdio: ['ignore', 'pipe', 'pipe'] = ['ignore', 'pipe', 'pipe']
    const dev = spawn(process.execPath, command, { cwd: directory, stdio })
    const exited = once(dev, 'exit')
    onTestFinished(() => void dev.kill('SIGTERM'))
    const lines: string[] = []
    createInterface({ input: dev.stderr }).on('line', (line) => lines.push(line))
    for await (const line of createInterface({ input: dev.stdout })) {
      lines.push(line)
      if (line.includes(awaited)) break
    }
    dev.stdout.on('data', (chunk) => lines.push(String(chunk)))
    const url = readUrl(lines.join('\n')) ?? ''
    return {
      url,
      curls: lines.filter((line) => line.startsWith('curl ')),
      printed: () => lines.join('\n'),
      runJob: async () => {
        const response = await fetch(`${url}/cdn-cgi/local/scheduled`)
        if (!response.ok) throw new Error(`The job failed: ${lines.join('\n')}`)
      },
      stop: async () => {
        dev.kill('SIGTERM')
        await exited
      },
    }
  }

  async function run(command: string, ...args: string[]): Promise<string> {
    const maxBuffer = 64 * 1024 * 1024
    return (await promisify(execFile)(command, args, { cwd: directory, maxBuffer })).stdout
  }

  const database = { name: 'checkout', compatibility_date: '2026-08-03', d1_databases: [D1] }
  writeFileSync(join(directory, 'database.json'), JSON.stringify(database))

  /** Runs SQL statements on the checkout's local D1. @returns the rows of the last one */
  async function query(sql: string): Promise<Record<string, unknown>[]> {
    const proxy = await getPlatformProxy<{ DB: LocalD1 }>({
      configPath: join(directory, 'database.json'),
      persist: { path: join(directory, '.wrangler/state/v3') },
      remoteBindings: false,
    })
    try {
      const { DB } = proxy.env
      const statements = splitSql(sql).map((statement) => DB.prepare(statement))
      const results = await DB.batch(statements)
      return results.at(-1)?.results ?? []
    } finally {
      await proxy.dispose()
    }
  }

  return {
    path: (name: string) => join(directory, name),
    startDev,
    run,
    query,
    script: async (name: string, ...args: string[]) =>
      run(process.execPath, `scripts/${name}.ts`, ...args),
    wrangler: async (...args: string[]) =>
      run(process.execPath, 'node_modules/wrangler/bin/wrangler.js', ...args),
  }
}
