/** The change of what the owner of a key allows: `PATCH` of a slot. */

import { expect, it } from 'vitest'
import { setLimits } from '../../src/keys/set-limits.ts'
import type { NewLimits } from '../../src/store/limits.ts'
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
  [['limits_changed'], [{ maxUses: null }]],
  [['limits_changed'], [{ expiresAt: null }]],
  [['limits_changed', 'paused'], [{ isPaused: true, callers: null }]],
])('the trail has the events %j of the changes %j', async ([kinds, changes]) => {
  const userId = await someKeyUser(someKeyOf('good'))
  const owner = await ownerOf(userId)
  for (const limits of changes) await setLimits(owner, 'openai', { condition: null, ...limits })
  const trail = `SELECT event FROM api_key_events WHERE user_id = ?1 AND event <> 'saved'
    ORDER BY event`
  const { results } = await env.DB.prepare(trail).bind(userId).all()
  expect(results.map(({ event }) => event)).toEqual(kinds)
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
  const headers = { 'If-Match': '"2001-01-01T00:00:00.000Z"' }
  const path = slotPath(userId, 'openai')
  const response = await call('PATCH', path, { token, headers, body: { paused: true } })
  expect(response.status).toBe(412)
  expect(await shown()).not.toHaveProperty('paused_at')
})
