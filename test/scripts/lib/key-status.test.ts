import { expect, it } from 'vitest'
import { readProgress, readStatus } from '../../../scripts/lib/key-status.ts'
import { useDatabase } from '../database.ts'

const database = useDatabase()

/** Before the pass, and after it has begun. */
const [EARLY, LATE] = ['2026-01-01T09:00:00.000Z', '2026-01-01T10:00:30.000Z']

/** Stores `rows` rows under a kid. */
const insertRows = (kid: string, rows: number, sealed = `v1.${kid}.AAAA`, savedAt = EARLY) =>
  Array.from({ length: rows }, (_, index) => [
    `INSERT INTO users (id) VALUES ('${kid}-${index}')`,
    `INSERT INTO api_keys (user_id, encrypted_api_key, key_id, updated_at)
      VALUES ('${kid}-${index}', '${sealed}', '${kid}', '${savedAt}')`,
  ]).flat()

/** A pass that began at 10:00, handled rows until 10:01, and may have finished. */
const insertPass = (keyring: string, counts: object, finishedAt: string | null) =>
  `INSERT INTO rewrap (id, keyring, revision, counts, started_at, moved_at, finished_at)
    VALUES (1, '${keyring}', 1, '${JSON.stringify(counts)}', '2026-01-01T10:00:00.000Z',
      '2026-01-01T10:01:00.000Z', ${finishedAt === null ? 'NULL' : `'${finishedAt}'`})`

it('neither the keyring nor the pass is known before the job has run', async () => {
  await database.query(...insertRows('a', 2))
  expect(await readStatus(database.db)).toEqual({
    keyring: null,
    rows: 2,
    key_ids: [
      {
        key_id: 'a',
        version: 'v1',
        rows: 2,
        in_keyring: false,
        unopenable: 0,
        lost: 0,
        latest_saved_at: EARLY,
      },
    ],
    missing: [],
    rewrap: null,
  })
})

it('the rows of each kid are counted, the most first, and missing keys are named', async () => {
  const counts = {
    old: { rows: 3, done: 3, unopenable: 0 },
    lost: { rows: 2, done: 0, unopenable: 2 },
    fernet: { rows: 1, done: 0, unopenable: 1 },
  }
  await database.query(
    ...insertRows('new', 3),
    ...insertRows('lost', 2),
    ...insertRows('fernet', 1, 'gAAAAAdamaged'),
    insertPass('new,old,next,fernet:f', counts, '2026-01-01T10:01:00.000Z'),
  )
  const status = (key_id: string, rows: number, changes = {}) => {
    const usual = { version: 'v1', in_keyring: true, unopenable: 0, lost: 0 }
    return { key_id, rows, ...usual, latest_saved_at: EARLY, ...changes }
  }
  expect(await readStatus(database.db)).toEqual({
    keyring: { seals: 'new', opens: ['old', 'next'], foreign: { kid: 'fernet', names: ['f'] } },
    rows: 6,
    key_ids: [
      status('new', 3),
      status('lost', 2, { in_keyring: false, unopenable: 2 }),
      status('fernet', 1, { version: 'fernet', unopenable: 1 }),
      status('old', 0, { version: '', latest_saved_at: null }),
    ],
    missing: ['lost', 'fernet'],
    rewrap: {
      rows: 6,
      done: 3,
      unopenable: 3,
      rows_per_second: 0.1,
      seconds_left: 0,
      started_at: '2026-01-01T10:00:00.000Z',
      moved_at: '2026-01-01T10:01:00.000Z',
      finished_at: '2026-01-01T10:01:00.000Z',
      asked_at: null,
    },
  })
})

it.for<[name: string, keyring: string, counts: object, missing: string[]]>([
  ['the Fernet keys opened others', 'new,fernet:f', { done: 5, unopenable: 1, lost: 1 }, []],
  [
    'the Fernet keys opened others in an earlier pass',
    'new,fernet:f',
    { done: 0, unopenable: 1, lost: 1, opened_with: ['f'] },
    [],
  ],
  ['LEGACY_FERNET_KEY was removed since', 'new', { done: 0, unopenable: 1, lost: 1 }, []],
  ['LEGACY_FERNET_KEY was never there', 'new', { done: 0, unopenable: 1 }, ['fernet']],
  [
    'other Fernet keys opened others',
    'new,fernet:g',
    { done: 0, unopenable: 1, opened_with: ['f'] },
    ['fernet'],
  ],
])(
  'a Fernet row that does not open lacks a key or not, if %s',
  async ([, keyring, counts, missing]) => {
    await database.query(
      ...insertRows('fernet', 1, 'gAAAAAforeign'),
      insertPass(keyring, { fernet: { rows: 1, ...counts } }, '2026-01-01T10:01:00.000Z'),
    )
    expect(await readStatus(database.db)).toMatchObject({ missing })
  },
)

it('rows of a removed key that did not open with it do not lack it, in whichever forms they are', async () => {
  const old = { rows: 3, done: 0, unopenable: 3, lost: 3 }
  await database.query(
    ...insertRows('old', 2),
    `INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id, updated_at)
      VALUES ('old-0', 'openai', 'damaged', 'old', '${EARLY}')`,
    insertPass('new', { old }, '2026-01-01T10:01:00.000Z'),
  )
  expect(await readStatus(database.db)).toMatchObject({ missing: [] })
  await database.query(
    `INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id, updated_at)
      VALUES ('old-1', 'openai', 'v1.old.AAAA', 'old', '${EARLY}')`,
  )
  expect(await readStatus(database.db)).toMatchObject({ missing: ['old'] })
})

it('rows of a removed key lack it, if one was written since the pass that did not open them', async () => {
  await database.query(
    ...insertRows('old', 1, 'v1.old.AAAA', LATE),
    insertPass(
      'new',
      { old: { rows: 1, done: 0, unopenable: 1, lost: 1 } },
      '2026-01-01T10:01:00.000Z',
    ),
  )
  expect(await readStatus(database.db)).toMatchObject({ missing: ['old'] })
})

it('counting in pages counts the same, and tells the sum after each full page', async () => {
  await database.query(...insertRows('a', 5), ...insertRows('b', 7))
  const whole = await readStatus(database.db)
  const sums: number[] = []
  expect(await readStatus(database.db, { counted: (sum) => sums.push(sum), pageRows: 5 })).toEqual(
    whole,
  )
  expect(sums).toEqual([5, 10])
})

it('the speed of a pass says how many seconds are left', async () => {
  await database.query(insertPass('a', { b: { rows: 300, done: 110, unopenable: 10 } }, null))
  expect(await readProgress(database.db, 300)).toMatchObject({
    rows: 300,
    done: 110,
    unopenable: 10,
    rows_per_second: 2,
    seconds_left: 90,
    finished_at: null,
  })
})

it('the progress is null before the job has run', async () => {
  expect(await readProgress(database.db, 300)).toBeNull()
})
