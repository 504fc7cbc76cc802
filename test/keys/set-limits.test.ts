/** The change of what the owner of a key allows: `PATCH` of a slot. */

import { expect, it } from 'vitest'
import { setLimits } from '../../src/keys/set-limits.ts'
import { requireOpen } from '../../src/keys/stored-key.ts'
import type { NewLimits } from '../../src/store/limits.ts'
import { tagOf } from '../../src/store/slot-check.ts'
import { env } from '../isolate.ts'
import { call, ownerOf, recordLogs, slotPath, someKeyUser } from '../support.ts'
import { someKeyOf, someKeyOwner, someOwner } from './key-owner.ts'

it('changes only the limits that the body has', async () => {
  const { limit, shown } = await someKeyOwner()
  await limit({ paused: true, callers: ['binding:chat'], max_uses: { count: 5, per: 'month' } })
  await limit({ expires_at: '2999-01-01T00:00:00+01:00' })
  expect(await shown()).toMatchObject({
    paused_at: expect.any(String),
    callers: ['binding:chat'],
    max_uses: { count: 5, per: 'month', used: 0 },
    expires_at: '2998-12-31T23:00:00.000Z',
  })
  await limit({ callers: null })
  await limit({ expires_at: null })
  const key = await shown()
  expect(key).not.toHaveProperty('callers')
  expect(key).not.toHaveProperty('expires_at')
  expect(key).toMatchObject({ paused_at: expect.any(String), max_uses: { count: 5 } })
})

it('limits the key of the plain route', async () => {
  const { putPlain, limit } = await someOwner()
  await putPlain(someKeyOf('good'))
  expect(await limit('default', { paused: true })).toMatchObject({
    status: 200,
    body: { provider: 'default', paused_at: expect.any(String) },
  })
})

it('limits a key that does not open, in the slot of a removed provider', async () => {
  recordLogs()
  const { userId, request } = await someKeyOwner()
  const rename = "UPDATE api_keys SET provider = 'gone' WHERE user_id = ?1"
  await env.DB.prepare(rename).bind(userId).run()
  expect(await request('PATCH', slotPath(userId, 'gone'), { paused: true })).toMatchObject({
    status: 200,
    body: { error: 'Invalid encrypted key' },
  })
})

it.for<[kinds: string[], changes: NewLimits[]]>([
  [['paused'], [{ isPaused: true }]],
  [
    ['paused', 'resumed'],
    [{ isPaused: true }, { isPaused: false }],
  ],
  [['limits_changed'], [{ callers: ['binding:chat'] }]],
  [['limits_changed'], [{ maxUses: { count: 5, per: 'day' } }]],
  [['limits_changed'], [{ expiresAt: '2999-01-01T00:00:00.000Z' }]],
  [['paused'], [{ isPaused: true, callers: ['binding:chat'] }]],
  [['paused'], [{ isPaused: true, callers: null }]],
  [
    ['paused', 'resumed'],
    [{ isPaused: true }, { isPaused: false, maxUses: { count: 5, per: 'day' } }],
  ],
  [
    ['limits_changed', 'paused'],
    [{ isPaused: true }, { isPaused: true, callers: ['binding:chat'] }],
  ],
])('the trail has the events %j of the changes %j', async ([kinds, changes]) => {
  const userId = await someKeyUser(someKeyOf('good'))
  const owner = await ownerOf(userId)
  for (const limits of changes) await setLimits(owner, 'openai', { condition: null, ...limits })
  expect(await eventsOf(userId)).toEqual(kinds)
})

/** The kinds of the events of limits, in the order of the alphabet. */
async function eventsOf(userId: string) {
  const trail = `SELECT event FROM api_key_events WHERE user_id = ?1 AND event <> 'saved'
    ORDER BY event`
  const { results } = await env.DB.prepare(trail).bind(userId).all()
  return results.map(({ event }) => event)
}

it.for<[change: NewLimits, before?: NewLimits]>([
  [{ maxUses: null }],
  [{ callers: null }],
  [{ expiresAt: null }],
  [{ isPaused: false }],
  [{ isPaused: false, callers: null, maxUses: null, expiresAt: null }],
  [{ isPaused: true }, { isPaused: true }],
  [{ callers: ['binding:chat'] }, { callers: ['binding:chat'] }],
  [{ maxUses: { count: 5, per: 'day' } }, { maxUses: { count: 5, per: 'day' } }],
  [{ expiresAt: '2999-01-01T00:00:00.000Z' }, { expiresAt: '2999-01-01T00:00:00.000Z' }],
])('the change %j changes nothing after %j: no event, and the same tag', async (changes) => {
  const [change, before = {}] = changes
  const userId = await someKeyUser(someKeyOf('good'))
  const owner = await ownerOf(userId)
  const { row } = requireOpen(await setLimits(owner, 'openai', { condition: null, ...before }))
  const seen = await eventsOf(userId)
  const after = requireOpen(await setLimits(owner, 'openai', { condition: null, ...change }))
  expect(after.tag).toBe(tagOf(row))
  expect(await eventsOf(userId)).toEqual(seen)
})

it('the second of two changes with one tag is refused', async () => {
  const { userId, token, limit, shown } = await someKeyOwner()
  const tag = String((await shown())['etag'])
  const change = async (body: object) =>
    call('PATCH', slotPath(userId, 'openai'), { token, body, headers: { 'If-Match': tag } })
  const first = await change({ callers: ['binding:one'] })
  expect([first.status, (await change({ callers: ['binding:two'] })).status]).toEqual([200, 412])
  expect(first.headers.get('ETag')).not.toBe(tag)
  expect(await shown()).toMatchObject({
    callers: ['binding:one'],
    etag: first.headers.get('ETag'),
  })
  expect((await limit({ callers: null })).status).toBe(200)
})

it('refuses an empty slot, an unknown user and another user’s slot', async () => {
  const { userId, request, limit } = await someKeyOwner()
  const paused = { paused: true }
  const empty = await request('PATCH', slotPath(userId, 'acme'), paused)
  expect(empty.body['code']).toBe('no_api_key')
  expect((await request('PATCH', slotPath('other', 'openai'), paused)).status).toBe(403)
  await env.DB.prepare('DELETE FROM users WHERE id = ?1').bind(userId).run()
  expect((await limit(paused)).body['code']).toBe('user_not_found')
})

it('a body that is refused changes nothing', async () => {
  const { limit, shown } = await someKeyOwner()
  const before = await shown()
  expect((await limit({ paused: true, callers: 'binding:chat' })).status).toBe(400)
  expect(await shown()).toEqual(before)
})

it('changes nothing if the key is not the one that If-Match names', async () => {
  const { userId, token, shown } = await someKeyOwner()
  const headers = { 'If-Match': '"0123abcd.1"' }
  const path = slotPath(userId, 'openai')
  const response = await call('PATCH', path, { token, headers, body: { paused: true } })
  expect(response.status).toBe(412)
  expect(await shown()).not.toHaveProperty('paused_at')
})
