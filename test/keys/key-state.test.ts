/** What an answer of a provider makes of a key, in a use, a check and a save, and how often the trail says so. */

import { afterEach, expect, it, vi } from 'vitest'
import { useKey } from '../../src/binding/methods.ts'
import { assignKey } from '../../src/keys/assign.ts'
import { conditionEvents, NEW, stateAfterCheck } from '../../src/keys/key-state.ts'
import { saveSlot } from '../../src/keys/save.ts'
import { readSlot } from '../../src/keys/slots.ts'
import { verifySlot } from '../../src/keys/verify.ts'
import type { KeyState } from '../../src/store/api-keys.ts'
import { env } from '../isolate.ts'
import { interceptD1, ownerOf, slotOf, someKey, someKeyUser, someUser } from '../support.ts'
import { MODELS } from './key-owner.ts'

type Answer = [status: number, body: object]

const GOOD: Answer = [200, {}]
const SPENT: Answer = [429, { error: { code: 'insufficient_quota' } }]
const BUSY: Answer = [429, { error: { code: 'rate_limit_exceeded' } }]
const BAD: Answer = [401, { error: { code: 'invalid_api_key' } }]
const CLOSED: Answer = [401, { error: { code: 'account_deactivated' } }]
/** DeepSeek's balance, for which its probe asks. */
const WITHOUT_BALANCE: Answer = [200, { is_available: false }]
const WITH_BALANCE: Answer = [200, { is_available: true }]

const AT = '2026-11-03T12:00:00.000Z'

afterEach(() => vi.restoreAllMocks())

/** The provider answers each request in this way. */
function answer([status, body]: Answer): void {
  vi.spyOn(globalThis, 'fetch').mockImplementation(async () => Response.json(body, { status }))
}

/** Uses the key of a user in an isolate of its own, which writes its counts at once, and waits until the use is recorded. */
async function use(userId: string, given: Answer, method = 'POST', vault: Env = { ...env }) {
  answer(given)
  const works: Promise<void>[] = []
  const by = { kind: 'caller', name: 'binding:chat' } as const
  const waitUntil = (work: Promise<void>) => void works.push(work)
  const user = { ...(await ownerOf(userId, vault)), by, waitUntil }
  const used = await useKey(user, slotOf(user, 'openai'), new Request(MODELS, { method }))
  await Promise.all(works)
  return used
}

const stateOf = async (userId: string) =>
  env.DB.prepare('SELECT status, exhausted_at AS exhaustedAt FROM api_keys WHERE user_id = ?1')
    .bind(userId)
    .first<{ status: string; exhaustedAt: string | null }>()

const setState = async (userId: string, status: string, exhaustedAt: string | null) =>
  env.DB.prepare('UPDATE api_keys SET status = ?2, exhausted_at = ?3 WHERE user_id = ?1')
    .bind(userId, status, exhaustedAt)
    .run()

/** The events of a user's key that are not sums, the oldest first. */
async function eventsOf(userId: string): Promise<string[]> {
  const sql = `SELECT event FROM api_key_events WHERE user_id = ?1 AND hours IS NULL
    AND event NOT IN ('saved', 'verified', 'assigned') ORDER BY id`
  const { results } = await env.DB.prepare(sql).bind(userId).all<{ event: string }>()
  return results.map(({ event }) => event)
}

const NEVER = null
const since = expect.stringMatching(/^20\d\d-.*Z$/)

it.for<
  [what: string, before: KeyState, given: Answer, method: string, after: object, events: string[]]
>([
  [
    'finds that there is no credit',
    NEW,
    SPENT,
    'POST',
    { status: 'unverified', exhaustedAt: since },
    ['out_of_credit'],
  ],
  [
    'finds it with a GET too',
    NEW,
    SPENT,
    'GET',
    { status: 'unverified', exhaustedAt: since },
    ['out_of_credit'],
  ],
  [
    'finds it again',
    { status: 'active', exhaustedAt: AT },
    SPENT,
    'POST',
    { status: 'active', exhaustedAt: AT },
    [],
  ],
  [
    'is accepted again',
    { status: 'active', exhaustedAt: AT },
    GOOD,
    'POST',
    { status: 'active', exhaustedAt: NEVER },
    ['in_credit'],
  ],
  [
    'is accepted with a DELETE',
    { status: 'active', exhaustedAt: AT },
    GOOD,
    'DELETE',
    { status: 'active', exhaustedAt: NEVER },
    ['in_credit'],
  ],
  [
    'reads',
    { status: 'active', exhaustedAt: AT },
    GOOD,
    'GET',
    { status: 'active', exhaustedAt: AT },
    [],
  ],
  [
    'asks with a HEAD',
    { status: 'active', exhaustedAt: AT },
    GOOD,
    'HEAD',
    { status: 'active', exhaustedAt: AT },
    [],
  ],
  [
    'is too fast',
    { status: 'active', exhaustedAt: NEVER },
    BUSY,
    'POST',
    { status: 'active', exhaustedAt: NEVER },
    [],
  ],
  [
    'is too fast without credit',
    { status: 'active', exhaustedAt: AT },
    BUSY,
    'POST',
    { status: 'active', exhaustedAt: AT },
    [],
  ],
  [
    'is rejected without credit',
    { status: 'active', exhaustedAt: AT },
    BAD,
    'POST',
    { status: 'rejected', exhaustedAt: AT },
    ['rejected_in_use'],
  ],
  [
    'is accepted after a rejection',
    { status: 'rejected', exhaustedAt: AT },
    GOOD,
    'POST',
    { status: 'active', exhaustedAt: NEVER },
    ['in_credit'],
  ],
  [
    'of a rejected key finds that there is no credit',
    { status: 'rejected', exhaustedAt: NEVER },
    SPENT,
    'POST',
    { status: 'rejected', exhaustedAt: since },
    ['out_of_credit'],
  ],
])('a use that %s', async ([, before, given, method, after, events]) => {
  const userId = await someKeyUser(someKey())
  await setState(userId, before.status, before.exhaustedAt)
  await use(userId, given, method)
  expect(await stateOf(userId)).toEqual(after)
  expect(await eventsOf(userId)).toEqual(events)
})

it.for<[name: string, given: Answer, condition: string | null]>([
  ['that there is no credit', SPENT, 'out_of_credit'],
  ['nothing of the key', BUSY, null],
  ['that the key is bad', BAD, null],
  ['what was asked', GOOD, null],
])(
  'an answer that says %s tells whose key was used, and its condition: %j',
  async ([, given, condition]) => {
    const { response, key } = await use(await someKeyUser(someKey()), given)
    expect(key).toEqual({ source: 'own', slot: 'openai' })
    const told = ['Key', 'Slot', 'Condition'].map((name) => response.headers.get(`X-Vault-${name}`))
    expect(told).toEqual(['own', 'openai', condition])
  },
)

it.for<[why: string, given: Answer]>([
  ['unknown', BAD],
  ['suspended', CLOSED],
])('the event of a rejection in use says why: %s', async ([reason, given]) => {
  const userId = await someKeyUser(someKey())
  await use(userId, given)
  const sql = `SELECT reason, provider_status AS status FROM api_key_events
    WHERE user_id = ?1 AND event = 'rejected_in_use'`
  expect(await env.DB.prepare(sql).bind(userId).first()).toEqual({ reason, status: 401 })
})

it('twenty uses at once that find no credit note it once', async () => {
  const userId = await someKeyUser(someKey())
  await Promise.all(Array.from({ length: 20 }, async () => use(userId, SPENT)))
  expect(await eventsOf(userId)).toEqual(['out_of_credit'])
})

it.for<[what: string, set: string, given: Answer, after: object]>([
  ['a rejection', "status = 'rejected'", GOOD, { status: 'rejected', exhaustedAt: AT }],
  ['another key', "identity = 'other'", GOOD, { status: 'active', exhaustedAt: AT }],
  [
    'another key without credit',
    "identity = 'other', exhausted_at = NULL",
    SPENT,
    { status: 'active', exhaustedAt: null },
  ],
  [
    'a later lack of credit',
    "exhausted_at = '2026-11-04T12:00:00.000Z'",
    GOOD,
    { status: 'active', exhaustedAt: '2026-11-04T12:00:00.000Z' },
  ],
])('a use does not undo what came meanwhile: %s', async ([, set, given, after]) => {
  const userId = await someKeyUser(someKey())
  await setState(userId, 'active', AT)
  let trips = 0
  const DB = interceptD1(async (trip) => {
    trips += 1
    if (trips === 2)
      await env.DB.prepare(`UPDATE api_keys SET ${set} WHERE user_id = ?1`).bind(userId).run()
    return trip()
  })
  await use(userId, given, 'POST', { ...env, DB })
  expect(await stateOf(userId)).toEqual(after)
  expect(await eventsOf(userId)).toEqual([])
})

it('a key of which each second use finds no credit has at most 100 events a day, and the state of the last use', async () => {
  const userId = await someKeyUser(someKey())
  await use(userId, SPENT)
  await env.DB.prepare(
    `WITH RECURSIVE numbers (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers LIMIT 99)
     INSERT INTO api_key_events (day, user_id, id, provider, event, actor)
     SELECT date('now'), ?1, date('now') || i, 'openai', 'in_credit', 'caller' FROM numbers`,
  )
    .bind(userId)
    .run()
  await use(userId, GOOD)
  expect(await stateOf(userId)).toEqual({ status: 'active', exhaustedAt: null })
  expect(await eventsOf(userId)).toHaveLength(100)
})

it('a check sets and ends the condition if its probe shows credit, and otherwise does neither', async () => {
  const userId = await someKeyUser(someKey(), 'deepseek')
  const owner = await ownerOf(userId)
  answer(WITHOUT_BALANCE)
  const without = await verifySlot(owner, 'deepseek')
  expect(without).toMatchObject({
    verdict: 'accepted',
    key: { status: 'active', exhaustedAt: since },
  })
  answer(WITH_BALANCE)
  const filled = await verifySlot(owner, 'deepseek')
  expect(filled).toMatchObject({
    verdict: 'accepted',
    key: { status: 'active', exhaustedAt: null },
  })
  expect(await eventsOf(userId)).toEqual(['out_of_credit', 'in_credit'])

  const other = await someKeyUser(someKey())
  await setState(other, 'active', AT)
  answer(GOOD)
  await verifySlot(await ownerOf(other), 'openai')
  expect(await stateOf(other)).toEqual({ status: 'active', exhaustedAt: AT })
})

it('a save whose check shows that there is no credit saves the key, and says so', async () => {
  const userId = await someUser()
  answer(WITHOUT_BALANCE)
  const saved = await saveSlot(await ownerOf(userId), 'deepseek', {
    apiKey: someKey(),
    verify: true,
  })
  expect(saved).toMatchObject({ status: 'active', exhaustedAt: since })
  expect(await eventsOf(userId)).toEqual(['out_of_credit'])
})

it('another key in the slot has no condition', async () => {
  const userId = await someKeyUser(someKey())
  await setState(userId, 'active', AT)
  await saveSlot(await ownerOf(userId), 'openai', { apiKey: someKey(), verify: false })
  expect(await stateOf(userId)).toEqual({ status: 'unverified', exhaustedAt: null })
  expect(await eventsOf(userId)).toEqual(['replaced'])
})

it('a key of the plain route has the condition that its check shows when it is assigned', async () => {
  const userId = await someKeyUser(someKey(), 'default')
  const owner = await ownerOf(userId)
  answer(WITHOUT_BALANCE)
  await assignKey(owner, 'deepseek', true)
  expect(await readSlot(owner, 'deepseek')).toMatchObject({ status: 'active', exhaustedAt: since })
  expect(await eventsOf(userId)).toEqual(['out_of_credit'])
})

it.for<[hasCredit: boolean | null, before: string | null, after: string | null]>([
  [null, null, null],
  [null, 'earlier', 'earlier'],
  [true, 'earlier', null],
  [false, null, 'now'],
  [false, 'earlier', 'earlier'],
])(
  'after a check with credit %j, a condition since %j is since %j',
  ([hasCredit, before, after]) => {
    const trial = { verdict: 'accepted', reason: 'HTTP 200', rejection: null, hasCredit } as const
    const state = stateAfterCheck({ ...NEW, exhaustedAt: before }, trial, 'now')
    expect(state).toEqual({ status: 'active', exhaustedAt: after })
  },
)

it('a condition that stays the same has no event', () => {
  expect(conditionEvents(NEW, { ...NEW, status: 'active' }, {})).toEqual([])
})

it('uses a key without credit once an hour while there is another one', async () => {
  const userId = await someKeyUser(someKey())
  await saveSlot(await ownerOf(userId), 'openai:work', { apiKey: someKey(), verify: false })
  const start = Date.now()
  vi.useFakeTimers({ toFake: ['Date'], now: start })
  const slotAfter = async (minutes: number, given: Answer) => {
    vi.setSystemTime(start + minutes * 60_000)
    return (await use(userId, given)).key.slot
  }
  const slots = [
    await slotAfter(0, SPENT),
    await slotAfter(1, GOOD),
    await slotAfter(61, SPENT),
    await slotAfter(62, GOOD),
    await slotAfter(120, GOOD),
    await slotAfter(122, GOOD),
    await slotAfter(123, GOOD),
  ]
  vi.useRealTimers()
  const [first, second] = ['openai', 'openai:work']
  expect(slots).toEqual([first, second, first, second, second, first, first])
})
