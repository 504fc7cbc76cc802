/** The check of a stored key, at its owner's request: `POST …/verify`. */

import { expect, it, vi } from 'vitest'
import { saveSlot } from '../../src/keys/save.ts'
import { setLimits } from '../../src/keys/set-limits.ts'
import { verifySlot } from '../../src/keys/verify.ts'
import type { NewLimits } from '../../src/store/limits.ts'
import { env } from '../isolate.ts'
import { ownerOf, recordLogs, seenByProvider, someKeyUser } from '../support.ts'
import { someKeyOf, someOwner } from './key-owner.ts'

const time = expect.stringMatching(/^20\d\d-.*Z$/)

it.for([
  ['good', 'accepted', 'active', time],
  ['bad', 'refused', 'rejected', time],
  ['busy', 'unknown', 'unverified', null],
] as const)(
  'a check of a %s key answers and records %s: the key is %s, and not used',
  async ([kind, verdict, status, last_verified_at]) => {
    const { put, get, verify } = await someOwner()
    await put('openai', someKeyOf(kind), '?verify=false')
    const times = { last_used_at: null, last_verified_at }
    const saved = { has_api_key: true, provider: 'openai', status, ...times }
    expect(await verify('openai')).toMatchObject({ status: 200, body: { ...saved, verdict } })
    expect(await get('openai')).toMatchObject({ body: saved })
  },
)

it('answers for the current key if another key was saved during the check', async () => {
  const { userId, put, verify, stored } = await someOwner()
  const [one, other] = [someKeyOf('good'), someKeyOf('good')]
  await put('openai', one, '?verify=false')
  const send = fetch
  vi.spyOn(globalThis, 'fetch').mockImplementationOnce(async (...request) => {
    await saveSlot(await ownerOf(userId), 'openai', { apiKey: other, verify: false })
    return send(...request)
  })
  expect(await verify('openai')).toMatchObject({ body: { status: 'unverified', verdict: null } })
  expect(await stored('openai')).toBe(other)
})

it('a rejection that comes during a check stays, although the check accepts the key', async () => {
  const { userId, put, verify, get } = await someOwner()
  await put('openai', someKeyOf('good'), '?verify=false')
  const send = fetch
  vi.spyOn(globalThis, 'fetch').mockImplementationOnce(async (...request) => {
    const response = await send(...request)
    const reject = "UPDATE api_keys SET status = 'rejected' WHERE user_id = ?1"
    await env.DB.prepare(reject).bind(userId).run()
    return response
  })
  expect(await verify('openai')).toMatchObject({ body: { status: 'rejected', verdict: null } })
  expect(await get('openai')).toMatchObject({ body: { status: 'rejected' } })
})

it('a key that was rejected before a check is active after one that accepts it', async () => {
  const { userId, put, verify } = await someOwner()
  await put('openai', someKeyOf('good'), '?verify=false')
  const reject = "UPDATE api_keys SET status = 'rejected' WHERE user_id = ?1"
  await env.DB.prepare(reject).bind(userId).run()
  expect(await verify('openai')).toMatchObject({ body: { status: 'active', verdict: 'accepted' } })
})

it.for<[code: string, limits: NewLimits]>([
  ['api_key_paused', { isPaused: true }],
  ['api_key_expired', { expiresAt: '2020-01-01T00:00:00.000Z' }],
])('a check does not send a key to its provider: %s', async ([code, limits]) => {
  const key = someKeyOf('good')
  const owner = await ownerOf(await someKeyUser(key))
  await setLimits(owner, 'openai', { condition: null, ...limits })
  await expect(verifySlot(owner, 'openai')).rejects.toMatchObject({ code })
  expect(await seenByProvider(key)).toEqual([])
})

it('answers a null verdict for an empty slot', async () => {
  const { verify } = await someOwner()
  const body = { provider: 'openai', has_api_key: false, verdict: null }
  expect((await verify('openai')).body).toEqual(body)
})

it('answers a null verdict for a key without a provider', async () => {
  const { putPlain, verify } = await someOwner()
  await putPlain('sk-plain')
  expect((await verify('default')).body).toMatchObject({ has_api_key: true, verdict: null })
})

it('answers a null verdict for a key that does not open', async () => {
  recordLogs()
  const { userId, put, verify } = await someOwner()
  await put('openai', 'sk-good-1', '?verify=false')
  await env.DB.prepare("UPDATE api_keys SET encrypted_api_key = 'x' WHERE user_id = ?1")
    .bind(userId)
    .run()
  const body = { error: 'Invalid encrypted key', verdict: null }
  expect((await verify('openai')).body).toMatchObject(body)
})
