/** Opens the service once per isolate. Nothing below this module reads `env`. */

import { openKeyring, type Keyring } from './crypto/keyring.ts'
import { log } from './log.ts'
import { readFrontSettings, readSettings, type FrontSettings, type Settings } from './settings.ts'
import { tokenVerifier, type VerifyToken } from './tokens/access-token.ts'

/** Everything that a request, a binding call or a run of the job needs. */
export interface Service {
  settings: Settings
  db: D1Database
  keyring: Keyring
  verifyToken: VerifyToken
}

const services = new WeakMap<Env, Service>()
const fronts = new WeakMap<Env, FrontSettings>()

/** Returns the isolate's service. @throws VaultError `server_misconfigured` */
export async function openService(env: Env): Promise<Service> {
  const known = services.get(env)
  if (known !== undefined) return known
  const settings = readSettings(env)
  const keyring = await openKeyring(settings)
  const verifyToken = await tokenVerifier(settings.tokenSources, settings.tokenRules)
  // A concurrent request may have been faster. Two services would fetch the key set twice.
  const service = services.get(env) ?? {
    settings,
    db: settings.db,
    keyring,
    verifyToken,
  }
  const { missingLimiters } = settings
  if (!services.has(env) && missingLimiters.length > 0) {
    log('warn', 'limiter_missing', { limiters: missingLimiters })
  }
  services.set(env, service)
  return service
}

/** The settings for what surrounds the work. It never throws, even if other variables are wrong. */
export function openFront(env: Env): FrontSettings {
  const known = fronts.get(env)
  if (known !== undefined) return known
  const front = readFrontSettings(env)
  fronts.set(env, front)
  return front
}
