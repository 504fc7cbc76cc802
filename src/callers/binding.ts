/** The service binding as its callers see it. Needs no types of the vault's own Worker. */

import type { ErrorCode } from '../shared/error-code.ts'

export type { BindingProps, Grant } from '../shared/binding-props.ts'
export type { ErrorCode }

/**
 * The result of a call. A refusal is a value, because an error loses its properties over a binding.
 */
export type Result<T extends object> = ({ ok: true } & T) | { ok: false; code: ErrorCode }

/**
 * The methods of a binding with `entrypoint = "KeyVault"` and `props` of `{ caller, grants, providers? }`.
 * A call makes one round trip to D1.
 *
 * @example
 * interface Env {
 *   KEY_VAULT: Service<KeyVault>
 * }
 */
export interface KeyVault {
  /** `Service` of @cloudflare/workers-types accepts only what has this property. It exists in types alone. */
  readonly __WORKER_ENTRYPOINT_BRAND: never

  /**
   * Sends `request` to its provider with the user's key in it, and without the caller's own
   * credentials. The response streams. A redirect is returned, not followed. Needs the grant `use`.
   */
  fetchWithApiKey(
    userId: string,
    provider: string,
    request: Request,
  ): Promise<Result<{ response: Response }>>

  /**
   * Returns the key in the clear; null if there is none, or if it does not open, which is logged. Needs
   * the grant `reveal`, and `ALLOW_REVEAL`. Without `provider`, it is the key of the plain route.
   */
  getDecryptedApiKey(userId: string, provider?: string): Promise<Result<{ apiKey: string | null }>>

  /** Adds the user. `created` is false if the user exists already. Needs the grant `users`. */
  createUser(userId: string): Promise<Result<{ created: boolean }>>

  /** Deletes the user with all keys. `deleted` is false if the user does not exist. Needs the grant `users`. */
  deleteUser(userId: string): Promise<Result<{ deleted: boolean }>>

  /** Whether the user exists. Needs the grant `users`. */
  hasUser(userId: string): Promise<Result<{ exists: boolean }>>
}
