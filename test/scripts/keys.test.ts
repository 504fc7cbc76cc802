/** `npm run keys`, in this process. `test/node/keys.slow.test.ts` shows a whole rotation. */

import { expect, it, vi } from 'vitest'
import { useDatabase } from './database.ts'
import { runScript } from './run-script.ts'

/** What happens while `status --watch` waits. */
let whileWaiting: () => Promise<void> = async () => {}
vi.mock('node:timers/promises', () => ({ setTimeout: async () => whileWaiting() }))

const database = useDatabase()

const keys = async (...args: string[]) => runScript(['keys', ...args], database.db)

const insertRow = (userId: string, kid: string) => [
  `INSERT INTO users (id) VALUES ('${userId}')`,
  `INSERT INTO api_keys (user_id, encrypted_api_key, key_id, updated_at)
    VALUES ('${userId}', 'v1.${kid}.AAAA', '${kid}', '2025-12-31T00:00:00.000Z')`,
]

/** A pass over three rows, of which one was opened and one does not open. */
const insertPass = (keyring: string, finishedAt: string | null = null) =>
  `INSERT OR REPLACE INTO rewrap (id, keyring, revision, counts, started_at, moved_at, finished_at)
    VALUES (1, '${keyring}', 1, '{"old": {"rows": 3, "done": 1, "unopenable": 1}}',
      '2026-01-01T10:00:00.000Z', '2026-01-01T10:00:01.000Z',
      ${finishedAt === null ? 'NULL' : `'${finishedAt}'`})`

const THREE_ROWS = [
  ...insertRow('ann', 'new'),
  ...insertRow('bob', 'old'),
  ...insertRow('cat', 'old'),
]
const FINISHED = '2026-01-01T10:00:02.000Z'

it.for(['status', 'plan'])(
  '%s says that the keyring is unknown before the job runs',
  async (name) => {
    await database.query(...THREE_ROWS)
    const { code, stdout } = await keys(name)
    expect(code).toBe(1)
    expect(stdout).toMatch(/^The keyring is unknown until the job first runs/)
  },
)

it('status shows the keyring, the rows of each kid, and how far the pass is', async () => {
  await database.query(...THREE_ROWS, insertPass('new,old,fernet:0123456789ab'))
  const { code, stdout } = await keys('status')
  expect(code).toBe(0)
  expect(stdout.replaceAll(/[█░]+/g, '[bar]')).toBe(
    `The Worker's keyring, as its job found it at 2026-01-01T10:00:00.000Z
  new     seals, and opens
  old     opens
  fernet  opens; LEGACY_FERNET_KEY 0123456789ab

Stored keys
  kid  version  rows
  old  v1          2  to be rewrapped; 1 do not open
  new  v1          1

Rewrap  [bar] 66 % 2 of 3 rows, 2 a second, 1 s left
`,
  )
})

it('status shows when the pass finished, and that a missing key is missing', async () => {
  await database.query(...THREE_ROWS, insertPass('new', FINISHED))
  const { code, stdout } = await keys('status')
  expect(code).toBe(1)
  expect(stdout).toContain('  old  v1          2  MISSING: the keyring lacks its key\n')
  expect(stdout).toContain(`\nRewrap  finished ${FINISHED}: 1 rows opened, 1 did not\n`)
})

it('status --json is the status as a program reads it', async () => {
  await database.query(...THREE_ROWS, insertPass('new', FINISHED))
  expect(JSON.parse((await keys('status', '--json')).stdout)).toMatchObject({
    keyring: { seals: 'new', opens: [], fernet: [] },
    rows: 3,
    missing: ['old'],
    rewrap: { done: 1, unopenable: 1, finished_at: FINISHED },
  })
})

it('status says on standard error that the database was restored', async () => {
  await database.query(insertPass('new'), "UPDATE heartbeat SET at = '2026-01-01T10:00:00.000Z'")
  const { stderr } = await keys('status')
  expect(stderr).toContain('The database was restored, or the job has not run since 2026-01-01T10')
})

it('status --watch waits until the pass is over', async () => {
  await database.query(...THREE_ROWS, insertPass('new,old'))
  let waits = 0
  whileWaiting = async () => {
    waits += 1
    if (waits === 3) await database.query(insertPass('new,old', FINISHED))
  }
  expect((await keys('status', '--watch')).stdout).toContain(`Rewrap  finished ${FINISHED}`)
  expect(waits).toBe(3)
})

it('plan names the next step, and when the job found the keyring', async () => {
  await database.query(...THREE_ROWS, insertPass('new', FINISHED))
  expect(await keys('plan')).toMatchObject({
    code: 1,
    stdout: expect.stringMatching(
      /^Based on the keyring that the Worker's job found at 2026-01-01T10:00:00.000Z. It finds a change within a minute.\nRows are sealed under old/,
    ),
  })
  expect(JSON.parse((await keys('plan', '--json')).stdout)).toMatchObject({
    as_of: '2026-01-01T10:00:00.000Z',
    step: 'put_back',
    key_ids: ['old'],
  })
})

/** A finished pass that opened five Fernet rows, and left one. */
const FOREIGN = [
  ...insertRow('000', 'fernet'),
  ...insertRow('ann', 'new'),
  `INSERT INTO rewrap (id, keyring, revision, counts, started_at, moved_at, finished_at)
    VALUES (1, 'new,fernet:f', 1, '{"fernet": {"rows": 6, "done": 5, "unopenable": 1, "lost": 1}}',
      '2026-01-01T10:00:00.000Z', '2026-01-01T10:00:01.000Z', '${FINISHED}')`,
]

it('plan and status go on without a row that never opens, and say whose it is', async () => {
  await database.query(...FOREIGN)
  const whose = `1 stored key does not open. If you have no other encryption key that may open it, ask its user, or an admin of its team, to save it again:
  "000"  default  (fernet)
`
  expect(await keys('plan')).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/\.\nNo row under fernet is left that opens\./),
  })
  for (const name of ['plan', 'status']) {
    const { code, stdout } = await keys(name)
    expect([code, stdout.slice(-whose.length)]).toEqual([0, whose])
    const json = JSON.parse((await keys(name, '--json')).stdout)
    expect(json).toMatchObject({
      unopenable_keys: [{ user_id: '000', provider: 'default', key_id: 'fernet' }],
    })
  }
})

it('check asks for another pass, and status says that it will follow', async () => {
  await database.query(insertPass('new', FINISHED))
  expect((await keys('check')).stdout).toContain('The job begins a pass at its next run.')
  expect((await keys('status')).stdout).toMatch(/did not; another pass will follow\n$/)
})

it('check says that the job has not run yet', async () => {
  expect(await keys('check')).toMatchObject({
    code: 0,
    stdout: 'The job has not run yet. Its first run begins a pass.\n',
  })
})

/** Keys of two providers, of which one is paused. None was saved lately. */
const TWO_PROVIDERS = [
  ...THREE_ROWS,
  "UPDATE api_keys SET provider = 'openai', status = 'active' WHERE user_id <> 'cat'",
  "UPDATE api_keys SET paused_at = updated_at WHERE user_id = 'ann'",
]

it('report shows how many keys each provider has, and in which states', async () => {
  await database.query(...TWO_PROVIDERS)
  const { code, stdout } = await keys('report')
  expect(code).toBe(0)
  expect(stdout.replaceAll(/20\d\d-.*?Z/g, 'TIME')).toBe(
    `Stored keys at TIME
  provider  keys  of teams  active  unverified  rejected  out of credit  expired  paused  unused
  openai       2         0       2           0         0              0        0       1       2
  default      1         0       0           1         0              0        0       0       1
  total        3         0       2           1         0              0        0       1       3

A key is active, unverified or rejected: what its provider last said of it. These columns add up to the keys.
The other columns count the same keys again. A key may be in several of them.
  of teams       its owner is a team. The other keys are of users
  out of credit  its provider said so, and the key has not worked since
  expired        its time has passed, so nobody can use it
  paused         nobody can use it until it is resumed
  unused         neither saved nor used since TIME, for 30 days
`,
  )
})

it('report --json is the report as a program reads it, and --days says what is unused', async () => {
  await database.query(...TWO_PROVIDERS)
  const { stdout } = await keys('report', '--json', '--days', '9999')
  expect(JSON.parse(stdout)).toMatchObject({
    unused_days: 9999,
    providers: [{ provider: 'openai' }, { provider: 'default' }],
    total: { keys: 3, paused: 1, unused: 0 },
  })
})

it.for(['0', '', 'x', '1.5', '10000'])('report refuses --days %j', async (days) => {
  expect(await keys('report', `--days=${days}`)).toMatchObject({
    code: 1,
    stdout: '',
    stderr: '--days must be a whole number from 1 to 9999\n',
  })
})

it('deletions says that none is waiting', async () => {
  expect(await keys('deletions')).toMatchObject({ code: 0, stdout: 'No deletion is waiting.\n' })
})

it('deletions says that tombstones are held, and --confirm has them copied', async () => {
  await database.query(
    "UPDATE heartbeat SET at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')",
    `INSERT INTO gone_keys (identity) WITH RECURSIVE n (i) AS (
       SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20500
     ) SELECT i FROM n`,
    "INSERT INTO gone_keys (cause, identity) VALUES ('request', 'a')",
  )
  const causes = async () =>
    database.query('SELECT cause, count(*) AS rows FROM gone_keys GROUP BY cause')
  const { code, stdout } = await keys('deletions')
  expect(code).toBe(1)
  expect(stdout).toMatch(/^gone_keys has 20,500 tombstones that the vault did not write/)
  expect(await causes()).toMatchObject([{ cause: '', rows: 20_500 }, { cause: 'request' }])
  const confirmed = await keys('deletions', '--confirm', '--yes')
  expect(confirmed.code).toBe(0)
  expect(confirmed.stdout).toMatch(/^Confirmed 20,500 tombstones\.\nThe second store does not know/)
  expect(await causes()).toEqual([
    { cause: 'operator', rows: 20_500 },
    { cause: 'request', rows: 1 },
  ])
})

it('status fails while the job does not run', async () => {
  await database.query(...THREE_ROWS, insertPass('new,old', FINISHED))
  await database.query("UPDATE heartbeat SET at = '2026-01-01T00:00:00.000Z'")
  const { code, stdout, stderr } = await keys('status', '--json')
  const note = expect.stringContaining('the job has not run since 2026-01-01')
  expect([code, JSON.parse(stdout).notes, stderr]).toEqual([1, [note], note])
})

it.for([
  [[]],
  [['status', 'x']],
  [['assign', 'openai']],
  [['report', '--days']],
  [['deletions', 'x']],
])('prints its usage for the arguments %j', async ([args = []]) => {
  const { code, stdout, stderr } = await keys(...args)
  expect([code, stdout]).toEqual([2, ''])
  expect(stderr).toMatch(/^Usage: npm run keys --/m)
})

it('another pass of the deployed job is asked for after a question alone', async () => {
  await database.query(...THREE_ROWS, insertPass('new,old', FINISHED))
  const asked = await keys('check', '--remote')
  expect(asked).toMatchObject({ code: 1, stdout: '' })
  expect(asked.stderr).toContain('Add --yes if that is right.')
  expect(await keys('check', '--remote', '--yes')).toMatchObject({ code: 0 })
})

it('deletions --json lists what is to be known', async () => {
  const { code, stdout } = await keys('deletions', '--json')
  expect([code, JSON.parse(stdout)]).toEqual([0, { notes: [] }])
})
