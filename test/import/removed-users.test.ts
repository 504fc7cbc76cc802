/** Removed users stay away from imports, and what remembers them does not name them. */

import { beforeEach, expect, it } from 'vitest'
import { importKeys, importRows } from '../../src/import/imported-keys.ts'
import {
  NO_HMACS,
  noteRemoved,
  readHmacs,
  withHmacs,
  type Hmacs,
} from '../../src/import/removed-users.ts'
import { deletionHooks } from '../../src/keys/deletion-hooks.ts'
import { addUser, deleteUser } from '../../src/keys/users.ts'
import { isHmacMissing, run, runBatch } from '../../src/store/d1.ts'
import { emptyVault, env } from '../isolate.ts'
import { rowsOf } from '../keys/restoration.ts'
import { interceptD1 } from '../support.ts'

beforeEach(emptyVault)

const add = async (userId: string, db = env.DB) => addUser({ db }, userId)
const remove = async (userId: string, isImporting = true, db = env.DB) =>
  deleteUser(db, userId, { cause: 'request', isImporting })
const keyOf = (userId: string, savedAt = '2026-01-01') => ({
  userId,
  provider: 'openai',
  savedAt,
  token: 'gAAAA',
})
const bring = async (userId: string, savedAt?: string, db = env.DB) =>
  importRows(db, [keyOf(userId, savedAt)])

const users = async () => (await rowsOf('SELECT id FROM users ORDER BY id')).map(({ id }) => id)
const removed = async () => rowsOf<{ hmac: string }>('SELECT hmac FROM removed_users')
const changeSecret = async () =>
  rowsOf('UPDATE import_secret SET secret = lower(hex(randomblob(32)))')

/** The D1 of an isolate of its own. `trips` counts the round trips to it since the last time. */
function someIsolate() {
  let count = 0
  const DB = interceptD1(async (trip) => {
    count += 1
    return trip()
  })
  const trips = () => {
    const since = count
    count = 0
    return since
  }
  return { DB, trips }
}

it('what is remembered of a removed user is an HMAC under 32 random bytes in D1', async () => {
  await add('zoë')
  await remove('zoë')
  const [{ secret } = { secret: '' }] = await rowsOf<{ secret: string }>(
    'SELECT secret FROM import_secret',
  )
  expect(secret).toMatch(/^[0-9a-f]{64}$/)
  const algorithm = { name: 'HMAC', hash: 'SHA-256' }
  const bytes = Uint8Array.fromHex(secret)
  const key = await crypto.subtle.importKey('raw', bytes, algorithm, false, ['sign'])
  const mac = await crypto.subtle.sign('HMAC', key, new TextEncoder().encode('zoë'))
  const hmac = new Uint8Array(mac).toBase64({ alphabet: 'base64url', omitPadding: true })
  expect(await removed()).toEqual([{ hmac }])
})

it('each database has a secret of its own', async () => {
  const read = async () => rowsOf('SELECT secret FROM import_secret')
  const before = await read()
  await emptyVault()
  expect(await read()).not.toEqual(before)
})

it.for<[user: string, count: number, isImporting: boolean, isImported: boolean]>([
  ['any user while rows are expected', 1, true, false],
  ['an imported user', 1, false, true],
  ['a user whom no import brought', 0, false, false],
])('the removal of %s leaves %i HMACs', async ([, count, isImporting, isImported]) => {
  await (isImported ? bring('ann') : add('ann'))
  expect(await remove('ann', isImporting)).toBe(true)
  expect(await removed()).toHaveLength(count)
  expect(await rowsOf('SELECT * FROM imported_keys')).toEqual([])
})

it('a removal before the import that would add the user is remembered while rows are expected', async () => {
  expect(await remove('ann')).toBe(false)
  await bring('ann')
  expect(await users()).toEqual([])
})

it('the removal of a user whom the application deleted by itself forgets what was imported', async () => {
  await bring('ann')
  await rowsOf("DELETE FROM users WHERE id = 'ann'")
  expect(await remove('ann', false)).toBe(false)
  expect(await rowsOf('SELECT * FROM imported_keys')).toEqual([])
  await bring('ann', '2027-01-01')
  expect(await users()).toEqual([])
})

it('an import brings no removed user back, and the others', async () => {
  await bring('ann')
  await remove('ann')
  await importRows(env.DB, [keyOf('ann', '2099-01-01'), keyOf('ben')])
  expect(await users()).toEqual(['ben'])
  expect(await rowsOf('SELECT user_id FROM imported_keys')).toEqual([{ user_id: 'ben' }])
})

it('an import brings all keys of a user who was added again', async () => {
  await bring('ann')
  await remove('ann')
  await add('ann')
  expect(await removed()).toEqual([])
  await bring('ann')
  expect(await rowsOf('SELECT user_id FROM api_keys')).toEqual([{ user_id: 'ann' }])
})

it('an import leaves the slot alone that a user emptied who was added again', async () => {
  await remove('ann')
  await add('ann')
  const slot = { userId: 'ann', names: ['openai'], isKnown: true }
  await runBatch(
    env.DB,
    deletionHooks(true).flatMap((hook) => hook.slot(slot)),
  )
  await bring('ann')
  expect(await rowsOf('SELECT user_id FROM api_keys')).toEqual([])
})

it('an import does not bring a user back who is removed in another isolate while it runs', async () => {
  const importer = someIsolate()
  await bring('ben', undefined, importer.DB)
  // The import has made its statements without HMACs, since nobody was removed.
  const statements = importKeys([keyOf('ann')])
  await remove('ann')
  const error = await runBatch(env.DB, statements).catch((thrown: unknown) => thrown)
  expect(isHmacMissing(error)).toBe(true)
  expect(await users()).toEqual(['ben'])
  await bring('ann', undefined, importer.DB)
  expect(await users()).toEqual(['ben'])
})

it('an isolate makes one round trip for each user if nobody was ever imported or removed', async () => {
  const { DB, trips } = someIsolate()
  await add('ann', DB)
  await remove('ann', false, DB)
  await bring('ben', undefined, DB)
  expect(trips()).toBe(3)
})

it('an isolate makes two more round trips the first time that an HMAC is needed, and then one', async () => {
  const { DB, trips } = someIsolate()
  await remove('ann', true, DB)
  expect(trips()).toBe(3)
  await remove('ben', true, DB)
  await add('ben', DB)
  await bring('ann', undefined, DB)
  expect(trips()).toBe(3)
  expect(await users()).toEqual(['ben'])
})

it('an isolate makes two more round trips if the secret has changed, and nobody comes back', async () => {
  const { DB, trips } = someIsolate()
  await remove('ann', true, DB)
  await changeSecret()
  trips()
  await remove('ann', true, DB)
  expect(trips()).toBe(3)
  await bring('ann')
  expect(await users()).toEqual([])
})

it('the removal of many users at once reads a few rows for each', async () => {
  const ids = Array.from({ length: 400 }, (_, index) => `user-${index}`)
  const selected = { sql: 'SELECT value FROM json_each(?1)', values: [JSON.stringify(ids)] }
  const { meta } = await run(env.DB, noteRemoved(selected, 'TRUE', await readHmacs(env.DB, ids)))
  expect(await removed()).toHaveLength(ids.length)
  expect(meta.rows_read).toBeLessThan(10 * ids.length)
})

it('work on users that fails for another reason is not done again', async () => {
  const error = new Error('D1 is away')
  let times = 0
  const work = withHmacs(env.DB, ['ann'], async () => {
    times += 1
    throw error
  })
  await expect(work).rejects.toBe(error)
  expect(times).toBe(1)
})

it('work on users that fails with the HMACs too is done twice', async () => {
  const seen: Hmacs[] = []
  const missing = new Error("bad JSON path: 'hmac_missing'")
  const work = withHmacs(someIsolate().DB, ['ann'], async (hmacs) => {
    seen.push(hmacs)
    throw missing
  })
  await expect(work).rejects.toBe(missing)
  expect(seen).toEqual([NO_HMACS, await readHmacs(env.DB, ['ann'])])
})
