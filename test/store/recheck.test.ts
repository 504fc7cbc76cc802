/** The laps of the recheck job: which keys come next, and who claims them. */

import { beforeEach, describe, expect, it } from 'vitest'
import { run } from '../../src/store/d1.ts'
import { claimUpTo, END, ROWS_AT_ONCE, selectIdle, selectIdleKey } from '../../src/store/recheck.ts'
import { env } from '../isolate.ts'
import { clearKeys } from '../keys/idle-keys.ts'

const [BEFORE, SINCE, NOW] = ['2026-01-01', '2026-02-01', '2026-03-01'].map(
  (day) => `${day}T00:00:00.000Z`,
)
const [before = '', since = '', now = ''] = [BEFORE, SINCE, NOW]
const idle = { kids: ['a', 'b'], providers: ['openai', 'acme'], since, now }

beforeEach(clearKeys)

/** Adds a key with this identity under a kid. */
async function addKey(identity: string, kid = 'a', changes: Record<string, string> = {}) {
  const columns = { updated_at: before, provider: 'openai', ...changes }
  const names = Object.keys(columns)
  const userId = `user ${identity}`
  await env.DB.batch([
    env.DB.prepare('INSERT INTO users (id) VALUES (?1)').bind(userId),
    env.DB.prepare(
      `INSERT INTO api_keys (user_id, identity, key_id, encrypted_api_key, ${names.join()})
       VALUES (?1, ?2, ?3, 'sealed', ${names.map((_, index) => `?${index + 4}`).join()})`,
    ).bind(userId, identity, kid, ...Object.values(columns)),
  ])
}

/** Adds `count` keys that are not idle, with the identities `00001`, `00002`, … */
async function addBusy(count: number, kid = 'a') {
  const numbers = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})`
  await env.DB.batch([
    env.DB.prepare(`${numbers} INSERT INTO users (id) SELECT '${kid}' || i FROM n`),
    env.DB.prepare(
      `${numbers} INSERT INTO api_keys (user_id, identity, key_id, encrypted_api_key, provider)
       SELECT '${kid}' || i, printf('%05d', i), '${kid}', 'sealed', 'openai' FROM n`,
    ),
  ])
}

async function readIdle({ rested = now, limit = 10 } = {}) {
  return (await run(env.DB, selectIdle(idle, { rested, limit }))).results
}
const identities = (rows: Awaited<ReturnType<typeof readIdle>>) =>
  rows.flatMap(({ identity }) => identity ?? [])

describe('the next idle keys', () => {
  it('idle keys come in the order of their identities, whatever their kid is', async () => {
    await addKey('2', 'b')
    await addKey('3', 'a', { provider: 'acme:work' })
    await addKey('1', 'a')
    await addKey('4', 'unknown')
    await addKey('5', 'b', { provider: 'other:openai' })
    const lap = { after: '', endedAt: null, upTo: END }
    expect(await readIdle()).toEqual([
      { ...lap, identity: '1', provider: 'openai' },
      { ...lap, identity: '2', provider: 'openai' },
      { ...lap, identity: '3', provider: 'acme' },
    ])
    expect(identities(await readIdle({ limit: 2 }))).toEqual(['1', '2'])
  })

  it('the next keys follow what the lap has claimed', async () => {
    for (const identity of ['1', '2', '3']) {
      // oxlint-disable-next-line no-await-in-loop -- one database
      await addKey(identity)
    }
    await run(env.DB, claimUpTo('2', { after: '', endedAt: null }, now))
    expect(identities(await readIdle())).toEqual(['3'])
  })

  it('an empty vault has one row, with the lap', async () => {
    expect(await readIdle()).toContainEqual({
      after: '',
      endedAt: null,
      upTo: END,
      identity: null,
      provider: null,
    })
  })

  it.for([
    ['one row fewer than a run looks at', ROWS_AT_ONCE - 1, END, ['x']],
    ['as many rows as a run looks at', ROWS_AT_ONCE, String(ROWS_AT_ONCE).padStart(5, '0'), []],
  ] as const)('a lap with %s before an idle key goes up to %s', async ([, count, upTo, found]) => {
    await addBusy(count)
    await addKey('00000', 'b')
    // Each identity is hex, and this one follows the numbers.
    await addKey('f', 'b')
    const rows = await readIdle()
    expect(rows[0]?.upTo).toBe(upTo)
    expect(identities(rows)).toEqual(['00000', ...found.map(() => 'f')])
  })

  it('a run reads each row at most three times', async () => {
    await addBusy(2 * ROWS_AT_ONCE)
    const { meta } = await run(env.DB, selectIdle(idle, { rested: now, limit: 10 }))
    expect(meta.rows_read).toBeLessThan(3 * ROWS_AT_ONCE + 20)
    await run(env.DB, claimUpTo(END, { after: '', endedAt: null }, now))
    const resting = await run(env.DB, selectIdle(idle, { rested: before, limit: 10 }))
    expect(resting.meta.rows_read).toBeLessThan(5)
  })

  it('no key comes before the job has rested', async () => {
    await addKey('1')
    await run(env.DB, claimUpTo(END, { after: '', endedAt: null }, since))
    expect(await readIdle({ rested: before })).toEqual([])
    expect(identities(await readIdle({ rested: since }))).toEqual(['1'])
  })
})

describe('a claim', () => {
  it('a claim succeeds once', async () => {
    const lap = { after: '', endedAt: null }
    const claims = ['2', '1', END].map(async (upTo) => run(env.DB, claimUpTo(upTo, lap, now)))
    const changes = (await Promise.all(claims)).map(({ meta }) => meta.changes)
    expect(changes.toSorted((one, other) => one - other)).toEqual([0, 0, 1])
  })

  it('a claim ends a lap, and another one begins the next', async () => {
    const claim = async (...args: Parameters<typeof claimUpTo>) =>
      (await run(env.DB, claimUpTo(...args))).meta.changes
    const lap = { after: '', endedAt: null }
    expect(await claim(END, lap, since)).toBe(1)
    const ended = { after: '', endedAt: since }
    expect((await readIdle())[0]).toMatchObject(ended)
    expect(await claim(END, lap, now)).toBe(0)
    expect(await claim('5', ended, now)).toBe(1)
    expect((await readIdle())[0]).toMatchObject({ after: '5', endedAt: null })
  })
})

describe('one idle key', () => {
  it('an idle key is found under any of the kids', async () => {
    await addKey('1', 'b')
    const [row] = (await run(env.DB, selectIdleKey('1', idle))).results
    expect(row).toMatchObject({ userId: 'user 1', identity: '1', kid: 'b', sealed: 'sealed' })
  })

  it.for<[what: string, changes: Record<string, string>]>([
    ['in another slot', { provider: 'other' }],
    ['saved', { updated_at: now }],
    ['used', { last_used_at: now }],
    ['checked', { last_verified_at: now }],
    ['paused', { paused_at: before }],
    ['expired', { expires_at: now }],
  ])('an idle key is not found any more if it is %s', async ([, changes]) => {
    await addKey('1', 'a', changes)
    expect((await run(env.DB, selectIdleKey('1', idle))).results).toEqual([])
    expect(identities(await readIdle())).toEqual([])
  })
})
