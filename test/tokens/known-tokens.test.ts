import { env } from '../isolate.ts'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { inSeconds } from '../../scripts/lib/token.ts'
import { KnownTokens } from '../../src/tokens/known-tokens.ts'
import { app, keyPath, mintToken, someEncryptionKey, someUser, URL_BASE } from '../support.ts'

afterEach(() => vi.useRealTimers())

describe('a token that was verified before', () => {
  const get = async (token: string, userId: string, vault: Env = env) => {
    const headers = { Authorization: `Bearer ${token}` }
    const response = await app.fetch(new Request(URL_BASE + keyPath(userId), { headers }), vault)
    const { code }: { code?: string } = await response.json()
    return [response.status, code]
  }

  it('is not checked again until it ends, and is refused then', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() })
    const userId = await someUser()
    const token = await mintToken({ sub: userId, exp: inSeconds(60) })
    const verify = vi.spyOn(crypto.subtle, 'verify')
    expect([await get(token, userId), await get(token, userId)]).toEqual([
      [200, undefined],
      [200, undefined],
    ])
    expect(verify).toHaveBeenCalledTimes(1)
    vi.setSystemTime(Date.now() + 91_000)
    expect(await get(token, userId)).toEqual([401, 'token_expired'])
  })

  it('still names its own user alone', async () => {
    const [one, other] = [await someUser(), await someUser()]
    const token = await mintToken({ sub: one })
    await get(token, one)
    expect(await get(token, other)).toEqual([403, 'not_your_own'])
  })

  it('is refused by a vault of another secret', async () => {
    const userId = await someUser()
    const token = await mintToken({ sub: userId })
    await get(token, userId)
    const other = { ...env, JWT_SECRET_KEY: someEncryptionKey() }
    expect(await get(token, userId, other)).toEqual([401, 'token_invalid'])
  })

  it('is not kept if it was refused', async () => {
    const userId = await someUser()
    const forged = `${(await mintToken({ sub: userId })).slice(0, -4)}AAAA`
    const verify = vi.spyOn(crypto.subtle, 'verify')
    await get(forged, userId)
    expect(await get(forged, userId)).toEqual([401, 'token_invalid'])
    expect(verify).toHaveBeenCalledTimes(2)
  })

  it('makes room for later ones: 1,000 are kept', () => {
    const known = new KnownTokens<string>()
    const exp = inSeconds(60)
    for (let index = 0; index <= 1_000; index += 1) {
      known.keep(`token-${index}`, `user-${index}`, exp)
    }
    expect([known.find('token-0'), known.find('token-1')]).toEqual([undefined, 'user-1'])
  })

  it('is known until the second of its exp begins', () => {
    vi.useFakeTimers({ toFake: ['Date'], now: 1_000_000 })
    const known = new KnownTokens<string>()
    known.keep('token', 'user', 1_060)
    vi.setSystemTime(1_059_999)
    expect(known.find('token')).toBe('user')
    vi.setSystemTime(1_060_000)
    expect(known.find('token')).toBeUndefined()
  })

  it('takes no room if it never expires', () => {
    const known = new KnownTokens<string>()
    for (let index = 0; index < 1_000; index += 1) {
      known.keep(`token-${index}`, `user-${index}`, inSeconds(60))
    }
    known.keep('endless', 'user', undefined)
    expect([known.find('token-0'), known.find('endless')]).toEqual(['user-0', undefined])
  })
})
