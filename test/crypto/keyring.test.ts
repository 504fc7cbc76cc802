import { describe, expect, it } from 'vitest'
import {
  createKeyring,
  hasKey,
  isMovingIn,
  nameKeyring,
  parseKeyring,
} from '../../src/crypto/keyring.ts'

/** Keys with the recorded kids below: 00, 01, … and 20, 21, … */
const FIRST = Uint8Array.from({ length: 32 }, (_, index) => index)
const SECOND = FIRST.map((byte) => byte + 32)

/** Made with Python's hmac, from RFC 5869. */
const [FIRST_KID, SECOND_KID] = ['1a06cf973da4', 'fc910718777c']

describe('a keyring', () => {
  it('a keyring has the recorded kids, and seals with its first key', async () => {
    const { sealing, keys, fernetKeys } = await createKeyring([FIRST, SECOND], [SECOND])
    expect([...keys.keys()]).toEqual([FIRST_KID, SECOND_KID])
    expect([...fernetKeys.keys()]).toEqual([SECOND_KID])
    expect(sealing).toEqual({ kid: FIRST_KID, key: keys.get(FIRST_KID) })
  })

  it('a keyring holds keys that cannot be exported, for one purpose each', async () => {
    const { keys, fernetKeys } = await createKeyring([FIRST], [SECOND])
    const imported = [...keys.values(), ...[...fernetKeys.values()].flatMap(Object.values)]
    expect(
      imported.map((key) => [key.algorithm.name, key.extractable, key.usages.toSorted()]),
    ).toEqual([
      ['HKDF', false, ['deriveBits', 'deriveKey']],
      ['HMAC', false, ['verify']],
      ['AES-CBC', false, ['decrypt']],
    ])
  })

  it.for<[name: string, keys: Uint8Array[], legacy: Uint8Array[]]>([
    ['no key', [], []],
    ['a legacy key alone', [], [FIRST]],
    ['a key twice', [FIRST, SECOND, FIRST], []],
    ['a legacy key twice', [FIRST], [SECOND, SECOND]],
  ])('refuses a keyring with %s', async ([, keys, legacy]) => {
    await expect(createKeyring(keys, legacy)).rejects.toThrow(
      new TypeError('A keyring needs at least one encryption key, and no key twice'),
    )
  })

  it('finds the key of a row by its kid, and for a Fernet token by any legacy key', async () => {
    const [alone, moving] = await Promise.all([
      createKeyring([FIRST]),
      createKeyring([FIRST], [SECOND]),
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
    expect([isMovingIn(alone), isMovingIn(moving)]).toEqual([false, true])
  })
})

describe('the name of a keyring', () => {
  it.for([
    [[FIRST], [], FIRST_KID],
    [[SECOND, FIRST], [], `${SECOND_KID},${FIRST_KID}`],
    [[FIRST], [SECOND, FIRST], `${FIRST_KID},fernet:${SECOND_KID},fernet:${FIRST_KID}`],
  ] as const)('names the kids of a keyring in their order: %#', async ([keys, legacy, name]) => {
    const keyring = await createKeyring(keys, legacy)
    expect(nameKeyring(keyring)).toBe(name)
    const [seals, ...opens] = keyring.keys.keys()
    const fernet = [...keyring.fernetKeys.keys()]
    expect(parseKeyring(name)).toEqual({ seals, opens, fernet })
  })

  it('parses a name without a kid that seals', () => {
    expect(parseKeyring('fernet:aa')).toEqual({ seals: '', opens: [], fernet: ['aa'] })
  })
})
