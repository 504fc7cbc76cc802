/** `.dev.vars`, the secrets of local development: made once, never overwritten. */

import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { parseEnv } from 'node:util'

const FILE = '.dev.vars'

/** Makes the file with fresh secrets, readable by its owner alone, where there is none. */
export function makeDevVars(): void {
  if (existsSync(FILE)) return
  const secrets = {
    API_KEY_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
    JWT_SECRET_KEY: randomBytes(32).toString('hex'),
  }
  const lines = Object.entries(secrets).map(([name, value]) => `${name}=${value}\n`)
  writeFileSync(FILE, lines.join(''), { mode: 0o600, flag: 'wx' })
}

/** The `JWT_SECRET_KEY` of the file; undefined where there is none. */
export function readTokenSecret(): string | undefined {
  return existsSync(FILE) ? parseEnv(readFileSync(FILE, 'utf8'))['JWT_SECRET_KEY'] : undefined
}
