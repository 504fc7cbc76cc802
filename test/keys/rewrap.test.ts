import { createScheduledController } from 'cloudflare:test'
import { emptyVault, env } from '../isolate.ts'
import * as fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { fingerprintKey } from '../../src/crypto/fingerprint.ts'
import { sealKey } from '../../src/crypto/seal.ts'
import worker from '../../src/index.ts'
import { BATCH_ROWS } from '../../src/keys/rewrap.ts'
import { rewrap } from '../../src/scheduled.ts'
import { openService } from '../../src/service.ts'
import { COUNTED_ROWS, upsertKey } from '../../src/store/api-keys.ts'
import { runBatch } from '../../src/store/d1.ts'
import { noteKid } from '../../src/store/kids.ts'
import {
  call,
  interceptD1,
  keyPath,
  mintToken,
  putKey,
  recordLogs,
  someEncryptionKey,
  someKey,
  someUser,
  storedKey,
} from '../support.ts'
import recorded from '../crypto/vectors/python-cryptography-fernet.json'

const [OLD, NEW] = [someEncryptionKey(), someEncryptionKey()]
const before = withKeys(OLD)
const after = withKeys(NEW, OLD)

function withKeys(...keys: string[]): Env {
  return { ...env, API_KEY_ENCRYPTION_KEY: keys.join(','), REWRAP_ROWS_PER_RUN: '1000' }
}

beforeEach(emptyVault)

/** Adds users with one key each, sealed under the first key of `vault`. */
async function someKeys(count: number, vault: Env = before): Promise<Map<string, string>> {
  const entries = Array.from({ length: count }, async (): Promise<[string, string]> => {
    const [userId, apiKey] = [await someUser(), someKey()]
    await putKey(userId, apiKey, { env: vault })
    return [userId, apiKey]
  })
  return new Map(await Promise.all(entries))
}

/** Runs the job until its pass is over. Returns the number of runs. */
async function rewrapAll(vault: Env = after): Promise<number> {
  for (let runs = 1; runs < 1_000; runs += 1) {
    await rewrap(vault)
    const pass = await env.DB.prepare('SELECT finished_at, counts FROM rewrap').first()
    if (pass?.['finished_at'] !== null) return runs
  }
  throw new Error('The pass does not end')
}

async function kids(): Promise<Record<string, number>> {
  const sql = 'SELECT key_id, count(*) AS rows FROM api_keys GROUP BY key_id'
  const { results } = await env.DB.prepare(sql).all<{ key_id: string; rows: number }>()
  return Object.fromEntries(results.map((row) => [row.key_id, row.rows]))
}

async function keyIds(): Promise<Record<string, string>> {
  const { results } = await env.DB.prepare('SELECT * FROM key_ids').all<{
    key_id: string
    state: string
  }>()
  return Object.fromEntries(results.map(({ key_id, state }) => [key_id, state]))
}

async function expectKeys(keys: Map<string, string>, vault: Env = after): Promise<void> {
  for (const [userId, apiKey] of keys) expect(await storedKey(userId, vault)).toBe(apiKey)
}

async function storedRows(): Promise<unknown[]> {
  return (await env.DB.prepare('SELECT * FROM api_keys ORDER BY user_id').all()).results
}

/** Runs the job until it writes rows, does `meanwhile`, and lets the job continue. */
async function lateRun(meanwhile: () => Promise<unknown>): Promise<void> {
  let trips = 0
  const DB = interceptD1(async (trip) => {
    trips += 1
    if (trips === 3) await meanwhile()
    return trip()
  })
  await rewrap({ ...after, DB })
  expect(trips).toBe(3)
}

describe('rewrap', () => {
  it('reseals every row under the first key, and changes nothing else in it', async () => {
    const keys = await someKeys(450)
    const [oldKid = ''] = Object.keys(await kids())
    const earlier = await storedRows()
    await rewrapAll()
    await expectKeys(keys)
    await expectKeys(keys, withKeys(NEW))
    const [newKid = '', ...others] = Object.keys(await kids())
    expect(others).toEqual([])
    expect(newKid).not.toBe(oldKid)
    expect(await keyIds()).toEqual({ [oldKid]: 'unused', [newKid]: 'in_use' })
    const seals = {
      encrypted_api_key: expect.stringContaining(newKid),
      key_id: newKid,
      fingerprint: expect.any(String),
    }
    expect(await storedRows()).toEqual(earlier.map((row) => Object.assign({}, row, seals)))
  })

  it('reads no key after the pass is over', async () => {
    await someKeys(300)
    await rewrapAll()
    const [logs, later] = [recordLogs(), await storedRows()]
    const results: unknown[] = []
    const DB = interceptD1(async (trip) => {
      results.push(await trip())
      return results.at(-1)
    })
    await rewrap({ ...after, DB })
    expect(results).toMatchObject([{ meta: { rows_read: 3, rows_written: 0 } }])
    expect(await storedRows()).toEqual(later)
    expect(logs.text()).toBe('')
  })

  it('handles only as many rows per run as REWRAP_ROWS_PER_RUN allows', async () => {
    await someKeys(25)
    const small = { ...after, REWRAP_ROWS_PER_RUN: '10' }
    await rewrap(small)
    expect(Object.values(await kids())).toEqual([25])
    await rewrap(small)
    expect(new Set(Object.values(await kids()))).toEqual(new Set([10, 15]))
    expect(await rewrapAll(small)).toBe(2)
    expect(Object.values(await kids())).toEqual([25])
  })

  it('ends a run right after the last row that REWRAP_ROWS_PER_RUN allows', async () => {
    await someKeys(BATCH_ROWS + 1)
    let trips = 0
    const DB = interceptD1(async (trip) => {
      trips += 1
      return trip()
    })
    const vault = { ...after, REWRAP_ROWS_PER_RUN: `${BATCH_ROWS}` }
    await rewrap(vault)
    await rewrap({ ...vault, DB })
    expect(trips).toBe(3)
    expect(new Set(Object.values(await kids()))).toEqual(new Set([1, BATCH_ROWS]))
  })

  it('makes batches of the longest keys that D1 accepts', async () => {
    const keys = new Map<string, string>()
    for (let i = 0; i < 150; i += 1) keys.set(await someUser(), 'k'.repeat(8_192))
    for (const [userId, apiKey] of keys) await putKey(userId, apiKey, { env: before })
    await rewrap(after)
    const trips: unknown[] = []
    const DB = interceptD1(async (trip) => {
      const result = await trip()
      trips.push(Array.isArray(result) ? `writes with ${result.length}` : 'reads')
      return result
    })
    await rewrap({ ...after, DB })
    await expectKeys(keys, withKeys(NEW))
    expect(Object.values(await kids())).toEqual([150])
    const batches = Array.from({ length: 4 }, () => ['reads', 'writes with 3'])
    expect(trips).toEqual(['reads', ...batches.flat(), 'reads', 'writes with 4'])
  })

  it('reseals rows whose user ids have unusual characters', async () => {
    const ids = fc.sample(fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }), 200)
    const awkward = ['\0', 'a\0b', '"', "'", '\\', '\u2028', '\u{10ffff}', '\uffff', '[', '日本']
    const keys = new Map<string, string>()
    for (const userId of new Set([...ids, ...awkward])) {
      keys.set(await someUser(userId), someKey())
      const response = await putKey(userId, keys.get(userId), { env: before })
      if (response.status !== 200) keys.delete(userId) // `.` and `..` are no path of their own
    }
    expect(keys.size).toBeGreaterThan(150)
    await rewrapAll()
    await expectKeys(keys, withKeys(NEW))
  })

  it('reseals the Fernet rows of the previous backend', async () => {
    const vault = { ...withKeys(NEW), LEGACY_FERNET_KEY: recorded.key }
    await env.DB.prepare("INSERT INTO key_ids (key_id) VALUES ('fernet')").run()
    for (const { name, token } of recorded.tokens) {
      await someUser(name)
      await env.DB.prepare(
        "INSERT INTO api_keys (user_id, encrypted_api_key, key_id) VALUES (?1, ?2, 'fernet')",
      )
        .bind(name, token)
        .run()
    }
    const keys = new Map(recorded.tokens.map(({ name, apiKey }) => [name, apiKey]))
    await expectKeys(keys, vault)
    await rewrapAll(vault)
    await expectKeys(keys, withKeys(NEW))
    expect(await keyIds()).toMatchObject({ fernet: 'unused' })
  })

  it('runs in the Worker’s Cron Trigger', async () => {
    const keys = await someKeys(3)
    const [oldKid] = Object.keys(await kids())
    const controller = createScheduledController()
    await worker.scheduled(controller, after)
    expect(Object.values(await kids())).toEqual([3])
    await worker.scheduled(controller, after)
    await expectKeys(keys, withKeys(NEW))
    expect(Object.keys(await kids())).not.toContain(oldKid)
  })

  it('logs why it cannot run, and fails', async () => {
    const logs = recordLogs()
    const misconfigured = expect.objectContaining({ code: 'server_misconfigured' })
    await expect(rewrap({ ...after, DB: env.EMPTY_DB })).rejects.toEqual(misconfigured)
    await expect(rewrap(withKeys('x'))).rejects.toEqual(misconfigured)
    const line = { event: 'rewrap_failed', level: 'error', code: 'server_misconfigured' }
    const messages = [/npm run schema/, /^API_KEY_ENCRYPTION_KEY/].map((message) => ({
      message: expect.stringMatching(message),
    }))
    expect(logs.events()).toMatchObject(messages.map((error) => Object.assign({ error }, line)))
  })
})

describe('a row that does not open', () => {
  it('keeps a row whose encryption key is missing, and reseals it when the key is back', async () => {
    const keys = await someKeys(5)
    await someKeys(2, withKeys(NEW))
    const earlier = await storedRows()
    const logs = recordLogs()
    await rewrapAll(withKeys(NEW))
    expect(logs.events().map(({ event }) => event)).toEqual(['rewrap_begun', 'rewrap_finished'])
    expect(await storedRows()).toEqual(earlier)
    expect(new Set(Object.values(await keyIds()))).toEqual(new Set(['in_use', 'settled']))

    const [userId = ''] = keys.keys()
    const token = await mintToken({ sub: userId })
    const lost = await call('GET', keyPath(userId), { token, env: withKeys(NEW) })
    expect(await lost.json()).toEqual({ has_api_key: false, error: 'Invalid encrypted key' })
    const found = await call('GET', keyPath(userId), { token, env: after })
    expect(await found.json()).toMatchObject({ has_api_key: true })

    await rewrapAll(after)
    await expectKeys(keys, withKeys(NEW))
  })

  it('counts and logs a row that its own encryption key does not open, and keeps it', async () => {
    const keys = await someKeys(4)
    const [damaged = ''] = keys.keys()
    await env.DB.prepare(
      "UPDATE api_keys SET encrypted_api_key = encrypted_api_key || 'AAAA' WHERE user_id = ?1",
    )
      .bind(damaged)
      .run()
    const [earlier, logs] = [await storedRows(), recordLogs()]
    const [oldKid = ''] = Object.keys(await kids())
    await rewrapAll()
    keys.delete(damaged)
    await expectKeys(keys, withKeys(NEW))
    const unchanged = new Set(earlier.map((row) => JSON.stringify(row)))
    const left = (await storedRows()).filter((row) => unchanged.has(JSON.stringify(row)))
    expect(left).toMatchObject([{ user_id: damaged }])
    expect(logs.events()).toContainEqual({
      level: 'error',
      event: 'api_key_unreadable',
      user_id: damaged,
      provider: 'default',
      key_id: oldKid,
      reason: 'does_not_open',
    })
    expect(logs.events().at(-1)).toEqual({
      level: 'info',
      event: 'rewrap_finished',
      keyring: expect.stringMatching(new RegExp(`^[0-9a-f]{12},${oldKid}$`)),
      done: 3,
      left: 0,
      unopenable: 1,
      by_kid: { [oldKid]: { rows: 4, done: 3, unopenable: 1 } },
    })
    expect(await keyIds()).toMatchObject({ [oldKid]: 'settled' })
    const later = await storedRows()
    await rewrap(after)
    expect(await storedRows()).toEqual(later)
    expect(logs.events().at(-1)).toMatchObject({ event: 'rewrap_finished' })
  })

  it('logs only the first of many rows that do not open', async () => {
    await someKeys(30)
    await env.DB.prepare("UPDATE api_keys SET encrypted_api_key = encrypted_api_key || 'A'").run()
    const logs = recordLogs()
    await rewrapAll()
    const events = logs.events().map(({ event }) => event)
    expect(events.filter((event) => event === 'api_key_unreadable')).toHaveLength(20)
    expect(logs.events().at(-1)).toMatchObject({ event: 'rewrap_finished', unopenable: 30 })
  })

  it('looks again after an unreadable row was replaced or deleted, and releases its kid', async () => {
    for (const end of ['PUT', 'DELETE']) {
      const [[userId = ''] = []] = await someKeys(1)
      const [lostKid = ''] = Object.keys(await kids())
      await rewrapAll(withKeys(NEW))
      expect(await keyIds()).toMatchObject({ [lostKid]: 'settled' })
      const health = async () => (await call('GET', '/api/health', { env: withKeys(NEW) })).status
      expect(await health()).toBe(503)
      const token = await mintToken({ sub: userId })
      const body = end === 'PUT' ? { api_key: someKey() } : undefined
      await call(end, keyPath(userId), { token, body, env: withKeys(NEW) })
      await rewrap(withKeys(NEW))
      await rewrap(withKeys(NEW))
      expect(await keyIds()).toMatchObject({ [lostKid]: 'unused' })
      expect(await health()).toBe(200)
      await emptyVault()
    }
  })

  it('repeats a finished pass when an operator asks for it', async () => {
    await someKeys(2)
    await rewrapAll()
    const ask = "UPDATE rewrap SET asked_at = '2026-01-01T00:00:00.000Z'"
    await env.DB.prepare(ask).run()
    const logs = recordLogs()
    for (let runs = 0; runs < 3; runs += 1) await rewrap(after)
    expect(logs.events().map(({ event }) => event)).toEqual(['rewrap_begun', 'rewrap_finished'])
  })

  it('tries unreadable rows again a day later, and releases the kid of replaced ones', async () => {
    const [[userId = ''] = []] = await someKeys(1)
    const [lostKid = ''] = Object.keys(await kids())
    await rewrapAll(withKeys(NEW))
    await env.DB.prepare('DELETE FROM users WHERE id = ?1').bind(userId).run()
    const age = async (hours: number) =>
      env.DB.prepare("UPDATE rewrap SET finished_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ?1)")
        .bind(`-${hours} hours`)
        .run()
    await age(23)
    await rewrap(withKeys(NEW))
    await rewrap(withKeys(NEW))
    expect(await keyIds()).toMatchObject({ [lostKid]: 'settled' })
    await age(25)
    await rewrap(withKeys(NEW))
    await rewrap(withKeys(NEW))
    expect(await keyIds()).toMatchObject({ [lostKid]: 'unused' })
    await age(25)
    const logs = recordLogs()
    await rewrap(withKeys(NEW))
    expect(logs.text()).toBe('')
  })
})

describe('a change during a rewrap run', () => {
  it('keeps the result of a PUT or a DELETE during a run', async () => {
    const keys = await someKeys(4)
    const [put = '', deleted = '', removed = ''] = keys.keys()
    await rewrap(after)
    await lateRun(async () => {
      keys.set(put, someKey())
      await putKey(put, keys.get(put), { env: after })
      await call('DELETE', keyPath(deleted), { token: await mintToken({ sub: deleted }) })
      await env.DB.prepare('DELETE FROM users WHERE id = ?1').bind(removed).run()
    })
    expect(await storedKey(deleted, after)).toBeNull()
    expect(await storedKey(removed, after)).toBeNull()
    keys.delete(deleted)
    keys.delete(removed)
    await expectKeys(keys, withKeys(NEW))
  })

  it('makes another pass for a PUT by a version that seals under the old key', async () => {
    const keys = await someKeys(4)
    const [oldKid = ''] = Object.keys(await kids())
    const late = `a-${await someUser('a-late')}`
    await someUser(late)
    await rewrap(after)
    await lateRun(async () => {
      keys.set(late, someKey())
      await putKey(late, keys.get(late), { env: before })
    })
    expect((await kids())[oldKid]).toBe(1)
    expect(await keyIds()).toMatchObject({ [oldKid]: 'in_use' })
    await rewrap(after)
    await rewrapAll()
    expect((await kids())[oldKid]).toBeUndefined()
    expect(await keyIds()).toMatchObject({ [oldKid]: 'unused' })
    await expectKeys(keys, withKeys(NEW))
  })

  it('stops one of two runs that work at once', async () => {
    const keys = await someKeys(40)
    const small = { ...after, REWRAP_ROWS_PER_RUN: '10' }
    await rewrap(small)
    for (let round = 0; round < 10; round += 1) await Promise.all([rewrap(small), rewrap(small)])
    await expectKeys(keys, withKeys(NEW))
    const counts = await env.DB.prepare('SELECT counts FROM rewrap').first<string>('counts')
    expect(Object.values(JSON.parse(counts ?? ''))).toEqual([{ rows: 40, done: 40, unopenable: 0 }])
  })

  it('only begins passes while two versions with different keyrings alternate', async () => {
    await someKeys(20)
    const other = withKeys(OLD, NEW)
    const earlier = await storedRows()
    for (let turn = 0; turn < 5; turn += 1) {
      await rewrap(after)
      await rewrap(other)
    }
    expect(await storedRows()).toEqual(earlier)
  })
})

describe('a run that is late', () => {
  const pass = async () => env.DB.prepare('SELECT * FROM rewrap').first()

  it('does not move a pass that a faster run has moved', async () => {
    const keys = await someKeys(4)
    await rewrap(after)
    let moved: unknown
    await lateRun(async () => {
      await rewrap(after)
      moved = await pass()
    })
    expect(moved).toMatchObject({ finished_at: expect.any(String) })
    expect(await pass()).toEqual(moved)
    await expectKeys(keys, withKeys(NEW))
  })

  it('ends after the batch that a faster run has moved', async () => {
    await someKeys(BATCH_ROWS + 1)
    await rewrap(after)
    await lateRun(async () => rewrap({ ...after, REWRAP_ROWS_PER_RUN: `${BATCH_ROWS}` }))
    expect(await pass()).toMatchObject({ finished_at: null })
  })

  it('logs no row that a faster run has logged', async () => {
    await someKeys(1)
    await env.DB.prepare("UPDATE api_keys SET encrypted_api_key = encrypted_api_key || 'A'").run()
    const logs = recordLogs()
    await rewrap(after)
    await lateRun(async () => rewrap(after))
    const events = logs.events().map(({ event }) => event)
    expect(events).toEqual(['rewrap_begun', 'api_key_unreadable', 'rewrap_finished'])
  })

  it('does not end a pass that another run began meanwhile, and releases no kid', async () => {
    const keys = await someKeys(4)
    const [oldKid = ''] = Object.keys(await kids())
    await rewrap(after)
    await someUser('a-late')
    let begun: unknown
    await lateRun(async () => {
      keys.set('a-late', someKey())
      await putKey('a-late', keys.get('a-late'), { env: before })
      await env.DB.prepare("UPDATE rewrap SET asked_at = '2026'").run()
      await rewrap(after)
      begun = await pass()
    })
    expect(await pass()).toEqual(begun)
    expect(await keyIds()).toMatchObject({ [oldKid]: 'settled' })
    await rewrapAll()
    expect(await keyIds()).toMatchObject({ [oldKid]: 'unused' })
    await expectKeys(keys, withKeys(NEW))
  })
})

describe('a kid', () => {
  it('marks a kid in use again if a late run seals under it after it was settled', async () => {
    await someKeys(4)
    const [oldKid = ''] = Object.keys(await kids())
    await rewrap(after)
    await lateRun(async () => rewrap(withKeys(OLD, NEW)))
    const [newKid = '', ...others] = Object.keys(await kids())
    expect([newKid === oldKid, others]).toEqual([false, []])
    expect(await keyIds()).toEqual({ [oldKid]: 'in_use', [newKid]: 'in_use' })
  })
})

describe('a pass', () => {
  it('continues a pass while a version that seals under the old key writes', async () => {
    const keys = await someKeys(30)
    const small = { ...after, REWRAP_ROWS_PER_RUN: '10' }
    await rewrap(small)
    for (const [userId, apiKey] of [...keys].slice(0, 3)) {
      await putKey(userId, apiKey, { env: before })
      await rewrap(small)
    }
    const counts = await env.DB.prepare('SELECT counts FROM rewrap').first<string>('counts')
    const kinds = Object.values<{ done: number }>(JSON.parse(counts ?? ''))
    expect(kinds.reduce((sum, { done }) => sum + done, 0)).toBe(30)
  })

  it('also opens the rows that are already under the first key', async () => {
    await someKeys(2, withKeys(NEW))
    const [newKid = ''] = Object.keys(await kids())
    await env.DB.prepare("UPDATE api_keys SET encrypted_api_key = 'x'").run()
    const logs = recordLogs()
    await rewrapAll()
    expect(logs.events().at(-1)).toMatchObject({ by_kid: { [newKid]: { unopenable: 2 } } })
  })

  it('makes a pass for each new order of keys, and for each new Fernet key', async () => {
    await someKeys(1)
    await rewrapAll()
    const logs = recordLogs()
    for (const vault of [
      withKeys(OLD, NEW),
      after,
      { ...after, LEGACY_FERNET_KEY: recorded.key },
      { ...after, LEGACY_FERNET_KEY: `${recorded.key},${someEncryptionKey()}` },
    ]) {
      await rewrapAll(vault)
    }
    const events = logs.events().map(({ event }) => event)
    expect(events.filter((event) => event === 'rewrap_begun')).toHaveLength(4)
  })

  it('reseals every slot of a user for that slot', async () => {
    const [userId, { db, keyring }] = [await someUser(), await openService(before)]
    const providers = Array.from({ length: 25 }, (_, index) => `provider-${index}`)
    for (const provider of providers) {
      const slot = { userId, provider }
      const sealed = await sealKey(keyring, slot, `sk-${provider}`)
      await runBatch(db, [
        noteKid(sealed.kid),
        upsertKey(slot, {
          ...sealed,
          status: 'active',
          at: null,
          expiresAt: null,
          fingerprint: 'f',
        }),
      ])
    }
    await rewrapAll({ ...after, REWRAP_ROWS_PER_RUN: '10' })
    for (const provider of providers) {
      expect(await storedKey(userId, withKeys(NEW), provider)).toBe(`sk-${provider}`)
    }
    expect(Object.values(await kids())).toEqual([25])
  })

  it('keeps the text of a row that is not a key', async () => {
    const [userId, { db, keyring }] = [await someUser(), await openService(before)]
    const [slot, text] = [{ userId, provider: 'openai' }, 'sk-1\0not a URL']
    const sealed = await sealKey(keyring, slot, text)
    const key = { ...sealed, status: 'active', at: null, expiresAt: null } as const
    await runBatch(db, [noteKid(sealed.kid), upsertKey(slot, { ...key, fingerprint: 'f' })])
    await rewrapAll()
    const later = await openService(withKeys(NEW))
    const [fingerprint] = await fingerprintKey(later.keyring, userId, text)
    expect(await storedRows()).toMatchObject([{ fingerprint }])
    expect(await storedKey(userId, withKeys(NEW), 'openai')).toBe(text)
  })

  it('passes a row that is larger than a batch, and a kid of any name', async () => {
    const keys = await someKeys(3)
    const insert = async (userId: string, kid: string, sealed: string) =>
      env.DB.prepare(
        `INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id)
         VALUES (?1, ?2, ?3, ?2)`,
      )
        .bind(userId, kid, sealed)
        .run()
    await insert(await someUser('a-large'), 'large', 'x'.repeat(500_000))
    await rewrap(after)
    await someUser('b-odd')
    for (const kid of ['__proto__', 'constructor', 'toString']) await insert('b-odd', kid, 'x')
    await rewrapAll()
    await expectKeys(keys, withKeys(NEW))
    const counts = await env.DB.prepare('SELECT counts FROM rewrap').first<string>('counts')
    const missed = Object.entries<{ unopenable: number }>(JSON.parse(counts ?? ''))
      .filter(([, { unopenable }]) => unopenable === 1)
      .map(([kid]) => kid)
    expect(new Set(missed)).toEqual(new Set(['large', '__proto__', 'constructor', 'toString']))
    expect(Object.hasOwn(Object.prototype, 'unopenable')).toBe(false)
  })

  it('handles 50 rows per run by default', async () => {
    await someKeys(55)
    const unset = { ...after, REWRAP_ROWS_PER_RUN: '' }
    await rewrap(unset)
    await rewrap(unset)
    expect(new Set(Object.values(await kids()))).toEqual(new Set([5, 50]))
  })
})

describe('the progress that a run logs', () => {
  const small = { ...after, REWRAP_ROWS_PER_RUN: '10' }

  it('sums the rows of all kids', async () => {
    await someKeys(8)
    await someKeys(7, withKeys(NEW))
    const damage = `UPDATE api_keys SET encrypted_api_key = 'v1.x'
      WHERE user_id = (SELECT min(user_id) FROM api_keys)`
    await env.DB.prepare(damage).run()
    await rewrap(small)
    const logs = recordLogs()
    await rewrap(small)
    const progress = { done: 9, left: 5, unopenable: 1 }
    expect(logs.events().at(-1)).toMatchObject({ event: 'rewrap_moved', ...progress })
  })

  it.for([
    ['unknown if they are too many to be counted', COUNTED_ROWS, null],
    ['0 if more rows were added than are left', 5, 0],
    ['the rest otherwise', COUNTED_ROWS - 1, COUNTED_ROWS - 11],
  ] as const)('says that the rows left are %s', async ([, rows, left]) => {
    await someKeys(15)
    await rewrap(small)
    const [kid = ''] = Object.keys(await kids())
    await env.DB.prepare('UPDATE rewrap SET counts = ?1')
      .bind(JSON.stringify({ [kid]: { rows, done: 0, unopenable: 0 } }))
      .run()
    const logs = recordLogs()
    await rewrap(small)
    expect(logs.events()).toMatchObject([{ event: 'rewrap_moved', done: 10, left }])
    await rewrap(small)
    expect(logs.events().at(-1)).toMatchObject({ event: 'rewrap_finished', done: 15, left: 0 })
  })
})

describe('a run that is cut off', () => {
  it.for(['before', 'after'] as const)(
    'loses no key if it is cut off %s any of its round trips',
    async (moment) => {
      const small = { ...after, REWRAP_ROWS_PER_RUN: '20' }
      const keys = await someKeys(50)
      for (let cutAt = 1; cutAt <= 12; cutAt += 1) {
        let trips = 0
        const DB = interceptD1(async (trip) => {
          trips += 1
          if (trips > cutAt) throw new Error('cut off')
          if (trips === cutAt && moment === 'before') throw new Error('cut off')
          const result = await trip()
          if (trips === cutAt) throw new Error('cut off')
          return result
        })
        recordLogs()
        await rewrap({ ...small, REWRAP_ROWS_PER_RUN: '200', DB }).catch(() => {})
        await expectKeys(keys)
        if (cutAt === 8) await rewrap(withKeys(OLD, NEW))
      }
      await rewrapAll(small)
      await expectKeys(keys, withKeys(NEW))
      const counts = await env.DB.prepare('SELECT counts FROM rewrap').first<string>('counts')
      const sums = Object.values<{ done: number }>(JSON.parse(counts ?? ''))
      expect(sums.reduce((sum, { done }) => sum + done, 0)).toBe(50)
    },
  )
})
