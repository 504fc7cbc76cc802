/** Looks of operators are noted with what they read, or refused. Those of owners are not noted. */

import { expect, it } from 'vitest'
import { ALL_SLOTS, look, noteLook } from '../../src/keys/look.ts'
import type { SlotOwner } from '../../src/keys/stored-key.ts'
import { selectUser } from '../../src/store/users.ts'
import { env } from '../isolate.ts'
import { stateOf } from '../faults/state.ts'
import { interceptD1, ownerOf, recordLogs, someUser } from '../support.ts'

/** The operator of the application, who looks at a user. */
async function operatorOf(userId: string, vault: Env = env): Promise<SlotOwner> {
  return { ...(await ownerOf(userId, vault)), by: { kind: 'operator', name: 'server:flask-app' } }
}

const VIEWED = { event: 'viewed', actor: 'operator', caller: 'server:flask-app' }

it('notes what an operator reads, in one round trip', async () => {
  const userId = await someUser()
  let trips = 0
  const DB = interceptD1(async (trip) => {
    trips += 1
    return trip()
  })
  const owner = await operatorOf(userId, { ...env, DB })
  const [{ results }] = await look(owner, 'openai', [selectUser(userId)])
  expect([results.length, trips]).toEqual([1, 1])
  expect((await stateOf(userId)).events).toMatchObject([{ ...VIEWED, provider: 'openai' }])
})

it('notes nothing of what the owner reads', async () => {
  const userId = await someUser()
  await look(await ownerOf(userId), ALL_SLOTS, [selectUser(userId)])
  expect((await stateOf(userId)).events).toEqual([])
})

it('reads nothing for an operator if the day has 10,000 looks', async () => {
  const userId = await someUser()
  await env.DB.prepare(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
     INSERT INTO api_key_events (day, user_id, id, provider, event, actor)
     SELECT date('now'), ?1, i, '*', 'viewed', 'operator' FROM n`,
  )
    .bind(userId)
    .run()
  const seen = look(await operatorOf(userId), ALL_SLOTS, [selectUser(userId)])
  await expect(seen).rejects.toMatchObject({ code: 'rate_limited' })
})

it('tries again what the owner reads, and not what is noted', async () => {
  recordLogs()
  const userId = await someUser()
  let trips = 0
  const DB = interceptD1(async (trip) => {
    trips += 1
    if (trips % 2 === 1) throw new Error('D1_ERROR: Network connection lost.')
    return trip()
  })
  const vault = { ...env, DB }
  await look(await ownerOf(userId, vault), ALL_SLOTS, [selectUser(userId)])
  expect(trips).toBe(2)
  const seen = look(await operatorOf(userId, vault), ALL_SLOTS, [selectUser(userId)])
  await expect(seen).rejects.toMatchObject({ code: 'database_busy' })
  expect(trips).toBe(3)
})

it('notes a look by itself, and says if the user does not exist', async () => {
  const userId = await someUser()
  expect(await noteLook(await operatorOf(userId), 'openai', 'viewed')).toBe(true)
  expect((await stateOf(userId)).events).toMatchObject([VIEWED])
  expect(await noteLook(await operatorOf('nobody'), 'openai', 'viewed')).toBe(false)
})
