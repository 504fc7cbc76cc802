/** Tries imported tokens with the previous backend's Fernet key, before anybody relies on them. */

import { randomBytes } from 'node:crypto'
import { openFernet, type FernetKey } from '../../src/crypto/fernet.ts'
import { createKeyring } from '../../src/crypto/keyring.ts'
import { nameKeyFault } from '../../src/shared/key-text.ts'
import type { ImportedKey } from '../../src/store/imported-keys.ts'
import type { Where } from './database.ts'
import { readDevVar } from './dev-vars.ts'
import { isKeyText } from './encryption-key.ts'

/** The keys by kid. */
export type LegacyKeys = ReadonlyMap<string, FernetKey>

/**
 * `LEGACY_FERNET_KEY` from the environment, or for the local database from `.dev.vars`; null if it is not set.
 *
 * @throws Error if it is not a list of Fernet keys
 */
export async function readLegacyKeys({ remote }: Where): Promise<LegacyKeys | null> {
  const text = process.env['LEGACY_FERNET_KEY'] ?? (remote ? '' : readDevVar('LEGACY_FERNET_KEY'))
  if (!text) return null
  const items = new Set(text.split(',').map((item) => item.trim()))
  if (![...items].every((item) => isKeyText(item))) {
    throw new Error('LEGACY_FERNET_KEY is not a Fernet key: 32 bytes in base64url, 44 characters')
  }
  const keys = Array.from(items, (item) => Buffer.from(item, 'base64url'))
  // A keyring needs a sealing key, although nothing is sealed here.
  return (await createKeyring([randomBytes(32)], keys)).fernetKeys
}

/** What is wrong with an imported token, as the end of a sentence; null if nothing is wrong. */
export async function nameTokenFault(
  keys: LegacyKeys,
  { token }: ImportedKey,
): Promise<string | null> {
  if (token === null) return null
  const fernetKeys = [...keys.values()]
  const outer = await openFernet(fernetKeys, token)
  if (outer === null) return NOT_OPENED
  const inner = await openFernet(fernetKeys, outer.trim())
  return (
    nameKeyFault((inner ?? outer).trim(), 'has a key whose decrypted text')?.replace(/\.$/, '') ??
    null
  )
}

export const NOT_OPENED = 'has a key that LEGACY_FERNET_KEY does not open'
