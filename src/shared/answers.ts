/** The JSON bodies of the HTTP contract. Times are ISO 8601 in UTC. */

import type { ErrorCode } from './error-code.ts'
import type { KeyStatus, Verdict } from './slot.ts'

/** A stored key, as much of it as is ever shown. */
export interface KeyFields {
  /** The first 8 characters and `...`, or `****` for a key of 8 characters or fewer. */
  api_key_preview: string
  api_key_updated_at: string
}

/** What is known of a provider's key. */
export interface SlotFields extends KeyFields {
  status: KeyStatus
  last_used_at: string | null
  /** The user's own, of a provider with `hosts`. */
  base_url?: string
}

/** A slot: empty, with a key that cannot be decrypted, or with a key. */
export type KeyAnswer<Fields extends KeyFields = KeyFields> =
  | { has_api_key: false; error?: never }
  | { has_api_key: false; error: 'Invalid encrypted key' }
  | ({ has_api_key: true; error?: never } & Fields)

/** `GET …/api-keys/:provider`. */
export type SlotAnswer = { provider: string } & KeyAnswer<SlotFields>

/** One of `GET …/api-keys`. The first three are empty for the slot `default`, and for a removed provider. */
export type ListedAnswer = {
  label: string | null
  key_page: string | null
  key_prefixes: readonly string[]
  /** The hosts on which a base URL may be; left out for a provider with a fixed origin. */
  hosts?: readonly string[]
} & SlotAnswer

/** `POST …/verify`. The verdict is null if the slot has no readable key, or it was replaced meanwhile. */
export type VerifyAnswer = SlotAnswer & { verdict: Verdict | null }

/** How the page signs users in. Null if sign-in is not configured. */
export interface ConfigAnswer {
  oidc: { issuer: string; client_id: string; scope: string; audience: string | null } | null
}

/** Every answer that is not a 200. */
export interface ErrorAnswer {
  error: string
  code: ErrorCode
  detail?: string
  request_id?: string
}
