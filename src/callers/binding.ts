/** The service binding as its callers see it. It needs no types of the vault's own Worker. */

import type {
  EventAnswer,
  ListedAnswer,
  SavedFields,
  TeamAnswer,
  UserAnswer,
  UsersAnswer,
} from '../shared/answers.ts'
import type { ErrorCode } from '../shared/error-code.ts'
import type { UsedKey } from '../shared/slot.ts'

export type { BindingProps, Grant } from '../shared/caller.ts'
export type {
  ErrorCode,
  EventAnswer,
  ListedAnswer,
  SavedFields,
  TeamAnswer,
  UserAnswer,
  UsersAnswer,
}

/**
 * The result of a call. A refusal is a value, because an error loses its properties over a binding.
 */
export type Result<T extends object> = ({ ok: true } & T) | Refusal

/** Why a call was refused. */
export interface Refusal {
  ok: false
  code: ErrorCode
  /** Seconds until another attempt may succeed. */
  retryAfter?: number
}

/** How soon a change of who may use a key counts. */
export interface Effect {
  /**
   * After so many seconds, the change counts for each new use, everywhere. Left out if `USE_FRESH_SECONDS` is 0: it counts
   * at once.
   */
  effectiveWithinSeconds?: number
}

/** Which events to list. */
export interface EventQuery {
  /** A provider, for all its slots, or one slot; all slots, if it is missing. */
  provider?: string
  /** The `next_cursor` of the previous page. */
  cursor?: string
  /** From 1 to 200; by default 50. */
  limit?: number
}

/** Which users to list. */
export interface UserQuery {
  /** The `nextCursor` of the previous page. */
  cursor?: string
  /** From 1 to 200; by default 50. */
  limit?: number
}

/** Whose key may be used besides the user's own. */
export interface UseOptions {
  /** The id of a team that the user is in. You vouch for that: the binding's `props` need `"teams": true`. */
  teamId?: string
}

/** Whose keys: those of the user with this id, or of a team, which needs `teams` in the props. */
export type KeyOwner = string | { teamId: string }

/** A key to save for a user or a team. */
export interface NewKey {
  apiKey: string
  /** ISO 8601 with a time zone. Without it, the key does not expire. */
  expiresAt?: string
}

/**
 * The methods of a binding with `entrypoint = "KeyVault"` and `props` of `{ caller, grants, providers?, teams? }`.
 * A call makes one round trip to D1, or none.
 *
 * @example
 * interface Env {
 *   KEY_VAULT: Service<KeyVault>
 * }
 */
export interface KeyVault {
  /** `Service` of @cloudflare/workers-types accepts only what has this property. It exists only in types. */
  readonly __WORKER_ENTRYPOINT_BRAND: never

  /**
   * Sends `request` to its provider with the user's key in it, and without the caller's own
   * credentials. The response streams. A redirect is returned, not followed. `key` tells which key was used. Needs the
   * grant `use`.
   */
  fetchWithApiKey(
    userId: string,
    provider: string,
    request: Request,
    options?: UseOptions,
  ): Promise<Result<{ response: Response; key: UsedKey }>>

  /**
   * Returns the key in the clear; null if there is none, or if it does not open, which is logged. Needs
   * the grant `reveal`, and `ALLOW_REVEAL`. Without `provider`, it is the key of the plain route.
   */
  getDecryptedApiKey(userId: string, provider?: string): Promise<Result<{ apiKey: string | null }>>

  /** Adds the user. `created` is false if the user exists already. Needs the grant `users`. */
  createUser(userId: string): Promise<Result<{ created: boolean }>>

  /** Deletes the user with all keys. `deleted` is false if the user does not exist. Needs the grant `users`. */
  deleteUser(userId: string): Promise<Result<{ deleted: boolean } & Effect>>

  /** Whether the user exists. Needs the grant `users`. */
  hasUser(userId: string): Promise<Result<{ exists: boolean }>>

  /** The user, with the time of its creation. Needs the grant `users`. */
  getUser(userId: string): Promise<Result<UserAnswer>>

  /** Users by id, a page at a time. Needs the grant `users`. */
  listUsers(
    query?: UserQuery,
  ): Promise<Result<{ users: UsersAnswer['users']; nextCursor: string | null }>>

  /** The team, with what its admins have set. Needs the grant `users`, and `teams` in the props. */
  getTeam(teamId: string): Promise<Result<TeamAnswer>>

  /** Deletes the team with all keys. `deleted` is false if there is no such team. Needs the grant `users`, and `teams` in the props. */
  deleteTeam(teamId: string): Promise<Result<{ deleted: boolean } & Effect>>

  /**
   * Saves a key for a user or a team in an empty slot, as `PUT …/api-keys/:provider` does for a user. The provider may check it
   * first. The slot says that the operator saved it. Needs the grant `save`.
   */
  saveKey(
    owner: KeyOwner,
    provider: string,
    key: NewKey,
  ): Promise<Result<{ slot: SavedFields } & Effect>>

  /** The owner's slots, as `GET …/api-keys` shows them to a user. Needs the grant `support`, and so do the methods below. */
  listSlots(owner: KeyOwner): Promise<Result<{ slots: ListedAnswer[] }>>

  /** What happened to the owner's keys, the newest first, as `GET …/api-key-events` shows it to a user. */
  listEvents(
    owner: KeyOwner,
    query?: EventQuery,
  ): Promise<Result<{ events: EventAnswer[]; nextCursor: string | null }>>

  /** Pauses the key in the slot. Its owner can resume it. */
  pauseKey(owner: KeyOwner, provider: string): Promise<Result<{ pausedAt: string } & Effect>>

  /** Deletes the key in the slot, if there is one. */
  deleteKey(owner: KeyOwner, provider: string): Promise<Result<{ deleted: boolean } & Effect>>
}
