/** The statements that only the commands run: `keys`, `users` and the migration. */

import { emptyVault, env } from '../isolate.ts'
import { beforeEach, expect, it } from 'vitest'
import { countRowsAfter, selectNthRowAfter, START } from '../../src/store/api-keys.ts'
import { run, type Statement } from '../../src/store/d1.ts'
import { countGone } from '../../src/store/gone-keys.ts'
import { noteAllKids, selectKids } from '../../src/store/kids.ts'
import { selectPass, toPass, upsertPass } from '../../src/store/rewrap.ts'
import { selectUsers } from '../../src/store/users.ts'

const read = async <Row>(statement: Statement<Row>) => (await run(env.DB, statement)).results

/** A slot of a user with the sealed key, under a kid. */
type Stored = [userId: string, provider: string, sealed: string, kid: string]

// The first user id is before any letter.
const ROWS: readonly Stored[] = [
  ['!', 'openai', 'v1.one.a', 'one'],
  ['a', 'default', 'v1.one.b', 'one'],
  ['a', 'openai', 'gAAAAc', 'fernet'],
  ['b', 'openai', 'other', 'two'],
]

beforeEach(async () => {
  await emptyVault()
  const users = [...new Set(ROWS.map(([userId]) => userId)), 'c']
  const addUser = env.DB.prepare("INSERT INTO users (id, created_at) VALUES (?1, '2026-01-01')")
  const addKey = env.DB.prepare(
    'INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id) VALUES (?1, ?2, ?3, ?4)',
  )
  await env.DB.batch([
    ...users.map((userId) => addUser.bind(userId)),
    ...ROWS.map((row) => addKey.bind(...row)),
  ])
})

it('counts rows by kid and form, from the first row or after one', async () => {
  expect(await read(countRowsAfter(START, 10))).toEqual([
    { kid: 'fernet', version: 'fernet', rows: 1 },
    { kid: 'one', version: 'v1', rows: 2 },
    { kid: 'two', version: 'unknown', rows: 1 },
  ])
  expect(await read(countRowsAfter({ userId: 'a', provider: 'default' }, 1))).toEqual([
    { kid: 'fernet', version: 'fernet', rows: 1 },
  ])
})

it('finds the last of the next rows, if there are so many', async () => {
  expect(await read(selectNthRowAfter(START, 1))).toEqual([{ userId: '!', provider: 'openai' }])
  expect(await read(selectNthRowAfter(START, 4))).toEqual([{ userId: 'b', provider: 'openai' }])
  expect(await read(selectNthRowAfter(START, 5))).toEqual([])
})

it('notes the kids of all rows, and lists them by name', async () => {
  await env.DB.prepare("INSERT INTO key_ids (key_id, state) VALUES ('one', 'unused')").run()
  await run(env.DB, noteAllKids())
  expect(await read(selectKids())).toEqual([
    { kid: 'fernet', state: 'in_use' },
    { kid: 'one', state: 'in_use' },
    { kid: 'two', state: 'in_use' },
  ])
})

it('lists users with the number of their keys', async () => {
  const createdAt = '2026-01-01'
  expect(await read(selectUsers(2))).toEqual([
    { id: '!', createdAt, keys: 1 },
    { id: 'a', createdAt, keys: 2 },
  ])
  expect((await read(selectUsers(10))).at(-1)).toEqual({ id: 'c', createdAt, keys: 0 })
})

it('reads the pass that has begun', async () => {
  expect(await read(selectPass())).toEqual([])
  await run(env.DB, upsertPass('one', '2026-01-01'))
  expect((await read(selectPass())).map(toPass)).toMatchObject([
    { keyring: 'one', startedAt: '2026-01-01', counts: { one: { rows: 2 } } },
  ])
})

it('counts the tombstones', async () => {
  const [before] = await read(countGone())
  await env.DB.prepare(
    "INSERT INTO gone_keys (user_id, provider, version, gone_at) VALUES ('a', 'openai', '1', '2')",
  ).run()
  const [after] = await read(countGone())
  expect(after?.count).toBe((before?.count ?? 0) + 1)
})
