/** What an error of an SDK means to the user whose key it used through the relay. */

export type Meaning =
  | 'sign_in_again'
  | 'no_key'
  | 'paused'
  | 'limit_reached'
  | 'vault_refused'
  | 'key_refused'
  | 'provider_error'

/** The codes of the vault that a user can do something about. */
const MEANINGS: Record<string, Meaning> = {
  token_missing: 'sign_in_again',
  token_invalid: 'sign_in_again',
  token_expired: 'sign_in_again',
  no_api_key: 'no_key',
  user_not_found: 'no_key',
  api_key_expired: 'no_key',
  api_key_paused: 'paused',
  limit_reached: 'limit_reached',
}

/** `code` is the X-Vault-Error of an answer, which only the vault sets. Null: the provider has answered. */
function meaningOf(status: number | undefined, code: string | null): Meaning {
  if (code !== null) return MEANINGS[code] ?? 'vault_refused'
  return status === 401 ? 'key_refused' : 'provider_error'
}

interface Thrown {
  status: number | undefined
  headers: Headers | undefined
}

/** For an APIError of `openai` or `@anthropic-ai/sdk`. */
export function explain({ status, headers }: Thrown): Meaning {
  return meaningOf(status, headers?.get('X-Vault-Error') ?? null)
}

/** For an ApiError of `@google/genai`. It has no headers, but its message is the body. Google answers a wrong key with a 400. */
export function explainGoogle({ status, message }: { status: number; message: string }): Meaning {
  const code = /"type":"vault_error","code":"(\w+)"/.exec(message)?.[1] ?? null
  return meaningOf(message.includes('"API_KEY_INVALID"') ? 401 : status, code)
}
