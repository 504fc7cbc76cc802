/** A statement that fails on purpose says why, and no other error is taken for it. */

import { expect, it } from 'vitest'
import { isRefusal, NOW, refuse, type Refusal } from '../../src/store/statement.ts'
import { env } from '../isolate.ts'

const REFUSALS: Refusal[] = ['changed', 'slot_empty', 'slot_filled', 'not_moved', 'too_many_events']

const messageOf = async (sql: string) =>
  env.DB.prepare(sql)
    .all()
    .then(
      () => '',
      (error: unknown) => String(error),
    )

it.for(REFUSALS)(
  'a statement that refuses with %s fails with that refusal alone',
  async (refusal) => {
    const message = await messageOf(`SELECT ${refuse(refusal)}`)
    expect(REFUSALS.filter((other) => isRefusal(message, other))).toEqual([refusal])
  },
)

it('a refusal is not evaluated in a branch that is not taken', async () => {
  expect(await messageOf(`SELECT CASE WHEN FALSE THEN ${refuse('changed')} END`)).toBe('')
})

it.for([
  ["SELECT 'changed' FROM changed"],
  ["SELECT json_extract('{}', 'another')"],
  ['INSERT INTO users (id) VALUES (NULL)'],
])('the error of %s is not a refusal', async ([sql = '']) => {
  const message = await messageOf(sql)
  expect(message).not.toBe('')
  expect(REFUSALS.filter((refusal) => isRefusal(message, refusal))).toEqual([])
})

it('the time of D1 is ISO 8601 in UTC, as a Worker writes it', async () => {
  const now = await env.DB.prepare(`SELECT ${NOW} AS now`).first<string>('now')
  expect(new Date(now ?? '').toISOString()).toBe(now)
  expect(Math.abs(Date.parse(now ?? '') - Date.now())).toBeLessThan(60_000)
})
