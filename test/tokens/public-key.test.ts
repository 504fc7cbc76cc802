import { exportPKCS8, generateKeyPair } from 'jose'
import { describe, expect, it } from 'vitest'
import { openService } from '../../src/service.ts'
import { algorithmsOf, PUBLIC_KEY_ALGORITHMS, publicKeys } from '../../src/tokens/public-key.ts'
import { env } from '../isolate.ts'
import { signingKey } from './signing-keys.ts'
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
