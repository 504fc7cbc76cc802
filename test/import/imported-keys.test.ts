/** What an import brings: users, keys as the Flask backend made them, and no key that was deleted here. */

import { env } from '../isolate.ts'
import { beforeAll, describe, expect, it } from 'vitest'
import { deleteExpiredKeys } from '../../src/keys/expiry.ts'
import { rewrap } from '../../src/keys/rewrap.ts'
import { beginPass } from '../../src/keys/rewrap-pass.ts'
import { deleteSlot, readSlot } from '../../src/keys/slots.ts'
import { addUser, removeUser } from '../../src/keys/users.ts'
import { openService } from '../../src/service.ts'
import { FERNET_KID } from '../../src/import/fernet.ts'
import { importRows } from '../../src/import/imported-keys.ts'
import { makeFernet } from './make-fernet.ts'
import {
  call,
  keyPath,
  mintToken,
  ownerOf,
  putKey,
  recordLogs,
  slotPath,
  someKeyUser,
  someUser,
} from '../support.ts'

const KEY = 'sk-proj-0123456789'
const fernetKey = crypto.getRandomValues(new Uint8Array(32))
const otherKey = crypto.getRandomValues(new Uint8Array(32))
const LEGACY_FERNET_KEY = fernetKey.toBase64({ alphabet: 'base64url' })

/** A vault that expects imported rows. */
const importing = (): Env => ({ ...env, LEGACY_FERNET_KEY })

const encrypt = async (text: string, key = fernetKey) =>
  makeFernet(key, new Uint8Array(16), 1_700_000_000, new TextEncoder().encode(text))

interface Imported {
  userId: string
  provider?: string
  savedAt?: string
  token?: string | null
}

/** Imports a key. @returns how many users were added, keys saved, and keys brought for the first time */
async function importKey(imported: Imported) {
  const { userId, provider = 'openai', savedAt = '2026-01-01', token } = imported
  const key = { userId, provider, savedAt, token: token === undefined ? await encrypt(KEY) : token }
  const results = await importRows(env.DB, [key])
  const [users, keys, brought] = [0, 2, 5].map((index) => results[index]?.meta.changes)
  return { users, keys, brought }
}

const readKey = async (userId: string, provider = 'openai') =>
  readSlot(await ownerOf(userId, importing()), provider)

const notesOf = async (userId: string) => {
  const sql = 'SELECT provider FROM imported_keys WHERE user_id = ?1'
  const { results } = await env.DB.prepare(sql).bind(userId).all()
  return results.map((row) => row['provider'])
}

type Token = [name: string, make: () => Promise<string>]

const OPENED: Token[] = [
  ['with white space around it', async () => encrypt(` ${KEY}\n`)],
  ['that is encrypted twice', async () => encrypt(await encrypt(KEY))],
  ['that is encrypted twice, with a line break,', async () => encrypt(`${await encrypt(KEY)}\n`)],
]
const REPORTED: Token[] = [
  ['that is empty', async () => encrypt('')],
  ['of white space alone', async () => encrypt(' \n')],
  ['of two lines', async () => encrypt(`${KEY}\nhttps://evil.test`)],
  ['that is not ASCII', async () => encrypt('schlüssel')],
  ['of two keys with a NUL between them', async () => encrypt(`${KEY}\0sk-second-0123456789`)],
  ['in UTF-16', async () => encrypt(Array.from(KEY).join('\0'))],
  ['that is a token of another key', async () => encrypt(await encrypt(KEY, otherKey))],
]

describe.for(['as it came', 'after the rewrap job'])('a text %s', (time) => {
  const users = new Map<string, string>()

  beforeAll(async () => {
    const service = await openService(importing())
    for (const [name, make] of [...OPENED, ...REPORTED]) {
      const userId = crypto.randomUUID()
      users.set(name, userId)
      // oxlint-disable-next-line no-await-in-loop -- one import after the other
      await importKey({ userId, provider: 'default', token: await make() })
    }
    if (time === 'as it came') return
    await beginPass(service)
    await rewrap(service)
  })

  it.for(OPENED)(`a text %s opens as only the key, ${time}`, async ([name]) => {
    const key = await readKey(users.get(name) ?? '', 'default')
    expect(key).toMatchObject({ state: 'open', apiKey: KEY })
    const isImported = key.state === 'open' && key.row.kid === FERNET_KID
    expect(isImported).toBe(time === 'as it came')
  })

  it.for(REPORTED)(`a text %s is reported and kept unchanged, ${time}`, async ([name]) => {
    const userId = users.get(name) ?? ''
    const logs = recordLogs()
    const reason = 'not_a_key'
    expect(await readKey(userId, 'default')).toMatchObject({ state: 'unreadable', reason })
    expect(logs.events()).toMatchObject([{ event: 'api_key_unreadable', user_id: userId, reason }])
    const token = await mintToken({ sub: userId })
    const answer = await call('GET', keyPath(userId), { token, env: importing() })
    expect([answer.status, await answer.json()]).toEqual([
      200,
      {
        has_api_key: false,
        etag: expect.stringMatching(/^"[0-9a-f]{32}\.1"$/),
        error: 'Invalid encrypted key',
      },
    ])
    const rows = env.DB.prepare('SELECT 1 FROM api_keys WHERE user_id = ?1').bind(userId)
    expect((await rows.all()).results).toHaveLength(1)
  })
})

it('an import adds a user who does not exist, with the key and an event', async () => {
  const userId = crypto.randomUUID()
  expect(await importKey({ userId })).toEqual({ users: 1, keys: 1, brought: 1 })
  expect(await readKey(userId)).toMatchObject({ apiKey: KEY, updatedAt: '2026-01-01' })
  const sql = 'SELECT provider, event, actor FROM api_key_events WHERE user_id = ?1'
  const event = { provider: 'openai', event: 'imported', actor: 'import' }
  expect((await env.DB.prepare(sql).bind(userId).all()).results).toEqual([event])
})

it('an import adds a user without a key', async () => {
  const userId = crypto.randomUUID()
  const imported = { userId, savedAt: '', token: null }
  expect(await importKey(imported)).toEqual({ users: 1, keys: 0, brought: 1 })
  expect(await importKey(imported)).toEqual({ users: 0, keys: 0, brought: 0 })
  expect(await readKey(userId)).toMatchObject({ state: 'empty' })
})

it('an import does not bring a key twice, although it was deleted meanwhile', async () => {
  const userId = crypto.randomUUID()
  await importKey({ userId })
  // This deletion is not noted: imported rows are not expected.
  await deleteSlot(await ownerOf(userId), 'openai')
  expect(await importKey({ userId })).toEqual({ users: 0, keys: 0, brought: 0 })
  expect(await readKey(userId)).toMatchObject({ state: 'empty' })
})

it('an import does nothing the second time', async () => {
  const userId = crypto.randomUUID()
  await importKey({ userId })
  expect(await importKey({ userId })).toEqual({ users: 0, keys: 0, brought: 0 })
})

it.for([
  ['keeps', 'later', '2026-01-03'],
  ['keeps', 'at the same time', '2026-01-02'],
  ['replaces', 'earlier', '2026-01-01'],
] as const)('an import %s a key that was saved here %s', async ([outcome, , updatedAt]) => {
  const userId = await someKeyUser('sk-saved-here')
  const age = 'UPDATE api_keys SET updated_at = ?2 WHERE user_id = ?1'
  await env.DB.prepare(age).bind(userId, updatedAt).run()
  const [keys, apiKey] = outcome === 'replaces' ? [1, KEY] : [0, 'sk-saved-here']
  expect(await importKey({ userId, savedAt: '2026-01-02' })).toMatchObject({ keys })
  expect(await readKey(userId)).toMatchObject({ apiKey })
})

it.for(['default', 'openai'])(
  'an import does not fill the slot %s, which its user has emptied',
  async (provider) => {
    const owner = await ownerOf(await someUser(), importing())
    expect(await deleteSlot(owner, provider)).toBe(false)
    await importKey({ userId: owner.userId, provider })
    expect(await readKey(owner.userId, provider)).toMatchObject({ state: 'empty' })
  },
)

it('an import fills a slot that was emptied before the imported key was saved', async () => {
  const owner = await ownerOf(await someUser(), importing())
  await deleteSlot(owner, 'openai')
  await importKey({ userId: owner.userId, savedAt: '2999-01-01' })
  expect(await readKey(owner.userId)).toMatchObject({ apiKey: KEY })
})

it('an import does not bring a removed user back until somebody adds the user', async () => {
  const [service, userId] = [await openService(importing()), await someUser()]
  await removeUser(service, userId)
  expect(await notesOf(userId)).toEqual([])
  const later = { userId, savedAt: '2999-01-01' }
  expect(await importKey(later)).toEqual({ users: 0, keys: 0, brought: 0 })
  await addUser(service, userId)
  expect(await importKey(later)).toEqual({ users: 0, keys: 1, brought: 1 })
})

it('an import does not bring an expired key back', async () => {
  const userId = await someKeyUser('sk-expired')
  const expire = "UPDATE api_keys SET expires_at = '2001-01-01' WHERE user_id = ?1"
  await env.DB.prepare(expire).bind(userId).run()
  recordLogs()
  await deleteExpiredKeys(await openService(importing()))
  expect(await notesOf(userId)).toEqual(['openai'])
  expect(await importKey({ userId })).toEqual({ users: 0, keys: 0, brought: 0 })
})

it.for<[provider: string, status: number, noted: string[]]>([
  ['openai', 200, ['openai']],
  ['removed', 200, ['removed']],
  ['nobody', 404, []],
])(
  'a deletion in the slot %s answers %i while imported rows are expected, and notes %j',
  async (row) => {
    const [provider, status, noted] = row
    const userId = await someUser()
    const token = await mintToken({ sub: userId })
    if (provider === 'removed') {
      await putKey(userId, KEY)
      await env.DB.prepare("UPDATE api_keys SET provider = 'removed' WHERE user_id = ?1")
        .bind(userId)
        .run()
    }
    const answer = await call('DELETE', slotPath(userId, provider), { token, env: importing() })
    expect({ status: answer.status, noted: await notesOf(userId) }).toEqual({ status, noted })
  },
)

it('an import does not bring a key back that was deleted here before the time it was saved at', async () => {
  const userId = crypto.randomUUID()
  // The clock of the Flask backend is ahead.
  const savedAt = new Date(Date.now() + 5 * 60_000).toISOString()
  await importKey({ userId, savedAt })
  await deleteSlot(await ownerOf(userId, importing()), 'openai')
  expect(await importKey({ userId, savedAt })).toEqual({ users: 0, keys: 0, brought: 0 })
  expect(await readKey(userId)).toMatchObject({ state: 'empty' })
})

it('an import does not bring a user back who was removed without LEGACY_FERNET_KEY', async () => {
  const userId = crypto.randomUUID()
  await importKey({ userId })
  await removeUser(await openService(env), userId)
  expect(await importKey({ userId, savedAt: '2026-01-02' })).toEqual({
    users: 0,
    keys: 0,
    brought: 0,
  })
  expect(await readKey(userId).catch((error: unknown) => error)).toMatchObject({
    code: 'user_not_found',
  })
})

it('the removal of a user whom no import brought leaves nothing if imported rows are not expected', async () => {
  const userId = await someKeyUser(KEY)
  await removeUser(await openService(env), userId)
  expect(await notesOf(userId)).toEqual([])
})

it('a mark never goes back', async () => {
  const userId = crypto.randomUUID()
  const markOf = async () =>
    env.DB.prepare('SELECT saved_at FROM imported_keys WHERE user_id = ?1')
      .bind(userId)
      .first('saved_at')
  await importKey({ userId, savedAt: '2999-01-01' })
  await deleteSlot(await ownerOf(userId, importing()), 'openai')
  expect(await markOf()).toBe('2999-01-01')
  await importKey({ userId, savedAt: '2998-01-01' })
  expect(await markOf()).toBe('2999-01-01')
  await importKey({ userId, savedAt: '2999-01-02' })
  expect(await markOf()).toBe('2999-01-02')
})

it('each imported key has an identity of its own, although they were saved in one second', async () => {
  const userId = crypto.randomUUID()
  const saved = { userId, savedAt: '2026-01-01', token: await encrypt(KEY) }
  const keys = [
    { provider: 'default', ...saved },
    { provider: 'openai', ...saved },
  ]
  await importRows(env.DB, keys)
  const { results } = await env.DB.prepare('SELECT identity FROM api_keys WHERE user_id = ?1')
    .bind(userId)
    .all()
  expect(new Set(results.map(({ identity }) => identity)).size).toBe(2)
})

it('an import that replaces a key gives it another identity, and keeps its limits', async () => {
  const userId = await someKeyUser('sk-saved-here')
  const read = async () =>
    env.DB.prepare(
      'SELECT identity, revision, paused_at, fingerprint, status FROM api_keys WHERE user_id = ?1',
    )
      .bind(userId)
      .first()
  const change = "UPDATE api_keys SET updated_at = '2025', paused_at = '2026' WHERE user_id = ?1"
  await env.DB.prepare(change).bind(userId).run()
  const before = await read()
  await importKey({ userId })
  const after = await read()
  expect(after).toMatchObject({ revision: 2, paused_at: '2026', fingerprint: null })
  expect(after?.['identity']).not.toBe(before?.['identity'])
})
