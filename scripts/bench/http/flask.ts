/** Runs the Flask backend with Debian's Flask and gunicorn, with two workers. */

import { spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { listen, stop } from '../../lib/local-server.ts'
import { cpuOf, findChildren } from './cpu.ts'
import { API_KEY, type BenchUser } from './seed.ts'

const PYTHON = '/usr/bin/python3'
const MODULES = 'import flask, flask_jwt_extended, gunicorn, cryptography'

/** A running backend. */
export interface Flask {
  url: string
  cpu: () => number
  close: () => void
}

/** Starts the backend with the users and one key each. Returns null if Debian's packages are missing. */
export async function startFlask(
  secret: string,
  loaded: readonly BenchUser[],
): Promise<Flask | null> {
  if (spawnSync(PYTHON, ['-c', MODULES]).status !== 0) return null
  const database = join(mkdtempSync(join(tmpdir(), 'bench-')), 'flask.db')
  const free = createServer()
  const port = await listen(free)
  await stop(free)
  const env = {
    PATH: process.env['PATH'],
    DATABASE: database,
    JWT_SECRET_KEY: secret,
    API_KEY_ENCRYPTION_KEY: `${randomBytes(32).toString('base64url')}=`,
  }
  const args = [
    '-m',
    'gunicorn',
    '-w',
    '2',
    '-b',
    `127.0.0.1:${port}`,
    '--chdir',
    'scripts/bench/http',
    'flask_app:app',
  ]
  const gunicorn = spawn(PYTHON, args, { env, stdio: 'ignore' })
  const url = `http://127.0.0.1:${port}`
  await untilUp(url)
  const users = new DatabaseSync(database)
  const insert = users.prepare('INSERT INTO users (id) VALUES (?)')
  for (const { id } of loaded) insert.run(id)
  users.close()
  for (const user of loaded) {
    // oxlint-disable-next-line no-await-in-loop -- SQLite has one writer
    await saveKey(url, user)
  }
  const parent = gunicorn.pid ?? 0
  const workers = [...findChildren(parent, 'python3'), ...findChildren(parent, 'gunicorn')]
  return { url, cpu: cpuOf(workers), close: () => void gunicorn.kill() }
}

async function saveKey(url: string, { id, authorization }: BenchUser): Promise<void> {
  const headers = { Authorization: authorization, 'Content-Type': 'application/json' }
  const body = JSON.stringify({ api_key: API_KEY })
  const saved = await fetch(`${url}/api/users/${id}/api-key`, { method: 'PUT', headers, body })
  if (!saved.ok) throw new Error(`Flask answered ${saved.status}`)
}

async function untilUp(url: string): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    // oxlint-disable-next-line no-await-in-loop -- one attempt after the other
    const isUp = await fetch(url).then(
      () => true,
      () => false,
    )
    if (isUp) return
    // oxlint-disable-next-line no-await-in-loop
    await sleep(100)
  }
  throw new Error('gunicorn did not start')
}
