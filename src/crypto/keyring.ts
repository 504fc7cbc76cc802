/** The encryption keys by kid. The first one seals, and all of them open. */

import { secretKey, type EncryptionKey } from './encryption-key.ts'

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
