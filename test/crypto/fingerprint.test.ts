/** A fingerprint tells whether two keys of one user are the same, and nothing else. */

import { expect, it, vi } from 'vitest'
import { fingerprintKey } from '../../src/crypto/fingerprint.ts'
import { createKeyring } from '../../src/crypto/keyring.ts'

/** The keys of the recorded fingerprints: 00, 01, … and 20, 21, … */
const FIRST = Uint8Array.from({ length: 32 }, (_, index) => index)
const SECOND = FIRST.map((byte) => byte + 32)

/** Made with Python's hmac and hashlib, from RFC 5869 and RFC 2104. */
const RECORDED = ['0CrRH-f42yguGcB7JMKdSw', 'Xm3Z5OyKvu1ORJYB2_1HTA']

it('makes the recorded fingerprints, under each key of the keyring and in its order', async () => {
  const fingerprints = async (...keys: Uint8Array[]) =>
    fingerprintKey(await createKeyring(keys), 'user', 'sk-test-0123456789')
  expect(await fingerprints(FIRST, SECOND)).toEqual(RECORDED)
  expect(await fingerprints(SECOND, FIRST)).toEqual(RECORDED.toReversed())
})

it.for<[name: string, userId: string, apiKey: string, encryptionKey: Uint8Array]>([
  ['user', 'other', 'sk-test-0123456789', FIRST],
  ['key', 'user', 'sk-test-9876543210', FIRST],
  ['border of user and key', 'users', 'k-test-0123456789', FIRST],
  ['encryption key', 'user', 'sk-test-0123456789', SECOND],
])('makes another fingerprint for another %s', async ([, userId, apiKey, encryptionKey]) => {
  const [fingerprint] = await fingerprintKey(await createKeyring([encryptionKey]), userId, apiKey)
  expect(fingerprint).toMatch(/^[\w-]{22}$/)
  expect(fingerprint).not.toBe(RECORDED[0])
})

it('derives one key for all fingerprints of an encryption key, to sign and not to export', async () => {
  const keyring = await createKeyring([FIRST])
  const derive = vi.spyOn(crypto.subtle, 'deriveKey')
  await fingerprintKey(keyring, 'user', 'sk-1')
  await fingerprintKey(keyring, 'other', 'sk-2')
  expect(derive).toHaveBeenCalledTimes(1)
  const derived = await derive.mock.results[0]?.value
  expect(derived).toMatchObject({ extractable: false, usages: ['sign'] })
})
