import { emptyVault, env } from '../isolate.ts'
import { describe, expect, it } from 'vitest'
import { importKeys } from '../../scripts/lib/import-batch.ts'
import { deleteExpiredKeys } from '../../src/keys/expiry.ts'
import { deleteSlot, readSlot } from '../../src/keys/slots.ts'
import { addUser, removeUser } from '../../src/keys/users.ts'
import { openService } from '../../src/service.ts'
import { beginPass, rewrap } from '../../src/keys/rewrap.ts'
import { runBatch } from '../../src/store/d1.ts'
import { makeFernet } from '../crypto/make-fernet.ts'
import { call, keyPath, mintToken, ownerOf, putKey, recordLogs, someUser } from '../support.ts'

const KEY = 'sk-proj-0123456789'
const fernetKey = crypto.getRandomValues(new Uint8Array(32))
const otherKey = crypto.getRandomValues(new Uint8Array(32))
const vault = { ...env, LEGACY_FERNET_KEY: fernetKey.toBase64({ alphabet: 'base64url' }) }

const encrypt = async (text: string, key = fernetKey) =>
  makeFernet(key, new Uint8Array(16), 1_700_000_000, new TextEncoder().encode(text))

/** Adds a user whose key was imported as `token`. */
async function someImportedUser(token: string): Promise<string> {
  const userId = await someUser()
  await env.DB.batch([
    env.DB.prepare("INSERT INTO key_ids (key_id) VALUES ('fernet') ON CONFLICT DO NOTHING"),
    env.DB.prepare(
      "INSERT INTO api_keys (user_id, encrypted_api_key, key_id) VALUES (?1, ?2, 'fernet')",
    ).bind(userId, token),
  ])
  return userId
}

/** Before and after the rewrap job has resealed everything. */
const TIMES = ['as it was imported', 'resealed'] as const

describe.for(TIMES)('a key of the previous backend, %s', (time) => {
  async function readImported(token: string) {
    await emptyVault()
    const userId = await someImportedUser(token)
    const owner = await ownerOf(userId, vault)
    if (time === 'resealed') {
      await beginPass(owner.service)
      await rewrap(owner.service)
    }
    return { userId, key: await readSlot(owner, 'default') }
  }

  it.for<[name: string, make: () => Promise<string>]>([
    ['with white space around it', async () => encrypt(` ${KEY}\n`)],
    ['encrypted twice', async () => encrypt(await encrypt(KEY))],
    ['encrypted twice, with a line break', async () => encrypt(`${await encrypt(KEY)}\n`)],
  ])('%s: opens as only the key', async ([, make]) => {
    expect((await readImported(await make())).key).toMatchObject({ state: 'open', apiKey: KEY })
  })

  it.for<[name: string, make: () => Promise<string>]>([
    ['empty', async () => encrypt('')],
    ['only white space', async () => encrypt(' \n')],
    ['two lines', async () => encrypt(`${KEY}\nhttps://evil.test`)],
    ['not ASCII', async () => encrypt('schlüssel')],
    ['two keys with a NUL between them', async () => encrypt(`${KEY}\0sk-second-0123456789`)],
    ['UTF-16', async () => encrypt(Array.from(KEY).join('\0'))],
    ['a token of another key', async () => encrypt(await encrypt(KEY, otherKey))],
  ])('%s: is reported and kept unchanged', async ([, make]) => {
    const logs = recordLogs()
    const { userId, key } = await readImported(await make())
    expect(key).toMatchObject({ state: 'unreadable', reason: 'not_a_key' })
    expect(logs.events()).toContainEqual(
      expect.objectContaining({
        event: 'api_key_unreadable',
        user_id: userId,
        reason: 'not_a_key',
      }),
    )
    const token = await mintToken({ sub: userId })
    const answer = await call('GET', keyPath(userId), { token, env: vault })
    expect([answer.status, await answer.json()]).toEqual([
      200,
      { has_api_key: false, error: 'Invalid encrypted key' },
    ])
    const rows = env.DB.prepare('SELECT 1 FROM api_keys WHERE user_id = ?1').bind(userId)
    expect((await rows.all()).results).toHaveLength(1)
  })
})

describe('a deletion while users are moving in', () => {
  async function remove(provider: string) {
    const userId = await someUser()
    const token = await mintToken({ sub: userId })
    const path = `${keyPath(userId)}s/${provider}`
    if (provider === 'removed') {
      await putKey(userId, KEY)
      await env.DB.prepare("UPDATE api_keys SET provider = 'removed' WHERE user_id = ?1")
        .bind(userId)
        .run()
    }
    const answer = await call('DELETE', path, { token, env: vault })
    const noted = env.DB.prepare('SELECT provider FROM imported_keys WHERE user_id = ?1')
    const { results } = await noted.bind(userId).all()
    return { status: answer.status, noted: results.map((row) => row['provider']) }
  }

  it.for<[provider: string, status: number, noted: string[]]>([
    ['openai', 200, ['openai']],
    ['removed', 200, ['removed']],
    ['nobody', 404, []],
  ])('in the slot %s answers %i', async ([provider, status, noted]) => {
    expect(await remove(provider)).toEqual({ status, noted })
  })
})

describe('while users move in', () => {
  const notesOf = async (userId: string) => {
    const sql = 'SELECT provider FROM imported_keys WHERE user_id = ?1'
    const { results } = await env.DB.prepare(sql).bind(userId).all()
    return results.map((row) => row['provider'])
  }

  it('no import brings a removed user back until somebody adds the user', async () => {
    const [service, userId] = [await openService(vault), await someUser()]
    await removeUser(service, userId)
    expect(await notesOf(userId)).toEqual([''])
    await addUser(service, userId)
    expect(await notesOf(userId)).toEqual([])
  })

  it('no import brings an expired key back', async () => {
    const userId = await someUser()
    await putKey(userId, KEY)
    await env.DB.prepare("UPDATE api_keys SET expires_at = '2001-01-01' WHERE user_id = ?1")
      .bind(userId)
      .run()
    await deleteExpiredKeys(await openService(vault))
    expect(await notesOf(userId)).toEqual(['default'])
  })
})

it('an import adds the users that do not exist', async () => {
  const userId = `new-${crypto.randomUUID()}`
  const key = { userId, provider: 'default', savedAt: '2026-01-01', token: await encrypt(KEY) }
  await runBatch(env.DB, importKeys([key]))
  expect(await readSlot(await ownerOf(userId, vault), 'default')).toMatchObject({ apiKey: KEY })
})

it.for(['default', 'openai'])(
  'an import does not fill the slot %s, which its user has emptied',
  async (provider) => {
    const owner = await ownerOf(await someUser(), vault)
    expect(await deleteSlot(owner, provider)).toBe(false)
    const key = { userId: owner.userId, provider, savedAt: '2026-01-01', token: await encrypt(KEY) }
    await runBatch(env.DB, importKeys([key]))
    expect(await readSlot(owner, provider)).toMatchObject({ state: 'empty' })
  },
)
