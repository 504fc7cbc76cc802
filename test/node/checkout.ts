/** Makes a separate checkout with its own local D1, for the commands. */

import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { D1Database } from '@cloudflare/workers-types'
import { afterAll } from 'vitest'
import { getPlatformProxy, unstable_splitSqlQuery as splitSql } from 'wrangler'
import { applyMigrations } from '../../scripts/lib/migrations.ts'
import { readUrl } from '../../scripts/lib/wrangler.ts'
import { startProgram, type Program } from './program.ts'
import { NO_VARS } from './wrangler-names.ts'

const WRANGLER = 'node_modules/wrangler/bin/wrangler.js'

/** A running `npm run dev`, with what it has printed. It ends when it is disposed of, or with the tests of the file. */
export interface Dev extends AsyncDisposable {
  url: string
  /** The page with the demo user signed in. */
  link: string
  /** Each as a script of its own, with the token that the line uses. */
  curls: string[]
  printed: () => string
  /** Waits for a line with `awaited`. @throws Error with what it printed if it ends before */
  waitFor: (awaited: string) => Promise<void>
  /** Runs the scheduled job once. */
  runJob: () => Promise<void>
  /** Sends it a signal, and waits until it has ended. What it has started may run on. */
  stop: (signal?: NodeJS.Signals) => Promise<void>
}

/** Makes the checkout, with the secrets in `required`. It is removed after the tests of the file. */
export function makeCheckout(required = ['API_KEY_ENCRYPTION_KEY', 'JWT_SECRET_KEY']) {
  const directory = mkdtempSync(join(tmpdir(), 'user-key-vault-'))
  const programs: Program[] = []
  afterAll(async () => {
    await Promise.all(programs.map(async (program) => program[Symbol.asyncDispose]()))
    rmSync(directory, { recursive: true })
  })
  copySources(directory, required)
  mkdirSync(join(directory, 'tmp'))
  const path = (name: string) => join(directory, name)

  function startHere(command: readonly string[], env: NodeJS.ProcessEnv = {}): Program {
    // What a killed program leaves is removed with the checkout.
    const here = { ...process.env, TMPDIR: path('tmp'), ...env }
    const program = startProgram(command, { cwd: directory, env: here })
    programs.push(program)
    return program
  }

  /** Starts a command, and waits for a line with `awaited`. */
  async function start(command: readonly string[], awaited: string): Promise<Dev> {
    const program = startHere(command)
    await program.waitFor(awaited)
    return describeDev(program)
  }

  /** Starts `npm run dev` on a free port, and waits for a line with `awaited`. */
  async function startDev(args: string[] = [], awaited = '-X DELETE'): Promise<Dev> {
    return start([process.execPath, 'scripts/dev.ts', '--port', '0', ...args], awaited)
  }

  /** Runs a command to its end. @returns its standard output @throws Error that has its code and its outputs too */
  async function runWith(env: NodeJS.ProcessEnv, ...command: string[]): Promise<string> {
    const ended = await startHere(command, env).ended()
    if (ended.code === 0) return ended.stdout
    throw Object.assign(new Error(`${command.join(' ')} failed:\n${ended.stderr}`), ended)
  }

  /** Opens the local D1 for `work`. */
  async function withDatabase<T>(work: (db: D1Database) => Promise<T>): Promise<T> {
    const configPath = path('database.json')
    const d1 = { binding: 'DB', database_name: 'user-key-vault' }
    writeFileSync(configPath, JSON.stringify({ name: 'user-key-vault', d1_databases: [d1] }))
    const persist = { path: path('.wrangler/state/v3') }
    const options = { configPath, persist, remoteBindings: false }
    const proxy = await getPlatformProxy<{ DB: D1Database }>(options)
    try {
      return await work(proxy.env.DB)
    } finally {
      await proxy.dispose()
    }
  }

  const run = async (...command: string[]) => runWith({}, ...command)

  return {
    path,
    startProgram: startHere,
    startDev,
    start,
    run,
    runWith,
    /** Starts the Worker alone: its job runs only if the test says so. */
    startWorker: async (...vars: string[]): Promise<Dev> => {
      const options = vars.flatMap((given) => ['--var', given])
      return start([process.execPath, WRANGLER, 'dev', '--port', '0', ...options], 'Ready on')
    },
    withDatabase,
    /** Makes the tables of the local D1, as `npm run schema` does. */
    migrate: async () => withDatabase(applyMigrations),
    query: (sql: string) => query(path('.wrangler/state/v3/d1/miniflare-D1DatabaseObject'), sql),
    /**
     * Runs a curl line that `npm run dev` has printed. While `wrangler dev` reloads the Worker, it
     * answers 503 to a PUT, and curl sends the PUT again.
     */
    paste: async (line = ''): Promise<unknown> =>
      JSON.parse(await run('sh', '-c', line.replace('curl ', 'curl --retry 3 '))),
    script: async (name: string, ...args: string[]) =>
      run(process.execPath, `scripts/${name}.ts`, ...args),
    wrangler: async (...args: string[]) => run(process.execPath, WRANGLER, ...args),
  }
}

/** Copies what the commands need into `directory`, with a configuration that nothing on this machine changes. */
function copySources(directory: string, required: string[]): void {
  const paths = [
    'LICENSE',
    'package.json',
    'examples',
    'migrations',
    'scripts',
    'src',
    'tsconfig.json',
  ]
  for (const path of paths) cpSync(path, join(directory, path), { recursive: true })
  const config = readFileSync('wrangler.toml', 'utf8')
    .replaceAll(new RegExp(`^(${Object.keys(NO_VARS).join('|')}) = .*`, 'gm'), '$1 = ""')
    .replace(/^required = .*/m, `required = ${JSON.stringify(required)}`)
  // Wrangler looks for a free port from 9229 on, which two that start at once both find.
  const inspector = '\n[dev]\ninspector_port = 0\n'
  writeFileSync(join(directory, 'wrangler.toml'), `${config}${inspector}`)
  symlinkSync(join(process.cwd(), 'node_modules'), join(directory, 'node_modules'))
}

function describeDev(program: Program): Dev {
  const { printed, waitFor } = program
  const find = (pattern: RegExp) => pattern.exec(printed())?.[1] ?? ''
  const url = readUrl(printed()) ?? ''
  return {
    url,
    get link() {
      return find(/Page +(\S+)/)
    },
    get curls() {
      const token = find(/^(TOKEN=.*)$/m)
      const lines = printed().split('\n')
      return lines.filter((line) => line.startsWith('curl ')).map((line) => `${token}\n${line}`)
    },
    printed,
    waitFor,
    runJob: async () => {
      const response = await fetch(`${url}/cdn-cgi/local/scheduled`)
      if (!response.ok) throw new Error(`The job failed: ${printed()}`)
    },
    stop: async (signal = 'SIGTERM') => {
      program.signal(signal)
      await program.exited()
    },
    [Symbol.asyncDispose]: async () => program[Symbol.asyncDispose](),
  }
}

/** Runs SQL statements on the local D1 in the folder `d1`. @returns the rows of the last statement */
function query(d1: string, sql: string): Record<string, unknown>[] {
  const file = readdirSync(d1).find((name) => /^\w{64}\.sqlite$/.test(name))
  if (file === undefined) throw new Error('The local D1 does not exist yet')
  const statements = splitSql(sql)
  // A reader takes no lock that a writing command needs.
  const readOnly = statements.every((statement) => statement.startsWith('SELECT'))
  using database = new DatabaseSync(join(d1, file), { readOnly, timeout: 5_000 })
  for (const statement of statements.slice(0, -1)) database.exec(statement)
  const rows = database.prepare(statements.at(-1) ?? '').all()
  return rows.map((row) => Object.fromEntries(Object.entries(row)))
}
