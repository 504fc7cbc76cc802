/** `CALLER_LIMITER`, which counts the uses of keys by one caller over a binding and the relay. */

import { createExecutionContext } from 'cloudflare:test'
import { env } from '../isolate.ts'
import { expect, it } from 'vitest'
import { KeyVault } from '../../src/binding/key-vault.ts'
import { call, mintToken, PROVIDER, recordLogs, someKeyUser } from '../support.ts'

const goodKey = () => `sk-good-${crypto.randomUUID()}`
const someCaller = () => `caller-${crypto.randomUUID()}`

const TIGHT = { CALLER_LIMITER: env.TIGHT_RATE_LIMITER }

/** A caller over a binding to a vault that allows two uses, or as `changes` say. */
function someBinding(caller = someCaller(), changes: object = TIGHT) {
  const grants = ['use', 'reveal', 'users', 'support']
  const context = Object.assign(createExecutionContext(), { props: { caller, grants } })
  return new KeyVault(context, { ...env, ...changes })
}

it('counts every use and reveal of a caller, for all users together', async () => {
  const vault = someBinding()
  const [one, other] = [await someKeyUser(goodKey()), await someKeyUser(goodKey())]
  const use = async (userId: string) =>
    vault.fetchWithApiKey(userId, 'openai', new Request(`${PROVIDER}/v1/models`))
  expect(await use(one)).toMatchObject({ ok: true })
  expect(await vault.getDecryptedApiKey(other, 'openai')).toMatchObject({ ok: true })
  expect(await use(other)).toEqual({ ok: false, code: 'rate_limited', retryAfter: 60 })
})

it('answers vaultFetch with a 429', async () => {
  const vault = someBinding()
  const userId = await someKeyUser(goodKey())
  const headers = { 'X-Vault-User': userId, 'X-Vault-Provider': 'openai' }
  const use = async () => vault.fetch(new Request(`${PROVIDER}/v1/models`, { headers }))
  expect([(await use()).status, (await use()).status]).toEqual([200, 200])
  const limited = await use()
  expect([limited.status, limited.headers.get('X-Vault-Error')]).toEqual([429, 'rate_limited'])
  expect(limited.headers.get('Retry-After')).toBe('60')
})

it('counts each caller separately, and not one of the relay with the same name', async () => {
  const name = someCaller()
  const userId = await someKeyUser(goodKey())
  for (const vault of [someBinding(name), someBinding()]) {
    for (const expected of [true, true, false]) {
      expect((await vault.getDecryptedApiKey(userId, 'openai')).ok).toBe(expected)
    }
  }
  expect(await relayStatuses({ client_id: name })).toEqual([200, 200, 429])
})

it('limits nothing without a limiter, and logs no fault', async () => {
  const vault = someBinding(someCaller(), { CALLER_LIMITER: undefined })
  const userId = await someKeyUser(goodKey())
  const logs = recordLogs()
  for (const _ of [1, 2, 3]) {
    expect(await vault.getDecryptedApiKey(userId, 'openai')).toMatchObject({ ok: true })
  }
  expect(logs.text()).not.toContain('rate_limiter_failed')
})

it('does not count what uses no key', async () => {
  const vault = someBinding()
  const userId = await someKeyUser(goodKey())
  for (const _ of [1, 2, 3]) {
    expect(await vault.hasUser(userId)).toMatchObject({ ok: true })
    expect(await vault.listSlots(userId)).toMatchObject({ ok: true })
  }
})

it.for<[name: string, claims: object, third: number]>([
  ['whose token names its client', { client_id: someCaller() }, 429],
  ['whose token names its client as azp', { azp: someCaller() }, 429],
  ['whose token names none is not limited', {}, 200],
])('counts a client of the relay, for all users together: one %s', async ([, claims, third]) => {
  expect(await relayStatuses(claims)).toEqual([200, 200, third])
})

/** The statuses of three uses over the relay, each of another user. */
async function relayStatuses(claims: object): Promise<number[]> {
  const use = async () => {
    const token = await mintToken({ sub: await someKeyUser(goodKey()), scope: 'relay', ...claims })
    const response = await call('GET', '/relay/openai/v1/models', { token, env: TIGHT })
    await response.text()
    return response.status
  }
  return [await use(), await use(), await use()]
}
