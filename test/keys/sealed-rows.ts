/** Stored keys, sealed under any keyring, and what the rewrap job makes of them. */

import { expect } from 'vitest'
import { openKey, sealKey, type SealedKey, type Slot } from '../../src/crypto/seal.ts'
import { rewrap } from '../../src/keys/rewrap.ts'
import { beginPass, readPass } from '../../src/keys/rewrap-pass.ts'
import { openService } from '../../src/service.ts'
import { env } from '../isolate.ts'
import { interceptD1, someEncryptionKey, someKey } from '../support.ts'

/** A vault with these encryption keys, the sealing one first. */
export function withKeys(...keys: string[]): Env {
  return { ...env, API_KEY_ENCRYPTION_KEY: keys.join(','), REWRAP_ROWS_PER_RUN: '1000' }
}

/** Deletes all rows and the pass. It takes less time than another database. */
export async function clearRows(): Promise<void> {
  const tables = ['users', 'rewrap', 'gone_keys']
  await env.DB.batch(tables.map((table) => env.DB.prepare(`DELETE FROM ${table}`)))
}

/** Adds the rows, with their users. */
export async function insertRows(rows: readonly (Slot & SealedKey)[]): Promise<void> {
  const json = JSON.stringify(rows)
  const statements = [
    "INSERT OR IGNORE INTO users (id) SELECT value ->> 'userId' FROM json_each(?1)",
    `INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id)
     SELECT value ->> 'userId', value ->> 'provider', value ->> 'sealed', value ->> 'kid'
     FROM json_each(?1)`,
  ]
  await env.DB.batch(statements.map((sql) => env.DB.prepare(sql).bind(json)))
}

/** Adds users with these keys in a slot, sealed under the first key of `vault`. */
export async function storeKeys(
  keys: ReadonlyMap<string, string>,
  vault: Env,
  provider = 'default',
): Promise<void> {
  const { keyring } = await openService(vault)
  const rows = Array.from(keys, async ([userId, apiKey]) => {
    const slot = { userId, provider }
    return { ...slot, ...(await sealKey(keyring, slot, apiKey)) }
  })
  await insertRows(await Promise.all(rows))
}

/** Adds users with one key each, sealed under the first key of `vault`. */
export async function someKeys(count: number, vault: Env): Promise<Map<string, string>> {
  const keys = Array.from(
    { length: count },
    () => [`user-${crypto.randomUUID()}`, someKey()] as const,
  )
  await storeKeys(new Map(keys), vault)
  return new Map(keys)
}

/** The keys of all users, in whichever slot, that open with the keyring of `vault`. */
export async function openedKeys(vault: Env): Promise<Map<string, string>> {
  const { keyring } = await openService(vault)
  const { results } = await env.DB.prepare(
    'SELECT user_id AS userId, provider, encrypted_api_key AS sealed, key_id AS kid FROM api_keys',
  ).all<Slot & SealedKey>()
  const opened = results.map(async (row) => ({ row, key: await openKey(keyring, row) }))
  return new Map(
    (await Promise.all(opened)).flatMap(({ row, key }) =>
      key.state === 'open' ? [[row.userId, key.text]] : [],
    ),
  )
}

/** All columns of all rows. */
export async function storedRows(): Promise<unknown[]> {
  return (await env.DB.prepare('SELECT * FROM api_keys ORDER BY user_id').all()).results
}

/** How many rows there are under each kid. */
export async function kids(): Promise<Record<string, number>> {
  const sql = 'SELECT key_id, count(*) AS rows FROM api_keys GROUP BY key_id'
  const { results } = await env.DB.prepare(sql).all<{ key_id: string; rows: number }>()
  return Object.fromEntries(results.map(({ key_id, rows }) => [key_id, rows]))
}

/** Whether the next run of the job of `vault` begins a pass. */
export async function isPassDue(vault: Env): Promise<boolean> {
  return (await readPass(await openService(vault))) === null
}

/** How many statements each run of the job of `vault` takes, until its pass is over. */
export async function countStatements(vault: Env): Promise<number[]> {
  const runs: number[] = []
  const DB = interceptD1(async (trip) => {
    const result = await trip()
    runs.push((runs.pop() ?? 0) + (Array.isArray(result) ? result.length : 1))
    return result
  })
  do {
    runs.push(0)
    // oxlint-disable-next-line no-await-in-loop -- each run continues the one before
    await runJob({ ...vault, DB })
    // oxlint-disable-next-line no-await-in-loop
  } while ((await passRow())?.['finished_at'] === null)
  return runs
}

/** The row of the pass. */
export const passRow = async () => env.DB.prepare('SELECT * FROM rewrap').first()

/** What the pass has counted for each kid. */
export async function counts(): Promise<[kid: string, { done: number; unopenable: number }][]> {
  const json = await env.DB.prepare('SELECT counts FROM rewrap').first<string>('counts')
  return Object.entries(JSON.parse(json ?? '{}'))
}

/** Runs the job of `vault` once. */
export async function runJob(vault: Env): Promise<void> {
  await rewrap(await openService(vault))
}

/** Runs the job until its pass is over. Returns the number of runs. */
export async function runPass(vault: Env): Promise<number> {
  for (let runs = 1; runs < 1_000; runs += 1) {
    await runJob(vault)
    const pass = await passRow()
    if (pass?.['finished_at'] !== null) return runs
  }
  throw new Error('The pass does not end')
}

/** Runs the job until it writes rows, does `meanwhile`, and lets the job continue. */
export async function lateRun(vault: Env, meanwhile: () => Promise<unknown>): Promise<void> {
  let trips = 0
  const DB = interceptD1(async (trip) => {
    trips += 1
    if (trips === 3) await meanwhile()
    return trip()
  })
  await runJob({ ...vault, DB })
  expect(trips).toBeGreaterThanOrEqual(3)
}

/** Runs the job, which is cut off before or after the round trip `cutAt`. */
async function cutRun(vault: Env, cutAt: number, moment: 'before' | 'after'): Promise<void> {
  let trips = 0
  const DB = interceptD1(async (trip) => {
    trips += 1
    const isCut = moment === 'before' ? trips >= cutAt : trips > cutAt
    const result = isCut ? null : await trip()
    if (trips >= cutAt) throw new Error('cut off')
    return result
  })
  await expect(runJob({ ...vault, DB })).rejects.toThrow('cut off')
}

/**
 * Adds rows, and begins a pass for each of the round trips of a run, at which the run is cut off. Each pass seals
 * under the other of two keys.
 *
 * @returns the keys, those that opened after each cut and after the last pass, and the rows that it opened
 */
export async function cutEachTrip(
  moment: 'before' | 'after',
  { rows, trips }: { rows: number; trips: number },
) {
  const [one, other] = [someEncryptionKey(), someEncryptionKey()]
  const keys = await someKeys(rows, withKeys(one))
  await cutRun(withKeys(other, one), 2, moment)
  const opened = []
  for (let cutAt = 1; cutAt <= trips; cutAt += 1) {
    const [first, second] = cutAt % 2 === trips % 2 ? [other, one] : [one, other]
    const vault = withKeys(first, second)
    await beginPass(await openService(vault))
    await cutRun(vault, cutAt, moment)
    opened.push(await openedKeys(vault))
  }
  await runPass(withKeys(other, one))
  opened.push(await openedKeys(withKeys(other)))
  const done = (await counts()).reduce((sum, [, count]) => sum + count.done, 0)
  return { keys, opened, done }
}
