/** The settings for tokens: whose tokens the vault accepts, and what each must say. */

import * as z from 'zod/mini'
import { CLIENT_NAME, SERVER_GRANTS, type ServerGrant } from '../shared/caller.ts'
import {
  confidentialUrl,
  exactText,
  flag,
  listOf,
  optional,
  orNull,
  withDefault,
  type Refuse,
  type Values,
} from '../shared/variable.ts'
import { publicKeys } from './public-key.ts'
import { readTeamRules, teamVariables, type TeamRules } from './team-settings.ts'

/** In `JWT_ISSUER`, it stands for one of `JWT_TENANTS`, as in the metadata of Microsoft Entra ID. */
export const TENANT = '{tenantid}'

/** What a source's tokens must say. */
interface SourceRules {
  /** The exact `iss`, which may have {@link TENANT}; undefined if any will do. */
  issuer?: string | undefined
  /** The tenants that {@link TENANT} stands for. */
  tenants?: readonly string[] | undefined
  /** The `aud`, or one of them; undefined if a token must have none. */
  audience?: string | undefined
  /** The clients whose tokens are accepted; undefined if any will do. */
  clients?: readonly string[] | undefined
}

/** Where tokens come from: the keys that verify them, and what they must say. */
export type TokenSource =
  | (SourceRules & { kind: 'secret'; secret: string })
  | (SourceRules & { kind: 'public_keys'; keys: readonly Uint8Array[] })
  | (SourceRules & { kind: 'key_set'; url: URL; issuer: string })

/** What a token must have, whatever its source. */
export interface TokenRules {
  /** The claim that holds the user id. */
  identityClaim: string
  /** A scope that each token must have; null if none is required. */
  scope: string | null
  /** The page's client id. If it is the audience of a source too, ID tokens have the right audience. */
  pageClient: string | null
  /** Whose tokens manage users; null if nobody's do. */
  servers: Servers | null
  /** Which claims name the user's teams; null if none do. */
  teams: TeamRules | null
}

/** The clients that manage users, and the scope that those of their grants begin with. */
export interface Servers {
  clients: readonly string[]
  scope: string
}

/** The scope of a grant, such as `vault:users`. Scopes are compared whole. */
export function scopeFor({ scope }: Pick<Servers, 'scope'>, grant: ServerGrant): string {
  return `${scope}:${grant}`
}

const tokenSecret = exactText.check(
  z.refine(
    (text) => new TextEncoder().encode(text).length >= 32,
    'is under 32 bytes (RFC 7518 §3.2); make one: openssl rand -hex 32',
  ),
  // Everybody may know a public key, and so could sign.
  z.refine(
    (text) => !/BEGIN (?:[A-Z\d]+ )*(?:PUBLIC KEY|CERTIFICATE)|^(?:ssh|ecdsa)-|"kty"/.test(text),
    'is a key, not a secret: a public key belongs in JWT_PUBLIC_KEY',
  ),
)

const jwksUrl = z.pipe(
  confidentialUrl,
  z.transform((text) => new URL(text)),
)

/** RFC 6749 §3.3 */
const SCOPE_TOKEN = /^[!#-[\]-~]+$/

export const tokenScope = z
  .string('must be a string')
  .check(z.regex(SCOPE_TOKEN, 'must be one scope, without spaces'))

const clients = listOf(z.string().check(z.regex(CLIENT_NAME, 'is not a client id')))

/** Entra writes the ids of its tenants in lower case. */
const tenants = listOf(
  z
    .string()
    .check(
      z.toLowerCase(),
      z.regex(/^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/, 'is not the id of a tenant, a GUID'),
    ),
)

/** Headers that HTTP, a browser, Cloudflare or the vault use for something else, or that are logged. */
const OTHER_HEADERS =
  /^(?:host|content-.*|connection|transfer-encoding|upgrade|te|trailer|keep-alive|expect|cookie|origin|referer|forwarded|x-forwarded-.*|x-real-ip|x-request-id|cf-ray|cf-connecting-ip|x-vault-.*|(?:sec|proxy|access-control)-.*)$/i

const headerName = z.pipe(
  z.string('must be a string').check(
    z.regex(/^[\w-]+$/, 'is not a header name'),
    z.refine((name) => !OTHER_HEADERS.test(name), 'is a header with another purpose'),
  ),
  z.transform((name) => (/^authorization$/i.test(name) ? null : name)),
)

/** The variables for tokens. */
export const tokenVariables = {
  JWT_SECRET_KEY: optional(tokenSecret),
  JWT_SECRET_ISSUER: optional(exactText),
  JWT_SECRET_AUDIENCE: optional(exactText),
  JWT_PUBLIC_KEY: optional(publicKeys),
  JWT_JWKS_URL: optional(jwksUrl),
  JWT_ISSUER: optional(exactText),
  JWT_TENANTS: optional(tenants),
  JWT_AUDIENCE: optional(exactText),
  JWT_CLIENTS: optional(clients),
  JWT_NO_AUDIENCE: withDefault(flag, false),
  JWT_IDENTITY_CLAIM: withDefault(exactText, 'sub'),
  JWT_SCOPE: orNull(tokenScope),
  /** The header with the token; null if that is Authorization. */
  JWT_HEADER_NAME: orNull(headerName),
  /** The clients whose tokens may manage users. */
  MANAGE_CLIENTS: orNull(clients),
  /** What the scopes of such tokens begin with: `vault` for `vault:users`. */
  MANAGE_SCOPE: orNull(tokenScope),
  ...teamVariables,
}

type TokenEnvironment = Values<typeof tokenVariables>
type Name = keyof TokenEnvironment
type Fault = [isFault: boolean, name: Name, message: string]

/** Other settings that matter for tokens: the client of the page, and the scope of the relay. */
interface Beside {
  OIDC_CLIENT_ID: string | null
  RELAY_SCOPE: string | null
}

/** Whose tokens the vault accepts. */
export function readTokens(env: TokenEnvironment & Beside, refuse: Refuse<Name>) {
  const { JWT_IDENTITY_CLAIM: identityClaim, JWT_SCOPE: scope, OIDC_CLIENT_ID: pageClient } = env
  const tokenRules: TokenRules = {
    identityClaim,
    scope,
    pageClient,
    servers: readServers(env, refuse),
    teams: readTeamRules(env, refuse),
  }
  const tokenSources = readTokenSources(env, refuse)
  return { tokenSources, tokenRules, tokenHeader: env.JWT_HEADER_NAME }
}

/**
 * The sources, which have no algorithm in common. `JWT_ISSUER`, `JWT_AUDIENCE` and `JWT_CLIENTS` bind the tokens of
 * the public keys. Without public keys, they bind those of the secret.
 */
function readTokenSources(env: TokenEnvironment, refuse: Refuse<Name>): readonly TokenSource[] {
  for (const [isFault, name, message] of [...keyFaults(env), ...issuerFaults(env)]) {
    if (isFault) refuse(name, message)
  }
  const { JWT_SECRET_KEY: secret, JWT_PUBLIC_KEY: keys, JWT_JWKS_URL: url } = env
  const { JWT_ISSUER: issuer, JWT_TENANTS, JWT_AUDIENCE: audience, JWT_CLIENTS } = env
  const rules = { issuer, tenants: JWT_TENANTS, audience, clients: JWT_CLIENTS }
  const sources: TokenSource[] = []
  if (url !== undefined && issuer !== undefined) {
    sources.push({ kind: 'key_set', url, ...rules, issuer })
  }
  if (keys !== undefined) sources.push({ kind: 'public_keys', keys, ...rules })
  if (secret === undefined) return sources
  if (sources.length === 0) return [{ kind: 'secret', secret, ...rules }]
  const own = { issuer: env.JWT_SECRET_ISSUER, audience: env.JWT_SECRET_AUDIENCE }
  return [...sources, { kind: 'secret', secret, ...own }]
}

/**
 * Whose tokens manage users. The client tells a server from a user: an identity provider may grant a scope to whoever
 * asks for it.
 */
function readServers(env: TokenEnvironment & Beside, refuse: Refuse<Name>): Servers | null {
  const { MANAGE_CLIENTS: listed, MANAGE_SCOPE: scope } = env
  if (listed === null || scope === null) {
    if (listed !== scope) refuse('MANAGE_SCOPE', 'and MANAGE_CLIENTS are required together')
    return null
  }
  const scopes = SERVER_GRANTS.map((grant) => scopeFor({ scope }, grant))
  const isTaken = [env.RELAY_SCOPE, env.JWT_SCOPE].some((other) =>
    scopes.some((one) => one === other),
  )
  if (isTaken)
    refuse(
      'MANAGE_SCOPE',
      'makes a scope that RELAY_SCOPE or JWT_SCOPE already has: choose another one',
    )
  if (listed.some((client) => client === env.OIDC_CLIENT_ID)) {
    refuse('MANAGE_CLIENTS', 'must not have OIDC_CLIENT_ID: its tokens are those of users')
  }
  if (env.JWT_CLIENTS !== undefined && !listed.every((one) => env.JWT_CLIENTS?.includes(one))) {
    refuse('MANAGE_CLIENTS', 'must be among JWT_CLIENTS')
  }
  return { clients: listed, scope }
}

/** What can be wrong with the keys that are set, and with whom their tokens are for. */
function keyFaults(env: TokenEnvironment): Fault[] {
  const { JWT_SECRET_KEY: secret, JWT_PUBLIC_KEY: keys, JWT_JWKS_URL: url } = env
  const { JWT_AUDIENCE: audience, JWT_CLIENTS: listed, JWT_NO_AUDIENCE: hasNoAudience } = env
  const isBeside = secret !== undefined && (keys !== undefined || url !== undefined)
  const isBound = audience !== undefined || listed !== undefined
  const own = env.JWT_SECRET_ISSUER ?? env.JWT_SECRET_AUDIENCE
  return [
    [
      secret === undefined && keys === undefined && url === undefined,
      'JWT_SECRET_KEY',
      'or JWT_PUBLIC_KEY or JWT_JWKS_URL must be set',
    ],
    [
      keys !== undefined && url !== undefined,
      'JWT_PUBLIC_KEY',
      'and JWT_JWKS_URL must not both be set',
    ],
    [
      url !== undefined && !isBound && !hasNoAudience,
      'JWT_AUDIENCE',
      'or JWT_CLIENTS is required with JWT_JWKS_URL',
    ],
    [hasNoAudience && url === undefined, 'JWT_NO_AUDIENCE', 'needs JWT_JWKS_URL'],
    [hasNoAudience && isBound, 'JWT_NO_AUDIENCE', 'cannot be set with JWT_AUDIENCE or JWT_CLIENTS'],
    [
      own !== undefined && !isBeside,
      'JWT_SECRET_ISSUER',
      'and JWT_SECRET_AUDIENCE are for a JWT_SECRET_KEY beside other keys: set JWT_ISSUER and JWT_AUDIENCE',
    ],
  ]
}

/** What can be wrong with the issuer and its tenants. */
function issuerFaults(env: TokenEnvironment): Fault[] {
  const { JWT_JWKS_URL: url, JWT_ISSUER: issuer, JWT_TENANTS: listed } = env
  const places = (issuer ?? '').split(TENANT).length - 1
  return [
    [url !== undefined && issuer === undefined, 'JWT_ISSUER', 'is required with JWT_JWKS_URL'],
    [places > 1, 'JWT_ISSUER', `must contain ${TENANT} once`],
    [
      places > 0 !== (listed !== undefined),
      'JWT_TENANTS',
      `and a JWT_ISSUER with ${TENANT} are required together`,
    ],
    [listed !== undefined && url === undefined, 'JWT_TENANTS', 'needs JWT_JWKS_URL'],
    // https://learn.microsoft.com/entra/identity-platform/claims-validation: a tenant can set the others itself.
    [
      listed !== undefined && !['sub', 'oid'].includes(env.JWT_IDENTITY_CLAIM),
      'JWT_IDENTITY_CLAIM',
      'must be sub or oid if JWT_TENANTS is set',
    ],
    [
      listed !== undefined && ![null, 'tid', 'groups'].includes(env.JWT_TEAM_CLAIM),
      'JWT_TEAM_CLAIM',
      'must be tid or groups if JWT_TENANTS is set',
    ],
  ]
}
