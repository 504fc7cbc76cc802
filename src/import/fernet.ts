/** Opens the Fernet tokens of the imported rows. It never makes one. */

import * as z from 'zod/mini'
import { decodeBase64url } from '../crypto/base64url.ts'
import { secretKey } from '../crypto/encryption-key.ts'
import { keyList, type ForeignKeys, type ForeignSecrets } from '../crypto/keyring.ts'
import { withDefault } from '../shared/variable.ts'

/** The kid of all imported rows, since a Fernet token does not name its key. */
export const FERNET_KID = 'fernet'

const VERSION = 0x80
const IV_START = 9
const CIPHERTEXT_START = 25
const BLOCK_BYTES = 16
const HMAC_BYTES = 32

const fernetKey = z
  .string()
  .check(z.regex(/^[\w+/-]{43}=$/, 'is not a Fernet key: 32 bytes in base64url, 44 characters'))

function toForeign(secrets: readonly Uint8Array[]): ForeignSecrets {
  return { kid: FERNET_KID, variable: 'LEGACY_FERNET_KEY', secrets, open: importFernetKeys }
}

export const importVariables = {
  LEGACY_FERNET_KEY: withDefault(
    z.pipe(
      keyList(fernetKey),
      z.transform((secrets: Uint8Array[]) => toForeign(secrets)),
    ),
    toForeign([]),
  ),
}

/** The two halves of a Fernet key, imported. */
export interface FernetKey {
  signing: CryptoKey
  encryption: CryptoKey
}

/**
 * The keys that open the imported rows.
 *
 * @param secrets 32 bytes each
 * @returns null if there are none
 * @throws TypeError if a key occurs twice
 */
export async function importFernetKeys(
  secrets: readonly Uint8Array[],
): Promise<ForeignKeys | null> {
  if (secrets.length === 0) return null
  const keys = await Promise.all(secrets.map(importFernetKey))
  const names = await Promise.all(secrets.map(async (bytes) => (await secretKey(bytes)).kid))
  if (new Set(names).size < names.length) throw new TypeError('A Fernet key occurs twice')
  return { kid: FERNET_KID, names, open: async (token) => openImported(keys, token) }
}

async function openImported(keys: readonly FernetKey[], token: string): Promise<string | null> {
  const text = (await openFernet(keys, token))?.trim() ?? null
  // The Flask backend has a script that encrypts all rows. If it runs twice, it encrypts some rows twice.
  const inner = text === null ? null : await openFernet(keys, text)
  return inner?.trim() ?? text
}

/** @param bytes signing-key ‖ encryption-key, 16 bytes each: https://github.com/fernet/spec */
export async function importFernetKey(bytes: Uint8Array): Promise<FernetKey> {
  const [signing, encryption] = await Promise.all([
    crypto.subtle.importKey(
      'raw',
      bytes.subarray(0, BLOCK_BYTES),
      { name: 'HMAC', hash: 'SHA-256' },
      false,
      ['verify'],
    ),
    crypto.subtle.importKey('raw', bytes.subarray(BLOCK_BYTES), 'AES-CBC', false, ['decrypt']),
  ])
  return { signing, encryption }
}

/**
 * The text in `token`; null if it is not a Fernet token, or if none of `keys` opens it. The timestamp does
 * not matter, because a stored key does not expire.
 */
export async function openFernet(
  keys: readonly FernetKey[],
  token: string,
): Promise<string | null> {
  const bytes = decodeFernet(token)
  if (bytes === null) return null
  const signed = bytes.subarray(0, -HMAC_BYTES)
  const hmac = bytes.subarray(-HMAC_BYTES)
  const verified = await Promise.all(
    keys.map(async ({ signing }) => crypto.subtle.verify('HMAC', signing, hmac, signed)),
  )
  const key = keys[verified.indexOf(true)]
  if (key === undefined) return null
  const iv = signed.subarray(IV_START, CIPHERTEXT_START)
  const ciphertext = signed.subarray(CIPHERTEXT_START)
  return crypto.subtle
    .decrypt({ name: 'AES-CBC', iv }, key.encryption, ciphertext)
    .then((text) => new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(text))
    .catch(() => null)
}

/** The time in `token`; null if `token` does not have the form of a Fernet token. */
export function readFernetTime(token: string): Date | null {
  const bytes = decodeFernet(token)
  if (bytes === null) return null
  const seconds = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(1)
  return new Date(Number(seconds) * 1000)
}

/** The bytes of a padded, canonical token: version ‖ timestamp ‖ IV ‖ whole blocks ‖ HMAC; otherwise null. */
function decodeFernet(token: string): Uint8Array | null {
  if (token.length % 4 !== 0) return null
  const bytes = decodeBase64url(token.replace(/={1,2}$/, ''))
  if (bytes === null || bytes[0] !== VERSION) return null
  const length = bytes.length - CIPHERTEXT_START - HMAC_BYTES
  return length > 0 && length % BLOCK_BYTES === 0 ? bytes : null
}
