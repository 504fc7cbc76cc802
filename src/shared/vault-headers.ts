/** The headers in which a bound Worker says whose key a request needs, and those in which the vault says what it did. */

/** The beginning of their lower-case names. The vault sends none to a provider, and drops those of a provider. */
export const VAULT_PREFIX = 'x-vault-'

/** The user id, percent-encoded, since a header holds no other characters. */
export const USER_HEADER = 'X-Vault-User'
/** The name of the slot, percent-encoded. */
export const PROVIDER_HEADER = 'X-Vault-Provider'
/** The id of the user's team whose key may be used, percent-encoded. */
export const TEAM_HEADER = 'X-Vault-Team'

/** The text of a header that is percent-encoded; null if there is none, or if it is not. */
export function decodeHeader(value: string | null): string | null {
  try {
    return value === null ? null : decodeURIComponent(value)
  } catch {
    return null
  }
}

/** The error code of an answer that is the vault's own, not the provider's. */
export const ERROR_HEADER = 'X-Vault-Error'
/** Whose key was used: a `KeySource`. */
export const KEY_HEADER = 'X-Vault-Key'
/** The slot of the key that was used, percent-encoded. */
export const SLOT_HEADER = 'X-Vault-Slot'
/** What this answer of the provider says of the key: a `KeyCondition`. */
export const CONDITION_HEADER = 'X-Vault-Condition'
