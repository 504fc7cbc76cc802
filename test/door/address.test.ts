/** What an address may do without a valid token. */

import { env } from '../isolate.ts'
import { describe, expect, it } from 'vitest'
import { VaultError } from '../../src/errors.ts'
import { checkToken } from '../../src/door/address.ts'
import { requireUser } from '../../src/tokens/access-token.ts'
import { openService } from '../../src/service.ts'
import { call, keyPath, mintToken, recordLogs, someUser } from '../support.ts'

const HOME = '192.0.2.1'
const REFUSED = 'rate_limited'

/** A limiter that allows two calls for each key, and the keys that it was called with. */
function tightLimiter() {
  const keys: string[] = []
  const limit = async ({ key }: RateLimitOptions) => {
    keys.push(key)
    return { success: keys.filter((other) => other === key).length <= 2 }
  }
  return { limiter: { limit }, keys }
}

/** A vault with such a limiter for addresses, which a client calls from some address. */
async function someVault() {
  const { limiter, keys } = tightLimiter()
  const vault = { ...env, ADDRESS_LIMITER: limiter }
  const userId = await someUser()
  const valid = await mintToken({ sub: userId, scope: 'relay' })
  const from = async (address: string | null, token?: string, path = keyPath(userId)) => {
    const headers: Record<string, string> = address === null ? {} : { 'cf-connecting-ip': address }
    const response = await call('GET', path, { token, headers, env: vault })
    return { status: response.status, headers: response.headers, body: await response.json() }
  }
  const refuse = async (address: string | null) => {
    await from(address, 'bad')
    await from(address, 'bad')
    return (await from(address, 'bad')).status
  }
  return { from, refuse, keys, valid, vault, userId }
}

describe('refused tokens of an address', () => {
  it.for<[name: string, token: () => Promise<string | undefined>]>([
    ['no token', async () => undefined],
    ['a text that is not a token', async () => 'sk-misplaced'],
    ['an expired token', async () => mintToken({ sub: 'user', exp: 1 })],
    ['a token of another issuer', async () => mintToken({ sub: 'user' }, 'x'.repeat(32))],
  ])('answers 429 to an address that sent too many of: %s', async ([, token]) => {
    const { from } = await someVault()
    const sent = await token()
    const answers = [await from(HOME, sent), await from(HOME, sent), await from(HOME, sent)]
    expect(answers.map(({ status }) => status)).toEqual([401, 401, 429])
    expect(answers[2]?.headers.get('Retry-After')).toBe('60')
    expect(answers[2]?.headers.get('WWW-Authenticate')).toBeNull()
    expect(answers[2]?.body).toMatchObject({
      code: REFUSED,
      detail: 'Too many requests without a valid token came from this network address.',
    })
  })

  it('refused tokens do not keep a valid token of the same address out', async () => {
    const { from, refuse, valid } = await someVault()
    expect(await refuse(HOME)).toBe(429)
    expect((await from(HOME, valid)).status).toBe(200)
  })

  it('refused tokens do not affect another address', async () => {
    const { from, refuse, valid } = await someVault()
    expect(await refuse(HOME)).toBe(429)
    expect((await from('192.0.2.2', valid)).status).toBe(200)
    expect((await from('192.0.2.2', 'bad')).status).toBe(401)
  })

  it.for<[name: string, address: string | null]>([
    ['no address', null],
    ['the address that the Workers of other zones share', '2a06:98c0:3600::103'],
  ])('does not limit refused tokens with %s', async ([, address]) => {
    const { refuse, keys } = await someVault()
    expect(await refuse(address)).toBe(401)
    expect(keys).toEqual([])
  })

  it.for([
    ['192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:db8:1:2::6', '2001:db8:1:2'],
    ['2001:db8::6', '2001:db8:0:0'],
    ['2001:db8::4:5:6:7', '2001:db8:0:0'],
    ['2001::4:5:6:7:8', '2001:0:0:4'],
    ['::1', '0:0:0:0'],
    ['2001:db8::', '2001:db8:0:0'],
  ] as const)('counts the refused token of %s for the network %s', async ([address, name]) => {
    const { from, keys } = await someVault()
    await from(address, 'bad')
    expect(keys).toEqual([`refused ${name}`])
  })

  it('the relay answers 429 to refused tokens too, with the header for SDKs', async () => {
    const { from, refuse } = await someVault()
    expect(await refuse(HOME)).toBe(429)
    const { status, headers } = await from(HOME, 'bad', '/relay/openai/v1/models')
    expect([status, headers.get('X-Vault-Error')]).toEqual([429, REFUSED])
  })

  it.for<[name: string, limit: () => Promise<RateLimitOutcome>]>([
    ['throws', () => unavailable()],
    ['fails', async () => unavailable()],
  ])('a refused token stays a 401 if the limiter %s', async ([, limit]) => {
    const logs = recordLogs()
    const options = { headers: { 'cf-connecting-ip': HOME }, env: { ADDRESS_LIMITER: { limit } } }
    const response = await call('GET', keyPath('user'), options)
    expect(response.status).toBe(401)
    expect(logs.text()).toContain('rate_limiter_failed')
  })
})

function unavailable(): never {
  throw new Error('limiter is down')
}

describe('what is not counted', () => {
  it('does not count a valid token, even for another user’s keys', async () => {
    const { from, keys, valid } = await someVault()
    expect((await from(HOME, valid)).status).toBe(200)
    expect((await from(HOME, valid, keyPath('another'))).status).toBe(403)
    expect(keys).toEqual([])
  })

  it('does not count a token that cannot be checked without its issuer’s keys', async () => {
    const { vault, keys } = await someVault()
    const service = await openService(vault)
    const fail = () => {
      throw new VaultError('token_keys_unreachable', { retryAfter: 5 })
    }
    const sent = new Headers({ 'cf-connecting-ip': HOME })
    const checked = checkToken(service, sent, { readToken: fail, check: requireUser })
    await expect(checked).rejects.toMatchObject({ code: 'token_keys_unreachable' })
    expect(keys).toEqual([])
  })
})

describe('requests without a token', () => {
  it.for(['/api/health', '/api/config'])(
    'requests to %s without a token are limited for each address',
    async (path) => {
      const { from, keys } = await someVault()
      const answers = [
        await from(HOME, undefined, path),
        await from(HOME, undefined, path),
        await from(HOME, undefined, path),
      ]
      expect(answers.map(({ status }) => status === 429)).toEqual([false, false, true])
      expect(answers[2]?.headers.get('Retry-After')).toBe('60')
      expect((await from('192.0.2.2', undefined, path)).status).not.toBe(429)
      expect((await from(null, undefined, path)).status).not.toBe(429)
      expect(keys).not.toContain(`refused ${HOME}`)
    },
  )
})
