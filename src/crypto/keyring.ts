/** The encryption keys by kid. The first one seals, and all of them open. */

import * as z from 'zod/mini'
import { listOf } from '../shared/variable.ts'
import { secretKey, type EncryptionKey } from './encryption-key.ts'

const FIX = '32 random bytes in base64: npm run keys -- new'
const ALL_ZERO = `${'A'.repeat(43)}=`

/**
 * Canonical base64 or base64url of 32 bytes: the last character before `=` has two spare bits, and they
 * are zero. Fernet.generate_key() writes base64url.
 */
const encryptionKey = z.string().check(
  z.regex(/^[\w+/-]{42}[AEIMQUYcgkosw048]=$/, `is not ${FIX}`),
  z.refine((text) => text !== ALL_ZERO, `is all zero; it must be ${FIX}`),
)

/** The variables of the vault's own encryption keys. */
export const keyVariables = {
  API_KEY_ENCRYPTION_KEY: keyList(encryptionKey, `is not set; it must be ${FIX}`),
}

/** The kid of all rows that hold a Fernet token, since a token does not name its key. */
export const FERNET_KID = 'fernet'

/** Opens the rows that another program sealed. All of them have one kid. */
export interface ForeignKeys {
  kid: string
  /** The names of its keys, each for the keyring's name. */
  names: readonly string[]
  /** Null if no key opens `sealed`. */
  open(sealed: string): Promise<string | null>
}

export interface Keyring {
  /** The key that seals: the first of `keys`. */
  sealing: EncryptionKey
  /** All keys by kid, the sealing one first. */
  keys: ReadonlyMap<string, EncryptionKey>
  /** Null if no rows of another program are expected. */
  foreign: ForeignKeys | null
}

/** The kids of a keyring. */
export interface KeyringKids {
  seals: string
  opens: string[]
  fernet: string[]
}

/**
 * Makes a keyring.
 *
 * @param secrets at least one, without duplicates, 32 bytes each. The first one seals.
 * @throws TypeError if there is no encryption key, or if one occurs twice
 */
export async function createKeyring(
  secrets: readonly Uint8Array[],
  foreign: ForeignKeys | null = null,
): Promise<Keyring> {
  const all = await Promise.all(secrets.map(secretKey))
  const keys = new Map(all.map((key) => [key.kid, key]))
  const [sealing] = all
  if (sealing === undefined || keys.size < all.length) {
    throw new TypeError('A keyring needs at least one encryption key, and no key twice')
  }
  return { sealing, keys, foreign }
}

/** A list of keys in base64, none of them twice. */
export function keyList(item: z.ZodMiniType<string, string>, fault?: string) {
  const keys = listOf(z.pipe(item, z.transform(decodeKey)), fault)
  return keys.check(z.refine(areDistinct, 'contains a key twice'))
}

/** Decodes base64 in either alphabet. Python accepts both, so both are in use. */
function decodeKey(text: string): Uint8Array {
  return Uint8Array.fromBase64(text.replaceAll('-', '+').replaceAll('_', '/'))
}

export function areDistinct(keys: readonly Uint8Array[]): boolean {
  return new Set(keys.map(String)).size === keys.length
}

/** Whether the keyring has the key that a row under `kid` needs. */
export function hasKey({ keys, foreign }: Keyring, kid: string): boolean {
  return keys.has(kid) || kid === foreign?.kid
}

/** Whether the keyring has a key of the previous backend, so that its users are still moving in. */
export function isMovingIn(keyring: Keyring): boolean {
  return hasKey(keyring, FERNET_KID)
}

/** The keyring's name: its kids, the sealing one first, as `<kid>,<kid>,fernet:<kid>`. */
export function nameKeyring({ keys, foreign }: Keyring): string {
  const others = foreign?.names.map((name) => `${foreign.kid}:${name}`) ?? []
  return [...keys.keys(), ...others].join(',')
}

/** The kids in a name that {@link nameKeyring} made. */
export function parseKeyring(name: string): KeyringKids {
  const prefix = `${FERNET_KID}:`
  const kids = name.split(',')
  const [seals = '', ...opens] = kids.filter((kid) => !kid.startsWith(prefix))
  const fernet = kids.filter((kid) => kid.startsWith(prefix)).map((kid) => kid.slice(prefix.length))
  return { seals, opens, fernet }
}

/** The API key's fingerprint under each encryption key, the sealing one first. */
export async function fingerprintKey(
  { keys }: Pick<Keyring, 'keys'>,
  userId: string,
  apiKey: string,
): Promise<string[]> {
  return Promise.all(Array.from(keys.values(), async (key) => key.fingerprint({ userId }, apiKey)))
}
