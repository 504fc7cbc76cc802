import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { makeFernet } from '../crypto/make-fernet.ts'
import { startMove } from './moving-in.ts'

const { path, startDev, script, wrangler, run, query, fernet, csvOf, storedKeys, apiKeys } =
  startMove()

const importFile = async (name: string, ...args: string[]) =>
  script('import', name, ...args).catch(
    (error: { stdout: string }) => `refused something\n${error.stdout}`,
  )

const report = (...counts: number[]) =>
  new RegExp(
    ['Read', 'Users added', 'Keys added', 'Already there', 'Refused']
      .map((name, index) => `${name} +${counts[index]}`)
      .join('\\n'),
  )

/** Enough users for several batches. */
const COUNT = 40_000

const countStored = () => Number(query('SELECT count(*) AS rows FROM api_keys')[0]?.['rows'])

/** A D1 with empty tables. */
const newD1 = async () => run('sh', '-c', 'rm -rf .wrangler && cp -r empty .wrangler')

beforeAll(async () => {
  await wrangler('d1', 'migrations', 'apply', 'DB', '--local')
  await run('mv', '.wrangler', 'empty')
})
beforeEach(async () => void (await newD1()))

describe('npm run import', () => {
  const count = fernet.users.length

  it('imports rows unchanged, and every key is the same after the rewrap job', async () => {
    writeFileSync(path('users.csv'), csvOf(fernet.users))
    expect(await importFile('users.csv')).toMatch(report(count, count, count, 0, 0))
    expect(await storedKeys()).toEqual(apiKeys)

    const dev = await startDev()
    const preview = async () => {
      const id = fernet.users[0]?.id ?? ''
      const token = (await script('token', id)).trim()
      const url = `${dev.url}/api/users/${encodeURIComponent(id)}/api-key`
      return (await fetch(url, { headers: { Authorization: `Bearer ${token}` } })).json()
    }
    const time = Number(Buffer.from(fernet.users[0]?.token ?? '', 'base64url').readBigUInt64BE(1))
    const expected = {
      has_api_key: true,
      api_key_preview: `${fernet.users[0]?.apiKey.slice(0, 8)}...`,
      api_key_updated_at: new Date(time * 1000).toISOString(),
    }
    expect(await preview()).toEqual(expected)
    for (let runs = 0; runs < 3; runs += 1) await dev.runJob()
    expect(await preview()).toEqual(expected)
    await dev.stop()

    const [sealed] = query("SELECT count(*) AS rows FROM api_keys WHERE key_id = 'fernet'")
    expect(sealed).toEqual({ rows: 0 })
    expect(await storedKeys()).toEqual(apiKeys)
    expect(await importFile('users.csv')).toMatch(report(count, 0, 0, count, 0))
    expect(await storedKeys()).toEqual(apiKeys)
  })

  it('reads NDJSON and SQLite like CSV', async () => {
    const lines = fernet.users.map(({ id, token }) =>
      JSON.stringify({ id, encrypted_api_key: token }),
    )
    writeFileSync(path('users.ndjson'), `\uFEFF${lines.join('\n')}`)
    expect(await importFile('users.ndjson')).toMatch(report(count, count, count, 0, 0))
    expect(await storedKeys()).toEqual(apiKeys)

    await newD1()
    const database = new DatabaseSync(path('backend.db'))
    database.exec('CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, encrypted_api_key BLOB)')
    const insert = database.prepare('INSERT INTO users (id, encrypted_api_key) VALUES (?, ?)')
    fernet.users.forEach(({ token }, index) => insert.run(index + 1, Buffer.from(token)))
    insert.run(2 ** 53, null)
    database.close()
    expect(await importFile('backend.db')).toMatch(report(count + 1, count + 1, count, 0, 0))
    const byNumber = fernet.users.map(({ apiKey }, index) => [String(index + 1), apiKey] as const)
    expect(await storedKeys()).toEqual(new Map(byNumber))
    expect(query('SELECT id FROM users WHERE id > 2 ORDER BY id DESC LIMIT 1')).toEqual([
      { id: '9007199254740992' },
    ])
  })

  it('refuses malformed lines by their numbers, and quotes none of them', async () => {
    const [user] = fernet.users
    const late = Buffer.concat([Buffer.from([0x80, 0, 0, 1]), Buffer.alloc(69)])
    const lateToken = `${late.toString('base64url')}==`
    const lines = [
      { id: 'plain', encrypted_api_key: 'sk-plain-0123456789' },
      { id: '', encrypted_api_key: user?.token },
      { id: 'nobody' },
      { id: 'keyless', encrypted_api_key: null },
      { id: 7, encrypted_api_key: user?.token },
      { id: 'cut', encrypted_api_key: user?.token.slice(0, -4) },
      { id: 'long', encrypted_api_key: 'x'.repeat(5_000_000) },
      { id: 'x'.repeat(1_001), encrypted_api_key: null },
      ['a list'],
      { id: 'lone \ud800', encrypted_api_key: null },
      { id: 'late', encrypted_api_key: lateToken },
    ].map((line) => JSON.stringify(line))
    writeFileSync(path('bad.ndjson'), [...lines, '{"id": ', ''].join('\n'))
    const printed = await importFile('bad.ndjson')
    expect(printed).toMatch(/^refused something/)
    expect(printed).toMatch(report(12, 2, 1, 0, 10))
    expect(printed.split('\n').slice(7, -1)).toEqual([
      '  line 1 has a key that is not a Fernet token',
      '  line 2 has no id',
      '  line 3 has no readable key: a user without a key needs null, or an empty field in CSV',
      '  line 6 has a key that is not a Fernet token',
      '  line 7 has a token over 16384 characters',
      '  line 8 has an id over 1000 characters',
      '  line 9 is not a JSON object',
      '  line 10 has an id that is not well-formed Unicode',
      '  line 11 has a key that is not a Fernet token',
      '  line 12 is not a JSON object',
    ])
  })

  it.for([
    ['without its columns', 'id,key\n1,x', 'lacks encrypted_api_key. It has: id, key. Name'],
    ['without a header', '7,sk-proj-0123,x\n', 'must name the columns. Two of them must be id'],
    ['of one JSON array', '[\n{"id": "7"}]', "one object per line: jq -c '.[]' latin.csv"],
    ['in another encoding', Buffer.from([0x69, 0x64, 0xe9]), 'latin.csv is not UTF-8'],
    ['of broken quotes', 'id,encrypted_api_key\n"1"x,\n', 'is not CSV at line 2'],
    ['without users', 'id,encrypted_api_key\n', 'latin.csv has no users'],
    ['that is not SQLite', Buffer.from('SQLite format 3\0'), 'file is not a database'],
  ] as const)('refuses a file %s as a whole', async ([, content, message]) => {
    writeFileSync(path('latin.csv'), content)
    await expect(script('import', 'latin.csv')).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(new RegExp(`^(?!.*sk-proj).*${RegExp.escape(message)}`, 's')),
    })
    expect(query('SELECT count(*) AS rows FROM users')).toEqual([{ rows: 0 }])
  })

  it('refuses an uneven line and continues, and reads the repr of bytes as their text', async () => {
    const [one, other] = fernet.users
    const lines = ['id,encrypted_api_key', 'a,b,c', `x,b'${one?.token}'`, 'y', `z,${other?.token}`]
    writeFileSync(path('uneven.csv'), lines.join('\n'))
    const printed = await importFile('uneven.csv')
    expect(printed).toMatch(report(4, 2, 2, 0, 2))
    expect(printed).toContain('line 2 does not have as many fields as the first line')
    expect(printed).toContain('line 4 does not have as many fields as the first line')
    expect(await storedKeys()).toEqual(
      new Map([
        ['x', one?.apiKey],
        ['z', other?.apiKey],
      ]),
    )
  })

  it('neither overwrites a newer key nor restores a deleted one, but a newer file replaces a key', async () => {
    const [one, other, third, fourth] = fernet.users
    if (!one || !other || !third || !fourth) throw new Error('There are too few rows')
    writeFileSync(path('users.csv'), csvOf([one, other, third, fourth]))
    await importFile('users.csv')
    const where = ({ id }: { id: string }) => `user_id = '${id.replaceAll("'", "''")}'`
    query(`UPDATE api_keys SET encrypted_api_key = 'newer',
      updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '+1 minute') WHERE ${where(one)}`)
    query(`DELETE FROM api_keys WHERE ${where(other)}`)
    query(`UPDATE imported_keys SET saved_at = '2001-01-01T00:00:00.000Z'
      WHERE user_id IN (SELECT user_id FROM api_keys WHERE ${where(one)} OR ${where(third)})`)
    query(`UPDATE api_keys SET encrypted_api_key = 'older',
      updated_at = '2001-01-01T00:00:00.000Z' WHERE ${where(third)}`)
    expect(await importFile('users.csv')).toMatch(report(4, 0, 1, 2, 0))
    const rows = query('SELECT user_id, encrypted_api_key FROM api_keys ORDER BY user_id')
    expect(new Map(rows.map((row) => [row['user_id'], row['encrypted_api_key']]))).toEqual(
      new Map([
        [one.id, 'newer'],
        [third.id, third.token],
        [fourth.id, fourth.token],
      ]),
    )
  })

  it.for(['SIGKILL', 'SIGINT'] as const)('can be stopped by %s and run again', async (signal) => {
    const [user] = fernet.users
    const token = user?.token ?? ''
    const users = Array.from({ length: COUNT }, (_, i) => ({ id: `u${i}`, token }))
    writeFileSync(path('many.csv'), csvOf(users))
    const cwd = path('')
    const killed = spawn(process.execPath, ['scripts/import.ts', 'many.csv'], { cwd })
    const exited = once(killed, 'exit')
    let printed = ''
    killed.stderr.on('data', (chunk) => (printed += String(chunk)))
    while (countStored() === 0 && killed.exitCode === null) await sleep(20)
    killed.kill(signal)
    await exited
    const rows = countStored()
    expect(rows).toBeGreaterThan(0)
    expect(rows).toBeLessThan(COUNT)
    expect(printed.includes('The import was interrupted. Run it again')).toBe(signal === 'SIGINT')
    expect(await importFile('many.csv')).toMatch(/Read +40,000\n/)
    expect(countStored()).toBe(COUNT)
  })

  it('skips a removed user, even in a newer file, until the user is added again', async () => {
    const [one, other] = fernet.users
    if (!one || !other) throw new Error('There are too few rows')
    writeFileSync(path('users.csv'), csvOf([one, other]))
    await importFile('users.csv')
    expect(await script('users', 'remove', one.id)).toContain('keys deleted: 1')
    expect(await importFile('users.csv')).toMatch(report(2, 0, 0, 2, 0))
    query("UPDATE imported_keys SET saved_at = '2001' WHERE provider <> ''")
    expect(await importFile('users.csv')).toMatch(report(2, 0, 0, 1, 0))
    expect(query('SELECT id FROM users')).toEqual([{ id: other.id }])
    query("UPDATE imported_keys SET saved_at = '2099' WHERE provider <> ''")
    expect(await script('users', 'add', one.id)).toContain('Added')
    expect(await importFile('users.csv')).toMatch(report(2, 0, 1, 1, 0))
  })

  it('notes the kid of a row that it replaces, since that may be the last unreadable one', async () => {
    const [user] = fernet.users
    if (!user) throw new Error('There are too few rows')
    writeFileSync(path('users.csv'), csvOf([user]))
    await importFile('users.csv')
    query(`UPDATE api_keys SET key_id = 'lost', updated_at = '2001';
      UPDATE imported_keys SET saved_at = '2001';
      INSERT INTO key_ids (key_id, state) VALUES ('lost', 'settled')`)
    await importFile('users.csv')
    expect(query("SELECT state FROM key_ids WHERE key_id = 'lost'")).toEqual([{ state: 'in_use' }])
  })

  it('imports keys into the slots that the option and the column name, several per user too', async () => {
    const [one, other, third] = fernet.users
    const rows = [
      ['id', 'encrypted_api_key', 'provider'],
      ['a', one?.token, ''],
      ['a', other?.token, 'anthropic'],
      ['b', third?.token, 'NULL'],
      ['c', one?.token, 'Not A Name'],
      ['d', one?.token, 'acme'],
    ]
    writeFileSync(path('slots.csv'), rows.map((row) => row.join(',')).join('\n'))
    const importSlots = async () =>
      importFile('slots.csv', '--provider', 'openai', '--provider-column', 'provider')
    const printed = await importSlots()
    expect(printed).toMatch(report(5, 3, 4, 0, 1))
    expect(printed).toContain('line 5 has a provider whose name is not lower-case')
    expect(printed).toContain('The provider acme is not built in: add it to PROVIDERS.')
    const slots = () => query('SELECT user_id, provider FROM api_keys ORDER BY 1, 2')
    const expected = [
      { user_id: 'a', provider: 'anthropic' },
      { user_id: 'a', provider: 'openai' },
      { user_id: 'b', provider: 'openai' },
      { user_id: 'd', provider: 'acme' },
    ]
    expect(slots()).toEqual(expected)
    query("DELETE FROM api_keys WHERE provider = 'anthropic'")
    expect(await importSlots()).toMatch(report(5, 0, 0, 4, 1))
    expect(slots()).toEqual(expected.slice(1))
    await expect(script('import', 'slots.csv', '--provider', 'No Name')).rejects.toMatchObject({
      code: 2,
    })
  })

  it('warns once about UUIDs without hyphens', async () => {
    const ids = ['00112233445566778899aabbccddeeff', 'ffeeddccbbaa99887766554433221100']
    writeFileSync(
      path('uuids.csv'),
      ['id,encrypted_api_key', ...ids.map((id) => `${id},`)].join('\n'),
    )
    expect(await importFile('uuids.csv')).toContain('2 ids look like UUIDs without hyphens.')
  })

  it('reads a table of another name, and lists the existing tables', async () => {
    const [user] = fernet.users
    const database = new DatabaseSync(path('flask.db'))
    database.exec('CREATE TABLE "user" (id TEXT, encrypted_api_key TEXT, provider TEXT)')
    database.prepare('INSERT INTO "user" VALUES (?, ?, ?)').run('7', user?.token ?? '', 'Google')
    database.close()
    await expect(script('import', 'flask.db')).rejects.toMatchObject({
      stderr: 'flask.db has no table users. It has: user. Name the right one with --table.\n',
    })
    expect(await importFile('flask.db', '--table', 'user', '--provider', 'openai')).toMatch(
      report(1, 1, 1, 0, 0),
    )
    expect(query('SELECT provider FROM api_keys')).toEqual([{ provider: 'openai' }])
  })

  it.for<[name: string, file: string, setUp: () => void, message: string]>([
    ['a file that does not exist', 'absent.csv', () => {}, 'absent.csv does not exist'],
    ['a folder', 'src', () => {}, 'src is not a file'],
    [
      'no tables',
      'u.csv',
      () => void query('DROP TABLE d1_migrations'),
      'First run: npm run schema',
    ],
  ])(
    'says what is wrong, and does not suggest to run it again: %s',
    async ([, file, setUp, message]) => {
      writeFileSync(path('u.csv'), 'id,encrypted_api_key\n7,')
      setUp()
      const error: { stdout: string; stderr: string } = await script('import', file).catch((e) => e)
      expect(error.stderr).toContain(message)
      expect(error.stdout + error.stderr).not.toMatch(/again/i)
    },
  )

  it('says to run it again if the database is busy', async () => {
    writeFileSync(path('u.csv'), 'id,encrypted_api_key\n7,')
    const d1 = path('.wrangler/state/v3/d1/miniflare-D1DatabaseObject')
    const file = readdirSync(d1).find((name) => /^\w{64}\.sqlite$/.test(name)) ?? ''
    using database = new DatabaseSync(join(d1, file))
    database.exec('BEGIN EXCLUSIVE')
    await expect(script('import', 'u.csv')).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /D1_ERROR: .*\nD1 did not accept the rest.* Run the import again/,
      ),
    })
  })

  describe('LEGACY_FERNET_KEY', () => {
    const importWith = async (key: string | undefined) => {
      writeFileSync(path('users.csv'), csvOf(fernet.users.slice(0, 3)))
      const set = key === undefined ? '' : `LEGACY_FERNET_KEY=${key} `
      const command = `mv .dev.vars kept; ${set}node scripts/import.ts users.csv 2>&1; code=$?; mv kept .dev.vars; exit $code`
      return run('sh', '-c', command).catch(
        (error: { stdout: string }) => `failed\n${error.stdout}`,
      )
    }

    it('stops the import before it writes anything if it opens nothing', async () => {
      const printed = await importWith(randomBytes(32).toString('base64url').concat('='))
      expect(printed).toMatch(/^failed\nLEGACY_FERNET_KEY opens none of the first keys \(3 tried\)/)
      expect(countStored()).toBe(0)
    })

    it('stops the import if it opens nothing, even if thousands of users without keys come first', async () => {
      const keyless = Array.from({ length: 11_000 }, (_, index) => `u${index},`)
      const lines = ['id,encrypted_api_key', ...keyless, `v,${fernet.users[0]?.token}`]
      writeFileSync(path('late.csv'), lines.join('\n'))
      const key = randomBytes(32).toString('base64url').concat('=')
      const command = `LEGACY_FERNET_KEY=${key} node scripts/import.ts late.csv`
      await expect(run('sh', '-c', command)).rejects.toMatchObject({
        stdout: '',
        stderr: expect.stringContaining('opens none of the first keys (1 tried)'),
      })
      expect(query('SELECT count(*) AS rows FROM users')).toEqual([{ rows: 0 }])
    })

    it.for(['sk-secret', fernet.key.slice(0, -1)])(
      'stops the import if it is malformed',
      async (key) => {
        expect(await importWith(key)).toBe(
          'failed\nLEGACY_FERNET_KEY is not a Fernet key: 32 bytes in base64url, 44 characters\n',
        )
      },
    )

    it('lets the import say that keys were not checked if it is not set', async () => {
      expect(await importWith(undefined)).toContain(
        'No key was checked, because LEGACY_FERNET_KEY is not set in .dev.vars.',
      )
      expect(countStored()).toBe(3)
    })

    it('lets the import report each line that it does not open, or that is not a key', async () => {
      const [user] = fernet.users
      const key = Buffer.from(fernet.key, 'base64url')
      const encrypt = async (text: string, by: Uint8Array = key) =>
        makeFernet(by, new Uint8Array(16), 1_700_000_000, new TextEncoder().encode(text))
      const tokens = [
        user?.token,
        await encrypt('sk-other', randomBytes(32)),
        await encrypt(''),
        await encrypt('"sk-quoted"'),
        await encrypt(`${await encrypt('sk-twice')}\n`),
      ]
      const lines = tokens.map((token, index) => `u${index},${token}`)
      writeFileSync(path('mixed.csv'), ['id,encrypted_api_key', ...lines].join('\n'))
      const printed = await importFile('mixed.csv')
      expect(printed).toMatch(/^refused something/)
      expect(printed.split('\n').slice(6)).toEqual([
        'Not usable               3',
        '  line 3 has a key that LEGACY_FERNET_KEY does not open',
        '  line 4 has a key whose decrypted text is empty',
        '  line 5 has a key whose decrypted text comes with quotes: send the key alone',
        '',
      ])
      expect(countStored()).toBe(5)
    })
  })
})
