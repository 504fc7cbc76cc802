import { exportJWK, exportPKCS8, generateKeyPair, type JWK } from 'jose'
import { describe, expect, it } from 'vitest'
import { openService } from '../../src/service.ts'
import {
  algorithmsOf,
  openPublicKeys,
  PUBLIC_KEY_ALGORITHMS,
  publicKeys,
  sortKeys,
} from '../../src/tokens/public-key.ts'
import { env } from '../isolate.ts'
import { publicJwk, signingKey } from './signing-keys.ts'
import { pemOf } from './token-sources.ts'

const ES256 = await signingKey('ES256')
const PEM = await pemOf(ES256)

/** The keys that a text holds, or what is wrong with each. */
function read(text: unknown): unknown {
  const parsed = publicKeys.safeParse(text)
  return parsed.success
    ? parsed.data
    : parsed.error.issues.map(({ path, message }) => path.concat(message))
}

const block = (label: string, hex: string) =>
  `-----BEGIN ${label}-----\n${Uint8Array.fromHex(hex).toBase64()}\n-----END ${label}-----`

describe('a public key in PEM', () => {
  it('reads the bytes of its block', () => {
    expect(read(PEM)).toEqual([Uint8Array.fromBase64(PEM.split('-----')[2] ?? '')])
  })

  it.for<[name: string, write: (pem: string) => string]>([
    ['as openssl writes it', (pem) => pem],
    ['with a line at its end', (pem) => `${pem}\n`],
    ['with \\n for each new line', (pem) => pem.replaceAll('\n', String.raw`\n`)],
    ['with \\r\\n for each new line', (pem) => pem.replaceAll('\n', String.raw`\r\n`)],
    ['with the new lines of Windows', (pem) => pem.replaceAll('\n', '\r\n')],
    ['in one line', (pem) => pem.replaceAll('\n', '')],
    ['with spaces for new lines', (pem) => pem.replaceAll('\n', ' ')],
  ])('reads a key %s', ([, write]) => {
    expect(read(write(PEM))).toEqual(read(PEM))
  })

  it('reads several keys, one after the other', async () => {
    const other = await pemOf(await signingKey('RS256'))
    for (const between of ['', '\n', '\n\n', ' ', String.raw`\n`]) {
      expect(read(`${PEM.trim()}${between}${other}`)).toEqual([read(PEM), read(other)].flat())
    }
  })
})

const NO_PEM = 'is not a public key in PEM: -----BEGIN PUBLIC KEY-----'

describe('a text that is not a public key', () => {
  it.for<[name: string, make: () => Promise<string>, fault: string]>([
    [
      'a private key',
      async () => exportPKCS8((await generateKeyPair('ES256', { extractable: true })).privateKey),
      'is a private key: take it out, and set its public key (openssl pkey -in FILE -pubout)',
    ],
    ['a private RSA key', async () => block('RSA PRIVATE KEY', '3000'), 'is a private key'],
    [
      'an encrypted private key',
      async () => block('ENCRYPTED PRIVATE KEY', '3000'),
      'is a private key',
    ],
    ['an SSH private key', async () => block('OPENSSH PRIVATE KEY', '3000'), 'is a private key'],
    [
      'an RSA key in PKCS#1',
      async () => block('RSA PUBLIC KEY', '3000'),
      'is in PKCS#1: convert it',
    ],
    ['a certificate', async () => block('CERTIFICATE', '3000'), 'is a certificate: take its key'],
    ['an SSH key', async () => 'ssh-rsa AAAAB3NzaC1yc2E jane@host', 'is an SSH key: convert it'],
    ['an SSH key of a curve', async () => 'ecdsa-sha2-nistp256 AAAA', 'is an SSH key: convert it'],
    ['an empty block', async () => '-----BEGIN PUBLIC KEY----------END PUBLIC KEY-----', NO_PEM],
    ['base64 that is malformed', async () => PEM.replace(/.{5}(?=\n-----END)/, '====='), NO_PEM],
    ['a JWK', async () => JSON.stringify(ES256.jwk), NO_PEM],
    ['white space', async () => ' \n', NO_PEM],
    ['the end of another block', async () => PEM.replace('END PUBLIC', 'END RSA PUBLIC'), NO_PEM],
  ])('refuses %s, and says what to do', async ([, make, fault]) => {
    const text = await make()
    const faults = read(text)
    expect(faults).toEqual([[0, expect.stringContaining(fault)]])
    const body = text.split('\n')[1] ?? text
    expect(JSON.stringify(faults)).not.toContain(body || text)
  })

  it.for<[name: string, text: string, items: number[]]>([
    ['text before the key', `Bag Attributes\n${PEM}`, [0]],
    ['text after the key', `${PEM}\nmore`, [0]],
    ['text between two keys', `${PEM}\nmore\n${PEM}`, [0]],
    ['a private key after it', `${PEM}${block('PRIVATE KEY', '3000')}`, [1]],
    ['a private key before it', `${block('PRIVATE KEY', '3000')}\n${PEM}`, [0]],
  ])('refuses a key with %s', ([, text, items]) => {
    expect(read(text)).toEqual(items.map((item) => [item, expect.any(String)]))
  })

  it('refuses a value that is not a string', () => {
    expect(read([PEM])).toEqual([['must be a string']])
  })
})

it.for<[key: object, algorithms: string[]]>([
  [{ kty: 'RSA' }, 'RS256 RS384 RS512 PS256 PS384 PS512'.split(' ')],
  [{ kty: 'EC', crv: 'P-256' }, ['ES256']],
  [{ kty: 'EC', crv: 'P-384' }, ['ES384']],
  [{ kty: 'EC', crv: 'P-521' }, ['ES512']],
  [{ kty: 'OKP', crv: 'Ed25519' }, ['EdDSA', 'Ed25519']],
  [{ kty: 'EC', crv: 'secp256k1' }, []],
  [{ kty: 'OKP', crv: 'X25519' }, []],
  [{ kty: 'oct' }, []],
  [{}, []],
])('the key %j verifies the algorithms %j', ([key, algorithms]) => {
  expect(algorithmsOf(key)).toEqual(algorithms)
  expect(PUBLIC_KEY_ALGORITHMS).toEqual(expect.arrayContaining(algorithms))
})

it('a public key that cannot be read keeps the vault from opening', async () => {
  const vars = { JWT_PUBLIC_KEY: block('PUBLIC KEY', 'ab') }
  await expect(openService({ ...env, ...vars })).rejects.toMatchObject({
    code: 'server_misconfigured',
    cause: { message: expect.stringContaining('JWT_PUBLIC_KEY, item 1, is not ') },
  })
})

const P256 = '3059301306072a8648ce3d020106082a8648ce3d030107034200'
const SHORT_RSA_DER = `30819f300d06092a864886f70d010101050003818d0030818902818100${'cb'.repeat(128)}0203010001`
const KINDS = 'not RSA, P-256, P-384, P-521 or Ed25519'

/** An SPKI with this modulus and the exponent 65537, in hex. */
function rsaDer(modulus: string): string {
  const sized = (tag: string, hex: string) =>
    `${tag}82${(hex.length / 2).toString(16).padStart(4, '0')}${hex}`
  const pair = sized('30', `${sized('02', modulus)}0203010001`)
  return sized('30', `300d06092a864886f70d0101010500${sized('03', `00${pair}`)}`)
}

/** The DER of an SPKI, from its PEM or its hex. */
const derOf = (pem: string) => Uint8Array.fromBase64(pem.split('-----')[2] ?? '')
const derOfHex = (hex: string) => Uint8Array.fromHex(hex)

it('a public key verifies a token of any kid, and no HMAC', async () => {
  const { keys } = await openPublicKeys([derOf(await pemOf(await signingKey('ES256')))])
  const input = { payload: '', signature: '' }
  expect(await keys({ alg: 'ES256', kid: 'any' }, input)).toMatchObject({ type: 'public' })
  await expect(keys({ alg: 'HS256' }, input)).rejects.toThrow('Unsupported "alg"')
  await expect(keys({ alg: 'RS256' }, input)).rejects.toThrow('no applicable key')
})

describe('public keys', () => {
  const RSA = 'RS256 RS384 RS512 PS256 PS384 PS512'.split(' ')

  it.for<[alg: string, algorithms: string[]]>([
    ['RS256', RSA],
    ['ES256', ['ES256']],
    ['ES384', ['ES384']],
    ['ES512', ['ES512']],
    ['Ed25519', ['EdDSA', 'Ed25519']],
  ])('a public key for %s is read, and verifies each of its algorithms', async ([alg, all]) => {
    const opened = await openPublicKeys([derOf(await pemOf(await signingKey(alg)))])
    expect(opened.algorithms).toEqual(all)
    for (const one of all) {
      const input = { payload: '', signature: '' }
      expect(await opened.keys({ alg: one }, input)).toMatchObject({ usages: ['verify'] })
    }
  })

  it('reads a compressed point as the key that it is', async () => {
    const hex = derOf(await pemOf(await signingKey('ES256'))).toHex()
    const sign = Number.parseInt(hex.slice(-1), 16) % 2 === 0 ? '02' : '03'
    const short = `3039301306072a8648ce3d020106082a8648ce3d030107032200${sign}`
    const { algorithms } = await openPublicKeys([derOfHex(short + hex.slice(P256.length + 2, -64))])
    expect(algorithms).toEqual(['ES256'])
  })

  it.for<[name: string, hex: string, fault: string]>([
    ['an RSA key of 1,024 bits', SHORT_RSA_DER, 'RSA under 2048 bits'],
    ['an RSA key of 2,040 bits', rsaDer(`00${'cb'.repeat(255)}`), 'RSA under 2048 bits'],
    ['an RSA key without a modulus', rsaDer('00'), KINDS],
    ['an RSA key that is cut off', rsaDer(`00${'cb'.repeat(256)}`).slice(0, -4), KINDS],
    ['an RSA key with more after it', `${rsaDer(`00${'cb'.repeat(256)}`)}00`, KINDS],
    ['an RSA key for PSS alone', '30820120300b06092a864886f70d01010a', KINDS],
    ['a point that is not on its curve', `${P256}04${'ab'.repeat(64)}`, KINDS],
    ['a point of the wrong size', `${P256}04${'ab'.repeat(63)}`, KINDS],
    ['a key of X25519', `302a300506032b656e032100${'ab'.repeat(32)}`, KINDS],
    ['a key of Ed25519 that is cut off', `302a300506032b6570032100${'ab'.repeat(31)}`, KINDS],
    ['a key of Ed25519 with more after it', `302a300506032b6570032100${'ab'.repeat(33)}`, KINDS],
    ['something that is not DER', 'ab', KINDS],
  ])('refuses %s as a fault of the vault, which names it and does not show it', async (row) => {
    const [, hex, fault] = row
    const good = derOf(await pemOf(await signingKey('ES256')))
    await expect(openPublicKeys([good, derOfHex(hex)])).rejects.toMatchObject({
      code: 'server_misconfigured',
      cause: { message: `JWT_PUBLIC_KEY, item 2, is ${fault}` },
    })
  })
})

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
