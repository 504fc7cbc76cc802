import { exportJWK, generateKeyPair, type JWK } from 'jose'
import { describe, expect, it } from 'vitest'
import { sortKeys } from '../../src/tokens/usable-keys.ts'
import { publicJwk } from './signing-keys.ts'

describe('a key that can verify a token', () => {
  it.for<[name: string, alg: string, fields: object]>([
    ['an RSA key', 'RS256', { alg: 'RS256' }],
    ['an RSA key without alg', 'RS256', {}],
    ['a P-256 key without alg', 'ES256', {}],
    ['a P-384 key without alg', 'ES384', {}],
    ['a P-521 key without alg', 'ES512', {}],
    ['a key for signatures', 'ES256', { use: 'sig', kid: 'a' }],
  ])('keeps %s as it is', async ([, alg, fields]) => {
    const key = { ...(await publicJwk(alg)), ...fields }
    expect(await sortKeys([key])).toEqual({ usable: [key], dropped: [] })
  })

  it.for([{}, { alg: 'EdDSA' }, { alg: 'Ed25519' }])(
    'keeps an Ed25519 key without its alg: %j',
    async (fields) => {
      const key = await publicJwk('Ed25519')
      const { usable, dropped } = await sortKeys([{ ...key, ...fields }])
      const { alg: _, ...kept } = key
      expect({ usable, dropped }).toEqual({ usable: [kept], dropped: [] })
    },
  )
})

describe('a key that cannot verify a token', () => {
  it.for<[reason: string, kid: string | null, make: () => Promise<unknown>]>([
    ['not a JSON object', null, async () => 'key'],
    ['not a JSON object', null, async () => ['key']],
    ['symmetric', 'a', async () => ({ kty: 'oct', k: 'AAAA', kid: 'a' })],
    ['symmetric', 'a', async () => ({ kty: 'oct', k: 'AAAA', alg: 'HS256', kid: 'a' })],
    ['unknown type or curve', null, async () => ({ kty: 'EC', crv: 'secp256k1' })],
    ['unknown type or curve', null, async () => ({ kty: 'new' })],
    ['unknown type or curve', null, async () => ({ ...(await publicJwk('ES256')), alg: 7 })],
    ['JOSENotSupported', null, async () => ({ ...(await publicJwk('ES256')), alg: 'ES1' })],
    ['not a public key', 'p', privateJwk],
    ['not a public key', null, async () => ({ ...(await privateJwk()), alg: 'ES1', kid: 7 })],
    ['JWKSNoMatchingKey', null, async () => ({ ...(await publicJwk('ES256')), alg: 'RS256' })],
    ['JWKSNoMatchingKey', null, async () => ({ ...(await publicJwk('ES256')), key_ops: ['sign'] })],
    ['unknown type or curve', null, async () => ({ kty: 'EC', kid: 7 })],
    ['unknown type or curve', 'x'.repeat(200), async () => ({ kty: 'EC', kid: 'x'.repeat(201) })],
  ])('drops a key for the reason %j: case %#', async ([reason, kid, make]) => {
    const good = await publicJwk('ES256')
    expect(await sortKeys([good, await make()])).toEqual({
      usable: [good],
      dropped: [{ index: 1, kid, reason }],
    })
  })

  it.for([{ use: 'enc' }, { alg: 'ECDH-ES' }, { alg: 'RSA-OAEP-256' }])(
    'does not report a key for encryption: %j',
    async (fields) => {
      const key = { ...(await publicJwk('ES256')), ...fields }
      expect(await sortKeys([key])).toEqual({ usable: [], dropped: [] })
    },
  )
})

async function privateJwk(): Promise<JWK> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  return { ...(await exportJWK(privateKey)), kid: 'p' }
}
