import * as fc from 'fast-check'
import { base64url } from 'jose'
import { describe, expect, it, vi } from 'vitest'
import { createKeyring, type Keyring } from '../../src/crypto/keyring.ts'
import {
  openKey,
  sealKey,
  type SealedKey,
  type Slot,
  type UnreadableReason,
} from '../../src/crypto/seal.ts'
import { teamOwner, userOwner } from '../../src/shared/owner.ts'
import { anyText } from './any-text.ts'
import vectors from './vectors/rfc5869-gcm-openssl.json'

const randomKey = () => crypto.getRandomValues(new Uint8Array(32))
const SLOT = { userId: 'user', provider: 'default' }

const unreadable = (reason: UnreadableReason) => ({ state: 'unreadable', reason })
const open = (text: string) => ({ state: 'open', text })

/** Makes a keyring of one random key, and seals `apiKey` with it. */
async function sealed(apiKey = 'sk-test-0123456789', slot = SLOT) {
  const keyring = await createKeyring([randomKey()])
  return { keyring, ...(await sealKey(keyring, slot, apiKey)) }
}

describe('sealing', () => {
  it('a sealed key opens to the same key, for every user and provider', async () => {
    const keyring = await createKeyring([randomKey()])
    const text = anyText(300)
    await fc.assert(
      fc.asyncProperty(text, text, text, async (userId, provider, apiKey) => {
        const slot = { userId, provider }
        const { sealed: written, kid } = await sealKey(keyring, slot, apiKey)
        expect(await openKey(keyring, { ...slot, kid, sealed: written })).toEqual(open(apiKey))
      }),
    )
  })

  it('a sealed key is v1, the kid, and base64url of the IV, the ciphertext and the tag', async () => {
    const apiKey = 'sk-test'
    const { sealed: text, kid } = await sealed(apiKey)
    expect(kid).toMatch(/^[0-9a-f]{12}$/)
    const [version, named, payload, ...rest] = text.split('.')
    expect([version, named, rest]).toEqual(['v1', kid, []])
    expect(base64url.decode(payload ?? '')).toHaveLength(12 + apiKey.length + 16)
  })

  it('uses no IV twice in 1,000 seals', async () => {
    const keyring = await createKeyring([randomKey()])
    const texts = await Promise.all(
      Array.from({ length: 1_000 }, async () => (await sealKey(keyring, SLOT, 'sk')).sealed),
    )
    const ivs = texts.map((text) => text.split('.')[2]?.slice(0, 16))
    expect(new Set(ivs).size).toBe(1_000)
  })
})

describe('the derived key of a user', () => {
  it('the derived key of a user seals and opens, and cannot be exported', async () => {
    const derive = vi.spyOn(crypto.subtle, 'deriveKey')
    await sealed()
    const derived = await derive.mock.results[0]?.value
    expect(derived).toMatchObject({ extractable: false, usages: ['encrypt', 'decrypt'] })
    expect(derived).toHaveProperty('algorithm', { name: 'AES-GCM', length: 256 })
  })

  it.for([
    [1_542, 36],
    [227, 2_000],
  ] as const)(
    'keeps the derived keys of %i users whose ids have %i characters',
    async ([most, length]) => {
      const keyring = await createKeyring([randomKey()])
      const derive = vi.spyOn(crypto.subtle, 'deriveKey')
      /** How many keys are derived to seal for the users. */
      const derived = async (...users: number[]) => {
        derive.mockClear()
        for (const user of users) {
          await sealKey(keyring, { ...SLOT, userId: `${user}`.padEnd(length, '.') }, 'sk')
        }
        return derive.mock.calls.length
      }
      expect(await derived(...Array.from({ length: most }, (_, user) => user))).toBe(most)
      expect(await derived(0, 2, most - 1)).toBe(0)
      // The first user was used later than the second one.
      expect(await derived(most)).toBe(1)
      expect(await derived(0, 2, most - 1, most)).toBe(0)
      expect(await derived(1)).toBe(1)
    },
  )
})

describe('a changed sealed key', () => {
  it('does not open a sealed key if any bit of its text changes', async () => {
    const { keyring, sealed: text, kid } = await sealed()
    const bytes = new TextEncoder().encode(text)
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const flipped = bytes.with(bit >> 3, (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7)))
      const changed = new TextDecoder('latin1').decode(flipped)
      expect(await openKey(keyring, { ...SLOT, kid, sealed: changed })).toEqual(
        unreadable('does_not_open'),
      )
    }
  })

  it('does not open a sealed key if any bit of its IV, its ciphertext or its tag changes', async () => {
    const { keyring, sealed: text, kid } = await sealed()
    const prefix = text.slice(0, text.lastIndexOf('.') + 1)
    const payload = base64url.decode(text.slice(prefix.length))
    for (let bit = 0; bit < payload.length * 8; bit += 1) {
      const flipped = payload.with(bit >> 3, (payload[bit >> 3] ?? 0) ^ (1 << (bit & 7)))
      const changed = prefix + base64url.encode(flipped)
      expect(await openKey(keyring, { ...SLOT, kid, sealed: changed })).toEqual(
        unreadable('does_not_open'),
      )
    }
  })

  it('does not open a sealed key that is shorter or longer', async () => {
    const { keyring, sealed: text, kid } = await sealed()
    const cuts = Array.from(text, (_, i) => [text.slice(0, i), text.slice(i + 1)]).flat()
    const additions = ['=', '==', 'A', 'AA', 'AAA', 'AAAA', ' ', '\n', '.'].map((end) => text + end)
    for (const changed of [...cuts, ...additions, ` ${text}`, text.replaceAll('_', '/')]) {
      if (changed === text) continue
      expect(await openKey(keyring, { ...SLOT, kid, sealed: changed })).toEqual(
        unreadable('does_not_open'),
      )
    }
  })
})

describe('a moved sealed key', () => {
  it.for<[name: string, move: Partial<Slot>]>([
    ['to another user', { userId: 'other' }],
    ['to the same user id in another case', { userId: 'User' }],
    ['to another provider', { provider: 'openai' }],
    ['across the border of user id and provider', { userId: 'use', provider: 'rdefault' }],
    ['into a list', { userId: 'user","default', provider: '' }],
    ['to the team of the same id', { userId: 'team:user' }],
    ['to a user whose id is the text of that team', { userId: '~team:user' }],
  ])('does not open a sealed key that is moved %s', async ([, move]) => {
    const { keyring, sealed: text, kid } = await sealed()
    expect(await openKey(keyring, { ...SLOT, ...move, kid, sealed: text })).toEqual(
      unreadable('does_not_open'),
    )
  })

  it('does not open a sealed key under another kid of the keyring, in its row, its text or both', async () => {
    const keyring = await createKeyring([randomKey(), randomKey()])
    const [kid = '', otherKid = ''] = keyring.keys.keys()
    const { sealed: text } = await sealKey(keyring, SLOT, 'sk-test')
    const moved = text.replace(kid, otherKid)
    expect(await openKey(keyring, { ...SLOT, kid, sealed: text })).toEqual(open('sk-test'))
    for (const [rowKid, rowText] of [
      [otherKid, text],
      [kid, moved],
      [otherKid, moved],
    ] as const) {
      expect(await openKey(keyring, { ...SLOT, kid: rowKid, sealed: rowText })).toEqual(
        unreadable('does_not_open'),
      )
    }
  })

  it('does not open a sealed key of another version', async () => {
    const { keyring, sealed: text, kid } = await sealed()
    for (const version of ['v0', 'v2', 'V1', 'v', '']) {
      const moved = text.replace(/^v1/, version)
      expect(await openKey(keyring, { ...SLOT, kid, sealed: moved })).toEqual(
        unreadable('does_not_open'),
      )
    }
  })
})

type Row = Slot & SealedKey

/** A row whose key is the text of its owner. */
async function sealedRow(keyring: Keyring, slot: Slot): Promise<Row> {
  return { ...slot, ...(await sealKey(keyring, slot, slot.userId)) }
}

/** A user and the team of the same id, and a user whose id is the text of that team. */
const OWNERS = [userOwner('acme'), teamOwner('acme'), userOwner('team:acme')]

describe('owners of one id', () => {
  it.for([OWNERS, OWNERS.toReversed()])(
    'the keys of %j, sealed by one keyring, open by a new one for their owners alone',
    async (owners) => {
      const bytes = randomKey()
      const keyring = await createKeyring([bytes])
      const rows: Row[] = []
      for (const userId of owners) {
        rows.push(await sealedRow(keyring, { userId, provider: 'openai' }))
      }
      for (const row of rows) {
        for (const userId of owners) {
          const opener = await createKeyring([bytes])
          const expected = userId === row.userId ? open(userId) : unreadable('does_not_open')
          expect(await openKey(opener, { ...row, userId })).toEqual(expected)
        }
      }
    },
  )

  it.for<[what: string, swap: (row: Row, other: Row) => Row]>([
    ['kind', (row, { userId }) => ({ ...row, userId })],
    ['sealed text', (row, { sealed: text, kid }) => ({ ...row, sealed: text, kid })],
    ['provider', (row) => ({ ...row, provider: 'anthropic' })],
    ['provider but not its label', (row) => ({ ...row, provider: 'anthropic:work' })],
    ['owner', (row) => ({ ...row, userId: row.userId.replace('acme', 'other') })],
  ])('does not open a key of a team or its namesake in a row with another %s', async ([, swap]) => {
    const keyring = await createKeyring([randomKey()])
    const [user, team] = await Promise.all([
      sealedRow(keyring, { userId: userOwner('acme'), provider: 'openai:work' }),
      sealedRow(keyring, { userId: teamOwner('acme'), provider: 'openai:work' }),
    ])
    for (const moved of [swap(user, team), swap(team, user)]) {
      expect(await openKey(keyring, moved)).toEqual(unreadable('does_not_open'))
    }
  })

  it('opens the key of one label in the row of another one: who writes to D1 can swap them', async () => {
    const keyring = await createKeyring([randomKey()])
    const row = await sealedRow(keyring, { userId: teamOwner('acme'), provider: 'openai:work' })
    for (const provider of ['openai', 'openai:private']) {
      expect(await openKey(keyring, { ...row, provider })).toEqual(open(row.userId))
    }
  })
})

describe('a text that was sealed', () => {
  it('opens a text with its byte order mark', async () => {
    const { keyring, ...row } = await sealed('\uFEFFsk')
    expect(await openKey(keyring, { ...SLOT, ...row })).toEqual(open('\uFEFFsk'))
  })

  it('does not open a sealed text that is not UTF-8', async () => {
    const encode = vi.spyOn(TextEncoder.prototype, 'encode')
    const keyring = await createKeyring([randomKey()])
    encode.mockImplementation((text) =>
      text === 'sk' ? new Uint8Array([0xff]) : Uint8Array.from(text ?? '', (c) => c.charCodeAt(0)),
    )
    const row = await sealKey(keyring, SLOT, 'sk')
    expect(await openKey(keyring, { ...SLOT, ...row })).toEqual(unreadable('does_not_open'))
  })
})

describe('the keyring', () => {
  it('seals with the first key of a keyring, and opens with each', async () => {
    const [older, newer] = [randomKey(), randomKey()]
    const before = await createKeyring([older])
    const { sealed: text, kid } = await sealKey(before, SLOT, 'sk-test')

    const between = await createKeyring([older, newer])
    expect(between.sealing.kid).toBe(kid)
    const after = await createKeyring([newer, older])
    expect(after.sealing.kid).not.toBe(kid)
    for (const keyring of [between, after]) {
      expect(await openKey(keyring, { ...SLOT, kid, sealed: text })).toEqual(open('sk-test'))
    }
  })

  it('distinguishes a kid that is not in the keyring from a key that does not open', async () => {
    const { sealed: text, kid } = await sealed()
    const keyring = await createKeyring([randomKey()])
    expect(await openKey(keyring, { ...SLOT, kid, sealed: text })).toEqual(
      unreadable('key_id_not_in_keyring'),
    )
  })
})

describe('published vectors', () => {
  const hex = (text: string) => Uint8Array.fromHex(text)
  /** With the name in front: a title cuts it otherwise. */
  const named = <Vector extends { name: string }>(all: Vector[]) =>
    all.map((vector) => [vector.name, vector] as const)

  it.for(named(vectors.aesGcm))('WebCrypto here is AES-256-GCM: %s', async ([, vector]) => {
    const key = await crypto.subtle.importKey('raw', hex(vector.key), 'AES-GCM', false, ['encrypt'])
    const additionalData = hex(vector.aad)
    const parameters = { name: 'AES-GCM', iv: hex(vector.iv), additionalData, tagLength: 128 }
    const output = await crypto.subtle.encrypt(parameters, key, hex(vector.plaintext))
    expect(new Uint8Array(output).toHex()).toBe(vector.ciphertext + vector.tag)
  })

  it.for(named(vectors.sealed))('a recorded sealed text opens: %s', async ([, vector]) => {
    const keyring = await createKeyring(vector.encryptionKeys.map(hex))
    expect([...keyring.keys.keys()]).toEqual(vector.kids)
    const row = { ...vector.row, sealed: vector.sealed }
    expect(await openKey(keyring, row)).toEqual(open(vector.apiKey))
  })

  it.for(named(vectors.mustFail))('a sealed text does not open: %s', async ([, vector]) => {
    const keyring = await createKeyring(vector.encryptionKeys.map(hex))
    const row = { ...vector.row, sealed: vector.sealed }
    expect(await openKey(keyring, row)).toEqual(unreadable('does_not_open'))
  })
})
