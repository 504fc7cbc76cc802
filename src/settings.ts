/** Reads the settings, checks them together, and reports every fault at once. It refuses a bad value. */

import { readKeys, type ForeignSecrets } from './crypto/keyring.ts'
import {
  analytics,
  environment,
  foreignVariables,
  limiters,
  ownVariables,
  type Environment,
} from './environment.ts'
import { VaultError } from './errors.ts'
import { isAllowed } from './providers/headers.ts'
import { readDefaultProvider } from './providers/table.ts'
import { namesIn } from './shared/json.ts'
import { nameLabelFault } from './shared/label.ts'
import { splitSlot } from './shared/slot.ts'
import {
  confidentialUrl,
  readVariables,
  settingsOf,
  splitList,
  type Refuse,
} from './shared/variable.ts'
import { webOrigin } from './shared/web-origin.ts'
import { readTokens } from './tokens/token-settings.ts'

/** The settings that the variables make together. `refuse` gets each fault. */
function join(env: Environment, refuse: Refuse<string>) {
  const [foreign = null] = Object.values<ForeignSecrets>(settingsOf(foreignVariables, env))
  const keys = readKeys(env, foreign, refuse)
  const tokens = readTokens(env, refuse)
  refuseProvidersHeader(env, refuse)
  const signIn = readSignIn(env, refuse)
  const relay = readRelay(env, refuse)
  if (env.MANAGE_SCOPE !== null && env.SUPPORT_LIMITER === null) {
    refuse('SUPPORT_LIMITER', 'is required with MANAGE_SCOPE: see [[ratelimits]]')
  }
  return {
    ...settingsOf(ownVariables, env),
    ...settingsOf(limiters, env),
    missingLimiters: nameMissing(env),
    deletions: readDeletions(env, refuse),
    ...keys,
    ...tokens,
    signIn,
    relay,
    providers: env.PROVIDERS,
    defaultProvider: readDefaultProvider(env, refuse),
    revealers: env.ALLOW_REVEAL,
  }
}

/** The validated settings of the service. */
export type Settings = ReturnType<typeof join>

/**
 * Returns the validated settings.
 *
 * @throws VaultError `server_misconfigured`. Its cause names each bad variable and the fix, but no value.
 */
export function readSettings(env: Env): Settings {
  const { settings, faults } = checkSettings(env)
  if (settings !== null && faults.length === 0) return settings
  throw new VaultError('server_misconfigured', { cause: new Error(faults.join('; ')) })
}

/** The settings, if they can be read, and what is wrong with them. A fault begins with the name of its variable. */
export function checkSettings(env: object): { settings: Settings | null; faults: string[] } {
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''))
  const faults: string[] = []
  const values = readVariables(environment, set, (name, { path, message }) =>
    faults.push(`${namePath(name, path)} ${message}`),
  )
  const settings = values && join(values, (name, message) => faults.push(`${name} ${message}`))
  return { settings, faults }
}

/** The settings for what surrounds the work. They work even if other variables are wrong. */
export interface FrontSettings {
  /** The static assets of the page. */
  assets: Fetcher
  /** The origins that may call from a browser, and patterns of origins. */
  corsOrigins: readonly string[]
  /** The identity provider that the page may connect to; null without sign-in. */
  issuer: string | null
  /** Gets the counts of requests and calls, so that those of a misconfigured vault are counted too. */
  analytics: AnalyticsEngineDataset | null
}

/** Reads each variable separately. {@link readSettings} reports a wrong one, and then every route refuses. */
export function readFrontSettings(env: Env): FrontSettings {
  const issuer = confidentialUrl.safeParse(env.OIDC_ISSUER)
  const dataset = analytics.safeParse('ANALYTICS' in env ? env.ANALYTICS : null)
  return {
    assets: env.ASSETS,
    corsOrigins: splitList(env.CORS_ORIGINS).filter((text) => webOrigin.safeParse(text).success),
    issuer: issuer.success ? issuer.data : null,
    analytics: dataset.success ? dataset.data : null,
  }
}

/** The limiters that are not configured: an older configuration file lacks the newer ones. What is off needs none. */
function nameMissing(env: Environment): string[] {
  const isOff: { [Name in keyof typeof limiters]?: boolean } = {
    RELAY_LIMITER: env.RELAY_SCOPE === null,
    SUPPORT_LIMITER: env.MANAGE_SCOPE === null,
  }
  return namesIn(limiters).filter((name) => env[name] === null && isOff[name] !== true)
}

/** The second store, with its jurisdiction if it has one; null without a store. */
function readDeletions(env: Environment, refuse: Refuse<keyof Environment>) {
  const { DELETIONS: namespace, DELETIONS_JURISDICTION: jurisdiction } = env
  if (namespace === null) {
    if (jurisdiction !== null) refuse('DELETIONS_JURISDICTION', 'needs DELETIONS')
    return null
  }
  if (jurisdiction !== null && !hasJurisdiction(namespace, jurisdiction)) {
    refuse('DELETIONS_JURISDICTION', 'is unknown here: leave it empty in local development')
  }
  return { namespace, jurisdiction }
}

/** Whether the runtime has the jurisdiction. workerd has none: https://github.com/cloudflare/workerd/issues/4167 */
function hasJurisdiction(
  namespace: Pick<DurableObjectNamespace, 'jurisdiction'>,
  jurisdiction: DurableObjectJurisdiction,
): boolean {
  try {
    namespace.jurisdiction(jurisdiction)
    return true
  } catch {
    return false
  }
}

/** A provider must never get the token. */
function refuseProvidersHeader(env: Environment, refuse: Refuse<keyof Environment>): void {
  const header = env.JWT_HEADER_NAME?.toLowerCase()
  const all = [...env.PROVIDERS.values()]
  if (header !== undefined && all.some((provider) => isAllowed(provider, header))) {
    refuse('JWT_HEADER_NAME', 'is a header that a provider gets: choose another one')
  }
}

/** How the page signs users in (OpenID Connect); null if they cannot. */
function readSignIn(env: Environment, refuse: Refuse<keyof Environment>) {
  const { OIDC_ISSUER: issuer, OIDC_CLIENT_ID: clientId } = env
  if (issuer !== null && clientId !== null) {
    return { issuer, clientId, scope: env.OIDC_SCOPE, audience: env.OIDC_AUDIENCE }
  }
  if (issuer !== clientId) refuse('OIDC_ISSUER', 'and OIDC_CLIENT_ID are required together')
  return null
}

/** What the relay allows; null if it is off. */
function readRelay(env: Environment, refuse: Refuse<keyof Environment>) {
  const { RELAY_SCOPE: scope, RELAY_PROVIDERS: providers } = env
  const unknown = (providers ?? []).findIndex((name) => !isSlotName(env, name))
  if (unknown >= 0) {
    refuse('RELAY_PROVIDERS', `must be names of providers or slots: item ${unknown + 1} is not`)
  }
  if (scope !== null) return { scope, providers }
  if (providers !== null) refuse('RELAY_PROVIDERS', 'needs RELAY_SCOPE')
  return null
}

/** Whether it is the name of a provider, or of a slot of one. */
function isSlotName({ PROVIDERS }: Environment, name: string): boolean {
  const { provider, label } = splitSlot(name)
  return PROVIDERS.has(provider) && (label === null || nameLabelFault(label) === null)
}

/** The name of a variable: `NAME`, `NAME, item 2,` for a list, or `NAME, "key", field` for a table. */
function namePath(name: string, [within, ...rest]: readonly PropertyKey[]): string {
  if (typeof within === 'number') return `${name}, item ${within + 1},`
  if (within === undefined) return name
  return `${name}, ${JSON.stringify(within)}, ${rest.join('.')}`.trim()
}
