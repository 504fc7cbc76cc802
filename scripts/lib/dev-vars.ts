/** `.dev.vars`, the secrets of local development: completed, never overwritten, and used for tokens. */

import { randomBytes, randomUUID } from 'node:crypto'
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import { inSeconds, signToken } from './token.ts'

export const DEV_VARS = '.dev.vars'

/** The secrets that may have any value, and a fresh value of each. */
export const MAKERS = {
  API_KEY_ENCRYPTION_KEY: () => randomBytes(32).toString('base64'),
  JWT_SECRET_KEY: () => randomBytes(32).toString('hex'),
}

/**
 * Appends a fresh value of each `required` secret that the file lacks and that may have any value.
 * A new file is readable by its owner alone.
 *
 * @returns the names of the secrets that were added
 */
export function completeDevVars(required: readonly string[]): string[] {
  const present = readDevVars()
  const missing = Object.entries(MAKERS).filter(
    ([name]) => required.includes(name) && !present[name],
  )
  if (missing.length === 0) return []
  const lines = missing.map(([name, make]) => `${name}=${make()}\n`)
  const endsInLine = existsSync(DEV_VARS) && !/(?:^|\n)$/.test(readFileSync(DEV_VARS, 'utf8'))
  appendFileSync(DEV_VARS, `${endsInLine ? '\n' : ''}${lines.join('')}`, { mode: 0o600 })
  return missing.map(([name]) => name)
}

/** The names in the file that are not in `passed`: Wrangler passes no other ones to the Worker. */
export function findHiddenVars(passed: readonly string[]): string[] {
  return Object.keys(readDevVars()).filter((name) => !passed.includes(name))
}

/** What a token may have besides its user. */
interface DevClaims {
  /** A list separated by spaces. */
  scope?: string | undefined
  client?: string | undefined
  team?: string | undefined
  isAdmin?: boolean
}

/**
 * A token of `userId` that is valid for a day, as flask-jwt-extended makes it, signed with the
 * `JWT_SECRET_KEY` of the file; undefined if there is none.
 */
export async function mintDevToken(
  userId: string,
  { scope, client, team, isAdmin = false }: DevClaims = {},
): Promise<string | undefined> {
  const secret = readDevVar('JWT_SECRET_KEY')
  if (!secret) return undefined
  const now = inSeconds(0)
  const times = { iat: now, nbf: now, exp: inSeconds(24 * 60 * 60) }
  const user = { type: 'access', fresh: false, sub: userId, jti: randomUUID() }
  const ofTeam = { org_id: team, org_role: isAdmin ? 'admin' : undefined }
  const claims = { ...user, scope, client_id: client, ...ofTeam, ...times }
  return signToken(claims, secret)
}

/** A secret of the file; undefined if the file or the secret is missing. */
export function readDevVar(name: string): string | undefined {
  return readDevVars()[name]
}

/** A secret of the environment, or for the local database of the file; undefined if neither has it. */
export function readSecret(name: string, { remote }: { remote: boolean }): string | undefined {
  return process.env[name] ?? (remote ? undefined : readDevVar(name))
}

function readDevVars(): NodeJS.Dict<string> {
  return existsSync(DEV_VARS) ? parseEnv(readFileSync(DEV_VARS, 'utf8')) : {}
}
