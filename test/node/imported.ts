/** A checkout for the users of a Flask backend. */

import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { importFernetKeys } from '../../src/import/fernet.ts'
import { createKeyring } from '../../src/crypto/keyring.ts'
import { openKey } from '../../src/crypto/seal.ts'
import { makeCheckout } from './checkout.ts'
import { csvOf, someFernetRows } from './fernet.ts'

/** Makes the checkout, with the Flask backend's rows and the secrets that open them. */
export function startImport() {
  const checkout = makeCheckout(['API_KEY_ENCRYPTION_KEY', 'JWT_SECRET_KEY', 'LEGACY_FERNET_KEY'])
  const fernet = someFernetRows()
  const encryptionKey = randomBytes(32)
  const secrets = {
    API_KEY_ENCRYPTION_KEY: encryptionKey.toString('base64'),
    JWT_SECRET_KEY: randomBytes(32).toString('hex'),
    LEGACY_FERNET_KEY: fernet.key,
  }
  const lines = Object.entries(secrets).map(([name, value]) => `${name}=${value}`)
  writeFileSync(checkout.path('.dev.vars'), lines.join('\n'))

  /** Opens each stored key. Returns the keys by user. */
  async function storedKeys(): Promise<Map<string, string>> {
    const fernetKey = Buffer.from(fernet.key, 'base64url')
    const keyring = await createKeyring([encryptionKey], await importFernetKeys([fernetKey]))
    const rows = checkout.query('SELECT user_id, key_id, encrypted_api_key FROM api_keys')
    const keys = rows.map(async ({ user_id, key_id, encrypted_api_key }) => {
      const [userId, kid, sealed] = [String(user_id), String(key_id), String(encrypted_api_key)]
      const opened = await openKey(keyring, { userId, provider: 'default', kid, sealed })
      return [userId, opened.state === 'open' ? opened.text : opened.reason] as const
    })
    return new Map(await Promise.all(keys))
  }

  const apiKeys = new Map(fernet.users.map(({ id, apiKey }) => [id, apiKey]))
  return { ...checkout, fernet, secrets, csvOf, storedKeys, apiKeys }
}
