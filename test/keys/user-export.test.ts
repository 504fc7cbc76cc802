/** The export of a user: every line, its parts, and what the tables hold besides. */

import { beforeEach, describe, expect, it } from 'vitest'
import { saveSlot } from '../../src/keys/save.ts'
import { exportLines, type Line } from '../../src/keys/user-export.ts'
import { readTables } from '../all-stored.ts'
import { env } from '../isolate.ts'
import {
  call,
  interceptD1,
  mintToken,
  ownerOf,
  PROVIDER,
  recordLogs,
  someEncryptionKey,
  someUser,
  stopClock,
  tightLimiter,
} from '../support.ts'
import { exportPath, readExport } from './exported-user.ts'
import { someHistory, someOwner, time } from './key-owner.ts'

beforeEach(stopClock)

const etag = expect.stringMatching(/^"[0-9a-f]{32}\.[1-9]\d*"$/)
const kid = expect.stringMatching(/^[0-9a-f]{12}$/)
const types = (lines: readonly { type?: unknown }[]) => lines.map(({ type }) => type)

/** What the row of a key says that nobody has used. */
const UNUSED = {
  type: 'key',
  position: 0,
  api_key_updated_at: time,
  etag,
  status: 'unverified',
  last_used_at: null,
  last_verified_at: null,
  key_id: kid,
}

async function note(userId: string, provider: string, savedAt: string) {
  await env.DB.prepare(
    'INSERT INTO imported_keys (user_id, provider, saved_at) VALUES (?1, ?2, ?3)',
  )
    .bind(userId, provider, savedAt)
    .run()
}

it('exports the user, each filled slot, what imports noted and the events, and ends with an end', async () => {
  const { userId, put, putPlain, limit } = await someOwner()
  await putPlain('sk-short')
  await put('openai', 'sk-proj-0123456789abcdef', '?verify=false')
  await limit('openai', {
    paused: true,
    callers: ['binding:chat'],
    max_uses: { count: 5, per: 'day' },
    expires_at: '2999-01-01T00:00:00Z',
  })
  await note(userId, 'openai', '2026-01-02T03:04:05.000Z')
  const lines = await readExport(userId)
  expect(lines.slice(0, 4)).toEqual([
    {
      type: 'user',
      user_id: userId,
      exported_at: time,
      created_at: time,
      identity: expect.stringMatching(/^[0-9a-f]{32}$/),
    },
    {
      ...UNUSED,
      provider: 'default',
      has_api_key: true,
      api_key_preview: '****',
      has_fingerprint: false,
    },
    {
      ...UNUSED,
      provider: 'openai',
      has_api_key: true,
      api_key_preview: 'sk-proj-...',
      api_key_last4: 'cdef',
      paused_at: time,
      callers: ['binding:chat'],
      max_uses: { count: 5, per: 'day', used: 0 },
      expires_at: '2999-01-01T00:00:00.000Z',
      has_fingerprint: true,
    },
    { type: 'import', provider: 'openai', saved_at: '2026-01-02T03:04:05.000Z' },
  ])
  expect(lines.slice(4)).toMatchObject([
    { type: 'event', event: 'paused', provider: 'openai', by: 'owner', at: time },
    { type: 'event', event: 'saved', provider: 'openai' },
    { type: 'event', event: 'saved', provider: 'default' },
    { type: 'end', next_cursor: null },
  ])
})

it('exports an expired key, one whose provider was removed, and its base URL', async () => {
  const userId = await someUser()
  const owner = await ownerOf(userId)
  const key = { apiKey: 'sk-proj-0123456789abcdef', verify: false }
  await saveSlot(owner, 'acme', { ...key, expiresAt: '2020-01-01T00:00:00.000Z' })
  await saveSlot(owner, 'own', { ...key, baseUrl: PROVIDER })
  const vault = { PROVIDERS: { openai: { origin: PROVIDER } } }
  expect((await readExport(userId, { vault })).slice(1, 3)).toMatchObject([
    { provider: 'acme', expires_at: '2020-01-01T00:00:00.000Z', same_key_in: ['own'] },
    { provider: 'own', base_url: PROVIDER, api_key_last4: 'cdef', same_key_in: ['acme'] },
  ])
})

it('exports what the rows of keys that do not open say', async () => {
  const { userId, put, limit } = await someOwner()
  await put('openai', 'sk-proj-0123456789abcdef', '?verify=false')
  await put('acme', 'sk-acme-0123456789abcdef', '?verify=false')
  await limit('openai', { paused: true })
  const spoil = `UPDATE api_keys SET encrypted_api_key = encrypted_api_key || 'AAAA'
    WHERE user_id = ?1 AND provider = 'acme'`
  await env.DB.prepare(spoil).bind(userId).run()
  recordLogs()
  const unreadable = { ...UNUSED, has_api_key: false, error: 'Invalid encrypted key' }
  const read = async (vault: Partial<Env>) => (await readExport(userId, { vault })).slice(1, 3)
  expect(await read({})).toMatchObject([
    { ...unreadable, provider: 'acme', reason: 'cannot_be_decrypted' },
    { provider: 'openai', has_api_key: true },
  ])
  expect(await read({ API_KEY_ENCRYPTION_KEY: someEncryptionKey() })).toMatchObject([
    { ...unreadable, provider: 'acme', reason: 'encryption_key_missing' },
    { ...unreadable, provider: 'openai', paused_at: time, reason: 'encryption_key_missing' },
  ])
})

it('exports the counted uses of a key, also those of an earlier period', async () => {
  const { userId, save, use, limit } = await someOwner()
  await save('sk-good-0123456789abcdef')
  await limit('openai', { max_uses: { count: 5, per: 'month' } })
  await use()
  const month = new Date().toISOString().slice(0, 7)
  const counted = { uses: 1, max_uses: { count: 5, per: 'month', used: 1 } }
  expect((await readExport(userId))[1]).toMatchObject({ ...counted, uses_in: month })
  const earlier = "UPDATE api_keys SET uses_in = '2020-01' WHERE user_id = ?1"
  await env.DB.prepare(earlier).bind(userId).run()
  const lapsed = { uses: 1, uses_in: '2020-01', max_uses: { count: 5, per: 'month', used: 0 } }
  expect((await readExport(userId))[1]).toMatchObject(lapsed)
})

it('exports a key of the plain route as it is stored, and moves nothing', async () => {
  const { userId, putPlain } = await someOwner()
  await putPlain('sk-plain-0123456789')
  const lines = await readExport(userId, { vault: { DEFAULT_PROVIDER: 'openai' } })
  expect(lines[1]).toMatchObject({ provider: 'default', has_api_key: true })
  const sql = 'SELECT provider FROM api_keys WHERE user_id = ?1'
  expect(await env.DB.prepare(sql).bind(userId).first('provider')).toBe('default')
})

it('an export of up to 1,000 events makes one round trip to D1', async () => {
  const { userId, save } = await someOwner()
  await save('sk-proj-0123456789abcdef')
  let trips = 0
  const DB = interceptD1(async (trip) => {
    trips += 1
    return trip()
  })
  expect(types(await readExport(userId, { vault: { DB } }))).toEqual([
    'user',
    'key',
    'event',
    'end',
  ])
  expect(trips).toBe(1)
})

it('no line has a key', async () => {
  const { userId, put, putPlain } = await someOwner()
  const keys = ['sk-proj-0123456789abcdef', 'sk-plain-abcdefghijklmnop']
  await putPlain(keys[1] ?? '')
  await put('openai', keys[0] ?? '', '?verify=false')
  const text = JSON.stringify(await readExport(userId))
  for (const key of keys) {
    expect(text).toContain(`${key.slice(0, 8)}...`)
    expect(text).not.toContain(key.slice(8, -4))
  }
})

describe('in parts', () => {
  it('the events come page by page, and the parts join to all of them', async () => {
    const { userId, ids } = await someHistory(1_100)
    const [user, ...events] = await readExport(userId)
    expect([user?.['user_id'], events.pop()]).toEqual([userId, { type: 'end', next_cursor: null }])
    expect(events.map(({ id }) => id)).toEqual(ids)

    const { db } = (await ownerOf(userId)).service
    const source = { db, userId, open: null, requireUser: () => expect.unreachable() }
    const first = await collect(exportLines(source, { most: 1_000 }))
    expect([types(first)[0], first.length, first.at(-1)]).toEqual([
      'user',
      1_002,
      { type: 'end', next_cursor: ids[999] },
    ])
    const rest = await collect(exportLines(source, { cursor: ids[999], most: 1_000 }))
    expect(types(rest)).toEqual(['user', ...Array.from({ length: 100 }, () => 'event'), 'end'])
    expect(rest.at(1)).toMatchObject({ id: ids[1_000] })
  })

  it('a part that begins with a cursor has the user and later events alone', async () => {
    const { userId, save } = await someOwner()
    await save('sk-1')
    await save('sk-2')
    await note(userId, 'openai', '')
    const whole = await readExport(userId)
    expect(types(whole)).toEqual(['user', 'key', 'import', 'event', 'event', 'end'])
    const rest = await readExport(userId, { cursor: String(whole[3]?.['id']) })
    expect(rest.slice(1)).toEqual(whole.slice(4))
    expect(rest[0]).toMatchObject({ type: 'user', user_id: userId })
  })
})

it.for<[name: string, vault: Partial<Env>, status: number]>([
  ['404', {}, 404],
  ['what there is, with AUTO_CREATE_USERS', { AUTO_CREATE_USERS: 'true' }, 200],
])('answers for a user who was not added: %s', async ([, vault, status]) => {
  const userId = `absent-${crypto.randomUUID()}`
  const token = await mintToken({ sub: userId })
  expect((await call('GET', exportPath(userId), { token, env: vault })).status).toBe(status)
  if (status === 404) return
  await note(userId, 'openai', '')
  expect(await readExport(userId, { vault })).toEqual([
    { type: 'user', user_id: userId, exported_at: time },
    { type: 'import', provider: 'openai', saved_at: null },
    { type: 'end', next_cursor: null },
  ])
})

it('exports a user to nobody else, and limits how often', async () => {
  const { userId, token } = await someOwner()
  const vault = { EXPORT_LIMITER: tightLimiter() }
  const get = async (options: object, query = '') => {
    const response = await call('GET', exportPath(userId) + query, { env: vault, ...options })
    await response.text()
    return response.status
  }
  expect(await get({})).toBe(401)
  expect(await get({ token: await mintToken({ sub: 'stranger' }) })).toBe(403)
  expect(await get({ token }, '?cursor=x')).toBe(400)
  expect([await get({ token }), await get({ token }), await get({ token })]).toEqual([
    200, 200, 429,
  ])
})

describe('an export for a server', () => {
  const server = async (scope = 'vault:export') =>
    mintToken({ sub: 'service', client_id: 'flask-app', scope })

  it('a server with vault:export gets the user, whose trail then has the look', async () => {
    const { userId, save } = await someOwner()
    await save('sk-proj-0123456789abcdef')
    const lines = await readExport(userId, { token: await server() })
    const look = { event: 'viewed', provider: '*', by: 'operator', caller: 'server:flask-app' }
    expect(lines).toMatchObject([
      { type: 'user', user_id: userId },
      { type: 'key', api_key_preview: 'sk-proj-...' },
      { type: 'event', event: 'saved' },
      { type: 'end' },
    ])
    expect((await readExport(userId))[2]).toMatchObject(look)
  })

  it.for<[name: string, scope: string, vault: Partial<Env>, code: string]>([
    ['another scope', 'vault:support', {}, 'scope_missing'],
    ['a user who was not added', 'vault:export', { AUTO_CREATE_USERS: 'true' }, 'user_not_found'],
  ])('refuses a server for %s', async ([, scope, vault, code]) => {
    const token = await server(scope)
    const response = await call('GET', exportPath('absent'), { token, env: vault })
    expect(await response.json()).toMatchObject({ code })
  })
})

async function collect(pages: AsyncGenerator<Line[]>): Promise<Line[]> {
  const lines: Line[] = []
  for await (const page of pages) lines.push(...page)
  return lines
}

describe('all columns', () => {
  /** Each column that no line has, with the reason. */
  const LEFT_OUT: Record<string, string> = {
    'api_keys.encrypted_api_key': 'It is the sealed key.',
    'api_keys.fingerprint': 'It is made from the key. `has_fingerprint` says that there is one.',
    'api_keys.expiry_noted': 'The job remembers that it noted the event `expired`.',
    'api_keys.folded': 'It is the slot in one case.',
    'api_key_events.member': 'Events of a team alone have it.',
    'users.own_keys': 'It is of a team.',
    'users.tokens_since': 'It is of a team.',
  }

  /** Each table without rows of users, with the reason. */
  const NOT_OF_USERS: Record<string, string> = {
    d1_migrations: 'It has the names of migrations.',
    gone_keys: 'A tombstone is a random id. Nothing tells whose it was.',
    heartbeat: 'It has one row for all users.',
    import_secret: 'It has one row for all users.',
    member_uses: 'It has rows of teams. A member is a random id in them.',
    recheck:
      'It has one row for all users. The job is at the key with this identity, which names nobody.',
    removed_users: 'It has HMACs of users who were removed.',
    rewrap: 'It has one row for all users. The job is at one of them, and goes on.',
  }

  /** What a column needs to hold. Any other one gets a value that no other column has. */
  const FORMS: Record<string, string> = {
    'api_keys.callers': '["binding:marked"]',
    'api_key_events.id': '["marked"]',
    'api_key_events.hours': '{"03": [7654321, 7654320, "04:05.678", "05:06.789"]}',
    'api_key_events.day': '2026-01-02',
  }

  let numbers = 7_000_000

  /** Adds a row of the user to the table, with something in each column. */
  async function fill(
    table: string,
    columns: readonly { name: string; type: string }[],
    userId: string,
  ) {
    const values = columns.map(({ name, type }) => {
      if (name === (table === 'users' ? 'id' : 'user_id')) return userId
      const own = type === 'INTEGER' ? (numbers += 1) : `marked-${table}-${name}`
      return FORMS[`${table}.${name}`] ?? own
    })
    const sql = `INSERT INTO ${table} VALUES (${values.map((_, index) => `?${index + 1}`).join()})`
    await env.DB.prepare(sql)
      .bind(...values)
      .run()
    return values
  }

  /** Each value of a line as text, at any depth. */
  const leaves = (value: unknown): string[] =>
    value instanceof Object ? Object.values(value).flatMap(leaves) : [String(value)]

  it('each column of a row of the user is in the export, or is left out for a reason', async () => {
    const tables = [...(await readTables())]
    const isOfUsers = ([table, columns]: (typeof tables)[number]) =>
      table !== 'member_uses' &&
      (table === 'users' || columns.some(({ name }) => name === 'user_id'))
    const others = tables.filter((table) => !isOfUsers(table)).map(([table]) => table)
    expect(others.toSorted()).toEqual(Object.keys(NOT_OF_USERS).toSorted())

    recordLogs()
    const userId = `marked-${crypto.randomUUID()}`
    const stored: [column: string, value: string][] = []
    for (const [table, columns] of tables.filter(isOfUsers)) {
      const values = await fill(table, columns, userId)
      columns.forEach(({ name }, index) => stored.push([`${table}.${name}`, String(values[index])]))
    }
    const { db, keyring } = (await ownerOf(userId)).service
    expect(keyring.foreign).toBeNull()
    const source = { db, userId, open: null, requireUser: () => expect.unreachable() }
    const lines = await collect(exportLines(source, { most: 1_000 }))
    const shown = lines.flatMap(leaves)
    const missing = stored.filter(
      ([, value]) => !isShown(value) && !shown.some((text) => text.includes(value)),
    )
    expect(missing.map(([column]) => column).toSorted()).toEqual(Object.keys(LEFT_OUT).toSorted())

    function isShown(value: string): boolean {
      if (!/^[[{]/.test(value)) return false
      // The time of a sum is in another one, which begins with its day and hour.
      const isIn = (leaf: string) => (text: string) =>
        text === leaf || (value.startsWith('{') && text.endsWith(`:${leaf}Z`))
      return leaves(JSON.parse(value)).every((leaf) => shown.some(isIn(leaf)))
    }
  })
})
