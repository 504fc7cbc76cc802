import { emptyVault, env } from '../isolate.ts'
import { expect, it } from 'vitest'
import { run } from '../../src/store/d1.ts'
import { selectUser, selectUsers } from '../../src/store/users.ts'
import { someUser } from '../support.ts'

it('a user who exists is one row, and another one is none', async () => {
  expect((await run(env.DB, selectUser(await someUser()))).results).toHaveLength(1)
  expect((await run(env.DB, selectUser('absent'))).results).toEqual([])
})

it('users whom an application adds get random identities', async () => {
  for (const id of ['one', 'two']) {
    // oxlint-disable-next-line no-await-in-loop -- one user after the other
    await env.DB.prepare('INSERT INTO users (id) VALUES (?1)').bind(id).run()
  }
  const sql = "SELECT identity FROM users WHERE id IN ('one', 'two')"
  const { results } = await env.DB.prepare(sql).all<{ identity: string }>()
  const identities = new Set(results.map(({ identity }) => identity))
  expect(identities.size).toBe(2)
  for (const identity of identities) expect(identity).toMatch(/^[0-9a-f]{32}$/)
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
  expect((await run(env.DB, selectUsers('', 2))).results).toEqual([
    { id: 'a', createdAt, keys: 0 },
    { id: 'b', createdAt, keys: 2 },
  ])
  expect((await run(env.DB, selectUsers('', 9))).results).toHaveLength(3)
  expect((await run(env.DB, selectUsers('b', 9))).results).toEqual([
    { id: 'c', createdAt, keys: 0 },
  ])
})

it('the list has users or teams, and reads no row of a user for a list of teams', async () => {
  await emptyVault()
  const ids = ['a', 'team:a', 'team:b', 'team;', '~team:a', '~~team:a', 'tea', 'Team:a']
  const add = env.DB.prepare('INSERT INTO users (id) VALUES (?1)')
  await env.DB.batch(ids.map((id) => add.bind(id)))
  const list = async (...given: Parameters<typeof selectUsers>) => {
    const { results, meta } = await run(env.DB, selectUsers(...given))
    return { ids: results.map(({ id }) => id), read: meta.rows_read }
  }
  const users = ['Team:a', 'a', 'tea', 'team;', '~team:a', '~~team:a']
  expect((await list('', 9)).ids).toEqual(users)
  expect((await list('tea', 2)).ids).toEqual(['team;', '~team:a'])
  const { ids: teams, read } = await list('', 9, 'team')
  expect(teams).toEqual(['team:a', 'team:b'])
  expect(read).toBeLessThanOrEqual(2 * teams.length)
  expect((await list('team:a', 9, 'team')).ids).toEqual(['team:b'])
})

it('a page of users or teams reads the rows of its kind alone', async () => {
  await emptyVault()
  const [users, teams] = [
    ['team', 'team;', 'tean', '~team:x'],
    ['team:a', 'team:\u{10FFFF}\u{10FFFF}', ...Array.from({ length: 20 }, (_, n) => `team:t${n}`)],
  ]
  await env.DB.batch(
    [...users, ...teams].map((id) => env.DB.prepare('INSERT INTO users (id) VALUES (?1)').bind(id)),
  )
  const list = async (...asked: Parameters<typeof selectUsers>) => {
    const { results, meta } = await run(env.DB, selectUsers(...asked))
    return { ids: results.map(({ id }) => id), reads: meta.rows_read }
  }
  expect(await list('', 9)).toMatchObject({ ids: users })
  expect(await list('team', 9)).toMatchObject({ ids: users.slice(1) })
  expect(await list('tean', 9)).toMatchObject({ ids: users.slice(3) })
  expect((await list('', 9)).reads).toBeLessThan(10)
  expect((await list('', 99, 'team')).ids.toSorted()).toEqual(teams.toSorted())
  expect((await list('team:t9', 9, 'team')).ids).toEqual(['team:\u{10FFFF}\u{10FFFF}'])
})
