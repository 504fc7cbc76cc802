/** Which uses ask D1, and which take the row at hand. */

import { beforeEach, describe, expect, it, vi } from 'vitest'
import { useKey } from '../../src/binding/methods.ts'
import { VaultError } from '../../src/errors.ts'
import { arrangeKey } from '../../src/keys/arrange.ts'
import { assignKey } from '../../src/keys/assign.ts'
import { copyDeletions } from '../../src/keys/gone.ts'
import { saveSlot } from '../../src/keys/save.ts'
import { deleteSlot, setLimits } from '../../src/keys/slots.ts'
import { revealKey } from '../../src/keys/use.ts'
import type { SlotOwner } from '../../src/keys/stored-key.ts'
import { takeKey, type KeyUser } from '../../src/keys/take.ts'
import { addUser } from '../../src/keys/users.ts'
import { verifySlot } from '../../src/keys/verify.ts'
import { openService } from '../../src/service.ts'
import { teamOwner } from '../../src/shared/owner.ts'
import { DEFAULT_SLOT } from '../../src/shared/slot.ts'
import { runBatch } from '../../src/store/d1.ts'
import { deleteRestored } from '../../src/store/job-deletions.ts'
import type { NewLimits } from '../../src/store/limits.ts'
import { env } from '../isolate.ts'
import {
  interceptD1,
  ownerOf,
  recordLogs,
  slotOf,
  someKey,
  someKeyUser,
  someUser,
} from '../support.ts'
import { holdTime, playOrder, someIsolates } from './at-hand-orders.ts'
import { MODELS, someKeyOf } from './key-owner.ts'
import { identitiesOf } from './restoration.ts'

const SECONDS = 20

beforeEach(holdTime)

const pass = (seconds: number) => vi.setSystemTime(Date.now() + seconds * 1_000)

interface Seen {
  trips: number
  down: boolean
  wait: Promise<void> | null
}

/** An isolate with its own view of D1, which counts the round trips, fails if it is `down`, and may `wait` first. */
function someIsolate(vars: object = {}) {
  const seen: Seen = { trips: 0, down: false, wait: null }
  const DB = interceptD1(async (trip) => {
    seen.trips += 1
    if (seen.down) throw new Error('D1_ERROR: Network connection lost.')
    await seen.wait
    return trip()
  })
  const fresh = { USE_FRESH_SECONDS: String(SECONDS), DELETIONS: undefined }
  const vault: Env = Object.assign({ ...env }, fresh, vars, { DB })
  /** Takes the key. Returns the key, the code or the state, and how often the use asked D1. */
  const take = async (userId: string, changes: Partial<KeyUser> = {}, slot = 'openai') => {
    const before = seen.trips
    const later: Promise<void>[] = []
    const by = { kind: 'caller', name: 'binding:chat' } as const
    const waitUntil = (work: Promise<void>) => void later.push(work)
    const user = { ...(await ownerOf(userId, vault)), by, waitUntil, ...changes }
    const key = await takeKey(user, slotOf(user, slot)).catch((error: unknown) =>
      VaultError.from(error),
    )
    const isOpen = 'apiKey' in key
    // What comes later is a read beside the use, or the count of a refusal.
    const asked = seen.trips - before - (isOpen ? later.length : 0)
    if (isOpen) await Promise.all(later)
    const found = isOpen ? key.apiKey : key instanceof VaultError ? key.code : key.state
    return { found, asked }
  }
  /** Sends a request with the key, and waits until its outcome is recorded. */
  const use = async (userId: string) => {
    const later: Promise<void>[] = []
    const by = { kind: 'caller', name: 'binding:chat' } as const
    const waitUntil = (work: Promise<void>) => void later.push(work)
    const user = { ...(await ownerOf(userId, vault)), by, waitUntil }
    await useKey(user, slotOf(user, 'openai'), new Request(MODELS, { method: 'POST' }))
    await later.at(-1)
  }
  return { vault, take, use, seen }
}

async function limitIn(vault: Env, userId: string, limits: NewLimits, slot = 'openai') {
  await setLimits(await ownerOf(userId, vault), slot, { condition: null, ...limits })
}

describe('a second use', () => {
  it('asks nobody', async () => {
    const { take } = someIsolate()
    const apiKey = someKey()
    const userId = await someKeyUser(apiKey)
    expect([await take(userId), await take(userId)]).toEqual([
      { found: apiKey, asked: 1 },
      { found: apiKey, asked: 0 },
    ])
  })

  it.for(['', '0'])('asks D1 with USE_FRESH_SECONDS %j', async (USE_FRESH_SECONDS) => {
    const { take } = someIsolate({ USE_FRESH_SECONDS })
    const userId = await someKeyUser(someKey())
    await take(userId)
    expect((await take(userId)).asked).toBe(1)
  })

  it('asks D1 when the time has passed since the read began', async () => {
    const { take } = someIsolate()
    const userId = await someKeyUser(someKey())
    await take(userId)
    pass(SECONDS)
    expect((await take(userId)).asked).toBe(1)
  })

  it.for<[name: string, changes: Partial<KeyUser>]>([
    ['of another caller', { by: { kind: 'caller', name: 'binding:batch' } }],
    ['with other grants', { granted: ['openai'] }],
    ['of a member of a team', { team: { userId: teamOwner('acme'), issuedAt: '2026' } }],
  ])('%s asks D1', async ([, changes]) => {
    const { take } = someIsolate()
    const userId = await someKeyUser(someKey())
    await take(userId)
    expect((await take(userId, changes)).asked).toBe(1)
  })

  it('a use of a member with a newer token asks D1', async () => {
    const { take } = someIsolate()
    const userId = await someKeyUser(someKey())
    const asMember = (issuedAt: string) => ({ team: { userId: teamOwner('acme'), issuedAt } })
    await take(userId, asMember('2026-01-01'))
    expect((await take(userId, asMember('2026-01-01'))).asked).toBe(0)
    expect((await take(userId, asMember('2026-01-02'))).asked).toBe(1)
  })
})

describe('nothing is kept', () => {
  it.for<[name: string, limits: NewLimits]>([
    ['of a paused key', { isPaused: true }],
    ['of an expired key', { expiresAt: '2020-01-01T00:00:00.000Z' }],
    ['of a key for other callers', { callers: ['binding:other'] }],
    ['of a key with a maximum', { maxUses: { count: 9, per: 'day' } }],
  ])('%s', async ([, limits]) => {
    const { take } = someIsolate()
    const userId = await someKeyUser(someKey())
    await limitIn(env, userId, limits)
    await take(userId)
    expect((await take(userId)).asked).toBe(1)
  })

  it('beside another key with a maximum', async () => {
    const { take } = someIsolate()
    const userId = await someKeyUser(someKey())
    await saveSlot(await ownerOf(userId), 'openai:work', { apiKey: someKey(), verify: false })
    await limitIn(env, userId, { maxUses: { count: 9, per: 'day' } }, 'openai:work')
    await take(userId)
    expect((await take(userId)).asked).toBe(1)
  })

  it.for<[name: string, limits: NewLimits]>([
    ['a maximum', { maxUses: { count: 9, per: 'day' } }],
    ['a maximum per member', { maxUsesPerMember: { count: 9, per: 'day' } }],
  ])('keeps no key of a user whose team has a key with %s', async ([, limits]) => {
    const { take } = someIsolate()
    const [apiKey, team] = [someKey(), teamOwner(crypto.randomUUID())]
    const userId = await someKeyUser(apiKey)
    await someUser(team)
    await saveSlot(await ownerOf(team), 'openai', { apiKey: someKey(), verify: false })
    await limitIn(env, team, limits)
    const inTeam = { team: { userId: team, issuedAt: '2026-01-01' } }
    expect((await take(userId, inTeam)).found).toBe(apiKey)
    expect((await take(userId, inTeam)).asked).toBe(1)
  })

  it('keeps neither an empty slot nor another one in its place', async () => {
    const { take } = someIsolate()
    const userId = await someKeyUser(someKey())
    for (const slot of ['acme', 'openai:work']) {
      // oxlint-disable-next-line no-await-in-loop -- the second use of a slot follows the first
      const uses = [await take(userId, {}, slot), await take(userId, {}, slot)]
      expect(uses).toEqual([
        { found: 'empty', asked: 1 },
        { found: 'empty', asked: 1 },
      ])
    }
  })

  it('keeps no key that is tried again without credit', async () => {
    const { take } = someIsolate()
    const userId = await someKeyUser(someKey())
    const sql = "UPDATE api_keys SET exhausted_at = '2026-01-01T00:00:00.000Z' WHERE user_id = ?1"
    await env.DB.prepare(sql).bind(userId).run()
    await take(userId)
    expect((await take(userId)).asked).toBe(1)
  })

  it('keeps no key that does not open', async () => {
    recordLogs()
    const { take } = someIsolate()
    const userId = await someKeyUser(someKey())
    const sql = "UPDATE api_keys SET encrypted_api_key = 'x' WHERE user_id = ?1"
    await env.DB.prepare(sql).bind(userId).run()
    await take(userId)
    // The count of the first one is written at once, that of the second one later.
    expect((await take(userId)).asked).toBe(1)
  })
})

describe('a row at hand', () => {
  it('uses no key at hand from its expiry on', async () => {
    const { take } = someIsolate()
    const apiKey = someKey()
    const userId = await someKeyUser(apiKey)
    const expiresAt = new Date(Date.now() + 7_000).toISOString()
    await limitIn(env, userId, { expiresAt })
    await take(userId)
    pass(6.9)
    expect(await take(userId)).toEqual({ found: apiKey, asked: 0 })
    pass(0.1)
    expect((await take(userId)).found).toBe('api_key_expired')
  })

  it('asks D1 from the time on when another key may have credit again', async () => {
    const { take } = someIsolate()
    const [first, second] = [someKey(), someKey()]
    const userId = await someKeyUser(first)
    await saveSlot(await ownerOf(userId), 'openai:work', { apiKey: second, verify: false })
    const exhaustedAt = new Date(Date.now() - 3_595_000).toISOString()
    const sql = "UPDATE api_keys SET exhausted_at = ?2 WHERE user_id = ?1 AND provider = 'openai'"
    await env.DB.prepare(sql).bind(userId, exhaustedAt).run()
    expect((await take(userId)).found).toBe(second)
    pass(4)
    expect(await take(userId)).toEqual({ found: second, asked: 0 })
    pass(2)
    expect(await take(userId)).toEqual({ found: first, asked: 1 })
  })

  it('asks D1 from the expiry on, although another key has no credit for longer', async () => {
    const { take } = someIsolate()
    const [first, second] = [someKey(), someKey()]
    const userId = await someKeyUser(first)
    await saveSlot(await ownerOf(userId), 'openai:work', { apiKey: second, verify: false })
    const expiresAt = new Date(Date.now() + 3_000).toISOString()
    await limitIn(env, userId, { expiresAt }, 'openai:work')
    const sql = "UPDATE api_keys SET exhausted_at = ?2 WHERE user_id = ?1 AND provider = 'openai'"
    await env.DB.prepare(sql).bind(userId, new Date().toISOString()).run()
    expect((await take(userId)).found).toBe(second)
    pass(2.9)
    expect(await take(userId)).toEqual({ found: second, asked: 0 })
    pass(0.1)
    expect(await take(userId)).toEqual({ found: first, asked: 1 })
  })

  it('asks D1 if the clock was set to before the read', async () => {
    const { take } = someIsolate()
    const userId = await someKeyUser(someKey())
    await take(userId)
    pass(-1)
    expect((await take(userId)).asked).toBe(1)
  })

  it('reads a key anew after half of the time, beside a use of it', async () => {
    const { take, seen } = someIsolate()
    const userId = await someKeyUser(someKey())
    await take(userId)
    pass(SECONDS / 2 - 0.1)
    await take(userId)
    expect(seen.trips).toBe(1)
    pass(0.1)
    expect((await take(userId)).asked).toBe(0)
    expect(seen.trips).toBe(2)
    pass(SECONDS - 1)
    expect((await take(userId)).asked).toBe(0)
  })

  it('asks D1 for a member who was removed meanwhile, and adds the user again', async () => {
    const { take } = someIsolate()
    const [team, member] = [teamOwner(crypto.randomUUID()), `user-${crypto.randomUUID()}`]
    await someUser(team)
    await saveSlot(await ownerOf(team), 'openai', { apiKey: someKey(), verify: false })
    const inTeam = { team: { userId: team, issuedAt: '2026-01-01' } }
    await take(member, inTeam)
    await env.DB.prepare('DELETE FROM users WHERE id = ?1').bind(member).run()
    pass(SECONDS / 2)
    await take(member, inTeam)
    expect((await take(member, inTeam)).asked).toBe(1)
    const found = env.DB.prepare('SELECT id FROM users WHERE id = ?1').bind(member)
    expect(await found.first('id')).toBe(member)
  })

  it('forgets a key that D1 does not pick any more', async () => {
    const { take } = someIsolate()
    const userId = await someKeyUser(someKey())
    await take(userId)
    await limitIn(env, userId, { isPaused: true })
    pass(SECONDS / 2)
    await take(userId)
    expect((await take(userId)).found).toBe('api_key_paused')
  })

  it('uses a key at hand while D1 fails, until its time ends', async () => {
    const logs = recordLogs()
    const { take, seen } = someIsolate()
    const apiKey = someKey()
    const userId = await someKeyUser(apiKey)
    await take(userId)
    seen.down = true
    pass(SECONDS / 2)
    expect((await take(userId)).found).toBe(apiKey)
    expect((await take(userId)).found).toBe(apiKey)
    const failures = logs.events().filter(({ event }) => event === 'key_not_read_anew')
    expect(failures).toEqual([expect.objectContaining({ code: 'database_busy' })])
    pass(SECONDS / 2)
    expect((await take(userId)).found).toBe('database_busy')
  })

  it('forgets a key in the isolate that changes it, and in no other one', async () => {
    const [one, other] = [someIsolate(), someIsolate()]
    const apiKey = someKey()
    const userId = await someKeyUser(apiKey)
    await one.take(userId)
    await other.take(userId)
    await deleteSlot(await ownerOf(userId, one.vault), 'openai')
    expect((await one.take(userId)).found).toBe('empty')
    expect((await other.take(userId)).found).toBe(apiKey)
    pass(SECONDS)
    expect((await other.take(userId)).found).toBe('empty')
  })

  it.for<[name: string, change: (owner: SlotOwner) => Promise<unknown>]>([
    [
      'is placed after another one',
      async (owner) => arrangeKey(owner, 'openai', { position: 1, condition: null }),
    ],
    ['was checked', async (owner) => verifySlot(owner, 'openai')],
    ['has another one assigned beside it', async (owner) => assignKey(owner, 'acme', false)],
    [
      'belongs to a user who was added again',
      async ({ service, userId }) => addUser(service, userId),
    ],
    [
      'was restored, and is deleted again',
      async ({ service, userId }) =>
        runBatch(service.db, deleteRestored(await identitiesOf(userId), [])),
    ],
  ])('forgets a key in the isolate where it %s', async ([, change]) => {
    const { take, vault } = someIsolate()
    const userId = await someKeyUser(someKeyOf('good'))
    for (const slot of ['openai:work', DEFAULT_SLOT]) {
      // oxlint-disable-next-line no-await-in-loop -- the keys are in order
      await saveSlot(await ownerOf(userId), slot, { apiKey: someKey(), verify: false })
    }
    await take(userId)
    await change(await ownerOf(userId, vault))
    expect((await take(userId)).asked).toBe(1)
  })

  it('stays if a key of another owner moves from the plain route', async () => {
    const { take } = someIsolate({ DEFAULT_PROVIDER: 'openai' })
    const [apiKey, moved] = [someKey(), someKey()]
    const [userId, another] = [await someKeyUser(apiKey), await someKeyUser(moved, DEFAULT_SLOT)]
    await take(userId)
    expect((await take(another)).found).toBe(moved)
    expect(await take(userId)).toEqual({ found: apiKey, asked: 0 })
  })

  it('forgets a key even if nobody knows whether it was changed', async () => {
    recordLogs()
    vi.spyOn(Math, 'random').mockReturnValue(0)
    const { take, vault, seen } = someIsolate()
    const userId = await someKeyUser(someKey())
    await take(userId)
    seen.down = true
    await expect(deleteSlot(await ownerOf(userId, vault), 'openai')).rejects.toMatchObject({
      code: 'database_busy',
    })
    expect((await take(userId)).found).toBe('database_busy')
  })

  it('uses a key at hand for as long as the heartbeat that came with it is recent', async () => {
    const { take, vault } = someIsolate({ DELETIONS: env.DELETIONS, USE_FRESH_SECONDS: '60' })
    const userId = await someKeyUser(someKey())
    await copyDeletions(await openService(vault))
    const sql = "UPDATE heartbeat SET at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-160 seconds')"
    await env.DB.prepare(sql).run()
    await take(userId)
    pass(10)
    expect((await take(userId)).asked).toBe(0)
    pass(15)
    expect((await take(userId)).asked).toBe(1)
  })
})

it('keeps no key that came with an older heartbeat than the isolate has seen', async () => {
  const { take, vault } = someIsolate({ DELETIONS: env.DELETIONS })
  const [userId, another] = [await someKeyUser(someKey()), await someKeyUser(someKey())]
  await copyDeletions(await openService(vault))
  await take(another)
  const sql = "UPDATE heartbeat SET at = strftime('%Y-%m-%dT%H:%M:%fZ', at, '-9 seconds')"
  await env.DB.prepare(sql).run()
  await take(userId)
  expect((await take(userId)).asked).toBe(1)
})

it('uses a key at hand although the job has run since', async () => {
  const { take, vault } = someIsolate({ DELETIONS: env.DELETIONS })
  const [apiKey, service] = [someKey(), await openService(vault)]
  const [userId, another] = [await someKeyUser(apiKey), await someKeyUser(someKey())]
  await copyDeletions(service)
  await take(userId)
  const sql = "UPDATE heartbeat SET at = strftime('%Y-%m-%dT%H:%M:%fZ', at, '+1 seconds')"
  await env.DB.prepare(sql).run()
  await take(another)
  expect(await take(userId)).toEqual({ found: apiKey, asked: 0 })
})

it('a key is read in the clear as D1 has it', async () => {
  const { vault, take } = someIsolate()
  const userId = await someKeyUser(someKey())
  await take(userId)
  await deleteSlot(await ownerOf(userId), 'openai')
  const by = { kind: 'caller', name: 'binding:chat' } as const
  const user = { ...(await ownerOf(userId, vault)), by, waitUntil: () => {} }
  expect(await revealKey(user, slotOf(user, 'openai'))).toBeNull()
})

describe('what a provider says of a key at hand', () => {
  it('one of several uses records what the provider says of a key', async () => {
    const { take, use, seen } = someIsolate()
    const userId = await someKeyUser(someKeyOf('good'))
    await take(userId)
    const before = seen.trips
    await Promise.all([1, 2, 3, 4, 5].map(async () => use(userId)))
    // One writes the first count of the hour, and one the state.
    expect(seen.trips - before).toBe(2)
    const sql = 'SELECT status, last_used_at IS NOT NULL AS isUsed FROM api_keys WHERE user_id = ?1'
    const row = await env.DB.prepare(sql).bind(userId).first()
    expect(row).toEqual({ status: 'active', isUsed: 1 })
  })

  it('records a changed state, and the first use of a day, with one of many uses that ask nobody', async () => {
    const { take, use, seen } = someIsolate()
    const userId = await someKeyUser(someKeyOf('good'))
    await take(userId)
    const tripsOf = async () => {
      const before = seen.trips
      await use(userId)
      return seen.trips - before
    }
    // The first one writes the count of the hour too.
    expect([await tripsOf(), await tripsOf()]).toEqual([2, 0])
    const sql = 'UPDATE api_keys SET last_used_at = NULL WHERE user_id = ?1'
    await env.DB.prepare(sql).bind(userId).run()
    pass(SECONDS)
    // The first one asks which key to take.
    expect([await tripsOf(), await tripsOf()]).toEqual([2, 0])
  })

  it.for<[name: string, status: number, code: string, expected: object]>([
    ['rejects it', 401, 'invalid_api_key', { status: 'rejected', isSpent: 0 }],
    ['says that it has no credit', 429, 'insufficient_quota', { status: 'active', isSpent: 1 }],
  ])('stays if a use that began before is accepted: %s', async ([, status, code, expected]) => {
    const { use } = someIsolate()
    const userId = await someKeyUser(someKeyOf('good'))
    await use(userId)
    const accepted = Promise.withResolvers<Response>()
    const fetched = vi
      .spyOn(globalThis, 'fetch')
      .mockReturnValueOnce(accepted.promise)
      .mockResolvedValueOnce(Response.json({ error: { code } }, { status }))
    const earlier = use(userId)
    await vi.waitFor(() => expect(fetched).toHaveBeenCalledTimes(1))
    await use(userId)
    accepted.resolve(Response.json({}))
    await earlier
    const sql =
      'SELECT status, exhausted_at IS NOT NULL AS isSpent FROM api_keys WHERE user_id = ?1'
    expect(await env.DB.prepare(sql).bind(userId).first()).toEqual(expected)
  })

  it.for(['bad', 'spent'])('keeps no row from before D1 has a finding: %s', async (kind) => {
    const { take, use, seen } = someIsolate()
    const userId = await someKeyUser(someKeyOf(kind))
    await take(userId)
    const written = Promise.withResolvers<void>()
    seen.wait = written.promise
    const trips = seen.trips + 2
    const used = use(userId)
    // One trip counts the use, and one records the state.
    await vi.waitFor(() => expect(seen.trips).toBe(trips))
    seen.wait = null
    await take(userId)
    written.resolve()
    await used
    expect((await take(userId)).asked).toBe(1)
  })

  it.for(['bad', 'spent'])('lets the next use ask D1: %s', async (kind) => {
    const { take, use } = someIsolate()
    const userId = await someKeyUser(someKeyOf(kind))
    await take(userId)
    await use(userId)
    expect((await take(userId)).asked).toBe(1)
  })
})

it('no isolate uses a key after the bound, or after its own change, in 20 orders', async () => {
  recordLogs()
  const isolates = someIsolates()
  const played = []
  for (let seed = 1; seed <= 20; seed += 1) {
    // oxlint-disable-next-line no-await-in-loop -- the stories share a clock
    played.push(await playOrder(seed, isolates))
  }
  expect(played.flatMap(({ faults }) => faults)).toEqual([])
  // Others do use it within the bound.
  expect(Math.max(...played.map(({ lastMs }) => lastMs))).toBeGreaterThan(0)
})
