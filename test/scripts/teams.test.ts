import { expect, it } from 'vitest'
import { useDatabase } from './database.ts'
import { runScript } from './run-script.ts'

const database = useDatabase()

const teams = async (...args: string[]) => runScript(['teams', ...args], database.db)
const users = async (...args: string[]) => runScript(['users', ...args], database.db)

/** A user and a team of one id, with a key each, and a user whose id begins like a team. */
async function addBoth() {
  await users('add', 'acme')
  await users('add', 'team:acme')
  const key = (owner: string, provider: string) =>
    `INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id)
      VALUES ('${owner}', '${provider}', 'v1.a.SEALED', '0123456789ab')`
  await database.query(
    "INSERT INTO users (id, created_at) VALUES ('team:acme', '2026-10-01T08:00:00.000Z')",
    key('acme', 'openai'),
    key('team:acme', 'openai'),
    key('team:acme', 'openai:work'),
  )
}

it('users and teams are listed by their own commands', async () => {
  await addBoth()
  expect((await users('list')).stdout).toMatch(
    /^created_at\tkeys\tid\n\S+\t1\t"acme"\n\S+\t0\t"team:acme"\n$/,
  )
  expect((await teams('list')).stdout).toBe(
    'created_at\tkeys\tid\n2026-10-01T08:00:00.000Z\t2\t"acme"\n',
  )
})

it('a team is removed with its keys, and the users stay', async () => {
  await addBoth()
  expect(await teams('remove', 'acme', '--yes')).toMatchObject({
    stdout: 'Removed acme; keys deleted: 2\n',
  })
  expect(await teams('remove', 'acme', '--yes')).toMatchObject({
    code: 1,
    stderr: 'There is no team acme\n',
  })
  expect((await teams('trace', 'acme')).stdout).toMatch(
    /^ {2}removed_users +1 {2}an HMAC of the id; until npm run import -- --finish$/m,
  )
  const left = await database.query('SELECT id FROM users ORDER BY id')
  expect(left).toEqual([{ id: 'acme' }, { id: '~team:acme' }])
  expect(await users('remove', 'team:acme', '--yes')).toMatchObject({ code: 0 })
  expect(await database.query('SELECT user_id FROM api_keys')).toEqual([{ user_id: 'acme' }])
})

it('a team is traced, shown and exported under its id', async () => {
  await addBoth()
  const trace = (await teams('trace', 'acme')).stdout
  expect(trace).toMatch(/^Rows of the database that name the team:$/m)
  expect(trace).toMatch(
    /^ {2}api_keys +2 {2}sealed; until the key is deleted, or the team removed$/m,
  )
  expect((await teams('trace', 'other')).stdout).toContain(
    'Nothing in the database names this team.',
  )
  expect((await teams('show', 'acme')).stdout).toMatch(
    /^"acme" {2}added 2026-10-01\S+\n\nKeys\n {2}openai {2}.*\n {2}openai:work {2}/,
  )
  await database.query(
    "UPDATE users SET own_keys = 0, tokens_since = '2026-10-02' WHERE id = 'team:acme'",
  )
  const { stdout } = await teams('export', 'acme')
  const [team, ...lines] = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(team).toMatchObject({
    type: 'team',
    team_id: 'acme',
    created_at: '2026-10-01T08:00:00.000Z',
    own_keys: false,
    tokens_since: '2026-10-02',
  })
  expect(lines.map(({ type, provider }) => [type, provider])).toEqual([
    ['key', 'openai'],
    ['key', 'openai:work'],
    ['end', undefined],
  ])
})

it.for([[[]], [['add', 'acme']], [['constructor', 'acme']], [['list', 'x']], [['show']]])(
  'the command teams prints its usage for the arguments %j',
  async ([args = []]) => {
    const { code, stdout, stderr } = await teams(...args)
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(/^Usage: npm run teams --/m)
  },
)

it('the list of teams is JSON for a program', async () => {
  const { code, stdout } = await teams('list', '--json')
  expect([code, JSON.parse(stdout)]).toEqual([0, { teams: [] }])
})
