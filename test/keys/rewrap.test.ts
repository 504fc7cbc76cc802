/** The rewrap job: what a pass does with each row, and what happens if other work comes in between. */

import { beforeEach, describe, expect, it } from 'vitest'
import { fingerprintKey } from '../../src/crypto/keyring.ts'
import { sealKey } from '../../src/crypto/seal.ts'
import { BATCH_ROWS } from '../../src/keys/rewrap.ts'
import { openService } from '../../src/service.ts'
import { teamOwner } from '../../src/shared/owner.ts'
import { run } from '../../src/store/d1.ts'
import { renameKey } from '../../src/store/slot-order.ts'
import { env } from '../isolate.ts'
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
import {
  clearRows,
  counts,
  countStatements,
  cutEachTrip,
  insertRows,
  isPassDue,
  kids,
  lateRun,
  openedKeys,
  passRow,
  runJob,
  runPass,
  someKeys,
  storedRows,
  storeKeys,
  withKeys,
} from './sealed-rows.ts'

const [OLD, NEW] = [someEncryptionKey(), someEncryptionKey()]
const before = withKeys(OLD)
const after = withKeys(NEW, OLD)
/** A vault without the old key. */
const rotated = withKeys(NEW)
/** A vault whose runs handle few rows. */
const small = { ...after, REWRAP_ROWS_PER_RUN: '4' }

const damageAll = async () =>
  env.DB.prepare("UPDATE api_keys SET encrypted_api_key = encrypted_api_key || 'AAAA'").run()

beforeEach(clearRows)

describe('a pass', () => {
  it.for(['openai:a', 'openai:z'])(
    'reseals a key that its owner renames to %s meanwhile',
    async (to) => {
      const { keyring } = await openService(before)
      const slots = ['openai', 'openai:m', 'openai:n', 'openai:o'].map((provider) => ({
        userId: 'ann',
        provider,
      }))
      const sealing = slots.map(async (slot) => ({ slot, key: await sealKey(keyring, slot, 'sk') }))
      await insertRows(
        (await Promise.all(sealing)).map(({ slot, key }) => Object.assign(slot, key)),
      )
      const oneByOne = { ...after, REWRAP_ROWS_PER_RUN: '1' }
      await runJob(oneByOne)
      for (const from of ['openai:m', to]) {
        await runJob(oneByOne)
        const rename = renameKey({ userId: 'ann', provider: from }, from === to ? 'openai:b' : to)
        await run(env.DB, rename)
      }
      await runPass(oneByOne)
      expect(await kids()).toEqual({ [(await openService(rotated)).keyring.sealing.kid]: 4 })
    },
  )

  it('reseals every row under the first key, and changes nothing else in it', async () => {
    const keys = await someKeys(BATCH_ROWS + 5, before)
    const [oldKid = ''] = Object.keys(await kids())
    const earlier = await storedRows()
    await runPass(after)
    expect(await openedKeys(rotated)).toEqual(keys)
    const [newKid = '', ...others] = Object.keys(await kids())
    expect(others).toEqual([])
    expect(newKid).not.toBe(oldKid)
    const seals = {
      encrypted_api_key: expect.stringContaining(newKid),
      key_id: newKid,
      fingerprint: expect.any(String),
    }
    expect(await storedRows()).toEqual(earlier.map((row) => Object.assign({}, row, seals)))
  })

  it('reseals rows whose user ids have unusual characters', async () => {
    const ids = [
      '\0',
      'a\0b',
      '"',
      "'",
      '\\',
      '\u2028',
      '\u{10ffff}',
      '\uffff',
      '[',
      '日本',
      '%',
      '\n',
    ]
    const keys = new Map(ids.map((userId) => [userId, someKey()]))
    await storeKeys(keys, before)
    await runPass(after)
    expect(await openedKeys(rotated)).toEqual(keys)
  })

  it('reseals every slot of a user and of the team with the same id for its owner and slot', async () => {
    const [userId, { keyring }] = [await someUser(), await openService(before)]
    const owners = [userId, teamOwner(userId)]
    const slots = owners.flatMap((owner) =>
      ['openai', 'openai:work', 'openai:日本', 'acme'].map((provider) => ({
        userId: owner,
        provider,
      })),
    )
    const rows = slots.map(async (slot) => {
      return { ...slot, ...(await sealKey(keyring, slot, `sk of ${Object.values(slot).join()}`)) }
    })
    await insertRows(await Promise.all(rows))
    await runPass(small)
    for (const slot of slots) {
      const text = await storedKey(slot.userId, rotated, slot.provider)
      expect(text).toBe(`sk of ${Object.values(slot).join()}`)
    }
    expect(Object.values(await kids())).toEqual([slots.length])
  })

  it('keeps the text of a row that is not a key', async () => {
    const [userId, text] = [await someUser(), 'sk-of-more-than-twenty-characters\0not a URL']
    await storeKeys(new Map([[userId, text]]), before)
    await runPass(after)
    const later = await openService(rotated)
    const [fingerprint] = await fingerprintKey(later.keyring, { userId }, text)
    expect(await storedRows()).toMatchObject([{ fingerprint }])
    expect(await openedKeys(rotated)).toEqual(new Map([[userId, text]]))
  })

  it('passes a row that is larger than a batch, and a kid of any name', async () => {
    const keys = await someKeys(3, before)
    const row = { userId: 'a-large', provider: 'large', sealed: 'x'.repeat(500_000), kid: 'large' }
    await insertRows([row])
    await runJob(after)
    const odd = ['__proto__', 'constructor', 'toString']
    await insertRows(odd.map((kid) => ({ userId: 'b-odd', provider: kid, sealed: 'x', kid })))
    await runPass(after)
    expect(await openedKeys(rotated)).toEqual(keys)
    const missed = (await counts()).filter(([, { unopenable }]) => unopenable === 1)
    expect(new Set(missed.map(([kid]) => kid))).toEqual(new Set(['large', ...odd]))
    expect(Object.hasOwn(Object.prototype, 'unopenable')).toBe(false)
  })

  it('opens the rows that are under the first key, too', async () => {
    await someKeys(2, rotated)
    const [newKid = ''] = Object.keys(await kids())
    await env.DB.prepare("UPDATE api_keys SET encrypted_api_key = 'x'").run()
    const logs = recordLogs()
    await runPass(after)
    expect(logs.events().at(-1)).toMatchObject({ by_kid: { [newKid]: { unopenable: 2 } } })
  })

  it('makes batches of the longest keys that D1 accepts', async () => {
    const ids = Array.from({ length: 40 }, (_, index) => `user-${index}`)
    const keys = new Map(ids.map((userId) => [userId, 'k'.repeat(8_192)]))
    await storeKeys(keys, before)
    await runJob(after)
    // About 36 of them fit into a batch, which reads, writes, and moves the pass.
    expect(await countStatements(after)).toEqual([2 + 2 * 3])
    expect(await openedKeys(rotated)).toEqual(keys)
  })
})

describe('a run', () => {
  it('reads no key after the pass is over', async () => {
    await someKeys(10, before)
    await runPass(after)
    const [logs, later] = [recordLogs(), await storedRows()]
    const results: unknown[] = []
    const DB = interceptD1(async (trip) => {
      results.push(await trip())
      return results.at(-1)
    })
    await runJob({ ...after, DB })
    const idle = { meta: { rows_written: 0 } }
    expect(results).toMatchObject([[idle, idle]])
    const read = JSON.stringify(results).matchAll(/"rows_read":(\d+)/g)
    expect(Array.from(read, ([, rows]) => Number(rows))).toEqual([1, 6])
    expect(await storedRows()).toEqual(later)
    expect(logs.text()).toBe('')
  })

  it('handles only as many rows as REWRAP_ROWS_PER_RUN allows', async () => {
    await someKeys(10, before)
    await runJob(small)
    expect(Object.values(await kids())).toEqual([10])
    await runJob(small)
    expect(new Set(Object.values(await kids()))).toEqual(new Set([4, 6]))
    expect(await runPass(small)).toBe(2)
    expect(Object.values(await kids())).toEqual([10])
  })

  it('ends right after the last row that REWRAP_ROWS_PER_RUN allows', async () => {
    await someKeys(BATCH_ROWS + 1, before)
    let trips = 0
    const DB = interceptD1(async (trip) => {
      trips += 1
      return trip()
    })
    const vault = { ...after, REWRAP_ROWS_PER_RUN: `${BATCH_ROWS}` }
    await runJob(vault)
    await runJob({ ...vault, DB })
    expect(trips).toBe(4)
    expect(new Set(Object.values(await kids()))).toEqual(new Set([1, BATCH_ROWS]))
  })

  it('handles 20 rows by default, and writes few enough for the free plan', async () => {
    await someKeys(21, before)
    const unset = { ...after, REWRAP_ROWS_PER_RUN: '' }
    await runJob(unset)
    let written = 0
    const DB = interceptD1(async (trip) => {
      const results = await trip()
      for (const { meta } of Array.isArray(results) ? results : [results]) {
        written += meta.rows_written
      }
      return results
    })
    await runJob({ ...unset, DB })
    expect(new Set(Object.values(await kids()))).toEqual(new Set([1, 20]))
    // The free plan allows 100,000 written rows a day, and the job runs every minute.
    expect(written * 24 * 60).toBeLessThan(70_000)
  })

  it.for(['before', 'after'] as const)(
    'loses no key if it is cut off %s any of its round trips',
    async (moment) => {
      const { keys, opened, done } = await cutEachTrip(moment, { rows: 6, trips: 4 })
      expect(opened).toEqual(Array.from({ length: 5 }, () => keys))
      expect(done).toBe(6)
    },
  )
})

describe('a row that does not open', () => {
  it('keeps a row whose encryption key is missing, and reseals it when the key is back', async () => {
    const keys = await someKeys(5, before)
    const others = await someKeys(2, rotated)
    const earlier = await storedRows()
    const logs = recordLogs()
    await runPass(rotated)
    expect(logs.events().map(({ event }) => event)).toEqual(['rewrap_begun', 'rewrap_finished'])
    expect(await storedRows()).toEqual(earlier)

    const [userId = ''] = keys.keys()
    const token = await mintToken({ sub: userId })
    const lost = await call('GET', keyPath(userId), { token, env: rotated })
    expect(await lost.json()).toMatchObject({ has_api_key: false, error: 'Invalid encrypted key' })
    const found = await call('GET', keyPath(userId), { token, env: after })
    expect(await found.json()).toMatchObject({ has_api_key: true })

    await runPass(after)
    expect(await openedKeys(rotated)).toEqual(new Map([...keys, ...others]))
  })

  it('counts and logs a row that its own encryption key does not open, and keeps it', async () => {
    const [damaged = ''] = (await someKeys(1, before)).keys()
    await damageAll()
    const earlier = await storedRows()
    const keys = await someKeys(3, before)
    const [oldKid = ''] = Object.keys(await kids())
    const logs = recordLogs()
    await runPass(after)
    expect(await openedKeys(rotated)).toEqual(keys)
    expect(await storedRows()).toEqual(expect.arrayContaining(earlier))
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
    expect(new Map(await counts()).get(oldKid)).toMatchObject({ lost: 1 })
    const later = await storedRows()
    await runJob(after)
    expect(await storedRows()).toEqual(later)
    expect(logs.events().at(-1)).toMatchObject({ event: 'rewrap_finished' })
  })

  it('logs only the first of many rows that do not open', async () => {
    await someKeys(22, before)
    await damageAll()
    const logs = recordLogs()
    await runPass(after)
    const events = logs.events().map(({ event }) => event)
    expect(events.filter((event) => event === 'api_key_unreadable')).toHaveLength(20)
    expect(logs.events().at(-1)).toMatchObject({ event: 'rewrap_finished', unopenable: 22 })
  })

  it.for(['PUT', 'DELETE'])(
    'nothing waits for a missing key after a %s of the last row that needs it',
    async (method) => {
      const [[userId = ''] = []] = await someKeys(1, before)
      await runPass(rotated)
      const health = async () => (await call('GET', '/api/health', { env: withKeys(NEW) })).status
      expect(await health()).toBe(503)
      const token = await mintToken({ sub: userId })
      const body = method === 'PUT' ? { api_key: someKey() } : undefined
      await call(method, keyPath(userId), { token, body, env: rotated })
      expect(await health()).toBe(200)
      await agePass(25)
      expect(await isPassDue(rotated)).toBe(false)
    },
  )

  it('tries rows whose key is missing again a day later, as long as there are any', async () => {
    const [[userId = ''] = []] = await someKeys(1, before)
    await someKeys(1, rotated)
    await runPass(rotated)
    await agePass(23)
    expect(await isPassDue(rotated)).toBe(false)
    await agePass(25)
    expect(await isPassDue(rotated)).toBe(true)
    await runPass(rotated)
    expect(await isPassDue(rotated)).toBe(false)
    await agePass(25)
    await env.DB.prepare('DELETE FROM users WHERE id = ?1').bind(userId).run()
    expect(await isPassDue(rotated)).toBe(false)
  })

  it('does not try lost rows again a day later, because it had their key', async () => {
    await someKeys(1, before)
    await damageAll()
    await someKeys(1, rotated)
    await runPass(after)
    await agePass(25)
    expect(await isPassDue(after)).toBe(false)
  })

  it('tries a row that was saved at a time in the future only once', async () => {
    await someKeys(1, before)
    await damageAll()
    await env.DB.prepare("UPDATE api_keys SET updated_at = '2999-01-01T00:00:00.000Z'").run()
    await runPass(after)
    expect(await isPassDue(after)).toBe(false)
  })
})

/** Has the last pass have finished some hours ago. */
const agePass = async (hours: number) =>
  env.DB.prepare("UPDATE rewrap SET finished_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ?1)")
    .bind(`-${hours} hours`)
    .run()

describe('a change during a run', () => {
  it('keeps the result of a PUT, a DELETE or the end of a user during a run', async () => {
    const keys = await someKeys(4, before)
    const [put = '', deleted = '', removed = ''] = keys.keys()
    await runJob(after)
    await lateRun(after, async () => {
      keys.set(put, someKey())
      await putKey(put, keys.get(put), { env: after })
      await call('DELETE', keyPath(deleted), { token: await mintToken({ sub: deleted }) })
      await env.DB.prepare('DELETE FROM users WHERE id = ?1').bind(removed).run()
    })
    keys.delete(deleted)
    keys.delete(removed)
    expect(await openedKeys(rotated)).toEqual(keys)
    expect(await storedRows()).toHaveLength(2)
  })

  it('makes another pass for a PUT by a version that seals under the old key', async () => {
    const keys = await someKeys(4, before)
    const [oldKid = ''] = Object.keys(await kids())
    // The run has passed this user when the key is saved.
    const late = await someUser('a-late')
    await runJob(after)
    await lateRun(after, async () => {
      keys.set(late, someKey())
      await putKey(late, keys.get(late), { env: before })
    })
    expect((await kids())[oldKid]).toBe(1)
    await runJob(after)
    await runPass(after)
    expect((await kids())[oldKid]).toBeUndefined()
    expect(await openedKeys(rotated)).toEqual(keys)
  })

  it('makes another pass for a PUT under the old key although a lost row went meanwhile', async () => {
    const [lost = ''] = (await someKeys(1, before)).keys()
    await damageAll()
    const keys = await someKeys(2, before)
    const late = await someUser('z-late')
    await runJob(after)
    await lateRun(after, async () => {
      await env.DB.prepare('DELETE FROM users WHERE id = ?1').bind(lost).run()
      keys.set(late, someKey())
      await putKey(late, keys.get(late), { env: before })
    })
    expect(await passRow()).toMatchObject({ finished_at: expect.any(String) })
    expect(await isPassDue(after)).toBe(true)
    await runPass(after)
    expect(await openedKeys(rotated)).toEqual(keys)
  })

  it('stops one of two runs that work at once', async () => {
    const keys = await someKeys(12, before)
    await runJob(small)
    for (let round = 0; round < 4; round += 1) await Promise.all([runJob(small), runJob(small)])
    expect(await openedKeys(rotated)).toEqual(keys)
    expect((await counts()).map(([, count]) => count)).toEqual([
      { rows: 12, done: 12, unopenable: 0 },
    ])
  })
})

describe('a run that is late', () => {
  it('does not move a pass that a faster run has moved', async () => {
    const keys = await someKeys(4, before)
    await runJob(after)
    let moved: unknown
    await lateRun(after, async () => {
      await runJob(after)
      moved = await passRow()
    })
    expect(moved).toMatchObject({ finished_at: expect.any(String) })
    expect(await passRow()).toEqual(moved)
    expect(await openedKeys(rotated)).toEqual(keys)
  })

  it('ends after the batch that a faster run has moved', async () => {
    await someKeys(BATCH_ROWS + 1, before)
    await runJob(after)
    const one = { ...after, REWRAP_ROWS_PER_RUN: `${BATCH_ROWS}` }
    await lateRun(after, async () => runJob(one))
    expect(await passRow()).toMatchObject({ finished_at: null })
  })

  it('logs no row that a faster run has logged', async () => {
    await someKeys(1, before)
    await damageAll()
    const logs = recordLogs()
    await runJob(after)
    await lateRun(after, async () => runJob(after))
    const events = logs.events().map(({ event }) => event)
    expect(events).toEqual(['rewrap_begun', 'api_key_unreadable', 'rewrap_finished'])
  })

  it('does not end a pass that another run began meanwhile', async () => {
    const keys = await someKeys(4, before)
    await runJob(after)
    await someUser('a-late')
    let begun: unknown
    await lateRun(after, async () => {
      keys.set('a-late', someKey())
      await putKey('a-late', keys.get('a-late'), { env: before })
      await env.DB.prepare("UPDATE rewrap SET asked_at = '2026'").run()
      await runJob(after)
      begun = await passRow()
    })
    expect(await passRow()).toEqual(begun)
    await runPass(after)
    expect(await openedKeys(rotated)).toEqual(keys)
  })

  it('seals again what a run with another keyring has written late', async () => {
    const keys = await someKeys(4, before)
    const [oldKid = ''] = Object.keys(await kids())
    const other = withKeys(OLD, NEW)
    await runJob(after)
    await lateRun(after, async () => runJob(other))
    expect(Object.keys(await kids())).not.toContain(oldKid)
    await runPass(other)
    expect(await kids()).toEqual({ [oldKid]: 4 })
    expect(await openedKeys(before)).toEqual(keys)
  })
})
