import { env } from '../isolate.ts'
import { expect, it } from 'vitest'
import { run, runBatch } from '../../src/store/d1.ts'
import { forgetGone, toGone, type Tombstone } from '../../src/store/gone-keys.ts'
import {
  IS_LATE,
  IS_WATCHED,
  isRecent,
  moveHeartbeat,
  selectHeartbeat,
} from '../../src/store/heartbeat.ts'
import { bury } from '../keys/restoration.ts'

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
  ['D1 lacks a tombstone that was sent, as it was restored meanwhile', { gone: ['b'] }],
  ['D1 lacks all tombstones that were sent', { gone: [] }],
])('a heartbeat stays if %s', async ([, changes]) => {
  expect(await move(changes)).toMatchObject(changes.row ?? READ)
})
