/** What the rows of teams hold about a member. */

import { beforeEach, expect, it } from 'vitest'
import { run } from '../../src/store/d1.ts'
import {
  selectDays,
  selectEventsOfMember,
  selectUsesOfMember,
} from '../../src/store/member-rows.ts'
import { teamOwner } from '../../src/shared/owner.ts'
import { emptyVault, env } from '../isolate.ts'
import { rowsOf } from '../keys/restoration.ts'
import { someUser } from '../support.ts'

beforeEach(emptyVault)

const team = teamOwner('acme')

it('the events of a member are those of a day with the identity, the newest first', async () => {
  const rows = [
    ['2026-01-02', team, 'a', 'ann'],
    ['2026-01-02', team, 'b', 'ben'],
    ['2026-01-02', teamOwner('other'), 'c', 'ann'],
    ['2026-01-02', 'ann', 'd', null],
    ['2026-01-03', team, 'e', 'ann'],
  ]
  for (const row of rows) {
    const sql = `INSERT INTO api_key_events (day, user_id, id, provider, event, actor, member)
      VALUES (?1, ?2, ?3, 'openai:work', 'used', 'caller', ?4)`
    // oxlint-disable-next-line no-await-in-loop -- one row after the other
    await rowsOf(sql, ...row)
  }
  const days = (await run(env.DB, selectDays())).results.map(({ day }) => day)
  expect(days).toEqual(['2026-01-03', '2026-01-02', null])
  const { results } = await run(env.DB, selectEventsOfMember('ann', '2026-01-02'))
  expect(results.map(({ userId, id }) => [userId, id])).toEqual([
    ['team:other', 'c'],
    [team, 'a'],
  ])
  expect(results[0]).toMatchObject({ provider: 'openai:work', event: 'used', actor: 'caller' })
})

it('the uses of a member are those of all teams with the identity', async () => {
  await someUser(team)
  await rowsOf(
    `INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id)
     VALUES (?1, 'openai', 'sealed', 'kid'), (?1, 'acme', 'sealed', 'kid')`,
    team,
  )
  await rowsOf(
    `INSERT INTO member_uses (user_id, provider, member, uses_in, uses, mark)
     VALUES (?1, 'openai', 'ann', '2026-01', 2, 'x'), (?1, 'acme', 'ann', '2026-01-02', 3, 'y'),
       (?1, 'openai', 'ben', '2026-01', 4, 'z')`,
    team,
  )
  expect((await run(env.DB, selectUsesOfMember('ann'))).results).toEqual([
    { userId: team, provider: 'acme', uses: 3, usesIn: '2026-01-02' },
    { userId: team, provider: 'openai', uses: 2, usesIn: '2026-01' },
  ])
})
