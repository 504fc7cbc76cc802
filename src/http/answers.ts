/** The bodies of the 200 answers: camelCase values of the vault in the contract's snake_case. */

import type { ListedSlot } from '../keys/slots.ts'
import type { KeySummary, StoredKey } from '../keys/stored-key.ts'
import type { SignIn } from '../settings.ts'
import type {
  ConfigAnswer,
  DecryptionFault,
  KeyAnswer,
  KeyFields,
  ListedAnswer,
  SlotAnswer,
  SlotFields,
} from '../shared/answers.ts'

export function keyFields({ preview, updatedAt }: KeySummary): KeyFields {
  return { api_key_preview: preview, api_key_updated_at: updatedAt }
}

export function slotFields(key: KeySummary): SlotFields {
  const { last4, status, baseUrl: base_url } = key
  return {
    ...keyFields(key),
    ...(last4 !== null && { api_key_last4: last4 }),
    status,
    last_used_at: key.lastUsedAt,
    last_verified_at: key.lastVerifiedAt,
    ...(base_url !== null && { base_url }),
  }
}

export function keyAnswer(key: StoredKey): KeyAnswer {
  return answerWith(key, keyFields)
}

export function slotAnswer(provider: string, key: StoredKey): SlotAnswer {
  return { provider, ...answerWith(key, slotFields), ...reasonOf(key) }
}

function reasonOf(key: StoredKey): { reason?: DecryptionFault } {
  if (key.state !== 'unreadable') return {}
  const isMissing = key.reason === 'key_id_not_in_keyring'
  return { reason: isMissing ? 'encryption_key_missing' : 'cannot_be_decrypted' }
}

function answerWith<Fields extends KeyFields>(
  key: StoredKey,
  fieldsOf: (key: KeySummary) => Fields,
): KeyAnswer<Fields> {
  if (key.state === 'empty') return { has_api_key: false }
  if (key.state === 'unreadable') return { has_api_key: false, error: 'Invalid encrypted key' }
  return { has_api_key: true, ...fieldsOf(key) }
}

export function listedAnswer({ name, provider, key }: ListedSlot): ListedAnswer {
  const { label = null, key_page = null, key_prefixes = [], hosts } = provider ?? {}
  const takesUrl = hosts !== undefined && { hosts }
  return { label, key_page, key_prefixes, ...takesUrl, ...slotAnswer(name, key) }
}

export function savedAnswer<T extends KeyFields>(userId: string, fields: T) {
  return {
    message: 'API key updated successfully',
    user_id: userId,
    user: { id: userId, has_api_key: true, ...fields },
  }
}

export function deletedAnswer<T extends object>(userId: string, fields: T) {
  const noKey = { has_api_key: false, api_key_preview: null, api_key_updated_at: null }
  return {
    message: 'API key deleted successfully',
    user_id: userId,
    user: { id: userId, ...noKey, ...fields },
  }
}

export function configAnswer(signIn: SignIn | null): ConfigAnswer {
  if (signIn === null) return { oidc: null }
  const { issuer, clientId: client_id, scope, audience } = signIn
  return { oidc: { issuer, client_id, scope, audience } }
}
