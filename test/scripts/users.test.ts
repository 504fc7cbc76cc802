import { expect, it } from 'vitest'
import { runScript } from './run-script.ts'
import { useDatabase } from './database.ts'

const database = useDatabase()

const users = async (...args: string[]) => runScript(['users', ...args], database.db)

it('adds, lists and removes a user, whose id has any characters', async () => {
  const id = `o'neil|"é"; DROP TABLE users`
  expect(await users('add', id)).toEqual({
    code: 0,
    stdout: `Added ${id}\n`,
    stderr: `Adds the user ${id} to the database.\n`,
  })
  expect(await users('add', id)).toMatchObject({ code: 0, stdout: `${id} is there already\n` })
  expect((await users('list')).stdout).toContain(`\t0\t${JSON.stringify(id)}\n`)
  expect(await users('remove', id, '--yes')).toMatchObject({
    stdout: `Removed ${id}; keys deleted: 0\n`,
  })
  expect((await users('list')).stdout).not.toContain("o'neil")
  expect(await users('remove', id, '--yes')).toMatchObject({
    code: 1,
    stderr: `There is no user ${id}\n`,
  })
})

it('lists how many keys each user has, and says how many were removed with the user', async () => {
  await users('add', 'ann')
  const insert = (provider: string) =>
    `INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id)
      VALUES ('ann', '${provider}', 'v1.a.AAAA', 'a')`
  await database.query(insert('openai'), insert('gemini'))
  expect((await users('list')).stdout).toMatch(/^created_at\tkeys\tid\n20\S+\t2\t"ann"\n$/)
  expect((await users('remove', 'ann', '--yes')).stdout).toBe('Removed ann; keys deleted: 2\n')
  expect(await database.query('SELECT * FROM api_keys')).toEqual([])
})

it('leaves tombstones of a removed user and of the keys, which name nobody', async () => {
  await users('add', 'ann')
  await database.query(
    "INSERT INTO api_keys (user_id, encrypted_api_key, key_id) VALUES ('ann', 'v1.a.AAAA', 'a')",
    "UPDATE heartbeat SET at = '2026'",
  )
  const expected = await database.query(
    "SELECT 'operator' AS cause, identity FROM (SELECT identity FROM users UNION SELECT identity FROM api_keys)",
  )
  await users('remove', 'ann', '--yes')
  const gone = await database.query('SELECT * FROM gone_keys ORDER BY identity')
  expect(gone).toEqual(expected)
  expect(gone).toHaveLength(2)
  expect(JSON.stringify(gone)).not.toContain('ann')
})

it.for(['.', '..', 'a\ud800'])('refuses to add the user %j, whom no URL can name', async (id) => {
  expect(await users('add', id)).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^The user id /),
  })
})

it.for([[[]], [['add']], [['list', 'x']], [['ad', 'x']], [['add', 'x', 'y']]])(
  'prints its usage for the arguments %j',
  async ([args = []]) => {
    const { code, stdout, stderr } = await users(...args)
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(/^Usage: npm run users --/m)
  },
)

it('a removal asks first, and names the user, the keys and the database', async () => {
  await users('add', 'ann')
  const { code, stdout, stderr } = await users('remove', 'ann')
  expect([code, stdout]).toEqual([1, ''])
  expect(stderr).toBe(
    'Removes the user ann from the database, with all keys and events. Keys: 0. No import adds the user again.\n' +
      'Add --yes if that is right.\n',
  )
  expect(await database.query('SELECT id FROM users')).toEqual([{ id: 'ann' }])
})

it('a user is added to the deployed database after a question alone', async () => {
  const asked = await users('add', 'ann', '--remote')
  expect(asked).toMatchObject({ code: 1, stdout: '' })
  expect(asked.stderr).toContain('Add --yes if that is right.')
  expect(await users('add', 'ann', '--remote', '--yes')).toMatchObject({ code: 0 })
})

it('list, show and trace print JSON for a program', async () => {
  await users('add', 'ann')
  const read = async (...args: string[]) => JSON.parse((await users(...args, '--json')).stdout)
  const created_at = expect.stringMatching(/^20/)
  expect(await read('list')).toEqual({ users: [{ id: 'ann', created_at, keys: 0 }] })
  const nothing = { keys: [], imports: [], events: [], has_older_events: false }
  expect(await read('show', 'ann')).toEqual({ user_id: 'ann', created_at, ...nothing })
  const { tables } = await read('trace', 'ann')
  expect(tables).toContainEqual({ table: 'users', rows: 1, until: 'until the user is removed' })
  expect(tables).toContainEqual({ table: 'api_keys', rows: 0, until: null })
})
