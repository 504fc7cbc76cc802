/** The keyring of a command that opens keys. */

import { createKeyring, type Keyring } from '../../src/crypto/keyring.ts'
import { readFernetKeys } from '../import/fernet-keys.ts'
import type { Where } from './database.ts'
import { DEV_VARS, readSecret } from './dev-vars.ts'
import { parseKeys } from './encryption-key.ts'

const NAME = 'API_KEY_ENCRYPTION_KEY'

/** The bytes of the vault's encryption keys, and the keyring with them. */
export interface OwnKeyring {
  secrets: readonly Uint8Array[]
  keyring: Keyring
}

/**
 * Makes the keyring of `API_KEY_ENCRYPTION_KEY` and `LEGACY_FERNET_KEY`: see `readSecret`.
 *
 * @throws Error that does not show a key
 */
export async function readKeyring(where: Where): Promise<OwnKeyring> {
  const text = readSecret(NAME, where)
  if (!text) {
    const place = where.remote ? 'in the environment of this command' : `in ${DEV_VARS}`
    throw new Error(`${NAME} is not set ${place}. It must be the one of the Worker.`)
  }
  const secrets = parseKeys(text)
  if (secrets === null) throw new Error(`${NAME} is not a key: 32 bytes in base64, 44 characters`)
  return { secrets, keyring: await createKeyring(secrets, await readFernetKeys(where)) }
}
