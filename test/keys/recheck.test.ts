/** The job that asks providers about keys that were neither used nor checked for some days. */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { sealKey } from '../../src/crypto/seal.ts'
import { KEYS_PER_PROVIDER, KEYS_PER_RUN } from '../../src/keys/recheck.ts'
import { deleteSlot, setLimits } from '../../src/keys/slots.ts'
import { saveSlot } from '../../src/keys/save.ts'
import { openService } from '../../src/service.ts'
import { teamOwner } from '../../src/shared/owner.ts'
import { env } from '../isolate.ts'
import { interceptD1, ownerOf, recordLogs, someEncryptionKey } from '../support.ts'
import {
  accept,
  answerProbes,
  clearKeys,
  DAY_MS,
  daysAgo,
  eventsOf,
  keysOf,
  PROVIDERS,
  recheck,
  recheckingVault,
  stateOf,
  storeIdle,
} from './idle-keys.ts'
import { age, backUp, failingDeletions, someVault } from './restoration.ts'

beforeEach(clearKeys)
beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'] }))
afterEach(() => vi.useRealTimers())

const refuse = () => new Response('{}', { status: 401 })
const fail = () => new Response('{}', { status: 500 })
const OF_KEY = 'of key'

/** Changes the rows of all keys. */
const change = async (sql: string) => env.DB.exec(`UPDATE api_keys SET ${sql}`)

describe('the check of an idle key', () => {
  it.for([
    ['stays active', 'active', accept, 'active', []],
    ['is active again', 'rejected', accept, 'active', ['accepted', null]],
    ['is active at last', 'unverified', accept, 'active', ['accepted', null]],
    ['is rejected', 'active', refuse, 'rejected', ['refused', 'unknown']],
    ['stays rejected', 'rejected', refuse, 'rejected', []],
  ] as const)(
    'an idle key %s, with an event if that is new',
    async ([, before, answer, after, [verdict, reason]]) => {
      recordLogs()
      await storeIdle([{ text: 'key' }])
      await change(`status = '${before}'`)
      const messages: unknown[] = []
      const sendBatch = async (sent: { body: unknown }[]) =>
        void messages.push(...sent.map(({ body }) => body))
      answerProbes(answer)
      await recheck(recheckingVault({ EVENTS_QUEUE: { send: null, sendBatch } }))
      const checkedAt = new Date().toISOString()
      expect(await stateOf(OF_KEY)).toEqual({ status: after, isExhausted: 0, checkedAt })
      const event = { event: 'rechecked', provider: 'one', actor: 'job', verdict, reason }
      const events = verdict === undefined ? [] : [event]
      expect(await eventsOf(OF_KEY)).toEqual(events)
      const sent = events.map(() => ({ user_id: OF_KEY, event: 'rechecked', by: 'job', verdict }))
      expect(messages).toMatchObject(sent)
    },
  )

  it.for([
    ['out of credit', 'prepaid', null, false, 1, ['out_of_credit']],
    ['still out of credit', 'prepaid', '2026-01-01', false, 1, []],
    ['in credit again', 'prepaid', '2026-01-01', true, 0, ['in_credit']],
    ['in credit', 'prepaid', null, true, 0, []],
    ['not known to be in credit', 'one', '2026-01-01', true, 1, []],
  ] as const)(
    'an idle key is %s, with an event if that is new',
    async ([, provider, before, credit, isExhausted, kinds]) => {
      recordLogs()
      await storeIdle([{ text: 'key', provider }])
      await change(`exhausted_at = ${before === null ? 'NULL' : `'${before}'`}`)
      answerProbes(() => Response.json({ credit }))
      await recheck()
      expect(await stateOf(OF_KEY)).toMatchObject({ status: 'active', isExhausted })
      const events = (await eventsOf(OF_KEY)).map(({ event }) => event)
      expect(events).toEqual(kinds)
    },
  )

  it('an idle key is asked about at its base URL', async () => {
    recordLogs()
    await storeIdle([
      { text: 'key\0https://mine.hosted.test/v1', provider: 'hosted', userId: 'me' },
    ])
    const urls: string[] = []
    answerProbes((_key, url) => {
      urls.push(url)
      return new Response('{}')
    })
    await recheck()
    expect(urls).toEqual(['https://mine.hosted.test/v1/probe'])
  })

  it('a run logs how many keys it checked, and whether it ended a lap', async () => {
    const logs = recordLogs()
    await storeIdle([{ text: 'good-1' }, { text: 'good-2' }, { text: 'bad' }, { text: 'busy' }])
    answerProbes((key) => (key === 'bad' ? refuse() : key === 'busy' ? fail() : accept(key, '')))
    await recheck()
    await recheck()
    const events = logs.events()
    const tried = events.filter(({ event }) => event === 'api_key_tried')
    const verdicts = tried.map(({ verdict }) => String(verdict))
    expect(verdicts.toSorted()).toEqual(['accepted', 'accepted', 'refused', 'unknown'])
    expect(events.filter(({ event }) => event !== 'api_key_tried')).toEqual([
      { level: 'info', event: 'keys_rechecked', checked: 4, lap_ended: true },
    ])
  })
})

describe('which keys are checked', () => {
  it('the job makes no call of D1 without RECHECK_AFTER_DAYS', async () => {
    await storeIdle([{ text: 'key' }])
    const asked = answerProbes()
    let calls = 0
    const DB = interceptD1(async (trip) => {
      calls += 1
      return trip()
    })
    await recheck(recheckingVault({ DB, RECHECK_AFTER_DAYS: '' }))
    expect([calls, asked]).toEqual([0, []])
  })

  it('a key is checked if it was saved, used and checked 30 days ago, or earlier', async () => {
    recordLogs()
    const columns = ['updated_at', 'last_used_at', 'last_verified_at']
    const keys = columns.flatMap((column) => [`${column}=30`, `${column}=29.99`])
    await storeIdle(keys.map((text) => ({ text })))
    for (const key of keys) {
      const [column, days] = key.split('=')
      const sql = `UPDATE api_keys SET ${column} = ?2 WHERE user_id = ?1`
      // oxlint-disable-next-line no-await-in-loop -- one database
      await env.DB.prepare(sql)
        .bind(`of ${key}`, daysAgo(Number(days)))
        .run()
    }
    const asked = answerProbes()
    await recheck()
    expect(asked.toSorted()).toEqual(columns.map((column) => `${column}=30`).toSorted())
  })

  it.for([
    ['paused', "paused_at = '2026-01-01T00:00:00.000Z'"],
    ['expired', "expires_at = '2026-01-01T00:00:00.000Z'"],
    ['of the plain route', "provider = 'default'"],
    ['of a removed provider', "provider = 'removed'"],
    ['of a provider without a probe', "provider = 'probeless'"],
    ['of a missing encryption key', "key_id = 'missing'"],
  ] as const)('a key is left alone if it is %s', async ([, sql]) => {
    const logs = recordLogs()
    await storeIdle([{ text: 'key' }, { text: 'other' }])
    await env.DB.exec(`UPDATE api_keys SET ${sql} WHERE user_id = '${OF_KEY}'`)
    await env.DB.exec(
      `UPDATE api_keys SET expires_at = '${daysAgo(-1)}' WHERE user_id = 'of other'`,
    )
    const asked = answerProbes()
    await recheck()
    expect(asked).toEqual(['other'])
    expect(await stateOf(OF_KEY)).toMatchObject({ status: 'active', checkedAt: null })
    expect(logs.text()).not.toContain('unreadable')
  })

  it('a damaged key is left alone and logged, and the others are checked', async () => {
    const logs = recordLogs()
    await storeIdle([{ text: 'key' }, { text: 'other' }])
    await env.DB.exec("UPDATE api_keys SET encrypted_api_key = 'x' WHERE user_id = 'of key'")
    const asked = answerProbes()
    await recheck()
    expect(asked).toEqual(['other'])
    const unreadable = { event: 'api_key_unreadable', user_id: OF_KEY, reason: 'does_not_open' }
    expect(logs.events()).toContainEqual(expect.objectContaining(unreadable))
  })

  it('a deleted key that a restored D1 has again is left alone', async () => {
    recordLogs()
    const { remove, runJob } = someVault({ PROVIDERS })
    await storeIdle([{ text: 'key' }, { text: 'other' }])
    await runJob()
    await age(10)
    const restore = await backUp()
    await runJob()
    await remove(OF_KEY, 'one')
    await runJob()
    await restore()
    const asked = answerProbes()
    await recheck()
    expect(asked).toEqual(['other'])
  })

  it('a run claims no key while nobody can tell which keys are gone', async () => {
    recordLogs()
    await storeIdle([{ text: 'key' }])
    await age(10)
    const asked = answerProbes()
    const failing = recheckingVault({ DELETIONS: failingDeletions() })
    await expect(recheck(failing)).rejects.toMatchObject({ code: 'database_busy' })
    expect(asked).toEqual([])
    await recheck()
    expect(asked).toEqual(['key'])
  })

  it('keys with a label and keys of teams are checked, each as a key of its provider', async () => {
    const logs = recordLogs()
    const keys = keysOf('one', KEYS_PER_PROVIDER).map(({ text }, index) => {
      const userId = index % 2 === 0 ? 'ann' : teamOwner('ann')
      return { text, userId, provider: `one:${index}` }
    })
    await storeIdle([...keys, { text: 'other', userId: 'ann', provider: 'one' }])
    const asked = answerProbes((key) => (key === 'one-1' ? refuse() : accept(key, '')))
    await recheck()
    expect(asked).toHaveLength(KEYS_PER_PROVIDER)
    await recheck()
    expect(asked.toSorted()).toEqual([...keys.map(({ text }) => text), 'other'].toSorted())
    expect(await eventsOf(teamOwner('ann'))).toMatchObject([
      { event: 'rechecked', provider: 'one:1', verdict: 'refused' },
    ])
    expect(await eventsOf('ann')).toEqual([])
    const line = { event: 'api_key_tried', user_id: 'team:ann', provider: 'one:1' }
    expect(logs.events()).toContainEqual(expect.objectContaining(line))
  })

  it('keys under each encryption key are checked', async () => {
    recordLogs()
    const [first, second] = [someEncryptionKey(), someEncryptionKey()]
    const vault = recheckingVault({ API_KEY_ENCRYPTION_KEY: `${first},${second}` })
    await storeIdle([{ text: 'old' }], { ...env, API_KEY_ENCRYPTION_KEY: second })
    await storeIdle([{ text: 'new' }], vault)
    const asked = answerProbes()
    await recheck(vault)
    expect(asked.toSorted()).toEqual(['new', 'old'])
  })
})

describe('how often and how fast', () => {
  it('a key whose answer is unknown stays as it is, and is asked about a day later', async () => {
    recordLogs()
    await storeIdle([{ text: 'key' }])
    const asked = answerProbes(fail)
    const runAfter = async (ms: number) => {
      vi.setSystemTime(Date.now() + ms)
      await recheck()
      return asked.length
    }
    expect(await runAfter(0)).toBe(1)
    expect(await runAfter(DAY_MS - 1)).toBe(1)
    expect(await runAfter(1)).toBe(2)
    expect(await runAfter(60_000)).toBe(2)
    expect(await stateOf(OF_KEY)).toEqual({ status: 'active', isExhausted: 0, checkedAt: null })
    expect(await eventsOf(OF_KEY)).toEqual([])
  })

  it('a run asks a provider about a few keys, one after the other, and four providers at once', async () => {
    recordLogs()
    const names = ['one', 'two', 'three', 'four', 'five']
    await storeIdle(names.flatMap((name) => keysOf(name, KEYS_PER_PROVIDER + 1)))
    const underWay = new Set<string>()
    let most = 0
    const asked = answerProbes(async (key) => {
      const provider = key.replace(/-.*/, '')
      expect(underWay).not.toContain(provider)
      underWay.add(provider)
      most = Math.max(most, underWay.size)
      await new Promise((resolve) => setTimeout(resolve, 0))
      underWay.delete(provider)
      return new Response('{}')
    })
    const runs: string[][] = []
    while (runs.flat().length < names.length * (KEYS_PER_PROVIDER + 1)) {
      asked.length = 0
      // oxlint-disable-next-line no-await-in-loop -- each run goes on where the last one ended
      await recheck()
      const perProvider = names.map((name) => asked.filter((key) => key.startsWith(name)).length)
      expect(Math.max(...perProvider)).toBeLessThanOrEqual(KEYS_PER_PROVIDER)
      expect(asked.length).toBeLessThanOrEqual(KEYS_PER_RUN)
      expect(asked.length).toBeGreaterThan(0)
      runs.push([...asked])
    }
    expect(new Set(runs.flat()).size).toBe(runs.flat().length)
    expect(most).toBeGreaterThan(1)
    expect(most).toBeLessThanOrEqual(4)
  })

  it('a run checks no more keys of one provider than it may', async () => {
    recordLogs()
    await storeIdle(keysOf('one', KEYS_PER_PROVIDER + 1))
    const asked = answerProbes()
    await recheck()
    expect(asked).toHaveLength(KEYS_PER_PROVIDER)
    await recheck()
    expect(new Set(asked).size).toBe(KEYS_PER_PROVIDER + 1)
  })
})

/** Answers that all wait until they are let go. */
function heldProbes() {
  const gate = Promise.withResolvers<void>()
  const started = Promise.withResolvers<void>()
  const asked = answerProbes(async () => {
    started.resolve()
    await gate.promise
    return new Response('{}')
  })
  return { asked, started: started.promise, release: () => gate.resolve() }
}

describe('what happens meanwhile', () => {
  it('two runs at once check no key twice', async () => {
    recordLogs()
    await storeIdle([...keysOf('one', 8), ...keysOf('two', 8)])
    const { asked, release } = heldProbes()
    let reads = 0
    const read = Promise.withResolvers<void>()
    // Both have read where the lap is before one of them claims keys.
    const DB = interceptD1(async (trip) => {
      const result = await trip()
      reads += 1
      if (reads === 2) read.resolve()
      await read.promise
      return result
    })
    const runs = [recheck(recheckingVault({ DB })), recheck(recheckingVault({ DB }))]
    await read.promise
    release()
    await Promise.all(runs)
    expect(asked.length).toBeGreaterThan(0)
    for (let left = 4; left > 0; left -= 1) {
      // oxlint-disable-next-line no-await-in-loop
      await recheck()
    }
    expect(asked).toHaveLength(16)
    expect(new Set(asked).size).toBe(16)
  })

  it('a run that begins while another one checks its keys goes on after them', async () => {
    recordLogs()
    await storeIdle(keysOf('one', 2 * KEYS_PER_PROVIDER))
    const { asked, started, release } = heldProbes()
    const first = recheck()
    await started
    const second = recheck()
    release()
    await Promise.all([first, second])
    expect(new Set(asked).size).toBe(2 * KEYS_PER_PROVIDER)
    expect(asked).toHaveLength(2 * KEYS_PER_PROVIDER)
  })

  const REJECTION = { status: 'rejected', isExhausted: 0, checkedAt: null }
  const MEANWHILE: [string, work: () => Promise<unknown>, after: object | null][] = [
    ['is rejected in a use', async () => change("status = 'rejected'"), REJECTION],
    [
      'is replaced',
      async () => saveSlot(await me(), 'one', { apiKey: 'another', verify: false }),
      { status: 'unverified', isExhausted: 0, checkedAt: null },
    ],
    ['is deleted', async () => deleteSlot(await me(), 'one'), null],
  ]
  const me = async () => ownerOf(OF_KEY, recheckingVault())

  it.for(MEANWHILE)('a check changes nothing if meanwhile the key %s', async ([, work, after]) => {
    recordLogs()
    await storeIdle([{ text: 'key' }])
    await change("status = 'unverified'")
    answerProbes(async () => {
      await work()
      return new Response('{}')
    })
    await recheck()
    expect(await stateOf(OF_KEY)).toEqual(after)
    const kinds = (await eventsOf(OF_KEY)).map(({ event }) => event)
    expect(kinds).not.toContain('rechecked')
  })

  it('a key that a check accepts stays out of credit if a use finds that meanwhile', async () => {
    recordLogs()
    await storeIdle([{ text: 'key' }])
    await change("status = 'unverified'")
    answerProbes(async () => {
      await change("exhausted_at = '2026-01-01'")
      return new Response('{}')
    })
    await recheck()
    expect(await stateOf(OF_KEY)).toMatchObject({ status: 'active', isExhausted: 1 })
  })

  it('a key that a check rejects stays paused if it is paused meanwhile', async () => {
    recordLogs()
    await storeIdle([{ text: 'key' }])
    answerProbes(async () => {
      await setLimits(await me(), 'one', { isPaused: true, condition: null })
      return refuse()
    })
    await recheck()
    const sql = 'SELECT status, paused_at IS NOT NULL AS isPaused FROM api_keys'
    expect(await env.DB.prepare(sql).first()).toEqual({ status: 'rejected', isPaused: 1 })
  })

  it.for(["paused_at = '2026-01-01'", "last_used_at = '2999-01-01'", "expires_at = '2026-01-01'"])(
    'a key that a run has claimed is left alone after: %s',
    async (sql) => {
      recordLogs()
      await storeIdle(keysOf('one', 2))
      const asked = answerProbes(async () => {
        await change(sql)
        return new Response('{}')
      })
      await recheck()
      expect(asked).toHaveLength(1)
    },
  )

  it('a key that is sealed again after a run has claimed it is checked', async () => {
    recordLogs()
    const [first, second] = [someEncryptionKey(), someEncryptionKey()]
    const vault = recheckingVault({ API_KEY_ENCRYPTION_KEY: `${first},${second}` })
    await storeIdle(keysOf('one', 2), { ...env, API_KEY_ENCRYPTION_KEY: second })
    const { keyring } = await openService(vault)
    const asked = answerProbes(async () => {
      const rows = ['one-0', 'one-1'].map(async (text) => {
        const userId = `of ${text}`
        const { sealed, kid } = await sealKey(keyring, { userId, provider: 'one' }, text)
        const sql = 'UPDATE api_keys SET encrypted_api_key = ?2, key_id = ?3 WHERE user_id = ?1'
        return env.DB.prepare(sql).bind(userId, sealed, kid)
      })
      await env.DB.batch(await Promise.all(rows))
      return new Response('{}')
    })
    await recheck(vault)
    expect(asked.toSorted()).toEqual(['one-0', 'one-1'])
  })

  it('a fault of D1 at one key leaves the keys of other providers to be checked', async () => {
    const logs = recordLogs()
    await storeIdle([...keysOf('one', 3), ...keysOf('two', 3)])
    const asked = answerProbes()
    let calls = 0
    const DB = interceptD1(async (trip) => {
      calls += 1
      // The run reads the lap, claims keys, reads one key of each provider, and then records the first answer.
      if (calls === 5) throw new Error('D1_ERROR: D1 DB is overloaded.')
      return trip()
    })
    const busy = { code: 'database_busy' }
    await expect(recheck(recheckingVault({ DB }))).rejects.toMatchObject(busy)
    const checked = ['one', 'two'].map((name) => asked.filter((key) => key.startsWith(name)).length)
    expect([Math.min(...checked), Math.max(...checked)]).toEqual([1, 3])
    expect(logs.events()).toContainEqual(expect.objectContaining({ event: 'keys_rechecked' }))
  })
})
