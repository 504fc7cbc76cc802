import { expect, it } from 'vitest'
import { encodeFields, hkdf } from '../../src/crypto/derivation.ts'
import vectors from './vectors/rfc5869-gcm-openssl.json'

const hex = (text: string) => Uint8Array.fromHex(text)
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

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
