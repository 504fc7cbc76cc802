import { describe, expect, it, vi } from 'vitest'
import { importFernetKeys } from '../../src/import/fernet.ts'
import { createKeyring, hasKey, nameKeyring, parseKeyring } from '../../src/crypto/keyring.ts'

/** Keys with the recorded kids below: 00, 01, … and 20, 21, … */
const FIRST = Uint8Array.from({ length: 32 }, (_, index) => index)
const SECOND = FIRST.map((byte) => byte + 32)

/** Made with Python's hmac, from RFC 5869. */
const [FIRST_KID, SECOND_KID] = ['1a06cf973da4', 'fc910718777c']

const withFernet = async (keys: readonly Uint8Array[], fernet: readonly Uint8Array[]) =>
  createKeyring(keys, await importFernetKeys(fernet))

describe('a keyring', () => {
  it('a keyring has the recorded kids, and seals with its first key', async () => {
    const { sealing, keys, foreign } = await withFernet([FIRST, SECOND], [SECOND])
    expect([...keys.keys()]).toEqual([FIRST_KID, SECOND_KID])
    expect(foreign?.names).toEqual([SECOND_KID])
    expect(sealing.kid).toBe(FIRST_KID)
    expect(sealing).toBe(keys.get(FIRST_KID))
  })

  it('a keyring holds keys that cannot be exported, for one purpose each', async () => {
    const spy = vi.spyOn(crypto.subtle, 'importKey')
    await createKeyring([FIRST])
    await importFernetKeys([SECOND])
    const imported = await Promise.all(spy.mock.results.map(async ({ value }) => value))
    expect(
      imported.map((key) => [key.algorithm.name, key.extractable, key.usages.toSorted()]),
    ).toEqual([
      ['HKDF', false, ['deriveBits', 'deriveKey']],
      ['HMAC', false, ['verify']],
      ['AES-CBC', false, ['decrypt']],
      // It names the Fernet key.
      ['HKDF', false, ['deriveBits', 'deriveKey']],
    ])
  })

  it.for<[name: string, keys: Uint8Array[], fernet: Uint8Array[]]>([
    ['no key', [], []],
    ['a Fernet key alone', [], [FIRST]],
    ['a key twice', [FIRST, SECOND, FIRST], []],
  ])('refuses a keyring with %s', async ([, keys, fernet]) => {
    await expect(withFernet(keys, fernet)).rejects.toThrow(
      new TypeError('A keyring needs at least one encryption key, and no key twice'),
    )
  })

  it('refuses a keyring with a Fernet key twice', async () => {
    await expect(importFernetKeys([SECOND, SECOND])).rejects.toThrow(
      new TypeError('A Fernet key occurs twice'),
    )
  })

  it('finds the key of a row by its kid, and for a Fernet token by any Fernet key', async () => {
    const [alone, moving] = await Promise.all([
      createKeyring([FIRST]),
      withFernet([FIRST], [SECOND]),
    ])
    const has = [FIRST_KID, SECOND_KID, 'fernet'].map((kid) => [
      hasKey(alone, kid),
      hasKey(moving, kid),
    ])
    expect(has).toEqual([
      [true, true],
      [false, false],
      [false, true],
    ])
    expect([alone.foreign, moving.foreign?.kid]).toEqual([null, 'fernet'])
  })
})

describe('the name of a keyring', () => {
  it.for([
    [[FIRST], [], FIRST_KID],
    [[SECOND, FIRST], [], `${SECOND_KID},${FIRST_KID}`],
    [[FIRST], [SECOND, FIRST], `${FIRST_KID},fernet:${SECOND_KID},fernet:${FIRST_KID}`],
  ] as const)('names the kids of a keyring in their order: %#', async ([keys, fernet, name]) => {
    const keyring = await withFernet(keys, fernet)
    expect(nameKeyring(keyring)).toBe(name)
    const [seals, ...opens] = keyring.keys.keys()
    const names = keyring.foreign?.names ?? []
    const foreign = names.length === 0 ? null : { kid: 'fernet', names }
    expect(parseKeyring(name)).toEqual({ seals, opens, foreign })
  })

  it('parses a name without a kid that seals', () => {
    expect(parseKeyring('fernet:aa')).toEqual({
      seals: '',
      opens: [],
      foreign: { kid: 'fernet', names: ['aa'] },
    })
  })
})
