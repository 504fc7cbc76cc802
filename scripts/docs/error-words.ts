/** What docs/errors.md says of each code: when it comes, and which other doors answer with it. */

import type { ErrorCode } from '../../src/shared/error-code.ts'

export interface ErrorWords {
  when: string
  /** The doors beside the routes. */
  doors?: readonly ('relay' | 'binding')[]
}

const BOTH = ['relay', 'binding'] as const
const RELAY = ['relay'] as const
const BINDING = ['binding'] as const

/** In the order of the table within a status. */
export const ERROR_WORDS: Readonly<Record<ErrorCode, ErrorWords>> = {
  api_key_missing: {
    when: 'The body is empty, or is not an object, or has no field `api_key`. `detail` names the fields that were sent',
  },
  api_key_invalid: {
    when: 'The value [cannot be a key](#what-cannot-be-a-key). `reason` and `detail` say why',
    doors: BINDING,
  },
  invalid_json: { when: 'The body is not JSON, or was cut off' },
  content_type_not_json: {
    when: 'The `Content-Type` is not JSON. `detail` names the one that was sent',
  },
  base_url_invalid: {
    when: "The base URL is missing, or is not an `https:` URL on one of the provider's [hosts](custom-providers.md#addresses-per-user). Or it was given for a provider with a fixed address. In a use: the host of the user's base URL is no longer configured",
    doors: BOTH,
  },
  expires_at_invalid: {
    when: '`expires_at` is not a time in the future. `detail` has an example',
    doors: BINDING,
  },
  limits_invalid: { when: 'The body of a `PATCH` has a wrong field or value. `detail` says which' },
  label_invalid: {
    when: 'No slot has such a name: [Labels](named-keys.md#labels). `detail` says why',
    doors: BOTH,
  },
  team_settings_invalid: {
    when: 'The body has a wrong field or value: [Settings](teams.md#settings). `detail` says which',
  },
  invalid_query: { when: 'A value in the query is not valid. `detail` says which' },
  invalid_precondition: {
    when: '[`If-Match`](api.md#changing-only-what-you-saw) is empty, or is not `*` or a list of entity tags',
  },
  invalid_argument: {
    when: "The user id in the path of [a server's](servers.md) request is not valid. Or an argument of a bound Worker has the wrong type, or cannot be a user id",
    doors: BINDING,
  },
  team_required: {
    when: 'The user has no key and several teams. Name one in [`X-Vault-Team`](teams.md#over-the-relay)',
    doors: RELAY,
  },
  upgrade_not_supported: {
    when: '`fetchWithApiKey` cannot carry a WebSocket: use `vaultFetch`',
    doors: BINDING,
  },
  token_missing: {
    when: 'There is no `Authorization: Bearer …`, or no [`JWT_HEADER_NAME`](tokens.md#the-header)',
    doors: RELAY,
  },
  token_invalid: { when: 'The token is not accepted. `detail` says why', doors: RELAY },
  token_expired: {
    when: 'The token has expired. Or it is too old [for a team](teams.md#teams-from-tokens), or an admin [has ended it](teams.md#who-left). `detail` says which',
    doors: RELAY,
  },
  not_your_own: {
    when: 'The path names another user than the token. Or the user is not a member of [the team](teams.md#who-may-do-what), or not its admin. In the relay: the token does not have the team of [`X-Vault-Team`](teams.md#over-the-relay)',
    doors: RELAY,
  },
  teams_not_in_token: {
    when: 'The issuer [left the teams out](teams.md#teams-from-tokens) of the token',
    doors: RELAY,
  },
  scope_missing: {
    when: 'The token of [a server](servers.md#set-it-up) lacks the scope, or its client is not listed. In the relay: the token lacks [`RELAY_SCOPE`](relay.md#turn-it-on). `detail` says which',
    doors: RELAY,
  },
  not_granted: {
    when: 'The body is valid, but [a server](servers.md#what-a-server-cannot-do) may not send it. Or the [`props`](bindings.md#rights) of a bound Worker lack the grant, or `ALLOW_REVEAL` does not allow it',
    doors: BINDING,
  },
  provider_not_granted: {
    when: '`RELAY_PROVIDERS`, or the `props` of the bound Worker, do not name this provider or [slot](named-keys.md#what-covers-a-slot)',
    doors: BOTH,
  },
  api_key_paused: {
    when: 'The owner has [paused](key-life.md#limits) the key. `verify`, `assign` with a check, and uses answer so',
    doors: BOTH,
  },
  caller_not_allowed: {
    when: 'The owner of the key [does not allow](key-life.md#limits) this caller',
    doors: BOTH,
  },
  origin_not_allowed: {
    when: 'The path of a relayed request has a `.` or `..` segment. Or the request of a bound Worker is not for the origin of the provider: the vault compares the text, so `localhost` is not `127.0.0.1`',
    doors: BOTH,
  },
  user_not_found: {
    when: 'There is no such user. For [a server](servers.md): there is no such user or team',
    doors: BOTH,
  },
  unknown_provider: {
    when: 'There is no such provider: `detail` names the known ones. Or the slot is `default`, which has none, in a use, in `assign` or for a team',
    doors: BOTH,
  },
  no_api_key: {
    when: '`assign` found no key in the slot of the plain route, or a `PATCH` none in its slot. In a use: the user has no key for this provider',
    doors: BOTH,
  },
  not_found: {
    when: 'There is no such route. Or `RELAY_SCOPE`, `MANAGE_SCOPE` or `JWT_TEAM_CLAIM`, which it needs, is not set',
    doors: RELAY,
  },
  method_not_allowed: {
    when: 'Every route: it has no such method, and `Allow` names its methods. In a use: the vault does not send this method',
    doors: BOTH,
  },
  body_too_slow: { when: 'The body did not arrive within 10 s. Nothing was changed' },
  api_key_exists: {
    when: '`assign` or a new label found a key in the slot. Or another [label](named-keys.md#labels) differs only in case. Or [a server](servers.md) or a bound Worker would replace a key',
    doors: BINDING,
  },
  too_many_keys: {
    when: 'The user or the team has 10 keys of this provider',
    doors: BINDING,
  },
  api_key_expired: { when: 'The key [has expired](api.md#expiry)', doors: BOTH },
  changed_meanwhile: {
    when: 'The slot is not [as the request asks for](api.md#changing-only-what-you-saw), or another change came during the check. Nothing was changed',
  },
  body_too_large: { when: 'The body is over 16 KiB' },
  api_key_rejected: {
    when: 'The provider rejected the key. A key that was saved earlier is kept',
    doors: BINDING,
  },
  rate_limited: {
    when: 'The user, the network address, the server, the client of the relay or the bound Worker sent too many requests. Or the user has [10,000 events](limits.md#a-day) today',
    doors: BOTH,
  },
  limit_reached: {
    when: "The key has reached its owner's maximum. `Retry-After` says when the next day or month begins",
    doors: BOTH,
  },
  api_key_unreadable: { when: 'The stored key cannot be decrypted', doors: BOTH },
  internal: { when: 'A fault of the vault. The log has the stack', doors: BOTH },
  server_misconfigured: {
    when: 'The configuration is wrong. The log says what to set',
    doors: BOTH,
  },
  provider_unreachable: {
    when: 'The vault could not reach the provider. The log has the reason',
    doors: BOTH,
  },
  database_busy: {
    when: 'D1 is busy, did not answer within 10 s, or is exporting a backup. [The vault has tried again](failures.md#when-d1-fails) if that made sense. A change may have been made: read the slot first',
    doors: BOTH,
  },
  token_keys_unreachable: {
    when: "The identity provider's keys could not be fetched",
    doors: RELAY,
  },
  unhealthy: {
    when: '`/api/health` found a fault. Or `SUPPORT_LIMITER` did not answer [a server](servers.md#limits)',
  },
}
