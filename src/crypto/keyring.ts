/** The encryption keys by kid. The first one seals, and all of them open. */

import * as z from 'zod/mini'
import { listOf, type Refuse, type Values } from '../shared/variable.ts'
import { secretKey, type EncryptionKey, type Owner } from './encryption-key.ts'

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

/** The keys of another program. All rows that it sealed have one kid: they do not name their key. */
export interface ForeignKids {
  kid: string
  /** The name of each key. */
  names: readonly string[]
}

/** Opens the rows that another program sealed. */
export interface ForeignKeys extends ForeignKids {
  /** Null if no key opens `sealed`. */
  open(sealed: string): Promise<string | null>
}

/** The variable with the secrets of another program. */
export interface ForeignSecrets {
  /** The kid of the rows that the secrets open. */
  kid: string
  variable: string
  /** 32 bytes each. */
  secrets: readonly Uint8Array[]
  /** Null if there are no secrets. */
  open: (secrets: readonly Uint8Array[]) => Promise<ForeignKeys | null>
}

/** What a keyring is made of. */
export interface KeySources {
  /** 32 bytes each. The first one seals, and all of them open. */
  encryptionKeys: readonly Uint8Array[]
  foreign: ForeignSecrets | null
}

/** Checks the variables with keys together: a key that serves two purposes is only as safe as the weaker of the two. */
export function readKeys(
  env: Values<typeof keyVariables> & { JWT_SECRET_KEY?: string | undefined },
  foreign: ForeignSecrets | null,
  refuse: Refuse<string>,
): KeySources {
  const keys = env.API_KEY_ENCRYPTION_KEY
  const forms = keys.flatMap((key) => [key.toBase64(), key.toBase64({ alphabet: 'base64url' })])
  if (forms.some((form) => form === env.JWT_SECRET_KEY)) {
    refuse('JWT_SECRET_KEY', 'is also an encryption key; they must differ')
  }
  if (foreign !== null && !areDistinct([...keys, ...foreign.secrets])) {
    refuse(foreign.variable, 'is also an encryption key; they must differ')
  }
  return { encryptionKeys: keys, foreign }
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
  foreign: ForeignKids | null
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

/** Makes the keyring of the settings. */
export async function openKeyring({ encryptionKeys, foreign }: KeySources): Promise<Keyring> {
  return createKeyring(encryptionKeys, foreign && (await foreign.open(foreign.secrets)))
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

function areDistinct(keys: readonly Uint8Array[]): boolean {
  return new Set(keys.map(String)).size === keys.length
}

/** Whether the keyring has the key that a row under `kid` needs. */
export function hasKey({ keys, foreign }: Keyring, kid: string): boolean {
  return keys.has(kid) || kid === foreign?.kid
}

/** The keyring's name: its kids, the sealing one first, as `<kid>,<kid>,<foreign kid>:<name>`. */
export function nameKeyring({ keys, foreign }: Keyring): string {
  const others = foreign?.names.map((name) => `${foreign.kid}:${name}`) ?? []
  return [...keys.keys(), ...others].join(',')
}

/** The kids in a name that {@link nameKeyring} made. */
export function parseKeyring(name: string): KeyringKids {
  const kids = name.split(',')
  const [seals = '', ...opens] = kids.filter((kid) => !kid.includes(':'))
  const others = kids.filter((kid) => kid.includes(':')).map((kid) => kid.split(':'))
  const [[kid = ''] = []] = others
  const foreign = kid === '' ? null : { kid, names: others.map(([, other = '']) => other) }
  return { seals, opens, foreign }
}

/** The API key's fingerprint under each encryption key, the sealing one first. */
export async function fingerprintKey(
  { keys }: Pick<Keyring, 'keys'>,
  owner: Owner,
  apiKey: string,
): Promise<string[]> {
  return Promise.all(Array.from(keys.values(), async (key) => key.fingerprint(owner, apiKey)))
}
