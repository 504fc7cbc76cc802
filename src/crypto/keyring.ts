/** The encryption keys by kid. The first one seals, and all of them open. */

import { hkdf } from './derivation.ts'
import { importFernetKey, type FernetKey } from './fernet.ts'

/** The kid of all rows that hold a Fernet token, since a token does not name its key. */
export const FERNET_KID = 'fernet'

const KID_BYTES = 6

/** Imported encryption keys. None of them can be exported. */
export interface Keyring {
  /** The key that seals, and its kid. */
  sealing: { kid: string; key: CryptoKey }
  /** All keys, the sealing one first. */
  keys: ReadonlyMap<string, CryptoKey>
  /** The previous backend's Fernet keys by kid. They open the rows that it wrote. */
  fernetKeys: ReadonlyMap<string, FernetKey>
}

/** The kids of a keyring. */
export interface KeyringKids {
  seals: string
  opens: string[]
  fernet: string[]
}

/**
 * Imports a keyring.
 *
 * @param encryptionKeys at least one, without duplicates, 32 bytes each. The first one seals.
 * @param legacyFernetKeys the previous backend's Fernet keys, 32 bytes each
 * @throws TypeError if there is no encryption key, or if a key occurs twice
 */
export async function createKeyring(
  encryptionKeys: readonly Uint8Array[],
  legacyFernetKeys: readonly Uint8Array[] = [],
): Promise<Keyring> {
  const keys = new Map(await Promise.all(encryptionKeys.map(importEncryptionKey)))
  const fernetKeys = new Map(await Promise.all(legacyFernetKeys.map(importLegacyKey)))
  const [first] = keys
  if (
    first === undefined ||
    keys.size < encryptionKeys.length ||
    fernetKeys.size < legacyFernetKeys.length
  ) {
    throw new TypeError('A keyring needs at least one encryption key, and no key twice')
  }
  const [kid, key] = first
  return { sealing: { kid, key }, keys, fernetKeys }
}

/** Whether the keyring has the key that a row under `kid` needs. */
export function hasKey({ keys, fernetKeys }: Keyring, kid: string): boolean {
  return kid === FERNET_KID ? fernetKeys.size > 0 : keys.has(kid)
}

/** Whether the keyring has a key of the previous backend, so that its users are still moving in. */
export function isMovingIn(keyring: Keyring): boolean {
  return hasKey(keyring, FERNET_KID)
}

/** The keyring's name: its kids, the sealing one first, as `<kid>,<kid>,fernet:<kid>`. */
export function nameKeyring({ keys, fernetKeys }: Keyring): string {
  const legacy = Array.from(fernetKeys.keys(), (kid) => `${FERNET_KID}:${kid}`)
  return [...keys.keys(), ...legacy].join(',')
}

/** The kids in a name that {@link nameKeyring} made. */
export function parseKeyring(name: string): KeyringKids {
  const prefix = `${FERNET_KID}:`
  const kids = name.split(',')
  const [seals = '', ...opens] = kids.filter((kid) => !kid.startsWith(prefix))
  const fernet = kids.filter((kid) => kid.startsWith(prefix)).map((kid) => kid.slice(prefix.length))
  return { seals, opens, fernet }
}

async function importEncryptionKey(bytes: Uint8Array): Promise<[kid: string, key: CryptoKey]> {
  const usages = ['deriveBits', 'deriveKey']
  const key = await crypto.subtle.importKey('raw', bytes, 'HKDF', false, usages)
  return [await deriveKid(key), key]
}

async function importLegacyKey(bytes: Uint8Array): Promise<[kid: string, key: FernetKey]> {
  const [[kid], key] = await Promise.all([importEncryptionKey(bytes), importFernetKey(bytes)])
  return [kid, key]
}

async function deriveKid(key: CryptoKey): Promise<string> {
  const bits = await crypto.subtle.deriveBits(hkdf('key id'), key, KID_BYTES * 8)
  return Array.from(new Uint8Array(bits), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
