import { exportJWK, exportPKCS8, exportSPKI, generateKeyPair } from 'jose'
import { describe, expect, it } from 'vitest'
import { inSeconds } from '../../scripts/lib/token.ts'
import { algorithmsOf, PUBLIC_KEY_ALGORITHMS, publicKeys } from '../../src/tokens/public-key.ts'
import { signingKey } from './signing-keys.ts'
import { answerOf, byKey, pemOf, vaultOf } from './token-sources.ts'

const RSA = 'RS256 RS384 RS512 PS256 PS384 PS512'.split(' ')
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
  it.for<[alg: string, algorithms: string[]]>([
    ['RS256', RSA],
    ['ES256', ['ES256']],
    ['ES384', ['ES384']],
    ['ES512', ['ES512']],
    ['Ed25519', ['EdDSA', 'Ed25519']],
  ])('reads a key for %s, whose type says its algorithms', async ([alg, algorithms]) => {
    const { publicKey } = await generateKeyPair(alg, { extractable: true })
    const jwk = await exportJWK(publicKey)
    expect(read(await exportSPKI(publicKey))).toEqual([jwk])
    expect(algorithmsOf(jwk)).toEqual(algorithms)
    expect(PUBLIC_KEY_ALGORITHMS).toEqual(expect.arrayContaining(algorithms))
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

  it.for<[bits: number, modulus: string]>([
    [4_096, `00c${'b'.repeat(1_023)}`],
    [2_049, `01${'b'.repeat(512)}`],
    [2_048, `00${'8'.repeat(512)}`],
  ])('reads an RSA key of %i bits', ([, modulus]) => {
    expect(read(block('PUBLIC KEY', rsaDer(modulus)))).toEqual([
      { kty: 'RSA', e: 'AQAB', n: expect.stringMatching(/^[\w-]{342,683}$/) },
    ])
  })
})

/** An SPKI with this modulus and the exponent 65537, in hex. */
function rsaDer(modulus: string): string {
  const sized = (tag: string, hex: string) =>
    `${tag}82${(hex.length / 2).toString(16).padStart(4, '0')}${hex}`
  const pair = sized('30', `${sized('02', modulus)}0203010001`)
  return sized('30', `300d06092a864886f70d0101010500${sized('03', `00${pair}`)}`)
}

/** A DER of the right form for each reason. */
const P256 = '3059301306072a8648ce3d020106082a8648ce3d030107034200'
const SHORT_RSA = `30819f300d06092a864886f70d010101050003818d0030818902818100${'cb'.repeat(128)}0203010001`
const KINDS = 'is not a key of RSA, P-256, P-384, P-521 or Ed25519'
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
    [
      'an RSA key of 1,024 bits',
      async () => block('PUBLIC KEY', SHORT_RSA),
      'is an RSA key under 2048 bits',
    ],
    [
      'an RSA key of 2,047 bits',
      async () => block('PUBLIC KEY', rsaDer(`5f${'7d'.repeat(255)}`)),
      'is an RSA key under 2048 bits',
    ],
    [
      'an RSA key without a modulus',
      async () => block('PUBLIC KEY', rsaDer('00')),
      'is an RSA key under 2048 bits',
    ],
    [
      'an RSA key that is cut off',
      async () => block('PUBLIC KEY', rsaDer(`00${'cb'.repeat(256)}`).slice(0, -4)),
      KINDS,
    ],
    [
      'an RSA key with more after it',
      async () => block('PUBLIC KEY', `${rsaDer(`00${'cb'.repeat(256)}`)}00`),
      KINDS,
    ],
    [
      'an RSA key for PSS alone',
      async () => block('PUBLIC KEY', '30820120300b06092a864886f70d01010a'),
      KINDS,
    ],
    ['a compressed point', async () => block('PUBLIC KEY', `${P256}02${'ab'.repeat(32)}`), KINDS],
    [
      'a point of the wrong size',
      async () => block('PUBLIC KEY', `${P256}04${'ab'.repeat(63)}`),
      KINDS,
    ],
    [
      'a key of X25519',
      async () => block('PUBLIC KEY', `302a300506032b656e032100${'ab'.repeat(32)}`),
      KINDS,
    ],
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

it('a key that is not on its curve is a fault of the vault', async () => {
  const off = block('PUBLIC KEY', `${P256}04${'ab'.repeat(64)}`)
  const token = await byKey(ES256)({ sub: 'jane', exp: inSeconds(600) })
  await expect(vaultOf({ JWT_PUBLIC_KEY: off })(token)).rejects.toMatchObject({
    code: 'server_misconfigured',
    cause: { message: 'JWT_PUBLIC_KEY has a key that is not on its curve' },
  })
  expect(await answerOf(vaultOf({ JWT_PUBLIC_KEY: PEM }), token)).toMatchObject({ userId: 'jane' })
})
