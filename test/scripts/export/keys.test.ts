/** `npm run keys -- export`, in this process. `test/node/move.slow.test.ts` starts the command itself. */

import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createKeyring } from '../../../src/crypto/keyring.ts'
import { sealKey } from '../../../src/crypto/seal.ts'
import { importFernetKey, openFernet, readFernetTime } from '../../../src/import/fernet.ts'
import { makeFernet } from '../../import/make-fernet.ts'
import { useDatabase, watchBatches } from '../database.ts'
import { enterFolder, runScript } from '../run-script.ts'

const database = useDatabase()
const [ENCRYPTION_KEY, OTHER] = [randomBytes(32), randomBytes(32)]
const [FERNET, LEGACY] = [randomBytes(32), randomBytes(32)]
const keyring = await createKeyring([ENCRYPTION_KEY])
const fernetText = (key: Buffer) => `${key.toString('base64url')}=`
const SAVED_AT = '2026-01-02T03:04:05.678Z'

let folder: ReturnType<typeof enterFolder>
beforeEach(async () => {
  folder = enterFolder()
  writeFileSync('fernet.key', fernetText(FERNET))
  setSecrets(ENCRYPTION_KEY)
  await setPass()
})
afterEach(() => folder.leave())

function setSecrets(key: Buffer): void {
  writeFileSync(
    '.dev.vars',
    `API_KEY_ENCRYPTION_KEY=${key.toString('base64')}\nLEGACY_FERNET_KEY=${fernetText(LEGACY)}\n`,
  )
}

/** What the job found at its last pass. */
async function setPass(defaultProvider: string | null = null): Promise<void> {
  const provider = defaultProvider === null ? 'NULL' : `'${defaultProvider}'`
  await database.query(
    `INSERT OR REPLACE INTO rewrap (id, keyring, default_provider, revision, counts, started_at, moved_at)
     VALUES (1, 'a', ${provider}, 1, '{}', '2026', '2026')`,
  )
}

const quote = (value: string | null) =>
  value === null ? 'NULL' : `'${value.replaceAll("'", "''")}'`

interface Stored {
  provider?: string
  updated_at?: string
  expires_at?: string
  paused_at?: string
  /** Whether it is sealed as an import left it. */
  isImported?: boolean
}

/** Stores a key. */
async function store(userId: string, apiKey: string, given: Stored = {}): Promise<void> {
  const { isImported = false, provider = 'default', ...columns } = given
  const token = async () =>
    makeFernet(LEGACY, new Uint8Array(16), 1_700_000_000, new TextEncoder().encode(apiKey))
  const { sealed, kid } = isImported
    ? { sealed: await token(), kid: 'fernet' }
    : await sealKey(keyring, { userId, provider }, apiKey)
  const row = {
    user_id: userId,
    provider,
    encrypted_api_key: sealed,
    key_id: kid,
    updated_at: SAVED_AT,
    identity: `key of ${userId} ${provider}`,
    ...columns,
  }
  await database.query(
    `INSERT OR IGNORE INTO users (id) VALUES (${quote(userId)})`,
    `INSERT INTO api_keys (${Object.keys(row).join(', ')}) VALUES (${Object.values(row).map(quote).join(', ')})`,
  )
}

const command = (...args: string[]) => [
  'keys',
  'export',
  '--fernet-key-file',
  'fernet.key',
  '--out',
  'keys.csv',
  ...args,
]
/** What it asks. */
const ASKED =
  "Writes every user's key of the database to keys.csv, readable with the key in fernet.key.\n"

const exportKeys = async (db: D1Database = database.db) => runScript(command('--yes'), db)

/** The exported keys by the quoted id. */
async function exported(): Promise<Map<string | undefined, string | null>> {
  const [header, ...lines] = readFileSync('keys.csv', 'utf8').trimEnd().split('\n')
  expect(header).toBe('id,encrypted_api_key')
  const keys = [await importFernetKey(FERNET)]
  const entries = lines.map(async (line) => {
    const [, id, token = ''] = /^(".*"),(\S+)$/.exec(line) ?? []
    return [id, await openFernet(keys, token)] as const
  })
  return new Map(await Promise.all(entries))
}

const counts = (...values: number[]) =>
  ['Written', 'Expired', 'Gone', 'Unreadable', 'Changed', 'Other slots']
    .map((name, index) => `${name.padEnd(14)}${String(values[index]).padStart(12)}\n`)
    .join('')

/** The database, on which `run` stands for the statement that notes the exports. */
function atNote(run: (note: () => Promise<D1Result>) => Promise<D1Result>): D1Database {
  const prepare = (sql: string) => {
    const statement = database.db.prepare(sql)
    if (!sql.includes("'exported'")) return statement
    const bind = (...values: unknown[]) => ({
      all: async () => run(async () => statement.bind(...values).all()),
    })
    return { bind }
  }
  return new Proxy(
    watchBatches(database.db, () => {}),
    {
      get: (target, name) => (name === 'prepare' ? prepare : Reflect.get(target, name)),
    },
  )
}

const eventsOf = async () => database.query('SELECT user_id, event, actor FROM api_key_events')

it('keys of teams and keys with a label are left out, and a user id is written as it was imported', async () => {
  await setPass('openai')
  await store('team:acme', 'sk-acme', { provider: 'openai' })
  await store('~team:acme', 'sk-like', { provider: 'openai' })
  await store('~team:acme', 'sk-work', { provider: 'openai:work' })
  const { code, stdout } = await exportKeys()
  expect([code, stdout]).toEqual([0, expect.stringContaining(counts(1, 0, 0, 0, 0, 2))])
  expect(await exported()).toEqual(new Map([['"team:acme"', 'sk-like']]))
})

it('the keys of the plain route are written, whatever sealed them, each with its event and its time', async () => {
  await store('ann', 'sk-ann')
  await store(`bob "b", it's`, 'sk-bob', { isImported: true })
  await store('cat', 'sk-cat', { provider: 'openai' })
  const { code, stdout } = await exportKeys()
  expect(stdout).toBe(
    `${counts(2, 0, 0, 0, 0, 1)}Remove keys.csv when the Flask backend has its keys.\n`,
  )
  expect(code).toBe(0)
  expect(await exported()).toEqual(
    new Map([
      ['"ann"', 'sk-ann'],
      [`"bob ""b"", it's"`, 'sk-bob'],
    ]),
  )
  const [, token = ''] = /"ann",(\S+)/.exec(readFileSync('keys.csv', 'utf8')) ?? []
  expect(readFernetTime(token)?.toISOString()).toBe('2026-01-02T03:04:05.000Z')
  expect(statSync('keys.csv').mode & 0o777).toBe(0o600)
  expect(await eventsOf()).toEqual(
    ['ann', `bob "b", it's`].map((user_id) => ({ user_id, event: 'exported', actor: 'operator' })),
  )
})

it('with DEFAULT_PROVIDER, the key of that slot is written, or one of the plain route that was saved later', async () => {
  await setPass('openai')
  await store('ann', 'sk-moved', { provider: 'openai' })
  await store('bob', 'sk-earlier', { provider: 'openai' })
  await store('bob', 'sk-later', { updated_at: '2026-01-02T03:04:05.679Z' })
  await store('cat', 'sk-same-time', { provider: 'openai' })
  await store('cat', 'sk-plain')
  await store('dan', 'sk-plain-alone')
  expect((await exportKeys()).code).toBe(0)
  expect(await exported()).toEqual(
    new Map([
      ['"ann"', 'sk-moved'],
      ['"bob"', 'sk-later'],
      ['"cat"', 'sk-same-time'],
      ['"dan"', 'sk-plain-alone'],
    ]),
  )
})

it('expired, gone and unreadable keys are left out, counted, and not noted', async () => {
  await store('ann', 'sk-ann')
  await store('expired', 'sk-expired', { expires_at: '2026-01-03T00:00:00.000Z' })
  await store('gone', 'sk-gone')
  await store('text', 'not a key', { isImported: true })
  await store('lost', 'sk-lost')
  await database.query(
    `INSERT INTO gone_keys (cause, identity) VALUES ('operator', 'key of gone default')`,
    `UPDATE api_keys SET encrypted_api_key = encrypted_api_key || 'A' WHERE user_id = 'lost'`,
  )
  const { code, stdout } = await exportKeys()
  expect(stdout).toContain(counts(1, 1, 1, 2, 0, 0))
  expect(code).toBe(1)
  expect(await exported()).toEqual(new Map([['"ann"', 'sk-ann']]))
  expect(await eventsOf()).toMatchObject([{ user_id: 'ann' }])
})

it('an earlier key counts if the later one is gone', async () => {
  await setPass('openai')
  await store('ann', 'sk-earlier', { provider: 'openai', updated_at: '2026-01-01T00:00:00.000Z' })
  await store('ann', 'sk-gone')
  await database.query("INSERT INTO gone_keys (identity) VALUES ('key of ann default')")
  expect((await exportKeys()).code).toBe(0)
  expect(await exported()).toEqual(new Map([['"ann"', 'sk-earlier']]))
})

it('keys that have limits here are written, and counted', async () => {
  await store('ann', 'sk-ann', { paused_at: '2026-01-03T00:00:00.000Z' })
  await store('bob', 'sk-bob', { expires_at: '9999-01-01T00:00:00.000Z' })
  const { stdout } = await exportKeys()
  expect(stdout).toContain(
    'Written, but paused or limited here: 2. The Flask backend does not know that.\n',
  )
  expect((await exported()).size).toBe(2)
})

it('a key that is replaced between the reading and the note is left out', async () => {
  await store('ann', 'sk-ann')
  await store('bob', 'sk-bob')
  const replace = async () =>
    database.query("UPDATE api_keys SET identity = 'another' WHERE user_id = 'bob'")
  // The note is the statement after the reading.
  const db = atNote(async (note) => {
    await replace()
    return note()
  })
  const { code, stdout } = await exportKeys(db)
  expect(stdout).toContain('Some keys were replaced or deleted meanwhile. Export again')
  expect(code).toBe(1)
  expect([...(await exported()).keys()]).toEqual(['"ann"'])
})

it('no file is left if no key can be written, and the missing encryption key is named', async () => {
  await store('ann', 'sk-ann')
  setSecrets(OTHER)
  const { code, stdout } = await exportKeys()
  expect(code).toBe(1)
  expect(stdout).toContain(
    `API_KEY_ENCRYPTION_KEY lacks the key that opens rows under ${keyring.sealing.kid}.\n` +
      'No key was written, so there is no keys.csv.\n',
  )
  expect(existsSync('keys.csv')).toBe(false)
})

it('no file is left if D1 fails after a page, and no key is in the error', async () => {
  await store('ann', 'sk-ann')
  const db = atNote(async () => {
    throw new Error('D1_ERROR: database is locked')
  })
  const { code, stdout, stderr } = await exportKeys(db)
  expect([code, stdout, stderr]).toEqual([1, '', `${ASKED}D1_ERROR: database is locked\n`])
  expect(existsSync('keys.csv')).toBe(false)
})

it('an export that is interrupted leaves no file', async () => {
  await store('ann', 'sk-ann')
  const db = watchBatches(database.db, () => {
    if (existsSync('keys.csv')) process.emit('SIGTERM')
  })
  const { code, stderr } = await exportKeys(db)
  const message = `${ASKED}The export was interrupted, and its file removed.\n`
  expect([code, stderr]).toEqual([1, message])
  expect(existsSync('keys.csv')).toBe(false)
})

it('nothing is exported while deleted keys may be in a restored database', async () => {
  await store('ann', 'sk-ann')
  await database.query("UPDATE heartbeat SET at = '2026-01-01T00:00:00.000Z'")
  const { code, stderr } = await exportKeys()
  expect(code).toBe(1)
  expect(stderr).toContain('the job has not run since 2026-01-01T00:00:00.000Z, so deleted keys')
  expect(existsSync('keys.csv')).toBe(false)
  expect(await eventsOf()).toEqual([])
  await database.query("UPDATE heartbeat SET at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')")
  expect((await exportKeys()).code).toBe(0)
})

it('nothing is exported before the job has told which slot the plain route has', async () => {
  await store('ann', 'sk-ann')
  await database.query('DELETE FROM rewrap')
  expect(await exportKeys()).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('DEFAULT_PROVIDER is unknown'),
  })
})

it('an export asks first, and a program has to add --yes', async () => {
  await store('ann', 'sk-ann')
  const { code, stderr } = await runScript(command(), database.db)
  expect(code).toBe(1)
  expect(stderr).toBe(`${ASKED}Add --yes if that is right.\n`)
  expect(existsSync('keys.csv')).toBe(false)
  expect(await eventsOf()).toEqual([])
})

it.for<[what: string, change: () => void, message: string]>([
  ['a folder that git tracks', () => mkdirSync('.git'), 'which git tracks'],
  ['a file that exists', () => writeFileSync('keys.csv', 'mine'), 'exists already'],
  ['no Fernet key', () => writeFileSync('fernet.key', 'sk-secret'), 'does not have one Fernet key'],
  [
    'an encryption key of the vault',
    () => writeFileSync('fernet.key', fernetText(ENCRYPTION_KEY)),
    'has an encryption key of the vault',
  ],
  ['no secrets', () => writeFileSync('.dev.vars', ''), 'API_KEY_ENCRYPTION_KEY is not set in .dev'],
  [
    'a secret of another form',
    () => writeFileSync('.dev.vars', 'API_KEY_ENCRYPTION_KEY=sk-secret'),
    'API_KEY_ENCRYPTION_KEY is not a key',
  ],
])('an export with %s is refused before it asks', async ([, change, message]) => {
  change()
  const { code, stderr } = await runScript(command(), database.db)
  expect(code).toBe(1)
  expect(stderr).toContain(message)
  expect(stderr).not.toMatch(/sk-secret|Add --yes/)
})

it.for([[['--out', 'keys.csv']], [['--fernet-key-file', 'fernet.key']]] as const)(
  'an export with %j alone prints the usage',
  async ([args]) => {
    const { code, stderr } = await runScript(['keys', 'export', ...args], database.db)
    expect([code, stderr]).toEqual([2, expect.stringMatching(/^Usage: npm run keys --/m)])
  },
)
