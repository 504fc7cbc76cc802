/** Each way in which a key or a user goes leaves its tombstone in D1, until the second store has it. */

import { emptyVault, env } from '../isolate.ts'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { assignKey } from '../../src/keys/assign.ts'
import { deleteExpiredKeys } from '../../src/keys/expiry.ts'
import { saveSlot } from '../../src/keys/save.ts'
import { moveHere } from '../../src/keys/slot-row.ts'
import { addUser, removeUser } from '../../src/keys/users.ts'
import { ownerText } from '../../src/shared/owner.ts'
import { openService } from '../../src/service.ts'
import { run, runBatch } from '../../src/store/d1.ts'
import {
  confirmGone,
  countGone,
  forgetGone,
  MAX_UNEXPLAINED,
  selectGone,
  selectHeld,
  toGone,
  type Tombstone,
  IS_LATE,
  IS_WATCHED,
  isRecent,
  updateHeartbeat,
  selectHeartbeat,
} from '../../src/store/gone-keys.ts'
import { importRows } from '../../src/import/imported-keys.ts'
import { deleteRestored } from '../../src/store/job-deletions.ts'
import { METHODS, REQUESTS } from '../faults/operations.ts'
import {
  age,
  bury,
  causesOf,
  goodKey,
  identitiesOf,
  keysOf,
  rowsOf,
  someCopiedOwner,
  someOwner,
  someVault,
  userIdentityOf,
} from '../keys/restoration.ts'
import { ownerOf, recordLogs } from '../support.ts'

/** Makes every statement fail that lets a key or a user go without a tombstone. */
async function requireTombstones() {
  const isMissing = 'NOT EXISTS (SELECT 1 FROM gone_keys WHERE identity = OLD.identity)'
  const fail = "BEGIN SELECT RAISE(ABORT, 'There is no tombstone'); END"
  const triggers = [
    `CREATE TRIGGER key_deleted BEFORE DELETE ON api_keys WHEN ${isMissing} ${fail}`,
    `CREATE TRIGGER user_deleted BEFORE DELETE ON users WHEN ${isMissing} ${fail}`,
    `CREATE TRIGGER key_replaced BEFORE UPDATE OF identity ON api_keys
     WHEN OLD.identity <> NEW.identity AND ${isMissing} ${fail}`,
  ]
  await env.DB.batch(triggers.map((sql) => env.DB.prepare(sql)))
}

beforeAll(async () => {
  await someVault().runJob()
  await requireTombstones()
})

it.for(['DELETE FROM api_keys', 'DELETE FROM users', "UPDATE api_keys SET identity = 'x'"])(
  'these tests see that %s leaves no tombstone',
  async (sql) => {
    const { userId } = await someOwner()
    const key = sql.includes('users') ? 'id' : 'user_id'
    const statement = env.DB.prepare(`${sql} WHERE ${key} = ?1`).bind(userId)
    await expect(statement.run()).rejects.toThrow('There is no tombstone')
  },
)

const OPERATIONS = [...REQUESTS, ...METHODS].map(
  (operation) => [operation.name, operation] as const,
)

it.for(OPERATIONS)('%s lets no key go without a tombstone', async ([, operation]) => {
  recordLogs()
  const { seed, run: operate, code, vars, kind = 'user' } = operation
  const userId = ownerText({ kind, id: crypto.randomUUID() })
  await seed(userId)
  const answer = await operate(userId, { ...env, ...vars })
  expect(answer).toEqual({ ...answer, code })
})

async function expire(userId: string) {
  recordLogs()
  await rowsOf(
    "UPDATE api_keys SET expires_at = '2001-01-01', expiry_noted = 1 WHERE user_id = ?1",
    userId,
  )
  await deleteExpiredKeys(await openService(env))
}

async function importLater(userId: string) {
  const savedAt = new Date(Date.now() + 60_000).toISOString()
  await importRows(env.DB, [{ userId, provider: 'openai', savedAt, token: 'gAAAA' }])
}

/** The user's later key in the default slot takes the place of the one for OpenAI. */
async function moveOver(userId: string) {
  await someVault().save(userId, goodKey(), 'default')
  const later = "UPDATE api_keys SET updated_at = '2999' WHERE user_id = ?1 AND provider = ?2"
  await rowsOf(later, userId, 'default')
  await moveHere(await openService(env), { userId, provider: 'openai' })
}

it.for<[how: string, cause: string, go: (userId: string) => Promise<unknown>]>([
  ['a deletion', 'request', async (userId) => someVault().remove(userId)],
  ['a save', 'request', async (userId) => someVault().save(userId, goodKey())],
  ['an expiry', 'expiry', expire],
  ['an import', 'operator', importLater],
  ['a move', 'operator', moveOver],
  [
    'a deletion in a restored database',
    'restore',
    async (userId) => runBatch(env.DB, deleteRestored(await identitiesOf(userId), [])),
  ],
  [
    'the removal of the user',
    'request',
    async (userId) => removeUser(await openService(env), userId),
  ],
])('%s leaves a tombstone of the key, with the cause %s', async ([, cause, go]) => {
  const { userId } = await someCopiedOwner()
  const identities = await identitiesOf(userId)
  await go(userId)
  expect(await identitiesOf(userId)).not.toContain(identities[0])
  expect(await causesOf(...identities)).toEqual([cause])
})

it('the removal of a user leaves a tombstone of the user, and nothing of the user id', async () => {
  const { userId } = await someCopiedOwner()
  const identity = await userIdentityOf(userId)
  await removeUser(await openService(env), userId)
  expect(await causesOf(identity)).toEqual(['request'])
  expect(JSON.stringify(await rowsOf('SELECT * FROM gone_keys'))).not.toContain(userId)
})

it('a deletion of another slot leaves no tombstone', async () => {
  const { userId } = await someCopiedOwner()
  const identities = await identitiesOf(userId)
  await someVault().remove(userId, 'acme')
  expect(await causesOf(...identities)).toEqual([])
})

it('an assignment to a provider leaves no tombstone: the key stays', async () => {
  const { userId } = await someOwner('default')
  await someVault().runJob()
  const identities = await identitiesOf(userId)
  await assignKey(await ownerOf(userId), 'openai', false)
  expect([await identitiesOf(userId), await causesOf(...identities)]).toEqual([identities, []])
})

it('a save whose condition is not true leaves no tombstone', async () => {
  const { userId } = await someCopiedOwner()
  const identities = await identitiesOf(userId)
  const key = { apiKey: goodKey(), verify: false, condition: { kind: 'empty' } } as const
  const save = saveSlot(await ownerOf(userId), 'openai', key)
  await expect(save).rejects.toMatchObject({ code: 'changed_meanwhile' })
  expect(await causesOf(...identities)).toEqual([])
})

describe('a user who is added although the user exists', () => {
  it('keeps the identity while the job runs', async () => {
    const { userId } = await someCopiedOwner()
    const before = await userIdentityOf(userId)
    expect(await addUser(await openService(env), userId)).toBe(false)
    expect([await userIdentityOf(userId), await causesOf(before)]).toEqual([before, []])
  })

  it('gets another identity while the heartbeat is late, and keeps the keys', async () => {
    const { userId } = await someCopiedOwner()
    const before = await userIdentityOf(userId)
    await age(10)
    expect(await addUser(await openService(env), userId)).toBe(false)
    const after = await userIdentityOf(userId)
    expect([await causesOf(before), await causesOf(after)]).toEqual([[], []])
    expect(after).toMatch(/^[0-9a-f]{32}$/)
    expect([after === before, await keysOf(userId)]).toEqual([false, [{ provider: 'openai' }]])
    await someVault().runJob()
  })
})

describe('an empty vault', () => {
  beforeEach(emptyVault)

  it('leaves no tombstones while its job has never run', async () => {
    const { userId } = await someOwner()
    await someVault().save(userId, goodKey())
    await someVault().remove(userId)
    await removeUser(await openService(env), userId)
    expect(await rowsOf('SELECT * FROM gone_keys')).toEqual([])
  })

  it('lists so many tombstones with a cause, and all without one', async () => {
    await bury(['a', 'b', 'c'])
    await bury(['d'], '')
    const { results } = await run(env.DB, selectGone(2))
    expect(results).toEqual([
      { cause: 'request', identity: 'a' },
      { cause: 'request', identity: 'b' },
      { cause: '', identity: 'd' },
    ])
  })

  it('counts tombstones, and forgets only those that are named', async () => {
    await bury(['a', 'b'])
    await bury(['a'], '')
    await run(
      env.DB,
      forgetGone(
        toGone([
          { cause: 'request', identity: 'a' },
          { cause: 'expiry', identity: 'b' },
        ]),
      ),
    )
    expect((await run(env.DB, countGone())).results).toEqual([{ count: 2, unexplained: 1 }])
    expect((await run(env.DB, selectGone(9))).results).toEqual([
      { cause: 'request', identity: 'b' },
      { cause: '', identity: 'a' },
    ])
  })

  it('holds tombstones without a cause if there are more than 1,000, until they are confirmed', async () => {
    const names = Array.from({ length: MAX_UNEXPLAINED + 1 }, (_, index) => `${index}`)
    const isHeld = async () => (await run(env.DB, selectHeld())).results.length === 1
    await bury(names.slice(1), '')
    expect(await isHeld()).toBe(false)
    await bury(names.slice(0, 1), '')
    expect(await isHeld()).toBe(true)
    await run(env.DB, confirmGone(600))
    expect(await isHeld()).toBe(false)
    expect((await run(env.DB, countGone())).results).toEqual([
      { count: MAX_UNEXPLAINED + 1, unexplained: MAX_UNEXPLAINED + 1 - 600 },
    ])
    const causes = await rowsOf("SELECT DISTINCT cause FROM gone_keys WHERE cause <> ''")
    expect(causes).toEqual([{ cause: 'operator' }])
  })
})

const write = async (at: string, copied: number) =>
  env.DB.prepare('UPDATE heartbeat SET at = ?1, copied = ?2').bind(at, copied).run()

const read = async () => (await run(env.DB, selectHeartbeat())).results[0]

it.for<[age: number | null, expected: boolean]>([
  [null, false],
  [0, true],
  [179, true],
  [180, false],
  [-179, true],
  [-180, false],
])('a heartbeat of the age %s is recent: %s', ([seconds, expected]) => {
  expect(isRecent({ age: seconds })).toBe(expected)
})

it('a heartbeat of a job that has never run has no age', async () => {
  await write('', 0)
  expect(await read()).toEqual({ at: '', copied: 0, age: null })
})

it('a heartbeat has its age in seconds by the clock of D1', async () => {
  await env.DB.prepare("UPDATE heartbeat SET at = datetime('now', '-100 seconds')").run()
  expect([100, 101]).toContain((await read())?.age)
})

it.for<[heartbeat: string, at: string, isWatched: number, isLate: number]>([
  ['of a job that has never run', "''", 0, 0],
  ['of two minutes ago', "datetime('now', '-120 seconds')", 1, 0],
  ['of four minutes ago', "datetime('now', '-240 seconds')", 1, 1],
  ['two minutes ahead', "datetime('now', '120 seconds')", 1, 0],
  ['four minutes ahead', "datetime('now', '240 seconds')", 1, 1],
])('a heartbeat %s is known in SQL', async ([, at, isWatched, isLate]) => {
  await env.DB.prepare(`UPDATE heartbeat SET at = ${at}`).run()
  const state = await env.DB.prepare(
    `SELECT ${IS_WATCHED} AS isWatched, ${IS_LATE} AS isLate`,
  ).first()
  expect(state).toEqual({ isWatched, isLate })
})

const READ = { at: '2026-01-01T00:00:00.000Z', copied: 5 }
const GONE = ['a', 'b']
const SENT: Tombstone[] = GONE.map((identity) => ({ cause: 'request', identity }))

/** Ends an exchange that read {@link READ} and sent {@link SENT}. The database has `row` and `gone` by then. */
async function move({ row = READ, gone = GONE, isComplete = true }) {
  await write(row.at, row.copied)
  await bury(gone)
  const sent = toGone(SENT)
  const moved = updateHeartbeat(READ, { copied: 7, isComplete }, sent)
  await runBatch(env.DB, [forgetGone(sent), moved])
  return read()
}

it('a heartbeat moves to now if nothing is left to delete', async () => {
  const beat = await move({})
  expect([beat?.at === READ.at, beat?.copied]).toEqual([false, 7])
  expect([0, 1]).toContain(beat?.age)
})

it('a heartbeat keeps its time while something is left to delete', async () => {
  expect(await move({ isComplete: false })).toMatchObject({ at: READ.at, copied: 7 })
})

it.for<[name: string, changes: Parameters<typeof move>[0]]>([
  ['another run has moved its time', { row: { ...READ, at: '2026-01-02T00:00:00.000Z' } }],
  ['another run has moved its number', { row: { ...READ, copied: 6 } }],
  ['D1 lacks a tombstone that was sent, as it was restored meanwhile', { gone: ['b'] }],
  ['D1 lacks all tombstones that were sent', { gone: [] }],
])('a heartbeat stays if %s', async ([, changes]) => {
  expect(await move(changes)).toMatchObject(changes.row ?? READ)
})
