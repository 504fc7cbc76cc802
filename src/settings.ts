/** The Worker's environment, validated once an isolate: a bad value is refused, never guessed at. */

import * as z from 'zod/mini'
import { isConfidentialUrl } from './shared/confidential-url.ts'
import { ApiError } from './errors.ts'
import { providers } from './providers/provider.ts'

const ENCRYPTION_KEY_FIX = '32 random bytes in base64: npm run keys -- new'
const ALL_ZERO = `${'A'.repeat(43)}=`

/** Canonical base64 of 32 bytes: the last character before `=` has two spare bits, which are zero. */
const encryptionKey = z.pipe(
  z.string().check(
    z.regex(/^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/, `is not ${ENCRYPTION_KEY_FIX}`),
    z.refine((text) => text !== ALL_ZERO, `is all zero; it must be ${ENCRYPTION_KEY_FIX}`),
  ),
  z.transform(decodeBase64),
)

/** 32 bytes in base64 of either alphabet: Python's Fernet takes both, so both are found in the wild. */
const fernetKey = z.pipe(
  z
    .string()
    .check(z.regex(/^[\w+/-]{43}=$/, 'is no Fernet key: 32 bytes in base64url, 44 characters')),
  z.transform((text) => decodeBase64(text.replaceAll('-', '+').replaceAll('_', '/'))),
)

const fernetKeys = z.pipe(
  z.pipe(
    z.string('is no text'),
    z.transform((text) => splitList(text)),
  ),
  distinct(fernetKey),
)

const encryptionKeys = z.pipe(
  z.pipe(
    z.string(`is not set; it must be ${ENCRYPTION_KEY_FIX}`),
    z.transform((text) => splitList(text)),
  ),
  distinct(encryptionKey),
)

const exactText = z
  .string('is no text')
  .check(z.refine((text) => text === text.trim(), 'has white space around it'))

const secretKey = exactText.check(
  z.refine(
    (text) => new TextEncoder().encode(text).length >= 32,
    'is under 32 bytes (RFC 7518 §3.2): openssl rand -hex 32',
  ),
)

const confidentialUrl = z
  .string('is no text')
  .check(
    z.refine(
      isConfidentialUrl,
      'must be an https: URL without a password; http: is for localhost alone',
    ),
  )

const jwksUrl = z.pipe(
  confidentialUrl,
  z.transform((text) => new URL(text)),
)

/** `openid` among the scopes, separated by one space (OpenID Connect Core 1.0 §3.1.2.1). */
const scope = z.string('is no text').check(
  z.regex(/^[!-~]+(?: [!-~]+)*$/, 'is no list of scopes separated by single spaces'),
  z.refine((text) => text.split(' ').includes('openid'), 'lacks openid'),
)

const origin = z
  .string()
  .check(
    z.refine(
      (text) => /^https?:[^*]+$/.test(text) && URL.parse(text)?.origin === text,
      'is no exact origin: https://app.example.com, without a path, a slash at the end or a *',
    ),
  )

const corsOrigins = z.pipe(
  z.pipe(
    z.string('is no text: https://a.example.com,https://b.example.com'),
    z.transform((text) => splitList(text)),
  ),
  z.array(origin),
)

/**
 * A batch of 200 rows is 4 statements, and a run may have 1,000:
 * https://developers.cloudflare.com/d1/platform/limits/
 */
const MAX_ROWS_PER_RUN = 40_000

const rowsPerRun = z.pipe(
  z
    .string('is no text')
    .check(
      z.refine(
        (text) => /^[1-9]\d{0,4}$/.test(text) && Number(text) <= MAX_ROWS_PER_RUN,
        `must be a number from 1 to ${MAX_ROWS_PER_RUN}`,
      ),
    ),
  z.transform(Number),
)

const flag = z.enum(['true', 'false'], 'must be "true" or "false"')

const schema = z
  .object({
    DB: z.custom<D1Database>(has('prepare'), 'is no D1 database: see [[d1_databases]]'),
    RATE_LIMITER: z.custom<RateLimit>(has('limit'), 'is no rate limit: see [[ratelimits]]'),
    API_KEY_ENCRYPTION_KEY: encryptionKeys,
    LEGACY_FERNET_KEY: z.optional(fernetKeys),
    REWRAP_ROWS_PER_RUN: z.optional(rowsPerRun),
    JWT_SECRET_KEY: z.optional(secretKey),
    JWT_JWKS_URL: z.optional(jwksUrl),
    JWT_ISSUER: z.optional(exactText),
    JWT_AUDIENCE: z.optional(exactText),
    AUTO_CREATE_USERS: z.optional(flag),
    VERIFY_ON_SAVE: z.optional(flag),
    PROVIDERS: providers,
    CORS_ORIGINS: z.optional(corsOrigins),
    OIDC_ISSUER: z.optional(confidentialUrl),
    OIDC_CLIENT_ID: z.optional(exactText),
    OIDC_SCOPE: z.optional(scope),
    OIDC_AUDIENCE: z.optional(exactText),
  })
  .check(
    z.refine((env) => (env.JWT_SECRET_KEY === undefined) !== (env.JWT_JWKS_URL === undefined), {
      path: ['JWT_SECRET_KEY'],
      error: 'or JWT_JWKS_URL must be set, and not both',
    }),
    z.refine(
      (env) => !env.API_KEY_ENCRYPTION_KEY.some((key) => toBase64(key) === env.JWT_SECRET_KEY),
      {
        path: ['JWT_SECRET_KEY'],
        error: 'is an encryption key too; they must differ',
      },
    ),
    z.refine(
      ({ API_KEY_ENCRYPTION_KEY: keys, LEGACY_FERNET_KEY: legacyKeys = [] }) =>
        !legacyKeys.some((legacyKey) => keys.map(String).includes(String(legacyKey))),
      {
        path: ['LEGACY_FERNET_KEY'],
        error: 'is an encryption key too; they must differ',
      },
    ),
    z.refine((env) => !env.JWT_JWKS_URL || (env.JWT_ISSUER && env.JWT_AUDIENCE), {
      path: ['JWT_ISSUER'],
      error: 'and JWT_AUDIENCE are required with JWT_JWKS_URL',
    }),
    z.refine((env) => (env.OIDC_ISSUER === undefined) === (env.OIDC_CLIENT_ID === undefined), {
      path: ['OIDC_ISSUER'],
      error: 'and OIDC_CLIENT_ID are required together',
    }),
  )

/** What the service runs on: the environment, checked and decoded. */
export type Config = z.output<typeof schema>

const configs = new WeakMap<Env, Config>()

/**
 * The checked environment.
 *
 * @throws ApiError `server_misconfigured`; its cause names each bad variable and the fix, no value.
 */
export function readConfig(env: Env): Config {
  const known = configs.get(env)
  if (known !== undefined) return known
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''))
  const parsed = schema.safeParse(set)
  if (!parsed.success) {
    const reasons = parsed.error.issues.map(({ path, message }) => `${namePath(path)} ${message}`)
    throw new ApiError('server_misconfigured', { cause: new Error(reasons.join('; ')) })
  }
  configs.set(env, parsed.data)
  return parsed.data
}

/** `NAME`, `NAME, item 2,` of a list, `NAME, "key", field` of a table. */
function namePath([name, within, ...rest]: PropertyKey[]): string {
  if (typeof within === 'number') return `${String(name)}, item ${within + 1},`
  if (within === undefined) return String(name)
  return `${String(name)}, ${JSON.stringify(within)}, ${rest.join('.')}`.trim()
}

/** The items of a comma-separated list; none of what is no text. */
export function splitList(text: unknown): string[] {
  return typeof text === 'string' ? text.split(',').map((item) => item.trim()) : []
}

function distinct(key: typeof encryptionKey) {
  return z.array(key).check(z.refine(areDistinct, 'holds a key twice'))
}

function areDistinct(keys: readonly Uint8Array[]): boolean {
  return new Set(keys.map(String)).size === keys.length
}

function decodeBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
}

function toBase64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
}

function has(method: string): (binding: unknown) => boolean {
  return (binding) => typeof binding === 'object' && binding !== null && method in binding
}
