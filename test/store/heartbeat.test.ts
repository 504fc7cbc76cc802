import { env } from '../isolate.ts'
import { expect, it } from 'vitest'
import { run, runBatch } from '../../src/store/d1.ts'
import { forgetGone, toGoneKeys } from '../../src/store/gone-keys.ts'
import { FRESH_S, isRecent, moveHeartbeat, selectHeartbeat } from '../../src/store/heartbeat.ts'

const write = async (at: string, copied: number) =>
  env.DB.prepare('UPDATE heartbeat SET at = ?1, copied = ?2').bind(at, copied).run()

const read = async () => (await run(env.DB, selectHeartbeat())).results[0]

it.for<[age: number | null, expected: boolean]>([
  [null, false],
  [0, true],
  [FRESH_S - 1, true],
  [FRESH_S, false],
  [1 - FRESH_S, true],
  [-FRESH_S, false],
])('a heartbeat of the age %s is recent: %s', ([age, expected]) => {
  expect(isRecent({ age })).toBe(expected)
})

it('a heartbeat of a job that has never run has no age', async () => {
  await write('', 0)
  expect(await read()).toEqual({ at: '', copied: 0, age: null })
})

it('a heartbeat has its age in seconds by the clock of D1', async () => {
  await env.DB.prepare("UPDATE heartbeat SET at = datetime('now', '-100 seconds')").run()
  expect([100, 101]).toContain((await read())?.age)
})

const READ = { at: '2026-01-01T00:00:00.000Z', copied: 5 }
const KEYS = ['a', 'b'].map((userId) => ({ userId, provider: 'c', version: 'd', goneAt: 'e' }))

/** Ends an exchange that read {@link READ} and sent {@link KEYS}. The database has `row` and `keys` by then. */
async function move({ row = READ, keys = KEYS, isComplete = true }) {
  await write(row.at, row.copied)
  await env.DB.prepare(
    `INSERT INTO gone_keys (user_id, provider, version, gone_at)
     SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?1)`,
  )
    .bind(toGoneKeys(keys))
    .run()
  const sent = toGoneKeys(KEYS)
  const moved = moveHeartbeat(READ, { copied: 7, isComplete }, sent)
  await runBatch(env.DB, [forgetGone(sent), moved])
  return read()
}

it('a heartbeat moves to now if nothing is left to delete', async () => {
  const { at, age, copied } = (await move({})) ?? {}
  expect([at === READ.at, copied]).toEqual([false, 7])
  expect([0, 1]).toContain(age)
})

it('a heartbeat keeps its time while something is left to delete', async () => {
  expect(await move({ isComplete: false })).toMatchObject({ at: READ.at, copied: 7 })
})

it.for<[name: string, changes: Parameters<typeof move>[0]]>([
  ['another run has moved its time', { row: { ...READ, at: '2026-01-02T00:00:00.000Z' } }],
  ['another run has moved its number', { row: { ...READ, copied: 6 } }],
  ['D1 lacks a key that was sent, as it was restored meanwhile', { keys: KEYS.slice(1) }],
  ['D1 lacks all keys that were sent', { keys: [] }],
])('a heartbeat stays if %s', async ([, changes]) => {
  expect(await move(changes)).toMatchObject(changes.row ?? READ)
})
