/** Which row a use picks, and what it counts. Nobody opens these keys. */

import { beforeEach, describe, expect, it } from 'vitest'
import { userOwner, teamOwner } from '../../src/shared/owner.ts'
import { STALE, VOUCHED } from '../../src/shared/team.ts'
import { run, runBatch } from '../../src/store/d1.ts'
import { updateLimits } from '../../src/store/limits.ts'
import {
  giveUseBack,
  selectOpened,
  takeUse,
  type AskedUse,
  type PickedNothing,
  type PickedRow,
} from '../../src/store/uses.ts'
import { env } from '../isolate.ts'
import { stopClock } from '../support.ts'
import { someUse } from './rows.ts'

beforeEach(stopClock)

type Columns = Record<string, string | number | null>

const PAST = '2026-01-01T00:00:00.000Z'
const FUTURE = '2999-01-01T00:00:00.000Z'

/** A user and a team with these keys, by slot. */
async function someOwners(own: Record<string, Columns> | null, teams?: Record<string, Columns>) {
  const id = crypto.randomUUID()
  const [userId, teamId] = [userOwner(id), teamOwner(id)]
  const insertOwner = async (owner: string) =>
    env.DB.prepare('INSERT INTO users (id) VALUES (?1)').bind(owner).run()
  const insertKeys = async (owner: string, keys: Record<string, Columns>) => {
    await insertOwner(owner)
    for (const [index, [provider, columns]] of Object.entries(keys).entries()) {
      const row = { position: index, ...columns, encrypted_api_key: 'x', key_id: 'kid' }
      const names = Object.keys(row).join(', ')
      const places = Object.keys(row).map(() => '?')
      const sql = `INSERT INTO api_keys (user_id, provider, ${names}) VALUES (?, ?, ${places.join(', ')})`
      await env.DB.prepare(sql)
        .bind(owner, provider, ...Object.values(row))
        .run()
    }
  }
  if (own !== null) await insertKeys(userId, own)
  if (teams !== undefined) await insertKeys(teamId, teams)
  return { userId, teamId }
}

async function take(asked: AskedUse) {
  const results = await runBatch(env.DB, takeUse(asked))
  const rows = results.flatMap((result): (PickedRow | PickedNothing)[] => result.results)
  return { results, row: rows[0] }
}

/** The slot that a use picks, with `!` if it is left out, and whose it is. */
async function pickFor(asked: AskedUse) {
  const { row } = await take(asked)
  if (row === undefined || row.sealed === null) return null
  return `${row.userId === asked.userId ? '' : 'team '}${row.provider}${row.isLeftOut === 1 ? '!' : ''}`
}

const OUT = {
  paused: { paused_at: PAST },
  expired: { expires_at: PAST },
  'for another caller': { callers: '["relay:other"]' },
  'at its maximum': { max_uses: 0, max_uses_per: 'day' },
}
const now = () => new Date().toISOString()

describe('the keys of one user', () => {
  it.for<[name: string, keys: Record<string, Columns>, picked: string | null]>([
    ['none', {}, null],
    ['one', { openai: {} }, 'openai'],
    ['only another provider', { 'openai-eu': {}, openaix: {}, acme: {} }, null],
    ['the first', { openai: { position: 1 }, 'openai:work': { position: 0 } }, 'openai:work'],
    [
      'the name decides between two at one position',
      { 'openai:b': { position: 0 }, 'openai:a': { position: 0 } },
      'openai:a',
    ],
    [
      'without credit comes later',
      { openai: { exhausted_at: now() }, 'openai:work': {} },
      'openai:work',
    ],
    [
      'without credit for two hours is usable',
      { openai: { exhausted_at: PAST }, 'openai:work': {} },
      'openai',
    ],
    [
      'rejected comes last',
      { openai: { status: 'rejected' }, 'openai:work': { exhausted_at: now() } },
      'openai:work',
    ],
    ['rejected alone', { openai: { status: 'rejected' } }, 'openai'],
    [
      'unverified is as good as active',
      { openai: {}, 'openai:work': { status: 'active' } },
      'openai',
    ],
    ...Object.entries(OUT).map(([name, columns]): [string, Record<string, Columns>, string] => [
      `${name} is left out`,
      { openai: columns, 'openai:work': { status: 'rejected' } },
      'openai:work',
    ]),
    [
      'the first, if all are left out',
      { openai: { ...OUT.expired, status: 'rejected' }, 'openai:work': OUT.paused },
      'openai!',
    ],
  ])('%s', async ([, keys, picked]) => {
    const { userId } = await someOwners(keys)
    expect(await pickFor(someUse({ userId }))).toBe(picked)
  })

  it.for<[asked: Partial<AskedUse>, picked: string | null]>([
    [{ slot: 'openai:work' }, 'openai:work!'],
    [{ slot: 'openai:home' }, 'openai'],
    [{ granted: ['openai'] }, 'openai'],
    [{ granted: ['openai:play', 'acme'] }, 'openai:play'],
    [{ granted: ['openai:work'] }, 'openai!'],
    [{ granted: [] }, 'openai!'],
  ])('a use that asks for %j picks %s', async ([changes, picked]) => {
    const keys = { openai: {}, 'openai:work': OUT.paused, 'openai:play': {} }
    const { userId } = await someOwners(keys)
    expect(await pickFor(someUse({ userId, ...changes }))).toBe(picked)
  })

  it('picks another key in the place of one that is gone', async () => {
    const { userId } = await someOwners({ openai: { identity: 'gone' }, 'openai:work': {} })
    expect(await pickFor(someUse({ userId, gone: ['gone'] }))).toBe('openai:work')
  })

  it('counts the picked key alone, and gives that use back', async () => {
    const most = { max_uses: 1, max_uses_per: 'day' }
    const { userId } = await someOwners({ openai: most, 'openai:work': most, 'openai:play': most })
    const asked = someUse({ userId })
    const { row } = await take(asked)
    const usesOf = async () => {
      const sql = 'SELECT uses FROM api_keys WHERE user_id = ?1 ORDER BY position'
      const { results } = await env.DB.prepare(sql).bind(userId).all<{ uses: number }>()
      return results.map(({ uses }) => uses)
    }
    expect(await usesOf()).toEqual([1, 0, 0])
    expect([await pickFor(someUse({ userId })), await pickFor(someUse({ userId }))]).toEqual([
      'openai:work',
      'openai:play',
    ])
    expect([await pickFor(asked), await usesOf()]).toEqual(['openai!', [1, 1, 1]])
    if (row === undefined || row.sealed === null) throw new Error('No key was picked')
    await runBatch(env.DB, giveUseBack(row, asked.periods))
    expect(await usesOf()).toEqual([0, 1, 1])
  })

  it('one key without limits takes two statements, which read at most seven rows and write none', async () => {
    const { userId } = await someOwners({ openai: {} })
    const { results } = await take(someUse({ userId }))
    const sumOf = (name: 'rows_read' | 'rows_written') =>
      results.reduce((sum, { meta }) => sum + meta[name], 0)
    expect([results.length, sumOf('rows_written')]).toEqual([2, 0])
    expect(sumOf('rows_read')).toBeLessThanOrEqual(7)
  })
})

describe("the user's keys, and the team's", () => {
  const KEY = { openai: {} }

  it.for<
    [
      name: string,
      keys: [own: Record<string, Columns> | null, teams: Record<string, Columns>],
      changes: Partial<AskedUse> & { issuedAt?: string; ownKeys?: 0 | 1; tokensSince?: string },
      picked: string | null,
    ]
  >([
    ['the user’s own key comes first', [KEY, KEY], {}, 'openai'],
    ['the team’s key, if the user has none', [{ acme: {} }, KEY], {}, 'team openai'],
    ['the team’s key, if nobody added the user', [null, KEY], {}, 'team openai'],
    [
      'an own key that is left out keeps the team’s out',
      [{ openai: OUT.paused }, KEY],
      {},
      'openai!',
    ],
    [
      'an own key of another label too',
      [{ 'openai:home': {} }, { 'openai:work': {} }],
      { slot: 'openai:work' },
      'openai:home',
    ],
    [
      'a label that only the team has',
      [{}, { openai: {}, 'openai:work': {} }],
      { slot: 'openai:work' },
      'team openai:work',
    ],
    ['TEAM_FIRST turns it round', [KEY, KEY], { isTeamFirst: true }, 'team openai'],
    ['TEAM_FIRST without a team’s key', [KEY, { acme: {} }], { isTeamFirst: true }, 'openai'],
    [
      'TEAM_FIRST with a team’s key that is left out',
      [KEY, { openai: OUT.expired }],
      { isTeamFirst: true },
      'team openai!',
    ],
    ['own keys are forbidden', [KEY, KEY], { ownKeys: 0 }, 'team openai'],
    ['own keys are forbidden, and the team has none', [KEY, {}], { ownKeys: 0 }, null],
    ['a token that is too old', [{}, KEY], { issuedAt: STALE }, 'team openai!'],
    ['a token that is too old, and an own key', [KEY, KEY], { issuedAt: STALE }, 'openai'],
    [
      'TEAM_FIRST, a token that is too old, and an own key',
      [KEY, KEY],
      { issuedAt: STALE, isTeamFirst: true },
      'openai',
    ],
    [
      'a token from before',
      [{}, KEY],
      { issuedAt: PAST, tokensSince: '2026-01-01T00:00:00.001Z' },
      'team openai!',
    ],
    ['a token of the same time', [{}, KEY], { issuedAt: PAST, tokensSince: PAST }, 'team openai'],
    [
      'a bound Worker vouches',
      [{}, KEY],
      { issuedAt: VOUCHED, tokensSince: FUTURE },
      'team openai',
    ],
    [
      'the member has no use left',
      [{}, { openai: { max_uses_per_member: 0, max_uses_per_member_per: 'day' } }],
      {},
      'team openai!',
    ],
  ])('%s', async ([, [own, teams], changes, picked]) => {
    const { issuedAt = now(), ownKeys = 1, tokensSince = null, ...asked } = changes
    const { userId, teamId } = await someOwners(own, teams)
    const sql = 'UPDATE users SET own_keys = ?2, tokens_since = ?3 WHERE id = ?1'
    await env.DB.prepare(sql).bind(teamId, ownKeys, tokensSince).run()
    const use = someUse({ userId, team: { userId: teamId, issuedAt }, ...asked })
    expect(await pickFor(use)).toBe(picked)
  })

  it('the first use of a team’s key adds the user, and the others count on', async () => {
    const most = { max_uses_per_member: 2, max_uses_per_member_per: 'month' }
    const { userId, teamId } = await someOwners(null, { openai: most, 'openai:work': most })
    const use = async (user = userId) =>
      pickFor(someUse({ userId: user, team: { userId: teamId, issuedAt: VOUCHED } }))
    const other = crypto.randomUUID()
    const picked = [
      'team openai',
      'team openai',
      'team openai:work',
      'team openai:work',
      'team openai!',
    ]
    for (const slot of picked) expect(await use()).toBe(slot)
    expect(await use(other)).toBe('team openai')
    const sql = `SELECT provider, id, uses FROM member_uses JOIN users ON identity = member
      WHERE user_id = ?1 ORDER BY provider, uses DESC`
    const { results } = await env.DB.prepare(sql).bind(teamId).all()
    expect(results).toEqual([
      { provider: 'openai', id: userId, uses: 2 },
      { provider: 'openai', id: other, uses: 1 },
      { provider: 'openai:work', id: userId, uses: 2 },
    ])
  })

  it('a use of an own key adds nobody, and counts nothing of the team', async () => {
    const most = {
      max_uses: 9,
      max_uses_per: 'day',
      max_uses_per_member: 9,
      max_uses_per_member_per: 'day',
    }
    const { userId, teamId } = await someOwners({ openai: {} }, { openai: most })
    const asked = someUse({ userId, team: { userId: teamId, issuedAt: VOUCHED } })
    const { results } = await take(asked)
    expect(results.map(({ meta }) => meta.rows_written)).toEqual([0, 0, 0, 0])
  })

  it('gives back the use of the member, and of the key, wherever it has moved', async () => {
    const most = {
      max_uses: 9,
      max_uses_per: 'month',
      max_uses_per_member: 1,
      max_uses_per_member_per: 'day',
    }
    const { userId, teamId } = await someOwners({}, { openai: most })
    const asked = someUse({ userId, team: { userId: teamId, issuedAt: VOUCHED } })
    const { row } = await take(asked)
    if (row === undefined || row.sealed === null) throw new Error('No key was picked')
    const move = "UPDATE api_keys SET provider = 'openai:moved' WHERE user_id = ?1"
    await env.DB.prepare(move).bind(teamId).run()
    await runBatch(env.DB, giveUseBack(row, asked.periods))
    const uses =
      'SELECT (SELECT sum(uses) FROM member_uses WHERE user_id = ?1) + uses AS all_uses FROM api_keys WHERE user_id = ?1'
    expect(await env.DB.prepare(uses).bind(teamId).first()).toEqual({ all_uses: 0 })
    expect(await pickFor({ ...asked, mark: 'another' })).toBe('team openai:moved')
  })

  it.for<[per: 'day' | 'month', first: string, next: string]>([
    ['day', '2026-11-29', '2026-11-30'],
    ['month', '2026-11', '2026-12'],
  ])('a member has the maximum again in the next %s, and the key too', async ([per, ...days]) => {
    const [first, next] = days
    const most = {
      max_uses: 2,
      max_uses_per: per,
      max_uses_per_member: 2,
      max_uses_per_member_per: per,
    }
    const { userId, teamId } = await someOwners({}, { openai: most })
    const use = async (period: string) => {
      const periods = { day: period, month: period }
      const team = { userId: teamId, issuedAt: VOUCHED }
      return pickFor(someUse({ userId, team, periods }))
    }
    const [used, refused] = ['team openai', 'team openai!']
    const thrice = [used, used, refused]
    expect([await use(first), await use(first), await use(first)]).toEqual(thrice)
    expect([await use(next), await use(next), await use(next)]).toEqual(thrice)
    // The clock of another isolate is behind.
    expect(await use(first)).toBe(refused)
    const sql = `SELECT api_keys.uses, api_keys.uses_in, mine.uses AS of_member, mine.uses_in AS in_member
      FROM api_keys JOIN member_uses AS mine USING (user_id, provider) WHERE user_id = ?1`
    const counted = { uses: 2, uses_in: next, of_member: 2, in_member: next }
    expect(await env.DB.prepare(sql).bind(teamId).first()).toEqual(counted)
  })

  it('gives back a use of this member in this period alone', async () => {
    const most = { max_uses_per_member: 9, max_uses_per_member_per: 'day' }
    const { userId, teamId } = await someOwners({}, { openai: most })
    const team = { userId: teamId, issuedAt: VOUCHED }
    const asked = someUse({ userId, team })
    const { row } = await take(asked)
    const other = crypto.randomUUID()
    await take(someUse({ userId: other, team }))
    if (row === undefined || row.sealed === null) throw new Error('No key was picked')
    const back = async (day: string) =>
      runBatch(env.DB, giveUseBack(row, { ...asked.periods, day }))
    const uses = async () => {
      const sql = `SELECT uses FROM member_uses JOIN users ON identity = member
        WHERE user_id = ?1 ORDER BY users.id = ?2`
      const { results } = await env.DB.prepare(sql).bind(teamId, other).all<{ uses: number }>()
      return results.map((counted) => counted.uses)
    }
    await back('2026-01-01')
    expect(await uses()).toEqual([1, 1])
    await back(asked.periods.day)
    expect(await uses()).toEqual([0, 1])
  })

  it.for<[count: number, per: 'day' | 'month', uses: number | null]>([
    [5, 'day', 1],
    [5, 'month', null],
  ])('a maximum of %i for each member in a %s leaves %j uses', async ([count, per, uses]) => {
    const most = { max_uses_per_member: 2, max_uses_per_member_per: 'day' }
    const { userId, teamId } = await someOwners({}, { openai: most })
    await take(someUse({ userId, team: { userId: teamId, issuedAt: VOUCHED } }))
    const event = { userId: teamId, provider: 'openai', by: { kind: 'owner' } } as const
    await runBatch(env.DB, updateLimits(event, { maxUsesPerMember: { count, per } }))
    const counted = env.DB.prepare('SELECT uses FROM member_uses WHERE user_id = ?1').bind(teamId)
    expect(await counted.first('uses')).toBe(uses)
  })
})

it('finds the key of a socket wherever it has moved, and otherwise the one in its slot', async () => {
  const { userId } = await someOwners({
    openai: { identity: 'a' },
    'openai:work': { identity: 'b' },
  })
  const openedOf = async (provider: string, identity: string) =>
    (await run(env.DB, selectOpened({ userId, provider, identity }))).results
  expect(await openedOf('openai', 'b')).toMatchObject([{ identity: 'b', tokensSince: null }])
  expect(await openedOf('openai', 'c')).toMatchObject([{ identity: 'a' }])
  expect(await openedOf('acme', 'c')).toMatchObject([{ sealed: null }])
})
