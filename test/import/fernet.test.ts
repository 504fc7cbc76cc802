import * as fc from 'fast-check'
import { base64url } from 'jose'
import { beforeEach, describe, expect, it } from 'vitest'
import { createKeyring } from '../../src/crypto/keyring.ts'
import { openKey, type OpenedKey } from '../../src/crypto/seal.ts'
import {
  importFernetKey,
  importFernetKeys,
  openFernet,
  readFernetTime,
} from '../../src/import/fernet.ts'
import { anyText } from '../crypto/any-text.ts'
import {
  clearRows,
  insertRows,
  openedKeys,
  runPass,
  someKeys,
  withKeys,
} from '../keys/sealed-rows.ts'
import { recordLogs, someEncryptionKey } from '../support.ts'
import { makeFernet, signFernet } from './make-fernet.ts'
import vectors from './vectors/fernet-spec.json'
import recorded from './vectors/python-cryptography-fernet.json'

const decodeKey = (text: string) => base64url.decode(text.replace('=', ''))
const specKey = await importFernetKey(decodeKey(vectors.secret))
const otherKey = await importFernetKey(crypto.getRandomValues(new Uint8Array(32)))

describe('the vectors of the Fernet specification', () => {
  it.for(vectors.generate)(
    'the test’s own maker makes the token of the specification: $token',
    async ({ now, iv, src, token }) => {
      const seconds = Date.parse(now) / 1000
      const text = new TextEncoder().encode(src)
      const made = await makeFernet(decodeKey(vectors.secret), new Uint8Array(iv), seconds, text)
      expect(made).toBe(token)
      expect(await openFernet([specKey], made)).toBe(src)
    },
  )

  it.for(vectors.verify)('opens the token of the specification: $token', async ({ src, token }) => {
    expect(await openFernet([specKey], token)).toBe(src)
  })

  it.for(vectors.invalid)(
    'does not open the bad token of the specification: $desc',
    async ({ token }) => {
      expect(await openFernet([specKey], token)).toBeNull()
    },
  )

  it.for(vectors.invalidByAge)(
    'opens the token of the specification that is invalid by its age: $desc',
    async (vector) => {
      expect(await openFernet([specKey], vector.token)).toBe(vector.src)
    },
  )
})

describe('a token of Python’s cryptography', () => {
  it.for(recorded.tokens)(
    'opens the token of Python’s cryptography: $name',
    async ({ apiKey, token }) => {
      const key = await importFernetKey(decodeKey(recorded.key))
      expect(await openFernet([key], token)).toBe(apiKey)
      expect(await openFernet([otherKey, key], token)).toBe(apiKey)
      expect(await openFernet([otherKey], token)).toBeNull()
      expect(await openFernet([], token)).toBeNull()
    },
  )
})

describe('a Fernet token', () => {
  const token = vectors.verify[0]?.token ?? ''

  it('opens what was made to the same text', async () => {
    const bytes = crypto.getRandomValues(new Uint8Array(32))
    const key = await importFernetKey(bytes)
    await fc.assert(
      fc.asyncProperty(anyText(100), async (text) => {
        const iv = crypto.getRandomValues(new Uint8Array(16))
        const made = await makeFernet(bytes, iv, 1_700_000_000, new TextEncoder().encode(text))
        expect(readFernetTime(made)?.toISOString()).toBe('2023-11-14T22:13:20.000Z')
        expect(await openFernet([key], made)).toBe(text)
      }),
    )
  })

  it('does not open a token that is changed, cut or padded differently', async () => {
    const bytes = base64url.decode(token.replaceAll('=', ''))
    const flips = Array.from({ length: bytes.length * 8 }, (_, bit) =>
      base64url.encode(bytes.with(bit >> 3, (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7)))),
    )
    const cuts = Array.from(token, (_, end) => token.slice(0, end))
    const others = [
      `${token}=`,
      `${token} `,
      ` ${token}`,
      `${token}\n`,
      `${token}====`,
      'A===',
      `==${token.slice(0, -2)}`,
    ]
    const standard = token.replaceAll('-', '+').replaceAll('_', '/')
    const spare = token.replace(/A==$/, 'B==')
    expect(new Set([token, standard, spare]).size).toBe(3)
    for (const changed of [
      ...flips.map((flip) => `${flip}==`),
      ...cuts,
      ...others,
      standard,
      spare,
    ]) {
      expect(await openFernet([specKey], changed)).toBeNull()
    }
  })

  it('does not open a token of another version, even if its signature is valid', async () => {
    const bytes = base64url.decode(token.replaceAll('=', '')).slice(0, -32)
    const key = decodeKey(vectors.secret)
    expect(await signFernet(key, [...bytes])).toBe(token)
    expect(
      await openFernet([specKey], await signFernet(key, Array.from(bytes.with(0, 0x81)))),
    ).toBeNull()
  })

  it('opens a text with a byte order mark', async () => {
    const [iv, text] = [new Uint8Array(16), '\uFEFFsk']
    const made = await makeFernet(decodeKey(vectors.secret), iv, 0, new TextEncoder().encode(text))
    expect(await openFernet([specKey], made)).toBe(text)
  })

  it('does not open a text whose bytes are not UTF-8', async () => {
    const iv = new Uint8Array(16)
    const made = await makeFernet(decodeKey(vectors.secret), iv, 0, new Uint8Array([0xff]))
    expect(await openFernet([specKey], made)).toBeNull()
  })

  it.for([
    ['a sealed key', 'v1.0123456789ab.AAAA', undefined],
    ['a plain key', 'sk-0123456789', undefined],
    ['an empty text', '', undefined],
    ['an incomplete block', vectors.invalid[1]?.token ?? '', undefined],
    ['a token that no key opens', vectors.invalid[0]?.token ?? '', '1985-10-26T08:20:01.000Z'],
  ] as const)('finds the time by the form of the token alone: %s', ([, text, time]) => {
    expect(readFernetTime(text)?.toISOString()).toBe(time)
  })

  it.for([
    ['no block', 25],
    ['less than a header', 24],
    ['a block and a byte', 42],
  ] as const)('reads no time of a token with %s', async ([, length]) => {
    const made = await signFernet(decodeKey(vectors.secret), [0x80, ...new Uint8Array(length - 1)])
    expect(readFernetTime(made)).toBeNull()
  })
})

describe('an imported row', () => {
  const [key, other] = [randomKey(), randomKey()]
  const tokenOf = async (text: string, by = key) =>
    makeFernet(by, new Uint8Array(16), 0, new TextEncoder().encode(text))
  const openImported = async (sealed: string, keys: Uint8Array[], userId = 'ann') => {
    const keyring = await createKeyring([randomKey()], await importFernetKeys(keys))
    return openKey(keyring, { userId, provider: 'default', kid: 'fernet', sealed })
  }

  it.for<[name: string, token: () => Promise<string>]>([
    ['as it was written', async () => tokenOf('sk-test')],
    ['without the spaces around its key', async () => tokenOf(' sk-test\n')],
    ['that was encrypted twice', async () => tokenOf(await tokenOf('sk-test'))],
    [
      'that was encrypted twice, with spaces and another key',
      async () => tokenOf(` ${await tokenOf(' sk-test ', other)}\n`),
    ],
  ])('opens the token of an imported row %s', async ([, token]) => {
    const opened: OpenedKey = { state: 'open', text: 'sk-test' }
    expect(await openImported(await token(), [other, key])).toEqual(opened)
  })

  it.for([
    ['key_id_not_in_keyring', []],
    ['does_not_open', [other]],
  ] as const)('says why the token of an imported row is unreadable: %s', async ([reason, keys]) => {
    const opened: OpenedKey = { state: 'unreadable', reason }
    expect(await openImported(await tokenOf('sk-test'), [...keys])).toEqual(opened)
  })

  it('does not open the token of a user in the row of a team', async () => {
    const opened: OpenedKey = { state: 'unreadable', reason: 'does_not_open' }
    expect(await openImported(await tokenOf('sk-test'), [key], 'team:ann')).toEqual(opened)
    expect(await openImported(await tokenOf('sk-test'), [key], '~team:ann')).toHaveProperty('text')
  })
})

describe('the rewrap job', () => {
  const vault = withKeys(someEncryptionKey())
  const importing = { ...vault, LEGACY_FERNET_KEY: recorded.key }

  beforeEach(clearRows)

  it('reseals imported rows', async () => {
    const rows = recorded.tokens.map(({ name: userId, token: sealed }) => {
      return { userId, provider: 'default', sealed, kid: 'fernet' }
    })
    await insertRows(rows)
    const keys = new Map(recorded.tokens.map(({ name, apiKey }) => [name, apiKey]))
    expect(await openedKeys(importing)).toEqual(keys)
    await runPass(importing)
    expect(await openedKeys(vault)).toEqual(keys)
  })

  it('makes a pass for each new Fernet key', async () => {
    await someKeys(1, vault)
    await runPass(vault)
    const logs = recordLogs()
    await runPass(importing)
    await runPass({ ...vault, LEGACY_FERNET_KEY: `${recorded.key},${someEncryptionKey()}` })
    const events = logs.events().map(({ event }) => event)
    expect(events.filter((event) => event === 'rewrap_begun')).toHaveLength(2)
  })
})

function randomKey(): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(32))
}
