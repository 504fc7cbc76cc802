import { expect, it } from 'vitest'
import { readStatus } from '../../../scripts/lib/key-status.ts'
import { describeUnopenable, findUnopenable } from '../../../scripts/lib/unopenable-keys.ts'
import { useDatabase } from '../database.ts'

const database = useDatabase()

const COUNTS = {
  new: { rows: 2, done: 1, unopenable: 1, lost: 1 },
  old: { rows: 3, done: 0, unopenable: 3, lost: 3 },
  some: { rows: 1, done: 0, unopenable: 1, lost: 1 },
  gone: { rows: 1, done: 0, unopenable: 1 },
}
const ROWS = [
  ['a', 'new'],
  ['b', 'old'],
  ['c', 'some'],
  ['d', 'new'],
  ['e', 'old'],
  ['f', 'some'],
  ['g', 'old'],
  ['h', 'gone'],
]

/** Stores rows, of which those of `old` are lost, those of `gone` lack their key, and one of `some` is new. */
async function storeRows(finishedAt: string | null): Promise<void> {
  await database.query(
    ...ROWS.flatMap(([userId, kid]) => [
      `INSERT INTO users (id) VALUES ('${userId}')`,
      `INSERT INTO api_keys (user_id, encrypted_api_key, key_id, updated_at)
        VALUES ('${userId}', 'v1.x', '${kid}', '2025')`,
    ]),
    `INSERT INTO rewrap (id, keyring, revision, counts, started_at, moved_at, finished_at)
      VALUES (1, 'new,old,some', 1, '${JSON.stringify(COUNTS)}', '2026', '2026',
        ${finishedAt === null ? 'NULL' : `'${finishedAt}'`})`,
  )
}

const usersOf = async () => {
  const { rows, keys } = await findUnopenable(database.db, await readStatus(database.db))
  return [
    rows,
    keys
      .map(({ user_id }) => user_id)
      .toSorted((one = '', other = '') => one.localeCompare(other))
      .join(''),
  ]
}

it('lists the rows of each kid of which a finished pass opened none that is left', async () => {
  await storeRows('2026')
  expect(await usersOf()).toEqual([4, 'begh'])
})

it('lists what earlier passes found while a pass is running', async () => {
  await storeRows(null)
  expect(await usersOf()).toEqual([3, 'beg'])
})

it('lists no row of a kid under which one was written since', async () => {
  await storeRows('2026')
  await database.query("UPDATE api_keys SET updated_at = '2026-01' WHERE user_id = 'e'")
  expect(await usersOf()).toEqual([1, 'h'])
})

it('lists none before the job has run', async () => {
  await storeRows('2026')
  await database.query('DELETE FROM rewrap')
  expect(await usersOf()).toEqual([0, ''])
})

it('names the team of a key, and the slot with its label', () => {
  const keys = [
    { team_id: 'acme', provider: 'openai:work', key_id: 'old' },
    { user_id: 'acme', provider: 'openai', key_id: 'old' },
  ]
  const lines = describeUnopenable({ rows: 2, keys }, { remote: true })
  expect(lines.slice(2)).toEqual(['  team "acme"  openai:work  (old)', '  "acme"  openai  (old)'])
})

it('lists a key of a team by the id of the team', async () => {
  await storeRows('2026')
  await database.query(
    "INSERT INTO users (id) VALUES ('team:h'), ('~team:h')",
    "UPDATE api_keys SET user_id = 'team:h', provider = 'openai:work' WHERE user_id = 'h'",
    "UPDATE api_keys SET user_id = '~team:h' WHERE user_id = 'g'",
  )
  const { keys } = await findUnopenable(database.db, await readStatus(database.db))
  expect(keys).toContainEqual({ team_id: 'h', provider: 'openai:work', key_id: 'gone' })
  expect(keys).toContainEqual({ user_id: 'team:h', provider: 'default', key_id: 'old' })
})

it('shows the first keys, and how to list the others', () => {
  const keys = Array.from({ length: 25 }, (_, index) => {
    return { user_id: `user ${index}\u001B`, provider: 'openai', key_id: 'old' }
  })
  const lines = describeUnopenable({ rows: 1_025, keys }, { remote: true })
  expect(lines).toHaveLength(23)
  expect(lines[1]).toMatch(/^1,025 stored keys do not open\./)
  expect(lines[2]).toBe(String.raw`  "user 0\u001b"  openai  (old)`)
  expect(lines.at(-1)).toBe('  1,005 more: npm run -s keys -- status --json --remote')
  expect(describeUnopenable({ rows: 0, keys: [] }, { remote: true })).toEqual([])
})
