import { exports } from 'cloudflare:workers'
import { emptyVault, env } from '../isolate.ts'
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { deleteExpiredKeys, deleteOldEvents } from '../../src/keys/expiry.ts'
import { rewrap } from '../../src/keys/rewrap.ts'
import { openService } from '../../src/service.ts'
import { teamOwner } from '../../src/shared/owner.ts'
import {
  call,
  keyPath,
  mintToken,
  PROVIDER,
  recordLogs,
  seenByProvider,
  slotPath,
  someUser,
  storedKey,
} from '../support.ts'
import { kinds, someOwner, storedEvents } from './key-owner.ts'

const DAY_MS = 24 * 60 * 60 * 1000
const inDays = (days: number) => new Date(Date.now() + days * DAY_MS).toISOString()
const goodKey = () => `sk-good-${crypto.randomUUID()}`

const PATHS = [
  ['the plain route', keyPath, 'default'],
  ['a slot', (userId: string) => `${slotPath(userId, 'openai')}?verify=false`, 'openai'],
] as const

/** Saves a key with `expires_at`. */
async function save(
  pathOf: (userId: string) => string,
  expires_at: unknown,
  { userId, apiKey = goodKey() }: { userId?: string; apiKey?: string } = {},
) {
  const owner = userId ?? (await someUser())
  const token = await mintToken({ sub: owner, scope: 'relay' })
  const body = { api_key: apiKey, expires_at }
  const response = await call('PUT', pathOf(owner), { token, body })
  const answer: { code?: string; detail?: string; user?: object } = await response.json()
  return { userId: owner, token, apiKey, status: response.status, answer }
}

const expire = async (userId: string, days: number) =>
  env.DB.prepare('UPDATE api_keys SET expires_at = ?2 WHERE user_id = ?1')
    .bind(userId, inDays(-days))
    .run()

const expiryOf = async (userId: string) =>
  env.DB.prepare('SELECT expires_at FROM api_keys WHERE user_id = ?1')
    .bind(userId)
    .first('expires_at')

describe.for(PATHS)('expires_at of %s', ([name, pathOf]) => {
  it.for<[given: unknown, stored: string | null]>([
    ['2999-01-31T12:00:00Z', '2999-01-31T12:00:00.000Z'],
    ['2999-01-31T12:00:00.5Z', '2999-01-31T12:00:00.500Z'],
    ['2999-01-31T12:00:00+05:30', '2999-01-31T06:30:00.000Z'],
    ['2996-02-29T23:59:59.9999Z', '2996-02-29T23:59:59.999Z'],
    ['2999-02-28T23:30:00-02:00', '2999-03-01T01:30:00.000Z'],
    ['9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'],
    [null, null],
    [undefined, null],
  ])(`expires_at of ${name} may be %j`, async ([given, stored]) => {
    const { userId, status } = await save(pathOf, given)
    expect([status, await expiryOf(userId)]).toEqual([200, stored])
  })

  it.for<[given: unknown]>([
    ['2001-01-01T00:00:00Z'],
    ['2999-01-31'],
    ['2999-01-31T12:00:00'],
    ['2999-02-30T12:00:00Z'],
    ['2999-02-29T12:00:00Z'],
    ['2100-02-29T12:00:00Z'],
    ['2998-12-31T23:59:60Z'],
    ['2999-01-31T24:00:00Z'],
    // D1 would take the year 10000 for the past.
    ['9999-12-31T23:59:59-00:01'],
    ['+010000-01-01T00:00:00Z'],
    ['tomorrow'],
    [''],
    [4_102_444_800],
    [{}],
  ])(`expires_at of ${name} may not be %j`, async ([given]) => {
    const { userId, status, answer } = await save(pathOf, given)
    expect([status, answer.code]).toEqual([400, 'expires_at_invalid'])
    expect(answer.detail).toContain('must be a time in the future')
    expect(await expiryOf(userId)).toBeNull()
  })

  it.for([
    ['may not be the time of the request', 0, 400],
    ['may be the millisecond after the request', 1, 200],
  ] as const)(`expires_at of ${name} %s`, async ([, later, status]) => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() })
    onTestFinished(() => void vi.useRealTimers())
    const saved = await save(pathOf, new Date(Date.now() + later).toISOString())
    expect(saved.status).toBe(status)
  })

  it(`expires_at of ${name} goes with the key`, async () => {
    const { userId } = await save(pathOf, inDays(1))
    await save(pathOf, undefined, { userId })
    expect(await expiryOf(userId)).toBeNull()
  })
})

it('a slot shows when its key expires, and nothing if the key does not expire', async () => {
  const at = inDays(30)
  const { userId, token, answer } = await save(PATHS[1][1], at)
  expect(answer.user).toMatchObject({ expires_at: at })
  const path = slotPath(userId, 'openai')
  expect(await (await call('GET', path, { token })).json()).toMatchObject({ expires_at: at })
  await save(PATHS[1][1], null, { userId })
  expect(await (await call('GET', path, { token })).json()).not.toHaveProperty('expires_at')
})

describe('an expired key', () => {
  const path = `${PROVIDER}/v1/models`
  const bind = () => exports.KeyVault({ props: { caller: 'chat', grants: ['use', 'reveal'] } })

  async function someExpired() {
    const saved = await save(PATHS[1][1], inDays(1))
    await expire(saved.userId, 1)
    return saved
  }

  it('an expired key is not sent to its provider by anybody', async () => {
    const { userId, token, apiKey } = await someExpired()
    const refusal = { ok: false, code: 'api_key_expired' }
    expect(await bind().fetchWithApiKey(userId, 'openai', new Request(path))).toEqual(refusal)
    expect(await bind().getDecryptedApiKey(userId, 'openai')).toEqual(refusal)
    const headers = { 'X-Vault-User': userId, 'X-Vault-Provider': 'openai' }
    expect((await bind().fetch(path, { headers })).status).toBe(410)
    const relayed = await call('GET', '/relay/openai/v1/models', { token })
    expect([relayed.status, relayed.headers.get('X-Vault-Error')]).toEqual([410, 'api_key_expired'])
    const verified = await call('POST', `${slotPath(userId, 'openai')}/verify`, { token })
    expect(verified.status).toBe(410)
    expect(await seenByProvider(apiKey)).toEqual([])
  })

  it('an expired key of the plain route is not assigned to a provider', async () => {
    const { userId, token } = await save(keyPath, inDays(1))
    await expire(userId, 1)
    expect((await call('POST', `${slotPath(userId, 'openai')}/assign`, { token })).status).toBe(410)
  })

  it('an expired key is still shown, and can be replaced', async () => {
    const { userId, token } = await someExpired()
    const shown = await call('GET', slotPath(userId, 'openai'), { token })
    expect(await shown.json()).toMatchObject({ has_api_key: true, expires_at: expect.any(String) })
    await save(PATHS[1][1], null, { userId })
    const result = await bind().fetchWithApiKey(userId, 'openai', new Request(path))
    expect(result.ok).toBe(true)
    if (result.ok) await result.response.text()
  })

  it('a key that expires later is usable', async () => {
    const { userId } = await save(PATHS[1][1], inDays(1))
    const result = await bind().fetchWithApiKey(userId, 'openai', new Request(path))
    expect(result.ok).toBe(true)
    if (result.ok) await result.response.text()
  })
})

it('the job deletes keys that expired over EXPIRED_KEPT_DAYS ago, and no others', async () => {
  const users = await Promise.all(
    [31, 29, 1].map(async (days) => {
      const { userId } = await save(PATHS[1][1], inDays(1))
      await expire(userId, days)
      return userId
    }),
  )
  const { userId: forever } = await save(PATHS[1][1], null)
  const logs = recordLogs()
  await deleteExpiredKeys(await openService(env))
  const left = await Promise.all(
    [...users, forever].map(async (userId) => (await storedKey(userId, env, 'openai')) !== null),
  )
  expect(left).toEqual([false, true, true, true])
  const deleted = { event: 'expired_key_deleted', user_id: users[0], provider: 'openai' }
  expect(logs.events()).toContainEqual({ level: 'info', ...deleted })
  await deleteExpiredKeys(await openService({ ...env, EXPIRED_KEPT_DAYS: '0' }))
  expect(await storedKey(users[2] ?? '', env, 'openai')).toBeNull()
  expect(await storedKey(forever, env, 'openai')).not.toBeNull()
})

it('the job deletes expired keys with a label and of a team, and leaves the other keys of both', async () => {
  const userId = await someUser()
  const team = await someUser(teamOwner(userId))
  const store = (owner: string, provider: string, days: number | null) =>
    env.DB.prepare(
      `INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id, expires_at)
       VALUES (?1, ?2, 'sealed', 'kid', ?3)`,
    ).bind(owner, provider, days === null ? null : inDays(days))
  await env.DB.batch([
    store(userId, 'openai', null),
    store(userId, 'openai:work', -31),
    store(team, 'openai', -31),
    store(team, 'openai:work', -1),
  ])
  const logs = recordLogs()
  await deleteExpiredKeys(await openService(env))
  const slots = 'SELECT provider FROM api_keys WHERE user_id = ?1'
  const left = await env.DB.batch([userId, team].map((owner) => env.DB.prepare(slots).bind(owner)))
  expect(left.map(({ results }) => results)).toEqual([
    [{ provider: 'openai' }],
    [{ provider: 'openai:work' }],
  ])
  const lines = logs.events().filter(({ event }) => event === 'expired_key_deleted')
  expect(lines.map(({ user_id, provider }) => [user_id, provider])).toEqual(
    expect.arrayContaining([
      [userId, 'openai:work'],
      [team, 'openai'],
    ]),
  )
})

it('the job notes a key that expired long ago, and deletes it', async () => {
  const { userId } = await save(PATHS[1][1], inDays(1))
  await expire(userId, 400)
  recordLogs()
  await deleteExpiredKeys(await openService(env))
  const sql = `SELECT event FROM api_key_events WHERE user_id = ?1 AND actor = 'job' ORDER BY id`
  const { results } = await env.DB.prepare(sql).bind(userId).all()
  expect(results).toEqual([{ event: 'expired' }, { event: 'deleted' }])
})

it('a key that the job has moved is not noted as expired again', async () => {
  await emptyVault()
  recordLogs()
  const { userId } = await save(PATHS[0][1], inDays(1))
  await expire(userId, 1)
  await deleteExpiredKeys(await openService(env))
  const vault = { ...env, DEFAULT_PROVIDER: 'openai' }
  await rewrap(await openService(vault))
  await rewrap(await openService(vault))
  await deleteExpiredKeys(await openService(vault))
  const slot = 'SELECT provider FROM api_keys WHERE user_id = ?1'
  expect(await env.DB.prepare(slot).bind(userId).first('provider')).toBe('openai')
  const sql = "SELECT id FROM api_key_events WHERE user_id = ?1 AND event = 'expired'"
  expect((await env.DB.prepare(sql).bind(userId).all()).results).toHaveLength(1)
})

it('the job sends each of 6,200 keys that expire together to the queue once, in two runs', async () => {
  await emptyVault()
  // Each of another user: events of one user at the same time differ in 32 random bits only.
  await env.DB.batch([
    env.DB.prepare(
      `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6200)
       INSERT INTO users (id) SELECT 'ann-' || i FROM n`,
    ),
    env.DB.prepare(
      `INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id, expires_at)
       SELECT id, 'openai', 'sealed', 'kid', ?1 FROM users`,
    ).bind(inDays(-1)),
  ])
  const sent: string[] = []
  let [now, most] = [0, 0]
  const sendBatch = async (messages: { body: { user_id: string; event: string } }[]) => {
    now += 1
    most = Math.max(most, now)
    await Promise.resolve()
    sent.push(...messages.map(({ body }) => `${body.event} ${body.user_id}`))
    now -= 1
  }
  const service = await openService(
    Object.assign({ ...env }, { EVENTS_QUEUE: { send: null, sendBatch } }),
  )
  await deleteExpiredKeys(service)
  expect(sent).toHaveLength(5_000)
  await deleteExpiredKeys(service)
  await deleteExpiredKeys(service)
  expect([sent.length, new Set(sent).size]).toEqual([6_200, 6_200])
  expect(most).toBeLessThanOrEqual(6)
})

describe('events', () => {
  afterEach(() => vi.useRealTimers())

  it('deletes events that are older than EVENTS_KEPT_DAYS, and no others', async () => {
    const owner = await someOwner()
    const { userId } = owner
    await owner.save('sk-1')
    const age = `INSERT INTO api_key_events (day, user_id, id, provider, event, actor)
      VALUES (?2, ?1, ?2 || 'T00:00:00.000Z.a', 'openai', 'saved', 'owner')`
    const day = (days: number) =>
      new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 10)
    const insert = env.DB.prepare(age)
    await env.DB.batch([91, 90, 31].map((days) => insert.bind(userId, day(days))))
    await deleteOldEvents(await openService(env))
    expect(await storedEvents(userId)).toBe(3)
    await deleteOldEvents(await openService({ ...env, EVENTS_KEPT_DAYS: '30' }))
    expect(kinds(await owner.events())).toEqual(['saved'])
  })

  it.for([
    ['2026-11-25', '90', '2027-02-24'],
    ['2027-12-01', '90', '2028-03-01'],
    ['2028-02-29', '1', '2028-03-02'],
    ['2028-02-28', '1', '2028-03-01'],
    ['2027-02-27', '1', '2027-03-01'],
    ['2026-12-31', '30', '2027-01-31'],
    ['2100-02-28', '1', '2100-03-02'],
    ['2038-01-19', '365', '2039-01-20'],
    ['2026-11-25', '0', '2026-11-26'],
  ] as const)('deletes an event of %s, kept for %s days, from %s on', async ([day, days, end]) => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const userId = await someUser()
    const insert = env.DB.prepare(
      `INSERT INTO api_key_events (day, user_id, id, provider, event, actor)
       VALUES (?2, ?1, ?2 || 'T' || ?3, 'openai', 'saved', 'owner')`,
    )
    const times = ['00:00:00.000Z.a', '23:59:59.999Z.b']
    await env.DB.batch(times.map((time) => insert.bind(userId, day, time)))
    const service = await openService({ ...env, EVENTS_KEPT_DAYS: days })
    const left = async (time: number) => {
      vi.setSystemTime(time)
      await deleteOldEvents(service)
      return storedEvents(userId)
    }
    expect([await left(Date.parse(end) - 1), await left(Date.parse(end))]).toEqual([2, 0])
  })
})
