/** `npm run import`, started for real. `test/scripts/import/` has what it reads and reports. */

import { randomBytes } from 'node:crypto'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, beforeEach, expect, it } from 'vitest'
import { signToken } from '../../scripts/lib/token.ts'
import { startImport } from './imported.ts'

const move = startImport()
const { path, startProgram, startWorker, migrate, script, run, runWith, query } = move
const { fernet, csvOf, storedKeys, apiKeys, secrets } = move

const countStored = () => Number(query('SELECT count(*) AS rows FROM api_keys')[0]?.['rows'])

beforeAll(async () => {
  await migrate()
  await run('mv', '.wrangler', 'empty')
})
beforeEach(async () => {
  await run('sh', '-c', 'rm -rf .wrangler && cp -r empty .wrangler')
})

it('npm run import copies rows unchanged, and every key is the same after the rewrap job', async () => {
  const count = fernet.users.length
  const [user] = fernet.users
  if (user === undefined) throw new Error('There are too few rows')
  writeFileSync(path('users.csv'), csvOf(fernet.users))
  // One of the recorded keys is not an API key.
  const imported = script('import/command', 'users.csv')
  await expect(imported).rejects.toMatchObject({
    code: 1,
    stdout: expect.stringMatching(
      new RegExp(`^Keys added +${count}\\n(?:.*\\n)*Not usable +1\\n`, 'm'),
    ),
  })
  expect(await storedKeys()).toEqual(apiKeys)

  await using worker = await startWorker()
  const preview = async () => {
    const token = await signToken({ sub: user.id }, secrets.JWT_SECRET_KEY)
    const url = `${worker.url}/api/users/${encodeURIComponent(user.id)}/api-key`
    return (await fetch(url, { headers: { Authorization: `Bearer ${token}` } })).json()
  }
  const time = Number(Buffer.from(user.token, 'base64url').readBigUInt64BE(1))
  const expected = {
    has_api_key: true,
    api_key_preview: `${user.apiKey.slice(0, 8)}...`,
    api_key_updated_at: new Date(time * 1000).toISOString(),
    etag: expect.any(String),
  }
  expect(await preview()).toEqual(expected)
  for (let runs = 0; runs < 3; runs += 1) await worker.runJob()
  expect(await preview()).toEqual(expected)
  expect(query("SELECT count(*) AS rows FROM api_keys WHERE key_id = 'fernet'")).toEqual([
    { rows: 0 },
  ])
  expect(await storedKeys()).toEqual(apiKeys)
})

it.for(['SIGKILL', 'SIGINT'] as const)(
  'an import that %s stops can be run again',
  async (signal) => {
    // A batch holds about 45 of these.
    const long = fernet.users.find(({ token }) => token.length > 10_000)
    const token = long?.token ?? ''
    const users = Array.from({ length: 400 }, (_, index) => ({ id: `u${index}`, token }))
    writeFileSync(path('many.csv'), csvOf(users))
    await using stopped = startProgram([process.execPath, 'scripts/import/command.ts', 'many.csv'])
    while (countStored() === 0) await sleep(10)
    stopped.signal(signal)
    const { code, stderr } = await stopped.ended()
    expect(code).toBe(signal === 'SIGINT' ? 1 : null)
    expect(stderr.includes('The import was interrupted. Run it again')).toBe(signal === 'SIGINT')
    const rows = countStored()
    expect(rows).toBeGreaterThan(0)
    expect(rows).toBeLessThan(users.length)
    const printed = await script('import/command', 'many.csv')
    expect(printed).toMatch(/^Read +400\n/)
    expect(printed).toMatch(new RegExp(`^Already there +${rows}$`, 'm'))
    expect(countStored()).toBe(users.length)
  },
)

/** Locks the local database, as another program may. */
function lockDatabase(): DatabaseSync {
  const d1 = path('.wrangler/state/v3/d1/miniflare-D1DatabaseObject')
  const file = readdirSync(d1).find((name) => /^\w{64}\.sqlite$/.test(name)) ?? ''
  const database = new DatabaseSync(join(d1, file))
  database.exec('BEGIN EXCLUSIVE')
  return database
}

it('a command waits for a database that is locked for a moment', async () => {
  using database = lockDatabase()
  const command = startProgram([process.execPath, 'scripts/users.ts', 'list'])
  await command.waitFor('database is locked')
  database.exec('ROLLBACK')
  expect(await command.ended()).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('created_at'),
  })
})

it('an import into a database that stays locked says to run it again', async () => {
  writeFileSync(path('u.csv'), 'id,encrypted_api_key\n7,')
  using _ = lockDatabase()
  await expect(script('import/command', 'u.csv')).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringMatching(
      /D1_ERROR: .*\nD1 did not accept the rest.* Run the import again/,
    ),
  })
})

it('an import into a database without tables says to make them, and not to run it again', async () => {
  query('DROP TABLE d1_migrations')
  writeFileSync(path('u.csv'), 'id,encrypted_api_key\n7,')
  const error: { stdout: string; stderr: string } = await script('import/command', 'u.csv').catch(
    (e) => e,
  )
  expect(error.stderr).toContain('First run: npm run schema')
  expect(error.stdout + error.stderr).not.toMatch(/again/i)
})

it('the LEGACY_FERNET_KEY of the environment comes before the one of .dev.vars', async () => {
  writeFileSync(path('users.csv'), csvOf(fernet.users.slice(0, 3)))
  const LEGACY_FERNET_KEY = randomBytes(32).toString('base64url').concat('=')
  const command = [process.execPath, 'scripts/import/command.ts', 'users.csv']
  await expect(runWith({ LEGACY_FERNET_KEY }, ...command)).rejects.toMatchObject({
    stdout: '',
    stderr: expect.stringContaining('opens none of the first keys (3 tried)'),
  })
  expect(countStored()).toBe(0)
})
