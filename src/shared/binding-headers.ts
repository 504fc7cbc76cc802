/** The headers in which a bound Worker says whose key a request needs. No provider gets them. */

/** The user id, percent-encoded, since a header holds no other characters. */
export const USER_HEADER = 'X-Vault-User'
/** The name of the slot. */
export const PROVIDER_HEADER = 'X-Vault-Provider'
/** The error code of an answer that is the vault's own, not the provider's. */
export const ERROR_HEADER = 'X-Vault-Error'
