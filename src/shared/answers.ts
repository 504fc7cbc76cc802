/** The JSON bodies of the HTTP contract. Times are ISO 8601 in UTC. */

import type { ErrorCode } from './error-code.ts'
import type { KeyStatus, Verdict } from './slot.ts'

/** The only parts of a stored key that are ever shown. */
export interface KeyFields {
  /** The first 8 characters and `...`, or `****` for a key of 8 characters or fewer. */
  api_key_preview: string
  api_key_updated_at: string
}

/** What is known about a provider's key. */
export interface SlotFields extends KeyFields {
  /** The last 4 characters of a key of 20 or more; left out for a shorter one. */
  api_key_last4?: string
  status: KeyStatus
  last_used_at: string | null
  /** When its user last had it checked with its provider: `POST …/verify`. */
  last_verified_at: string | null
  /** The user's base URL, for a provider with `hosts`. */
  base_url?: string
}

/** A slot that is empty, that holds an undecryptable key, or that holds a key. */
export type KeyAnswer<Fields extends KeyFields = KeyFields> =
  | { has_api_key: false; error?: never }
  | { has_api_key: false; error: 'Invalid encrypted key' }
  | ({ has_api_key: true; error?: never } & Fields)

/**
 * Why a stored key does not open. If the encryption key is missing, the operator can bring it back;
 * otherwise the user has to enter the key again.
 */
export type DecryptionFault = 'encryption_key_missing' | 'cannot_be_decrypted'

/** `GET …/api-keys/:provider`. */
export type SlotAnswer = {
  provider: string
  /** Beside `error`. */
  reason?: DecryptionFault
} & KeyAnswer<SlotFields>

/** An item of `GET …/api-keys`. Its first three fields are empty for the slot `default` and removed providers. */
export type ListedAnswer = {
  label: string | null
  key_page: string | null
  key_prefixes: readonly string[]
  /** The allowed hosts of a base URL. Missing for a provider with a fixed origin. */
  hosts?: readonly string[]
} & SlotAnswer

/** `POST …/verify`. The verdict is null if the slot has no readable key, or if the key was replaced meanwhile. */
export type VerifyAnswer = SlotAnswer & { verdict: Verdict | null }

/** How the page signs users in. Null if sign-in is not configured. */
export interface ConfigAnswer {
  oidc: { issuer: string; client_id: string; scope: string; audience: string | null } | null
}

/** The body of every answer that is not a 200. */
export interface ErrorAnswer {
  error: string
  code: ErrorCode
  detail?: string
  request_id?: string
}
