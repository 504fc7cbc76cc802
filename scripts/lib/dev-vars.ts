/** `.dev.vars`, the secrets of local development: made once, never overwritten, and used for tokens. */

import { randomBytes, randomUUID } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import { inSeconds, signToken } from './token.ts'

const FILE = '.dev.vars'

/** Makes the file with fresh secrets, readable by its owner alone, if there is none. */
export function makeDevVars(): void {
  if (existsSync(FILE)) return
  const secrets = {
    API_KEY_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
    JWT_SECRET_KEY: randomBytes(32).toString('hex'),
  }
  const lines = Object.entries(secrets).map(([name, value]) => `${name}=${value}\n`)
  writeFileSync(FILE, lines.join(''), { mode: 0o600, flag: 'wx' })
}

/**
 * A token of `userId` that is valid for a day, as flask-jwt-extended makes it, signed with the
 * `JWT_SECRET_KEY` of the file; undefined if there is none.
 */
export async function mintDevToken(userId: string): Promise<string | undefined> {
  const secret = readTokenSecret()
  if (!secret) return undefined
  const now = inSeconds(0)
  const times = { iat: now, nbf: now, exp: inSeconds(24 * 60 * 60) }
  const claims = { type: 'access', fresh: false, sub: userId, jti: randomUUID(), ...times }
  return signToken(claims, secret)
}

function readTokenSecret(): string | undefined {
  return readDevVar('JWT_SECRET_KEY')
}

/** A secret of the file; undefined if the file or the secret is missing. */
export function readDevVar(name: string): string | undefined {
  return existsSync(FILE) ? parseEnv(readFileSync(FILE, 'utf8'))[name] : undefined
}
