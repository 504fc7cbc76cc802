/** `npm run import`, in this process. `test/node/import.slow.test.ts` starts the command itself. */

import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { expect, it } from 'vitest'
import { makeFernet } from '../../import/make-fernet.ts'
import { csvOf } from '../../node/fernet.ts'
import { watchBatches } from '../database.ts'
import { useImports } from './imports.ts'
import { runScript, type Ended } from '../run-script.ts'

const { fernet, database, importText, importUsers, countOf } = useImports()
const [ONE, TWO, THREE, FOUR] = fernet.users
const LONG = fernet.users.find(({ token }) => token.length > 10_000)
if (!ONE || !TWO || !THREE || !FOUR || !LONG) throw new Error('There are too few rows')
const count = fernet.users.length

const reportOf = (...counts: number[]) =>
  new RegExp(
    ['Read', 'Users added', 'Keys added', 'Already there', 'Refused']
      .map((name, index) => `${name} +${counts[index]}`)
      .join('\\n'),
  )

/** The stored tokens by user. */
async function tokens(): Promise<Map<unknown, unknown>> {
  const rows = await database().query('SELECT user_id, encrypted_api_key FROM api_keys')
  return new Map(rows.map((row) => [row['user_id'], row['encrypted_api_key']]))
}

const tokensOf = (users: typeof fernet.users) => new Map(users.map(({ id, token }) => [id, token]))

it('CSV is imported unchanged, and importing it again changes nothing', async () => {
  expect((await importUsers(fernet.users)).stdout).toMatch(reportOf(count, count, count, 0, 0))
  expect(await tokens()).toEqual(tokensOf(fernet.users))
  expect((await importUsers(fernet.users)).stdout).toMatch(reportOf(count, 0, 0, count, 0))
  expect(await tokens()).toEqual(tokensOf(fernet.users))
})

it('NDJSON is imported like CSV', async () => {
  const lines = fernet.users.map(({ id, token }) =>
    JSON.stringify({ id, encrypted_api_key: token }),
  )
  const { stdout } = await importText('users.ndjson', `\uFEFF${lines.join('\n')}`)
  expect(stdout).toMatch(reportOf(count, count, count, 0, 0))
  expect(await tokens()).toEqual(tokensOf(fernet.users))
})

it('the report names rows of SQLite, which has no lines', async () => {
  {
    using file = new DatabaseSync('rows.db')
    file.exec('CREATE TABLE users (id TEXT, encrypted_api_key TEXT)')
    file.exec("INSERT INTO users VALUES ('ann', 'not a token')")
  }
  const { stdout } = await runScript(['import/command', 'rows.db'], database().db)
  expect(stdout).toMatch(/^ {2}row 1 has a key that is not a Fernet token; /m)
  expect(stdout).toContain('--json lists the users of these rows.')
  expect(stdout).toContain('mend their rows, and run the import again.')
})

it('SQLite is imported like CSV, with numbers as ids, also one over 2^53', async () => {
  {
    using file = new DatabaseSync('backend.db')
    file.exec('CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, encrypted_api_key BLOB)')
    const insert = file.prepare('INSERT INTO users (id, encrypted_api_key) VALUES (?, ?)')
    fernet.users.forEach(({ token }, index) => insert.run(index + 1, Buffer.from(token)))
    insert.run(2 ** 53, null)
  }
  const { stdout } = await runScript(['import/command', 'backend.db'], database().db)
  expect(stdout).toMatch(reportOf(count + 1, count + 1, count, 0, 0))
  const byNumber = fernet.users.map(({ token }, index) => ({
    id: String(index + 1),
    token,
    apiKey: '',
  }))
  expect(await tokens()).toEqual(tokensOf(byNumber))
  expect(await database().query("SELECT id FROM users WHERE id LIKE '9%'")).toEqual([
    { id: '9007199254740992' },
  ])
})

it('a table of another name is imported, and an error lists the tables that there are', async () => {
  {
    using file = new DatabaseSync('flask.db')
    file.exec('CREATE TABLE "user" (id TEXT, encrypted_api_key TEXT, provider TEXT)')
    file.prepare('INSERT INTO "user" VALUES (?, ?, ?)').run('7', ONE.token, 'Google')
  }
  expect(await runScript(['import/command', 'flask.db'], database().db)).toMatchObject({
    code: 1,
    stderr: 'flask.db has no table users. It has: user. Name the right one with --table.\n',
  })
  const options = ['--table', 'user', '--provider', 'openai']
  const { stdout } = await runScript(['import/command', 'flask.db', ...options], database().db)
  expect(stdout).toMatch(reportOf(1, 1, 1, 0, 0))
  expect(await database().query('SELECT provider FROM api_keys')).toEqual([{ provider: 'openai' }])
})

it('malformed lines are refused by their numbers, and none is quoted', async () => {
  const late = Buffer.concat([Buffer.from([0x80, 0, 0, 1]), Buffer.alloc(69)])
  const lateToken = `${late.toString('base64url')}==`
  const lines = [
    { id: 'plain', encrypted_api_key: 'sk-plain-0123456789' },
    { id: '', encrypted_api_key: ONE.token },
    { id: 'nobody' },
    { id: 'keyless', encrypted_api_key: null },
    { id: 7, encrypted_api_key: ONE.token },
    { id: 'cut', encrypted_api_key: ONE.token.slice(0, -4) },
    { id: 'long', encrypted_api_key: 'x'.repeat(500_000) },
    { id: 'x'.repeat(1_001), encrypted_api_key: null },
    ['a list'],
    { id: 'lone \ud800', encrypted_api_key: null },
    { id: 'late', encrypted_api_key: lateToken },
  ].map((line) => JSON.stringify(line))
  const content = [...lines, '{"id": ', ''].join('\n')
  const { code, stdout } = await importText('bad.ndjson', content)
  expect(code).toBe(1)
  expect(stdout).toMatch(reportOf(12, 7, 1, 0, 10))
  const kept = '; its user is there without this key'
  expect(stdout.split('\n').slice(5, -1)).toEqual([
    'Without a key            5',
    'Not usable               0',
    `  line 1 has a key that is not a Fernet token${kept}`,
    '  line 2 has no id',
    `  line 3 has no readable key: a user without a key needs null, or an empty field in CSV${kept}`,
    `  line 6 has a key that is not a Fernet token${kept}`,
    `  line 7 has a token over 16384 characters${kept}`,
    '  line 8 has an id over 1000 characters',
    '  line 9 is not a JSON object',
    '  line 10 has an id that is not well-formed Unicode',
    `  line 11 has a key that is not a Fernet token${kept}`,
    '  line 12 is not a JSON object',
    '--json lists the users of these lines.',
    'To add the keys that were refused, mend their lines, and run the import again.',
  ])
  const users = await database().query('SELECT id FROM users ORDER BY id')
  const ids = ['7', 'cut', 'keyless', 'late', 'long', 'nobody', 'plain']
  expect(users).toEqual(ids.map((id) => ({ id })))
})

it('an import of the mended line adds the key, and a refused line changes no key', async () => {
  const lines = (...cells: string[]) => ['id,encrypted_api_key', ...cells].join('\n')
  const broken = lines(`a,${ONE.token.slice(0, -4)}`, `b,${TWO.token}`)
  expect((await importText('a.csv', broken)).stdout).toMatch(reportOf(2, 2, 1, 0, 1))
  expect(await tokens()).toEqual(new Map([['b', TWO.token]]))
  expect((await importText('a.csv', broken)).stdout).toMatch(reportOf(2, 0, 0, 1, 1))
  const mended = lines(`a,${ONE.token}`, `b,${TWO.token}`)
  expect((await importText('a.csv', mended)).stdout).toMatch(reportOf(2, 0, 1, 1, 0))
  const all = new Map([
    ['a', ONE.token],
    ['b', TWO.token],
  ])
  expect(await tokens()).toEqual(all)
  expect((await importText('a.csv', broken)).stdout).toMatch(reportOf(2, 0, 0, 1, 1))
  expect(await tokens()).toEqual(all)
})

it('a refused line does not bring back a user who was removed here', async () => {
  await importUsers([ONE])
  await runScript(['users', 'remove', ONE.id, '--yes'], database().db)
  const content = JSON.stringify({ id: ONE.id, encrypted_api_key: 'x' })
  expect((await importText('a.ndjson', content)).stdout).toMatch(reportOf(1, 0, 0, 0, 1))
  expect(await countOf('users')).toBe(0)
})

it('two keys for one user and slot are reported, and the newer one counts', async () => {
  const key = Buffer.from(fernet.key, 'base64url')
  const make = async (text: string, seconds: number) =>
    makeFernet(key, new Uint8Array(16), seconds, Buffer.from(text))
  const [older, newer] = [await make('sk-1', 1_700_000_000), await make('sk-2', 1_700_000_001)]
  const rows = [`a,${newer}`, `a,${older}`, `b,${older}`, `b,${older}`, `c,${older}`, 'c,']
  const content = ['id,encrypted_api_key', ...rows].join('\n')
  const { code, stdout } = await importText('twice.csv', content)
  expect(code).toBe(1)
  expect(stdout.split('\n').filter((line) => line.startsWith('  '))).toEqual([
    '  line 3 has a user and a slot that came before, with another key: the newer key counts',
  ])
  expect(await tokens()).toEqual(
    new Map([
      ['a', newer],
      ['b', older],
      ['c', older],
    ]),
  )
})

it('--json is the report as a program reads it, with the users of its lines', async () => {
  const key = randomBytes(32)
  const foreign = await makeFernet(key, new Uint8Array(16), 1_700_000_000, Buffer.from('sk-1'))
  const rows = [`a,${ONE.token}`, `b,${foreign}`, 'c,sk-plain', ` d ,${ONE.token}`]
  const content = ['id,encrypted_api_key', ...rows].join('\n')
  const { code, stdout } = await importText('a.csv', content, '--json')
  expect(code).toBe(1)
  const slot = { provider: 'default' }
  expect(JSON.parse(stdout)).toEqual({
    read: 4,
    users_added: 3,
    keys_added: 2,
    already_there: 0,
    refused: [
      { line: 4, reason: 'has a key that is not a Fernet token', user_id: 'c', ...slot },
      {
        line: 5,
        reason: 'has an id with spaces around it: remove them',
        user_id: null,
        provider: null,
      },
    ],
    not_usable: [
      { line: 3, reason: 'has a key that LEGACY_FERNET_KEY does not open', user_id: 'b', ...slot },
    ],
    repeated: [],
    missing: [],
    hints: ['To add the keys that were refused, mend their lines, and run the import again.'],
  })
})

it('an uneven line is refused, the others are imported, and the repr of bytes is their text', async () => {
  const lines = ['id,encrypted_api_key', 'a,b,c', `x,b'${ONE.token}'`, 'y', `z,${TWO.token}`]
  const { stdout } = await importText('uneven.csv', lines.join('\n'))
  expect(stdout).toMatch(reportOf(4, 2, 2, 0, 2))
  expect(stdout).toContain('line 2 does not have as many fields as the first line')
  expect(stdout).toContain('line 4 does not have as many fields as the first line')
  expect(await tokens()).toEqual(
    new Map([
      ['x', ONE.token],
      ['z', TWO.token],
    ]),
  )
})

it.for([
  ['that lacks its columns', 'id,key\n1,x', 'lacks encrypted_api_key. It has: id, key. Name'],
  ['that lacks a header', '7,sk-proj-0123,x\n', 'must name the columns. Two of them must be id'],
  ['of one JSON array', '[\n{"id": "7"}]', "one object per line: jq -c '.[]' latin.csv"],
  ['in another encoding', Buffer.from([0x69, 0x64, 0xe9]), 'latin.csv is not UTF-8'],
  ['of broken quotes', 'id,encrypted_api_key\n"1"x,\n', 'is not CSV at line 2'],
  ['that lacks users', 'id,encrypted_api_key\n', 'latin.csv has no users'],
  ['that is not SQLite', Buffer.from('SQLite format 3\0'), 'file is not a database'],
] as const)('a file %s is refused as a whole', async ([, content, message]) => {
  const { code, stderr } = await importText('latin.csv', content)
  expect(code).toBe(1)
  expect(stderr).toContain(message)
  expect(stderr).not.toContain('sk-proj')
  expect(await countOf('users')).toBe(0)
})

it.for([
  ['a file that does not exist', 'absent.csv', 'absent.csv does not exist'],
  ['a folder', '.', '. is not a file'],
])('%s is refused, and nobody is told to run the import again', async ([, file = '', message]) => {
  const { code, stdout, stderr } = await runScript(['import/command', file], database().db)
  expect([code, stdout, stderr]).toEqual([1, '', `${message}\n`])
})

it('a newer key is not overwritten and a deleted one not restored, but a newer file replaces a key', async () => {
  await importUsers([ONE, TWO, THREE, FOUR])
  const where = ({ id }: { id: string }) => `user_id = '${id.replaceAll("'", "''")}'`
  await database().query(
    `UPDATE api_keys SET encrypted_api_key = 'newer',
      updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '+1 minute') WHERE ${where(ONE)}`,
    `DELETE FROM api_keys WHERE ${where(TWO)}`,
    `UPDATE imported_keys SET saved_at = '2001-01-01T00:00:00.000Z'
      WHERE user_id IN (SELECT user_id FROM api_keys WHERE ${where(ONE)} OR ${where(THREE)})`,
    `UPDATE api_keys SET encrypted_api_key = 'older',
      updated_at = '2001-01-01T00:00:00.000Z' WHERE ${where(THREE)}`,
  )
  const { stdout } = await importUsers([ONE, TWO, THREE, FOUR])
  expect(stdout).toMatch(reportOf(4, 0, 1, 2, 0))
  expect(await tokens()).toEqual(
    new Map([
      [ONE.id, 'newer'],
      [THREE.id, THREE.token],
      [FOUR.id, FOUR.token],
    ]),
  )
})

it('a removed user is skipped, even in a newer file, until the user is added again', async () => {
  await importUsers([ONE, TWO])
  const users = async (...args: string[]) =>
    (await runScript(['users', ...args], database().db)).stdout
  const again = async () => (await importUsers([ONE, TWO])).stdout
  expect(await users('remove', ONE.id, '--yes')).toContain('keys deleted: 1')
  expect(await again()).toMatch(reportOf(2, 0, 0, 2, 0))
  await database().query("UPDATE imported_keys SET saved_at = '2001' WHERE provider <> ''")
  expect(await again()).toMatch(reportOf(2, 0, 0, 1, 0))
  expect(await database().query('SELECT id FROM users')).toEqual([{ id: TWO.id }])
  await database().query("UPDATE imported_keys SET saved_at = '2099' WHERE provider <> ''")
  expect(await users('add', ONE.id)).toContain('Added')
  expect(await again()).toMatch(reportOf(2, 0, 1, 1, 0))
})

it('an import asks for a pass of the job, because its keys may be older than the last one', async () => {
  await database().query(
    `INSERT INTO rewrap (id, keyring, revision, counts, started_at, moved_at, finished_at)
     VALUES (1, 'a', 1, '{}', '2026', '2026', '2026')`,
  )
  const asked = async () => database().query('SELECT asked_at FROM rewrap')
  expect(await asked()).toEqual([{ asked_at: null }])
  await importUsers([ONE])
  expect(await asked()).toEqual([{ asked_at: expect.stringMatching(/^20.*Z$/) }])
})

it('a key that an import replaces has a tombstone, and the new one another identity', async () => {
  await importUsers([ONE])
  const identity = async () => (await database().query('SELECT identity FROM api_keys'))[0]
  const earlier = await identity()
  await database().query(
    "UPDATE api_keys SET updated_at = '2001'",
    "UPDATE imported_keys SET saved_at = '2001'",
    "UPDATE heartbeat SET at = '2026'",
  )
  expect((await importUsers([ONE])).stdout).toMatch(reportOf(1, 0, 1, 0, 0))
  expect(await database().query('SELECT cause, identity FROM gone_keys')).toEqual([
    { cause: 'operator', ...earlier },
  ])
  expect(await identity()).not.toEqual(earlier)
})

it('keys go into the slots that the option and the column name, several per user too', async () => {
  const rows = [
    ['id', 'encrypted_api_key', 'provider'],
    ['a', ONE.token, ''],
    ['a', TWO.token, 'anthropic'],
    ['b', THREE.token, 'NULL'],
    ['c', ONE.token, 'Not A Name'],
    ['d', ONE.token, 'acme'],
  ]
  const content = rows.map((row) => row.join(',')).join('\n')
  const options = ['--provider', 'openai', '--provider-column', 'provider']
  const { stdout } = await importText('slots.csv', content, ...options)
  expect(stdout).toMatch(reportOf(5, 4, 4, 0, 1))
  expect(stdout).toContain('line 5 has a provider whose name is not lower-case')
  expect(stdout).toContain('The provider acme is not built in: add it to PROVIDERS.')
  const slots = async () => database().query('SELECT user_id, provider FROM api_keys ORDER BY 1, 2')
  const expected = [
    { user_id: 'a', provider: 'anthropic' },
    { user_id: 'a', provider: 'openai' },
    { user_id: 'b', provider: 'openai' },
    { user_id: 'd', provider: 'acme' },
  ]
  expect(await slots()).toEqual(expected)
  await database().query("DELETE FROM api_keys WHERE provider = 'anthropic'")
  const again = await importText('slots.csv', content, ...options)
  expect(again.stdout).toMatch(reportOf(5, 0, 0, 4, 1))
  expect(await slots()).toEqual(expected.slice(1))
})

/** More users than a batch holds. */
const MANY = Array.from({ length: 60 }, (_, index) => ({ ...LONG, id: `u${index}` }))

/** Imports many users, and calls `then` with how many batches were written after each. */
async function importMany(then: (batches: number) => void): Promise<Ended> {
  writeFileSync('users.csv', csvOf(MANY))
  let batches = 0
  const db = watchBatches(database().db, () => {
    batches += 1
    then(batches)
  })
  return runScript(['import/command', 'users.csv'], db)
}

const SAID = 'Imports the users of users.csv into the database.\n'

it('an import that is interrupted ends after its batch, and the next one imports the rest', async () => {
  const { code, stdout, stderr } = await importMany(() => void process.emit('SIGINT'))
  const message = `${SAID}The import was interrupted. Run it again to import the rest.\n`
  expect([code, stderr]).toEqual([1, message])
  const written = Number(await countOf('api_keys'))
  expect(written).toBeGreaterThan(0)
  expect(written).toBeLessThan(MANY.length)
  expect(stdout).toMatch(new RegExp(`^Keys added +${written}$`, 'm'))
  const rest = MANY.length - written
  expect((await importUsers(MANY)).stdout).toMatch(reportOf(60, rest, rest, written, 0))
})

it('an import that D1 refuses later says what it wrote, and to run it again', async () => {
  const { code, stdout, stderr } = await importMany((batches) => {
    if (batches === 2) throw new Error('D1_ERROR: database is locked: SQLITE_BUSY')
  })
  expect(code).toBe(1)
  expect(stderr.replace(SAID, '')).toMatch(
    /^D1_ERROR: .*\nD1 did not accept the rest.* Run the import again/,
  )
  expect(stdout).toMatch(/^Users added +\d\d$/m)
})

it('UUIDs that lack hyphens are warned of once', async () => {
  const ids = ['00112233445566778899aabbccddeeff', 'ffeeddccbbaa99887766554433221100']
  const lines = ['id,encrypted_api_key', ...ids.map((id) => `${id},`)]
  const { stdout } = await importText('uuids.csv', lines.join('\n'))
  expect(stdout).toContain('2 ids look like UUIDs without hyphens.')
})

it.for([[[]], [['a', 'b']], [['a', '--provider', 'No Name']]])(
  'prints its usage for the arguments %j',
  async ([args = []]) => {
    const { code, stdout, stderr } = await runScript(['import/command', ...args])
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(/^Usage: npm run import --/m)
  },
)
