import { emptyVault, env } from '../isolate.ts'
import { expect, it } from 'vitest'
import { run } from '../../src/store/d1.ts'
import { deleteUser, insertUser, selectUser, selectUsers } from '../../src/store/users.ts'
import { someKey, someKeyUser, someUser } from '../support.ts'

it('a user is added once', async () => {
  const userId = crypto.randomUUID()
  expect((await run(env.DB, insertUser(userId))).meta.changes).toBe(1)
  expect((await run(env.DB, insertUser(userId))).meta.changes).toBe(0)
})

it('a user who exists is one row, and another one is none', async () => {
  expect((await run(env.DB, selectUser(await someUser()))).results).toHaveLength(1)
  expect((await run(env.DB, selectUser('absent'))).results).toEqual([])
})

it('a deletion takes the user with all keys, and leaves other users', async () => {
  const [userId, other] = [await someKeyUser(someKey()), await someKeyUser(someKey())]
  expect((await run(env.DB, deleteUser(userId))).results).toHaveLength(1)
  expect((await run(env.DB, deleteUser(userId))).results).toEqual([])
  const keys = 'SELECT user_id FROM api_keys WHERE user_id IN (?1, ?2)'
  const { results } = await env.DB.prepare(keys).bind(userId, other).all()
  expect(results).toEqual([{ user_id: other }])
  expect((await run(env.DB, selectUser(other))).results).toHaveLength(1)
})

it('the list has the first users by id, with the number of their keys', async () => {
  await emptyVault()
  const add = env.DB.prepare("INSERT INTO users (id, created_at) VALUES (?1, '2026-01-01')")
  const addKey = env.DB.prepare(
    `INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id)
     VALUES (?1, ?2, 'sealed', 'kid')`,
  )
  await env.DB.batch([
    ...['c', 'a', 'b'].map((userId) => add.bind(userId)),
    ...['default', 'openai'].map((provider) => addKey.bind('b', provider)),
  ])
  const createdAt = '2026-01-01'
  expect((await run(env.DB, selectUsers(2))).results).toEqual([
    { id: 'a', createdAt, keys: 0 },
    { id: 'b', createdAt, keys: 2 },
  ])
  expect((await run(env.DB, selectUsers(9))).results).toHaveLength(3)
})
