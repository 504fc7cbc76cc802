/** Validates and decodes the environment, and sets every default. It refuses a bad value. */

import * as z from 'zod/mini'
import type { Deletions } from './deletions.ts'
import { VaultError } from './errors.ts'
import { allowedHeaders } from './providers/headers.ts'
import { matchesHeader } from './providers/header-names.ts'
import { providers, type Providers } from './providers/table.ts'
import { confidentialUrl, exactText, flag, listOf, splitList } from './shared/variable.ts'
import { isBelowSharedHost, isOriginPattern } from './shared/web-origin.ts'
import {
  readTokenRules,
  readTokenSources,
  tokenScope,
  tokenVariables,
  type TokenRules,
  type TokenSource,
} from './tokens/token-settings.ts'

/** How many rows a run of the rewrap job handles. The free plan gives it 10 ms of CPU and 50 queries. */
const DEFAULT_ROWS_PER_RUN = 20

const ENCRYPTION_KEY_FIX = '32 random bytes in base64: npm run keys -- new'
const ALL_ZERO = `${'A'.repeat(43)}=`

/**
 * Canonical base64 or base64url of 32 bytes: the last character before `=` has two spare bits, and they
 * are zero. Fernet.generate_key() writes base64url.
 */
const encryptionKey = z.pipe(
  z.string().check(
    z.regex(/^[\w+/-]{42}[AEIMQUYcgkosw048]=$/, `is not ${ENCRYPTION_KEY_FIX}`),
    z.refine((text) => text !== ALL_ZERO, `is all zero; it must be ${ENCRYPTION_KEY_FIX}`),
  ),
  z.transform(decodeKey),
)

const fernetKey = z.pipe(
  z
    .string()
    .check(z.regex(/^[\w+/-]{43}=$/, 'is not a Fernet key: 32 bytes in base64url, 44 characters')),
  z.transform(decodeKey),
)

const distinct = z.refine<readonly Uint8Array[]>(areDistinct, 'contains a key twice')

const fernetKeys = listOf(fernetKey).check(distinct)

const encryptionKeys = listOf(encryptionKey, `is not set; it must be ${ENCRYPTION_KEY_FIX}`).check(
  distinct,
)

/** `openid` among the scopes, separated by one space (OpenID Connect Core 1.0 §3.1.2.1). */
const scope = z.string('must be a string').check(
  z.regex(/^[!-~]+(?: [!-~]+)*$/, 'must be scopes separated by single spaces'),
  z.refine((text) => text.split(' ').includes('openid'), 'must contain openid'),
)

const origin = z.string().check(
  z.refine(
    isOriginPattern,
    'is not an exact origin such as https://app.example.com, without a path or a slash at the end, or https://*.app.example.com for one label',
  ),
  z.refine(
    (text) => !isBelowSharedHost(text),
    'has a * below a host that others share; name one of your own, as in https://*.my-app.pages.dev',
  ),
)

const corsOrigins = listOf(origin, 'must be a string: https://a.example.com,https://b.example.com')

/**
 * A batch of the rewrap job is 4 statements, and D1 allows 1,000 per run. The job takes fewer rows if it moves keys:
 * https://developers.cloudflare.com/d1/platform/limits/
 */
const MAX_ROWS_PER_RUN = 40_000

const rowsPerRun = z.pipe(
  z
    .string('must be a string')
    .check(
      z.refine(
        (text) => /^[1-9]\d{0,4}$/.test(text) && Number(text) <= MAX_ROWS_PER_RUN,
        `must be a number from 1 to ${MAX_ROWS_PER_RUN}`,
      ),
    ),
  z.transform(Number),
)

/** How long an expired key stays, so that its user sees why it is not used. */
const DEFAULT_EXPIRED_KEPT_DAYS = 30

/** How long the trail keeps an event. */
const DEFAULT_EVENTS_KEPT_DAYS = 90

const days = z.pipe(
  z
    .string('must be a string')
    .check(z.regex(/^\d{1,4}$/, 'must be a number of days from 0 to 9999')),
  z.transform(Number),
)

/** `false` is nobody, `true` is everybody, and a list is its callers. */
const revealers = z.pipe(
  z
    .string('must be a string')
    .check(z.regex(/^[\w.,\s-]+$/, 'must be "true", "false" or names of callers')),
  z.transform((text): 'all' | readonly string[] => {
    if (text === 'true') return 'all'
    return text === 'false' ? [] : splitList(text)
  }),
)

const rateLimit = z.custom<RateLimit>(
  has('limit'),
  'must be a rate limit binding: see [[ratelimits]]',
)

const queue = z.custom<Queue>(has('send'), 'must be a queue binding: see [[queues.producers]]')

const analytics = z.custom<AnalyticsEngineDataset>(
  has('writeDataPoint'),
  'must be an Analytics Engine binding: see [[analytics_engine_datasets]]',
)

const deletions = z.custom<DurableObjectNamespace<Deletions>>(
  has('getByName'),
  'must be a Durable Object binding: see [[durable_objects.bindings]]',
)

const names = listOf(z.string(), 'must be a string: openai,anthropic')

/** Every validated variable, secret and binding, by its name. */
export const environment = z.object({
  DB: z.custom<D1Database>(has('prepare'), 'must be a D1 binding: see [[d1_databases]]'),
  DELETIONS: z.optional(deletions),
  RATE_LIMITER: rateLimit,
  API_KEY_ENCRYPTION_KEY: encryptionKeys,
  LEGACY_FERNET_KEY: z.optional(fernetKeys),
  REWRAP_ROWS_PER_RUN: z.optional(rowsPerRun),
  EXPIRED_KEPT_DAYS: z.optional(days),
  EVENTS_KEPT_DAYS: z.optional(days),
  EVENTS_QUEUE: z.optional(queue),
  ANALYTICS: z.optional(analytics),
  ...tokenVariables,
  PROBE_LIMITER: z.optional(rateLimit),
  ADDRESS_LIMITER: z.optional(rateLimit),
  CALLER_LIMITER: z.optional(rateLimit),
  EXPORT_LIMITER: z.optional(rateLimit),
  RELAY_LIMITER: z.optional(rateLimit),
  RELAY_SCOPE: z.optional(tokenScope),
  RELAY_PROVIDERS: z.optional(names),
  AUTO_CREATE_USERS: z.optional(flag),
  ALLOW_REVEAL: z.optional(revealers),
  VERIFY_ON_SAVE: z.optional(flag),
  PROVIDERS: providers,
  DEFAULT_PROVIDER: z.optional(exactText),
  CORS_ORIGINS: z.optional(corsOrigins),
  OIDC_ISSUER: z.optional(confidentialUrl),
  OIDC_CLIENT_ID: z.optional(exactText),
  OIDC_SCOPE: z.optional(scope),
  OIDC_AUDIENCE: z.optional(exactText),
})

type Environment = z.output<typeof environment>

/** Records a fault of a variable, or of several variables together. */
type Refuse = (name: keyof Environment, message: string) => void

/** How the page signs users in with the identity provider (OpenID Connect). */
export interface SignIn {
  issuer: string
  clientId: string
  scope: string
  /** Null if the identity provider needs no audience. */
  audience: string | null
}

/** What the relay allows. */
export interface RelayRules {
  /** The scope that a token must have. */
  scope: string
  /** The names of the providers that it reaches; null for all of them. */
  providers: readonly string[] | null
  /** Limits the uses of a user; null for no limit. */
  limiter: RateLimit | null
}

/** The validated settings of the service. */
export interface Settings {
  db: D1Database
  /** The second store, which remembers deleted keys; null without one. */
  deletions: DurableObjectNamespace<Deletions> | null
  /** Limits the requests of a user. */
  rateLimiter: RateLimit
  /** Limits the checks of a user's keys with their providers; null for no limit. */
  probeLimiter: RateLimit | null
  /** Limits what an address does without a valid token; null for no limit. */
  addressLimiter: RateLimit | null
  /** Limits the uses of keys by a caller; null for no limit. */
  callerLimiter: RateLimit | null
  /** Limits the exports of a user's events; null for no limit. */
  exportLimiter: RateLimit | null
  /** The callers that may have the grant `reveal`. */
  revealers: 'all' | readonly string[]
  /** 32 bytes each. The first one seals, and all of them open. */
  encryptionKeys: readonly Uint8Array[]
  /** The previous backend's Fernet keys, 32 bytes each. */
  fernetKeys: readonly Uint8Array[]
  /** The source of a token is chosen by its `alg`. */
  tokenSources: readonly TokenSource[]
  tokenRules: TokenRules
  /** The header with the token; null if that is Authorization. */
  tokenHeader: string | null
  /** Null if users cannot sign in on the page. */
  signIn: SignIn | null
  /** Null if the relay is off. */
  relay: RelayRules | null
  providers: Providers
  /** The provider of the plain route's keys; null if there is none. */
  defaultProvider: string | null
  /** Whether the first save adds a user who has a valid token. */
  autoCreateUsers: boolean
  /** Whether the provider checks a key before the vault saves it. */
  verifyOnSave: boolean
  rewrapRowsPerRun: number
  /** The days after which the job deletes an expired key. */
  expiredKeptDays: number
  /** The days after which the job deletes an event. */
  eventsKeptDays: number
  /** Gets the events that an application acts on; null if there is no queue. */
  eventsQueue: Queue | null
  /** Gets the counts of what the vault does; null if nothing is counted. */
  analytics: AnalyticsEngineDataset | null
}

const settings = z.pipe(
  environment,
  z.transform((env, { issues }): Settings => {
    const refuse: Refuse = (name, message) => {
      issues.push({ code: 'custom', path: [name], message, input: undefined })
    }
    refuseSharedKeys(env, refuse)
    return {
      db: env.DB,
      deletions: env.DELETIONS ?? null,
      rateLimiter: env.RATE_LIMITER,
      probeLimiter: env.PROBE_LIMITER ?? null,
      addressLimiter: env.ADDRESS_LIMITER ?? null,
      callerLimiter: env.CALLER_LIMITER ?? null,
      exportLimiter: env.EXPORT_LIMITER ?? null,
      revealers: env.ALLOW_REVEAL ?? [],
      encryptionKeys: env.API_KEY_ENCRYPTION_KEY,
      fernetKeys: env.LEGACY_FERNET_KEY ?? [],
      tokenSources: readTokenSources(env, refuse),
      tokenRules: readTokenRules(env),
      tokenHeader: readTokenHeader(env, refuse),
      signIn: readSignIn(env, refuse),
      relay: readRelay(env, refuse),
      providers: env.PROVIDERS,
      defaultProvider: readDefaultProvider(env, refuse),
      autoCreateUsers: env.AUTO_CREATE_USERS === 'true',
      verifyOnSave: env.VERIFY_ON_SAVE !== 'false',
      rewrapRowsPerRun: env.REWRAP_ROWS_PER_RUN ?? DEFAULT_ROWS_PER_RUN,
      expiredKeptDays: env.EXPIRED_KEPT_DAYS ?? DEFAULT_EXPIRED_KEPT_DAYS,
      eventsKeptDays: env.EVENTS_KEPT_DAYS ?? DEFAULT_EVENTS_KEPT_DAYS,
      eventsQueue: env.EVENTS_QUEUE ?? null,
      analytics: env.ANALYTICS ?? null,
    }
  }),
)

/**
 * Returns the validated settings.
 *
 * @throws VaultError `server_misconfigured`. Its cause names each bad variable and the fix, but no value.
 */
export function readSettings(env: Env): Settings {
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''))
  const parsed = settings.safeParse(set)
  if (parsed.success) return parsed.data
  const reasons = parsed.error.issues.map(({ path, message }) => `${namePath(path)} ${message}`)
  throw new VaultError('server_misconfigured', { cause: new Error(reasons.join('; ')) })
}

/** The settings for what surrounds the work. They work even if other variables are wrong. */
export interface FrontSettings {
  /** The static assets of the page. */
  assets: Fetcher
  /** The origins that may call from a browser, and patterns of such. */
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
    corsOrigins: splitList(env.CORS_ORIGINS).filter((text) => origin.safeParse(text).success),
    issuer: issuer.success ? issuer.data : null,
    analytics: dataset.success ? dataset.data : null,
  }
}

/** A key that serves two purposes is only as safe as the weaker one. */
function refuseSharedKeys(env: Environment, refuse: Refuse): void {
  const keys = env.API_KEY_ENCRYPTION_KEY
  const forms = keys.flatMap((key) => [key.toBase64(), key.toBase64({ alphabet: 'base64url' })])
  if (forms.some((form) => form === env.JWT_SECRET_KEY)) {
    refuse('JWT_SECRET_KEY', 'is also an encryption key; they must differ')
  }
  const legacyKeys = env.LEGACY_FERNET_KEY ?? []
  if (!areDistinct([...keys, ...legacyKeys])) {
    refuse('LEGACY_FERNET_KEY', 'is also an encryption key; they must differ')
  }
}

/** A provider must never get the token. */
function readTokenHeader(env: Environment, refuse: Refuse): string | null {
  const name = env.JWT_HEADER_NAME ?? 'Authorization'
  const lower = name.toLowerCase()
  if (lower === 'authorization') return null
  const passes = Array.from(env.PROVIDERS.values()).some((provider) =>
    allowedHeaders(provider).some((pattern) => matchesHeader(pattern, lower)),
  )
  if (passes) refuse('JWT_HEADER_NAME', 'is a header that a provider gets: choose another one')
  return name
}

/** The plain route takes no base URL, so its provider needs an origin. */
function readDefaultProvider(env: Environment, refuse: Refuse): string | null {
  const { DEFAULT_PROVIDER: name = null, PROVIDERS: known } = env
  if (name === null || known.get(name)?.origin !== undefined) return name
  refuse('DEFAULT_PROVIDER', 'must be the name of a provider with an origin')
  return null
}

function readRelay(env: Environment, refuse: Refuse): RelayRules | null {
  const { RELAY_SCOPE: asked, RELAY_PROVIDERS: allowed = null, RELAY_LIMITER: limiter = null } = env
  const unknown = allowed?.find((name) => !env.PROVIDERS.has(name))
  if (unknown !== undefined) refuse('RELAY_PROVIDERS', 'must be names of providers')
  if (asked !== undefined) return { scope: asked, providers: allowed, limiter }
  if (allowed !== null) refuse('RELAY_PROVIDERS', 'needs RELAY_SCOPE')
  return null
}

function readSignIn(env: Environment, refuse: Refuse): SignIn | null {
  const { OIDC_ISSUER: issuer, OIDC_CLIENT_ID: clientId } = env
  const { OIDC_SCOPE: wanted = 'openid', OIDC_AUDIENCE: audience = null } = env
  if (issuer !== undefined && clientId !== undefined) {
    return { issuer, clientId, scope: wanted, audience }
  }
  if (issuer !== clientId) refuse('OIDC_ISSUER', 'and OIDC_CLIENT_ID are required together')
  return null
}

/** The name of a variable: `NAME`, `NAME, item 2,` for a list, or `NAME, "key", field` for a table. */
function namePath([name, within, ...rest]: PropertyKey[]): string {
  if (typeof within === 'number') return `${String(name)}, item ${within + 1},`
  if (within === undefined) return String(name)
  return `${String(name)}, ${JSON.stringify(within)}, ${rest.join('.')}`.trim()
}

/** Decodes base64 in either alphabet. Python accepts both, so both are in use. */
function decodeKey(text: string): Uint8Array {
  return Uint8Array.fromBase64(text.replaceAll('-', '+').replaceAll('_', '/'))
}

function areDistinct(keys: readonly Uint8Array[]): boolean {
  return new Set(keys.map(String)).size === keys.length
}

function has(method: string): (binding: unknown) => boolean {
  return (binding) => typeof binding === 'object' && binding !== null && method in binding
}
