/** Tries imported tokens with the Flask backend's Fernet key, before anybody relies on them. */

import { importFernetKeys } from '../../src/import/fernet.ts'
import type { ForeignKeys } from '../../src/crypto/keyring.ts'
import { nameKeyFault } from '../../src/shared/key-text.ts'
import type { ImportedKey } from '../../src/import/imported-keys.ts'
import type { Where } from '../lib/database.ts'
import { readSecret } from '../lib/dev-vars.ts'
import { parseKeys } from '../lib/encryption-key.ts'

/**
 * `LEGACY_FERNET_KEY` from the environment, or for the local database from `.dev.vars`; null if it is not set.
 *
 * @throws Error if it is not a list of Fernet keys
 */
export async function readFernetKeys(where: Where): Promise<ForeignKeys | null> {
  const text = readSecret('LEGACY_FERNET_KEY', where)
  if (!text) return null
  const keys = parseKeys(text)
  if (keys === null) {
    throw new Error('LEGACY_FERNET_KEY is not a Fernet key: 32 bytes in base64url, 44 characters')
  }
  return importFernetKeys(keys)
}

/** What is wrong with an imported token, as the end of a sentence; null if nothing is wrong. */
export async function nameTokenFault(
  keys: ForeignKeys,
  { token }: ImportedKey,
): Promise<string | null> {
  if (token === null) return null
  const text = await keys.open(token)
  if (text === null) return NOT_OPENED
  return nameKeyFault(text, 'has a key whose decrypted text')?.replace(/\.$/, '') ?? null
}

export const NOT_OPENED = 'has a key that LEGACY_FERNET_KEY does not open'
