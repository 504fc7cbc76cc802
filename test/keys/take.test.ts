/** A key that is taken for a caller: what its owner allows, what is counted, and what the trail notes. */

import { describe, expect, it } from 'vitest'
import { VaultError } from '../../src/errors.ts'
import { readSlot, setLimits } from '../../src/keys/slots.ts'
import { takeKey, readUsableKey } from '../../src/keys/take.ts'
import type { NewLimits } from '../../src/store/limits.ts'
import { env } from '../isolate.ts'
import {
  interceptD1,
  ownerOf,
  recordLogs,
  slotOf,
  someKeyUser,
  someUser,
  someKey,
} from '../support.ts'
import { someKeyOf, someKeyOwner } from './key-owner.ts'
import { saveSlot } from '../../src/keys/save.ts'

/** Takes the key in the slot for the caller `binding:chat`: its state, or the code of the refusal. */
async function take(userId: string, provider = 'openai', changes: Partial<Env> = {}) {
  const works: Promise<void>[] = []
  const by = { kind: 'caller', name: 'binding:chat' } as const
  const waitUntil = (work: Promise<void>) => void works.push(work)
  const owner = await ownerOf(userId, { ...env, ...changes })
  const taken = await takeKey({ ...owner, by, waitUntil }, slotOf(owner, provider)).then(
    ({ state }) => state,
    (error: unknown) => VaultError.from(error).code,
  )
  await Promise.all(works)
  return taken
}

/** What the trail notes of the caller. */
async function notedOf(userId: string) {
  const sql = `SELECT event, provider, code,
      (SELECT sum(value ->> 0) FROM json_each(hours)) AS count
    FROM api_key_events
    WHERE user_id = ?1 AND caller = 'binding:chat'`
  return (await env.DB.prepare(sql).bind(userId).all()).results
}

describe('a key', () => {
  it.for<[limits: NewLimits, code: string, event: string]>([
    [{ isPaused: true }, 'api_key_paused', 'use_refused'],
    [{ callers: ['binding:batch'] }, 'caller_not_allowed', 'use_refused'],
    [{ expiresAt: '2020-01-01T00:00:00.000Z' }, 'api_key_expired', 'use_refused'],
    [{ maxUses: { count: 0, per: 'day' } }, 'limit_reached', 'limit_reached'],
  ])('refuses a key with %j: %s, noted as %s', async ([limits, code, event]) => {
    const userId = await someKeyUser(someKeyOf('good'))
    await setLimits(await ownerOf(userId), 'openai', { condition: null, ...limits })
    expect(await take(userId)).toBe(code)
    const noted = { provider: 'openai', count: 1, code: event === code ? null : code }
    expect(await notedOf(userId)).toEqual([{ event, ...noted }])
  })

  it('returns a key that does not open as unreadable, and notes it', async () => {
    recordLogs()
    const userId = await someKeyUser(someKeyOf('good'))
    await env.DB.prepare("UPDATE api_keys SET encrypted_api_key = 'x' WHERE user_id = ?1")
      .bind(userId)
      .run()
    expect(await take(userId)).toBe('unreadable')
    const noted = { event: 'unreadable', provider: 'openai', code: null, count: 1 }
    expect(await notedOf(userId)).toEqual([noted])
  })

  it('a key that does not open uses up no maximum', async () => {
    recordLogs()
    const userId = await someKeyUser(someKeyOf('good'))
    const owner = await ownerOf(userId)
    const maxUses = { count: 1, per: 'day' } as const
    await setLimits(owner, 'openai', { condition: null, maxUses })
    const write = async (sealed: string) =>
      env.DB.prepare('UPDATE api_keys SET encrypted_api_key = ?2 WHERE user_id = ?1')
        .bind(userId, sealed)
        .run()
    const key = await readSlot(owner, 'openai')
    if (key.state === 'empty') throw new Error('The slot is empty')
    await write('x')
    const taken = [await take(userId), await take(userId), await take(userId)]
    expect(taken).toEqual(['unreadable', 'unreadable', 'unreadable'])
    await write(key.row.sealed)
    expect([await take(userId), await take(userId)]).toEqual(['open', 'limit_reached'])
  })

  it('finds no key in an empty slot, and notes nothing', async () => {
    const userId = await someUser()
    expect(await take(userId)).toBe('empty')
    expect(await notedOf(userId)).toEqual([])
  })

  it.for([
    ['false', 'user_not_found'],
    ['true', 'empty'],
  ] as const)(
    'answers for an unknown user with AUTO_CREATE_USERS %s: %s',
    async ([AUTO_CREATE_USERS, expected]) => {
      const changes = { AUTO_CREATE_USERS }
      expect(await take(`absent-${crypto.randomUUID()}`, 'openai', changes)).toBe(expected)
    },
  )

  it('makes one round trip, which also counts a limited use', async () => {
    const userId = await someKeyUser(someKeyOf('good'))
    const limits = { condition: null, maxUses: { count: 2, per: 'day' } } as const
    await setLimits(await ownerOf(userId), 'openai', limits)
    let trips = 0
    const DB = interceptD1(async (trip) => {
      trips += 1
      return trip()
    })
    expect(await take(userId, 'openai', { DB })).toBe('open')
    expect(trips).toBe(1)
    const sql = 'SELECT uses FROM api_keys WHERE user_id = ?1'
    expect(await env.DB.prepare(sql).bind(userId).first('uses')).toBe(1)
  })
})

it('the limit of the later key counts if the slot of DEFAULT_PROVIDER has two', async () => {
  const { userId, putPlain, request, limit, relay } = await someKeyOwner()
  await putPlain(someKeyOf('good'))
  const slots = `/api/users/${userId}/api-keys`
  await request('PATCH', `${slots}/default`, { max_uses: { count: 9, per: 'day' } })
  await limit({ max_uses: { count: 1, per: 'day' } })
  await env.DB.prepare('UPDATE api_keys SET updated_at = ?2 WHERE user_id = ?1 AND provider = ?3')
    .bind(userId, '2020-01-01T00:00:00.000Z', 'default')
    .run()
  const use = async () => {
    const { headers, status } = await relay({ DEFAULT_PROVIDER: 'openai' })
    return headers.get('X-Vault-Error') ?? status
  }
  expect([await use(), await use()]).toEqual([200, 'limit_reached'])
})

it('reads the key of a slot, which it opens', async () => {
  const apiKey = someKey()
  const owner = await ownerOf(await someKeyUser(apiKey))
  expect(await readUsableKey(owner, slotOf(owner, 'openai'))).toMatchObject({
    state: 'open',
    apiKey,
  })
})

it('reads no key from an empty slot', async () => {
  const owner = await ownerOf(await someUser())
  expect(await readUsableKey(owner, slotOf(owner, 'openai'))).toEqual({ state: 'empty' })
})

it('refuses a user who does not exist', async () => {
  const owner = await ownerOf('nobody')
  await expect(readUsableKey(owner, slotOf(owner, 'openai'))).rejects.toMatchObject({
    code: 'user_not_found',
  })
})

it('reads a key of the plain route from the slot of DEFAULT_PROVIDER', async () => {
  const apiKey = someKey()
  const userId = await someUser()
  await saveSlot(await ownerOf(userId), 'default', { apiKey, verify: false })
  const owner = await ownerOf(userId, { ...env, DEFAULT_PROVIDER: 'openai' })
  expect(await readUsableKey(owner, slotOf(owner, 'openai'))).toMatchObject({
    state: 'open',
    apiKey,
    row: { provider: 'openai' },
  })
})
