/** Who may come in with a token: each function checks for a 401, then a 403, then a 429. */

import { VaultError } from '../errors.ts'
import { browserCredential } from '../providers/headers.ts'
import { keyPlaces, type Provider } from '../providers/provider.ts'
import { requireRate, requireStrictRate } from '../rate.ts'
import type { Service } from '../service.ts'
import { relayCaller, SERVER_GRANTS, serverCaller, type ServerGrant } from '../shared/caller.ts'
import { ownerText, userOwner, type OwnerParts } from '../shared/owner.ts'
import type { Route } from '../shared/routes.ts'
import { coversUse } from '../shared/slot.ts'
import type { TeamInUse } from '../shared/team.ts'
import { nameUserIdFault } from '../shared/user-id.ts'
import { requireUser, type AccessToken } from '../tokens/access-token.ts'
import { scopeFor, type Servers } from '../tokens/token-settings.ts'
import { checkToken } from './address.ts'
import { teamInUse } from './team-in-use.ts'

/** A route, and whose tokens it takes. */
export interface GuardedRoute {
  /** The user or the team in the path; null for the list of all users. */
  owner: OwnerParts | null
  tokens: Route['tokens']
}

/**
 * Lets in the owner of the keys, or a server whose client and scope grant what the route needs. A server may reach the keys
 * of any user. A token whose user is the path's is the owner's, whatever its scopes. Returns the name of the server; null
 * for the owner.
 *
 * @throws VaultError `not_found` if the route is for servers and there are none, `token_missing`, `token_invalid`,
 * `token_expired`, `token_keys_unreachable`, `not_your_own`, `scope_missing`, `rate_limited`, `unhealthy`,
 * `invalid_argument`
 */
export async function authorize(
  service: Service,
  sent: Headers,
  route: GuardedRoute,
): Promise<string | null> {
  const { tokenHeader, tokenRules, rateLimiter } = service.settings
  const { servers } = tokenRules
  const userId = route.owner?.id
  const isForOwners = route.tokens.includes('owner')
  if (servers === null && !isForOwners) throw new VaultError('not_found')
  const token = await checkToken(service, sent, {
    readToken: () => requestToken(sent, tokenHeader),
    check: (found) => {
      if (found.userId === userId && isForOwners) requireUser(found)
      return found
    },
  })
  if (userId === undefined || token.userId !== userId) return authorizeServer(service, token, route)
  if (!isForOwners) throw new VaultError('scope_missing', { detail: NOT_FOR_USERS })
  await requireRate(rateLimiter, userOwner(userId))
  return null
}

export const NOT_FOR_USERS = 'Only a server may use this route, and this token belongs to a user.'

/** Lets a server through, and returns its name. @throws VaultError as {@link authorize} */
export async function authorizeServer(
  { settings }: Service,
  token: AccessToken,
  { owner, tokens }: GuardedRoute,
): Promise<string> {
  const { tokenRules, callerLimiter, supportLimiter } = settings
  const grant = token.grants.find((one) => tokens.includes(one))
  if (grant === undefined || token.client === null)
    throw refuseServer(token, tokens, tokenRules.servers)
  const name = serverCaller(token.client)
  await requireRate(callerLimiter, name)
  if (owner === null) return name
  if (grant === 'support') await requireStrictRate(supportLimiter, `${name} ${ownerText(owner)}`)
  const fault = nameUserIdFault(owner.id)
  if (fault === null) return name
  throw new VaultError('invalid_argument', { detail: `The ${owner.kind} id ${fault}.` })
}

/** Why the token is refused: it is another user's, or it lacks the client or the scope of a server. */
function refuseServer(
  token: AccessToken,
  tokens: Route['tokens'],
  servers: Servers | null,
): VaultError {
  const grant = SERVER_GRANTS.find((one) => tokens.includes(one))
  if (servers === null || grant === undefined) return new VaultError('not_your_own')
  if (!isServers(token, servers) && tokens.includes('owner')) return new VaultError('not_your_own')
  const scope = scopeFor(servers, grant)
  const detail = isListed(token, servers)
    ? `None of its "scope", "scp" and "permissions" has the scope ${scope}.`
    : 'Its client is not one that MANAGE_CLIENTS lists.'
  return new VaultError('scope_missing', { detail })
}

/** Whether the token is meant to be a server's: its client is listed, or it has one of the scopes. */
export function isServers(token: AccessToken, servers: Servers | null): boolean {
  if (servers === null) return false
  const hasScope = (grant: ServerGrant) => token.scopes.includes(scopeFor(servers, grant))
  return isListed(token, servers) || SERVER_GRANTS.some(hasScope)
}

function isListed({ client }: AccessToken, { clients }: Servers): boolean {
  return client !== null && clients.includes(client)
}

/** Whose key is used, and by whom. */
export interface RelayCaller extends TeamInUse {
  /** The text of the user. */
  userId: string
  /** The client of the relay; null if its token names none. */
  caller: string | null
}

/** The slot that a request to the relay names. */
interface RelayedSlot {
  name: string
  provider: Provider | null
}

/**
 * Lets a client through to the key in a slot of its token's user. The token must have the relay's scope.
 *
 * @throws VaultError `not_found` if the relay is off, `token_missing`, `token_invalid`, `token_expired`,
 * `token_keys_unreachable`, `scope_missing`, `provider_not_granted`, `not_your_own`, `teams_not_in_token`, `rate_limited`
 */
export async function authorizeRelay(
  service: Service,
  { name, provider }: RelayedSlot,
  sent: Headers,
): Promise<RelayCaller> {
  const { settings } = service
  const { relay } = settings
  if (relay === null) throw new VaultError('not_found')
  const { userId, scopes, client, teams } = await checkToken(service, sent, {
    readToken: () => namedToken(sent, settings.tokenHeader) ?? tokenOf(sent, provider),
    check: (token) => ({ ...token, userId: requireUser(token) }),
  })
  if (!scopes.includes(relay.scope)) {
    const detail =
      'None of its "scope", "scp" and "permissions" has the scope that RELAY_SCOPE names.'
    throw new VaultError('scope_missing', { detail })
  }
  const isReached = relay.providers?.some((named) => coversUse(named, name)) !== false
  if (!isReached) throw new VaultError('provider_not_granted')
  const inUse = teamInUse(teams, settings.tokenRules.teams, sent)
  const owner = userOwner(userId)
  await requireRate(settings.relayLimiter, owner)
  const caller = relayCaller(client)
  if (caller !== null) await requireRate(settings.callerLimiter, caller)
  return { userId: owner, caller, ...inUse }
}

/**
 * The access token, from `Authorization`, from a header in which an SDK sends the provider's key, or from the subprotocol
 * in which a browser does.
 *
 * @throws VaultError `token_missing`
 */
function tokenOf(sent: Headers, provider: Provider | null): string {
  const authorization = sent.get('Authorization')
  if (provider === null) return bearerToken(authorization)
  const places = keyPlaces(provider).filter(
    ({ header }) => authorization === null || header.toLowerCase() === 'authorization',
  )
  const found = places.map(({ header, scheme }) => withBearer(sent.get(header), scheme))
  const header = found.find((value) => /^bearer /i.test(value ?? '')) ?? authorization
  const credential = header === null ? browserCredential(provider, sent) : null
  return bearerToken(credential === null ? header : `Bearer ${credential}`)
}

/** An SDK may send its key with another scheme, such as `Key`, or without one. */
function withBearer(value: string | null, scheme: string | undefined): string | null {
  if (value === null) return null
  const [first, ...rest] = value.split(' ')
  if (scheme === undefined) return rest.length === 0 ? `Bearer ${value}` : value
  return first?.toLowerCase() === scheme.toLowerCase() ? `Bearer ${rest.join(' ')}` : value
}

/** The token of an Authorization header (RFC 6750 §2.1). @throws VaultError `token_missing` */
export function bearerToken(authorization: string | null | undefined): string {
  const [, scheme, token] = /^(\S+) *(.*)$/.exec(authorization ?? '') ?? []
  if (scheme?.toLowerCase() === 'bearer' && token) return token
  const detail = scheme
    ? 'The Authorization header must be "Bearer", a space and the token.'
    : 'The Authorization header is missing.'
  throw new VaultError('token_missing', { detail })
}

/**
 * The token in the header `name`, with or without `Bearer` before it; null if the request has no such header.
 *
 * @throws VaultError `token_missing` if the header is there, and is something else
 */
export function namedToken(sent: Headers, name: string | null): string | null {
  const value = name === null ? null : sent.get(name)
  if (value === null) return null
  const [, token] = /^(?:bearer +)?(?!bearer$)(\S+)$/i.exec(value) ?? []
  if (token !== undefined) return token
  const detail = `The ${name} header must be the token, or "Bearer", a space and the token.`
  throw new VaultError('token_missing', { detail })
}

/** The token in the header `name`, otherwise in Authorization if `name` is null. @throws VaultError `token_missing` */
export function requestToken(sent: Headers, name: string | null): string {
  if (name === null) return bearerToken(sent.get('Authorization'))
  const token = namedToken(sent, name)
  if (token !== null) return token
  throw new VaultError('token_missing', { detail: `The ${name} header is missing.` })
}
