/** A rotation of the encryption key while users save and delete keys, and the job is killed. */

import { env } from '../isolate.ts'
import { beforeAll, expect, inject, it } from 'vitest'
import { createKeyring, nameKeyring } from '../../src/crypto/keyring.ts'
import { saveSlot } from '../../src/keys/save.ts'
import { runJob } from '../../src/jobs.ts'
import { openService } from '../../src/service.ts'
import { choicesOf } from '../keys/seeded.ts'
import {
  call,
  interceptD1,
  keyPath,
  mintToken,
  recordLogs,
  someEncryptionKey,
  someKey,
  storedKey,
} from '../support.ts'

const USERS = 2_000
const WRITERS = 20
const OPERATIONS_A_STAGE = 400

const [OLD, NEW] = [someEncryptionKey(), someEncryptionKey()]
const deploy = (...keys: string[]): Env => ({
  ...env,
  API_KEY_ENCRYPTION_KEY: keys.join(','),
  REWRAP_ROWS_PER_RUN: '300',
})
const [old, oldNew, newOld, new_] = [deploy(OLD), deploy(OLD, NEW), deploy(NEW, OLD), deploy(NEW)]
const oldKid = await kidOf(OLD)
const rotatedName = nameKeyring((await openService(newOld)).keyring)

/** The last acknowledged state: the user's key, or null if it was deleted. */
const acknowledged = new Map<string, string | null>()
const users = Array.from({ length: USERS }, (_, index) => `user-${index}`)
const tokens = new Map<string, string>()

async function kidOf(key: string): Promise<string> {
  const bytes = Uint8Array.from(atob(key), (character) => character.charCodeAt(0))
  return (await createKeyring([bytes])).sealing.kid
}

const { next, maybe } = choicesOf(inject('fuzz').seed)

const someOf = <T>(items: readonly T[]): T => {
  const item = items[Math.floor(next() * items.length)]
  if (item === undefined) throw new RangeError('The list is empty')
  return item
}

/** Sends one request of the user to one of the running versions. */
async function operate(userId: string, versions: readonly Env[], method: string): Promise<void> {
  const apiKey = someKey()
  const body = method === 'PUT' ? { api_key: apiKey } : undefined
  const token = tokens.get(userId)
  const response = await call(method, keyPath(userId), { token, body, env: someOf(versions) })
  expect(response.status).toBe(200)
  if (method === 'PUT') acknowledged.set(userId, apiKey)
  if (method === 'DELETE') acknowledged.set(userId, null)
  if (method !== 'GET') return
  const preview = acknowledged.get(userId)?.slice(0, 8)
  const expected = preview ? { api_key_preview: `${preview}...` } : { has_api_key: false }
  const answer = await response.json()
  expect(answer).toMatchObject(expected)
  expect(answer).not.toHaveProperty('error')
}

/** Writers and deleters. Each has its own users, so that the expected result is known. */
async function load(versions: readonly Env[]): Promise<void> {
  const writers = Array.from({ length: WRITERS }, async (_, writer) => {
    const own = users.filter((_user, index) => index % WRITERS === writer)
    for (let i = 0; i < OPERATIONS_A_STAGE / WRITERS; i += 1) {
      await operate(someOf(own), versions, someOf(['PUT', 'PUT', 'GET', 'DELETE']))
    }
  })
  await Promise.all(writers)
}

let killed = 0

/** Runs the job. It may be killed before or after one of its round trips to D1. */
async function rewrapKilled(version: Env): Promise<void> {
  let trips = Math.floor(next() * 8)
  const killBefore = maybe(0.5)
  const kill = new Error('killed')
  const DB = interceptD1(async (trip) => {
    trips -= 1
    if (trips < 0 || (trips === 0 && killBefore)) throw kill
    const result = await trip()
    if (trips === 0) throw kill
    return result
  })
  await runJob({ ...version, DB }, 'rewrap').catch((error: unknown) => {
    if (error !== kill) throw error
    killed += 1
  })
}

/** Runs a stage of the rotation: its load, while the job runs. */
async function stage(...versions: Env[]): Promise<void> {
  const running = { load: true }
  const loaded = load(versions).finally(() => (running.load = false))
  while (running.load) {
    await Promise.all([rewrapKilled(someOf(versions)), rewrapKilled(someOf(versions))])
  }
  await loaded
}

const rowsUnder = async (keyId: string) =>
  env.DB.prepare('SELECT count(*) AS rows FROM api_keys WHERE key_id = ?1')
    .bind(keyId)
    .first('rows')

/** Whether `npm run keys` would say that the old key may go: a pass with both has ended, and nothing is under it. */
async function isRotated(): Promise<boolean> {
  const pass = await env.DB.prepare('SELECT keyring, finished_at FROM rewrap').first()
  const isFinished = pass?.['keyring'] === rotatedName && pass['finished_at'] !== null
  return isFinished && (await rowsUnder(oldKid)) === 0
}

beforeAll(async () => {
  const insert = env.DB.prepare('INSERT INTO users (id) SELECT value FROM json_each(?1)')
  await insert.bind(JSON.stringify(users)).run()
  const service = await openService(old)
  for (const userId of users) {
    tokens.set(userId, await mintToken({ sub: userId }))
    const apiKey = someKey()
    await saveSlot({ service, userId }, 'default', { apiKey, verify: false })
    acknowledged.set(userId, apiKey)
  }
}, 60_000)

it('a rotation under load loses no key and restores none, even if its job is killed at random', async () => {
  recordLogs()
  await stage(old)
  await stage(old, oldNew)
  await stage(oldNew)
  await stage(oldNew, newOld)
  let stages = 0
  for (; !(await isRotated()); stages += 1) {
    expect(stages).toBeLessThan(30)
    await stage(newOld)
  }
  await stage(newOld, new_)
  await stage(new_)

  expect(killed).toBeGreaterThan(20)
  const deleted = users.filter((userId) => acknowledged.get(userId) === null)
  expect(deleted.length).toBeGreaterThan(50)
  for (const [userId, apiKey] of acknowledged) expect(await storedKey(userId, new_)).toBe(apiKey)
  expect(await rowsUnder(oldKid)).toBe(0)
}, 300_000)
