/** Makes a separate checkout with its own local D1, for the commands. */

import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { promisify } from 'node:util'
import { afterAll, onTestFinished } from 'vitest'
import { unstable_splitSqlQuery as splitSql } from 'wrangler'
import { readUrl } from '../../scripts/lib/wrangler.ts'
import { NO_VARS } from './start-vault.ts'

/** A running `npm run dev`, with what it has printed. */
export interface Dev {
  url: string
  /** The page with the demo user signed in. */
  link: string
  /** Each as a script of its own, with the token that the line uses. */
  curls: string[]
  printed: () => string
  /** Runs the scheduled job once. */
  runJob: () => Promise<void>
  stop: (signal?: NodeJS.Signals) => Promise<void>
}

/** Makes the checkout, with the secrets in `required`. It is removed after the tests of the file. */
export function makeCheckout(required = ['API_KEY_ENCRYPTION_KEY', 'JWT_SECRET_KEY']) {
  const directory = mkdtempSync(join(tmpdir(), 'user-key-vault-'))
  afterAll(() => rmSync(directory, { recursive: true }))
  for (const path of [
    'package.json',
    'examples',
    'migrations',
    'scripts',
    'src',
    'tsconfig.json',
  ]) {
    cpSync(path, join(directory, path), { recursive: true })
  }
  const config = readFileSync('wrangler.toml', 'utf8')
    .replaceAll(new RegExp(`^(${Object.keys(NO_VARS).join('|')}) = .*`, 'gm'), '$1 = ""')
    .replace(/^required = .*/m, `required = ${JSON.stringify(required)}`)
  // Wrangler looks for a free port from 9229 on, which two that start at once both find.
  const inspector = '\n[dev]\ninspector_port = 0\n'
  writeFileSync(join(directory, 'wrangler.toml'), `${config}${inspector}`)
  symlinkSync(join(process.cwd(), 'node_modules'), join(directory, 'node_modules'))

  /** Starts `npm run dev` on a free port, and waits for a line with `awaited`. */
  async function startDev(args: string[] = [], awaited = '-X DELETE'): Promise<Dev> {
    return start([process.execPath, 'scripts/dev.ts', '--port', '0', ...args], awaited)
  }

  /** Starts a command as {@link startDev} does. */
  async function start([command = '', ...args]: string[], awaited: string): Promise<Dev> {
    const stdio: ['ignore', 'pipe', 'pipe'] = ['ignore', 'pipe', 'pipe']
    const dev = spawn(command, args, { cwd: directory, stdio })
    const exited = once(dev, 'exit')
    onTestFinished(() => void dev.kill('SIGTERM'))
    const lines: string[] = []
    const ready = Promise.withResolvers<void>()
    dev.on('exit', () => ready.reject(new Error(`It has ended:\n${lines.join('\n')}`)))
    for (const input of [dev.stdout, dev.stderr]) {
      createInterface({ input }).on('line', (line) => {
        lines.push(line)
        if (line.includes(awaited)) ready.resolve()
      })
    }
    await ready.promise
    const url = readUrl(lines.join('\n')) ?? ''
    return {
      url,
      link: /Page +(\S+)/.exec(lines.join('\n'))?.[1] ?? '',
      curls: lines
        .filter((line) => line.startsWith('curl '))
        .map((line) => `${lines.find((other) => other.startsWith('TOKEN='))}\n${line}`),
      printed: () => lines.join('\n'),
      runJob: async () => {
        const response = await fetch(`${url}/cdn-cgi/local/scheduled`)
        if (!response.ok) throw new Error(`The job failed: ${lines.join('\n')}`)
      },
      stop: async (signal = 'SIGTERM') => {
        dev.kill(signal)
        await exited
      },
    }
  }

  async function run(command: string, ...args: string[]): Promise<string> {
    const maxBuffer = 64 * 1024 * 1024
    return (await promisify(execFile)(command, args, { cwd: directory, maxBuffer })).stdout
  }

  /** Runs SQL statements on the checkout's local D1. @returns the rows of the last statement */
  function query(sql: string): Record<string, unknown>[] {
    const d1 = join(directory, '.wrangler/state/v3/d1/miniflare-D1DatabaseObject')
    const file = readdirSync(d1).find((name) => /^\w{64}\.sqlite$/.test(name))
    if (file === undefined) throw new Error('The local D1 does not exist yet')
    const statements = splitSql(sql)
    // A reader takes no lock that a writing command needs.
    const readOnly = statements.every((statement) => statement.startsWith('SELECT'))
    const database = new DatabaseSync(join(d1, file), { readOnly, timeout: 5_000 })
    try {
      for (const statement of statements.slice(0, -1)) database.exec(statement)
      const rows = database.prepare(statements.at(-1) ?? '').all()
      return rows.map((row) => Object.fromEntries(Object.entries(row)))
    } finally {
      database.close()
    }
  }

  return {
    path: (name: string) => join(directory, name),
    startDev,
    start,
    run,
    query,
    /**
     * Runs a curl line that `npm run dev` has printed. While `wrangler dev` reloads the Worker, it
     * answers 503 to a PUT, and curl sends the PUT again.
     */
    paste: async (line = ''): Promise<unknown> =>
      JSON.parse(await run('sh', '-c', line.replace('curl ', 'curl --retry 3 '))),
    script: async (name: string, ...args: string[]) =>
      run(process.execPath, `scripts/${name}.ts`, ...args),
    wrangler: async (...args: string[]) =>
      run(process.execPath, 'node_modules/wrangler/bin/wrangler.js', ...args),
  }
}
