import { expect, it } from 'vitest'
import { describeReport, readReport } from '../../../scripts/lib/key-report.ts'
import { useDatabase } from '../database.ts'

const database = useDatabase()

const NOW = new Date('2026-03-02T12:00:00.000Z')
const [OLD, SINCE, RECENT] = [
  '2026-01-01T00:00:00.000Z',
  '2026-01-31T12:00:00.000Z',
  '2026-03-01T00:00:00.000Z',
]

/** A key of `userId`, saved at OLD and used lately, unless `columns` say otherwise. */
const insertKey = (userId: string, provider: string, columns: Record<string, string> = {}) => {
  const row = { updated_at: OLD, last_used_at: RECENT, ...columns }
  const values = Object.values(row).map((value) => `'${value}'`)
  return [
    `INSERT OR IGNORE INTO users (id) VALUES ('${userId}')`,
    `INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id, ${Object.keys(row).join()})
      VALUES ('${userId}', '${provider}', 'sealed', 'kid', ${values.join()})`,
  ]
}

/** A key of each kind, one of a provider that was removed, and two of the plain route. */
const KEYS = [
  insertKey('ann', 'openai', { status: 'active' }),
  insertKey('bob', 'openai:work', { status: 'active', exhausted_at: RECENT }),
  insertKey('cat', 'openai', { status: 'rejected', last_used_at: OLD }),
  insertKey('team:dan', 'openai', { expires_at: NOW.toISOString(), paused_at: OLD }),
  insertKey('eve', 'openai', { status: 'active', exhausted_at: OLD, paused_at: OLD }),
  insertKey('ann', 'anthropic', { status: 'active', expires_at: '2026-03-02T12:00:00.001Z' }),
  insertKey('team:dan', 'anthropic:日本', { status: 'rejected', expires_at: OLD }),
  insertKey('ann', 'default', { last_used_at: SINCE }),
  insertKey('cat', 'default', { last_used_at: OLD }),
  insertKey('cat', 'removed-provider', { last_used_at: OLD }),
].flat()

const NONE = {
  of_teams: 0,
  active: 0,
  unverified: 0,
  rejected: 0,
  out_of_credit: 0,
  expired: 0,
  paused: 0,
  unused: 0,
}

const REPORT = {
  as_of: NOW.toISOString(),
  unused_days: 30,
  unused_since: SINCE,
  providers: [
    {
      ...NONE,
      provider: 'openai',
      keys: 5,
      of_teams: 1,
      active: 3,
      unverified: 1,
      rejected: 1,
      out_of_credit: 2,
      expired: 1,
      paused: 2,
      unused: 1,
    },
    { ...NONE, provider: 'anthropic', keys: 2, of_teams: 1, active: 1, rejected: 1, expired: 1 },
    { ...NONE, provider: 'default', keys: 2, unverified: 2, unused: 1 },
    { ...NONE, provider: 'removed-provider', keys: 1, unverified: 1, unused: 1 },
  ],
  total: {
    keys: 10,
    of_teams: 2,
    active: 4,
    unverified: 4,
    rejected: 2,
    out_of_credit: 2,
    expired: 2,
    paused: 2,
    unused: 3,
  },
}

it('the keys of each provider are counted in each state that they are in', async () => {
  await database.query(...KEYS)
  expect(await readReport(database.db, { now: NOW, days: 30 })).toEqual(REPORT)
})

it.for([1, 3, 5, 10])('pages of %i rows count the same', async (pageRows) => {
  await database.query(...KEYS)
  const sums: number[] = []
  const pages = { pageRows, counted: (rows: number) => void sums.push(rows) }
  expect(await readReport(database.db, { now: NOW, days: 30, ...pages })).toEqual(REPORT)
  const full = Array.from({ length: Math.floor(10 / pageRows) }, (_, page) => (page + 1) * pageRows)
  expect(sums).toEqual(full)
})

it('a key that was saved lately is not unused', async () => {
  await database.query(...insertKey('ann', 'openai', { updated_at: SINCE, last_used_at: '' }))
  const { total } = await readReport(database.db, { now: NOW, days: 30 })
  expect(total).toMatchObject({ keys: 1, unused: 0 })
})

it('the report of an empty vault has zeros', async () => {
  const report = await readReport(database.db, { now: NOW, days: 1 })
  expect(report).toMatchObject({ providers: [], total: { ...NONE, keys: 0 } })
  const [, headings, ...lines] = describeReport(report).split('\n')
  expect(headings).toMatch(/^ {2}provider {2}keys {2}of teams {2}active {2}/)
  expect(lines.slice(0, 2)).toEqual([expect.stringMatching(/^ {2}total(?: +0){9}$/), ''])
  expect(lines.at(-1)).toMatch(/since 2026-03-01T12:00:00.000Z, for 1 day$/)
})
