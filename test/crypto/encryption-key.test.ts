import { expect, it, vi } from 'vitest'
import { encodeFields, hkdf, ownerFields } from '../../src/crypto/encryption-key.ts'
import { createKeyring, fingerprintKey } from '../../src/crypto/keyring.ts'
import vectors from './vectors/rfc5869-gcm-openssl.json'

const hex = (text: string) => Uint8Array.fromHex(text)
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

it.for([
  ['a user is one field', 'jane', ['jane']],
  ['a team is two fields', 'team:acme', ['team', 'acme']],
  ['a user whose id begins like the text of a team is one field', '~team:acme', ['team:acme']],
] as const)('%s', ([, userId, fields]) => expect(ownerFields({ userId })).toEqual(fields))

it('derives with HKDF-SHA256, without a salt, for the named purpose of this version', () => {
  const { info, ...others } = hkdf('user key', 'jane')
  expect(others).toEqual({ name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array() })
  expect(info).toEqual(encodeFields('user-key-vault', 'v1', 'user key', 'jane'))
})

it.for<[one: string[], other: string[]]>([
  [
    ['ab', ''],
    ['a', 'b'],
  ],
  [['a', 'b'], ['a","b']],
  [['a'], ['a', '']],
  [[], ['']],
  [['a"'], ['a\\"']],
  [['a'], ['A']],
  [['\u00E9'], ['e\u0301']],
])('encodes %j and %j as different bytes', ([one, other]) => {
  expect(encodeFields(...one)).not.toEqual(encodeFields(...other))
})

it.for<[fields: string[]]>([[['a', 'b']], [['a","b', '"\n']], [['ä', '😀']], [[]]])(
  'encodes %j as a JSON array in UTF-8',
  ([fields]) => expect(JSON.parse(decode(encodeFields(...fields)))).toEqual(fields),
)

it.for(vectors.hkdf)('WebCrypto here is HKDF-SHA256: $name', async (vector) => {
  const key = await crypto.subtle.importKey('raw', hex(vector.ikm), 'HKDF', false, ['deriveBits'])
  const [salt, info] = [hex(vector.salt), hex(vector.info)]
  const parameters = { name: 'HKDF', hash: 'SHA-256', salt, info }
  const okm = await crypto.subtle.deriveBits(parameters, key, vector.okm.length * 4)
  expect(new Uint8Array(okm).toHex()).toBe(vector.okm)
})

/** The keys of the recorded fingerprints: 00, 01, … and 20, 21, … */
const FIRST = Uint8Array.from({ length: 32 }, (_, index) => index)
const SECOND = FIRST.map((byte) => byte + 32)

/** Made with Python's hmac and hashlib, from RFC 5869 and RFC 2104. */
const RECORDED = ['0CrRH-f42yguGcB7JMKdSw', 'Xm3Z5OyKvu1ORJYB2_1HTA']

it('makes the recorded fingerprints, under each key of the keyring and in its order', async () => {
  const fingerprints = async (...keys: Uint8Array[]) =>
    fingerprintKey(await createKeyring(keys), { userId: 'user' }, 'sk-test-0123456789')
  expect(await fingerprints(FIRST, SECOND)).toEqual(RECORDED)
  expect(await fingerprints(SECOND, FIRST)).toEqual(RECORDED.toReversed())
})

it.for([
  ['a team of the same id', 'team:user', '7FZVcTuXqH0PdlKto2xMEw'],
  ["a user whose id is that team's text", '~team:user', 'k5J8RLof65DrndBx8y3Pmw'],
])('makes another fingerprint, the recorded one, for %s', async ([, userId = '', recorded]) => {
  const keyring = await createKeyring([FIRST])
  expect(await fingerprintKey(keyring, { userId }, 'sk-test-0123456789')).toEqual([recorded])
})

it.for<[name: string, userId: string, apiKey: string, encryptionKey: Uint8Array]>([
  ['user', 'other', 'sk-test-0123456789', FIRST],
  ['key', 'user', 'sk-test-9876543210', FIRST],
  ['border of user and key', 'users', 'k-test-0123456789', FIRST],
  ['encryption key', 'user', 'sk-test-0123456789', SECOND],
])('makes another fingerprint for another %s', async ([, userId, apiKey, encryptionKey]) => {
  const [fingerprint] = await fingerprintKey(
    await createKeyring([encryptionKey]),
    { userId },
    apiKey,
  )
  expect(fingerprint).toMatch(/^[\w-]{22}$/)
  expect(fingerprint).not.toBe(RECORDED[0])
})

it('derives one key for all fingerprints of an encryption key, to sign and not to export', async () => {
  const keyring = await createKeyring([FIRST])
  const derive = vi.spyOn(crypto.subtle, 'deriveKey')
  await fingerprintKey(keyring, { userId: 'user' }, 'sk-1')
  await fingerprintKey(keyring, { userId: 'other' }, 'sk-2')
  expect(derive).toHaveBeenCalledTimes(1)
  const derived = await derive.mock.results[0]?.value
  expect(derived).toMatchObject({ extractable: false, usages: ['sign'] })
})
