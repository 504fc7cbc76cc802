/** Which stored keys are still the imported ones, whatever was done to them since. */

import { env } from '../isolate.ts'
import { expect, it } from 'vitest'
import { assignKey } from '../../src/keys/assign.ts'
import { rewrap } from '../../src/keys/rewrap.ts'
import { beginPass } from '../../src/keys/rewrap-pass.ts'
import { deleteSlot } from '../../src/keys/slots.ts'
import { openService } from '../../src/service.ts'
import { run, runBatch } from '../../src/store/d1.ts'
import { importKeys, type ImportedKey } from '../../src/import/imported-keys.ts'
import { removeRemaining, selectRemaining, START } from '../../src/import/remaining-keys.ts'
import { makeFernet } from './make-fernet.ts'
import { ownerOf, putKey } from '../support.ts'

const fernetKey = crypto.getRandomValues(new Uint8Array(32))
const LEGACY_FERNET_KEY = fernetKey.toBase64({ alphabet: 'base64url' })
const importing: Env = { ...env, LEGACY_FERNET_KEY }
const SAVED_AT = '2023-11-14T22:13:20.000Z'
const LATER = '2023-11-14T22:13:21.000Z'

const encrypt = async (text: string) =>
  makeFernet(fernetKey, new Uint8Array(16), 1_700_000_000, new TextEncoder().encode(text))

async function importKey(userId: string, given: Partial<ImportedKey> = {}): Promise<void> {
  const token = await encrypt('sk-proj-0123456789')
  const key = { userId, provider: 'default', savedAt: SAVED_AT, token, ...given }
  await runBatch(env.DB, importKeys([key]))
}

async function remainingOf(user: string) {
  const { results } = await run(env.DB, selectRemaining(START, 1_000))
  return results.filter(({ userId }) => userId === user)
}

async function rowsOf(sql: string, userId: string) {
  return (await env.DB.prepare(sql).bind(userId).all()).results
}

async function runPass(vault: Env): Promise<void> {
  const service = await openService(vault)
  await beginPass(service)
  await rewrap(service)
}

const STILL: [what: string, change: (userId: string) => Promise<unknown>][] = [
  ['as it came', async () => {}],
  ['after the rewrap job', async () => runPass(importing)],
  [
    'in the slot of DEFAULT_PROVIDER',
    async () => runPass({ ...importing, DEFAULT_PROVIDER: 'openai' }),
  ],
  [
    'in the slot that its owner has chosen',
    async (userId) => assignKey(await ownerOf(userId, importing), 'openai', false),
  ],
  ['after the same import again', async (userId) => importKey(userId)],
]

it.for(STILL)('a key is still the imported one %s', async ([, change]) => {
  const userId = crypto.randomUUID()
  await importKey(userId)
  await change(userId)
  const [stored] = await rowsOf('SELECT identity FROM api_keys WHERE user_id = ?1', userId)
  expect(await remainingOf(userId)).toEqual([
    { userId, provider: 'default', savedAt: SAVED_AT, ...stored },
  ])
})

const OTHERS: [what: string, change: (userId: string) => Promise<unknown>][] = [
  ['was saved over it', async (userId) => putKey(userId, 'sk-saved-here')],
  [
    'was saved over it in the second of the imported one',
    async (userId) => {
      await putKey(userId, 'sk-saved-here')
      await rowsOf(`UPDATE api_keys SET updated_at = '${SAVED_AT}' WHERE user_id = ?1`, userId)
    },
  ],
  [
    'was saved before a newer one was imported, which it outlives',
    async (userId) => {
      await putKey(userId, 'sk-saved-here')
      await importKey(userId, { savedAt: LATER })
    },
  ],
  [
    'was saved after the imported one was deleted',
    async (userId) => {
      await deleteSlot(await ownerOf(userId, importing), 'default')
      await putKey(userId, 'sk-saved-here')
    },
  ],
]

it.for(OTHERS)('a key is not the imported one if it %s', async ([, change]) => {
  const userId = crypto.randomUUID()
  await importKey(userId)
  await change(userId)
  expect(await rowsOf('SELECT 1 FROM api_keys WHERE user_id = ?1', userId)).toHaveLength(1)
  expect(await remainingOf(userId)).toEqual([])
})

it('a key of a newer import is the imported one from then on', async () => {
  const userId = crypto.randomUUID()
  await importKey(userId)
  const [before] = await remainingOf(userId)
  await importKey(userId, { savedAt: LATER })
  const [after] = await remainingOf(userId)
  expect(after).toMatchObject({ savedAt: LATER })
  expect(after?.identity).not.toBe(before?.identity)
})

it('pages of the imported keys join without a gap', async () => {
  const userId = crypto.randomUUID()
  const providers = ['anthropic', 'default', 'openai']
  for (const provider of providers) {
    // oxlint-disable-next-line no-await-in-loop -- one import after the other
    await importKey(userId, { provider })
  }
  const first = await run(env.DB, selectRemaining({ userId, provider: '' }, 2))
  const rest = await run(env.DB, selectRemaining(first.results[1] ?? START, 1))
  const found = [...first.results, ...rest.results]
  expect(found.map(({ provider }) => provider)).toEqual(providers)
})

it('the removal of an imported key leaves a tombstone and an event, and the user', async () => {
  const userId = crypto.randomUUID()
  await env.DB.exec("UPDATE heartbeat SET at = '2026-01-01T00:00:00.000Z'")
  await importKey(userId)
  await runPass({ ...importing, DEFAULT_PROVIDER: 'openai' })
  const [key] = await remainingOf(userId)
  if (key === undefined) throw new Error('The key was not imported')
  const [, , deleted] = await runBatch(env.DB, removeRemaining([key]))
  expect(deleted.results).toEqual([{ userId, provider: 'openai' }])
  const events = 'SELECT provider, event, actor FROM api_key_events WHERE user_id = ?1'
  expect(await rowsOf(`${events} ORDER BY id DESC LIMIT 1`, userId)).toEqual([
    { provider: 'openai', event: 'deleted', actor: 'import' },
  ])
  const tombstones = 'SELECT cause FROM gone_keys WHERE identity = ?1'
  expect(await rowsOf(tombstones, key.identity)).toEqual([{ cause: 'operator' }])
  expect(await rowsOf('SELECT 1 FROM users WHERE id = ?1', userId)).toHaveLength(1)
  expect(await remainingOf(userId)).toEqual([])
})

it('the removal spares a key that was saved since the imported one was found', async () => {
  const userId = crypto.randomUUID()
  await importKey(userId)
  const found = await remainingOf(userId)
  await putKey(userId, 'sk-saved-here')
  const [events, , deleted] = await runBatch(env.DB, removeRemaining(found))
  expect([events.meta.changes, deleted.results]).toEqual([0, []])
})

it('an import brings a removed key back only if the Flask backend has saved another one', async () => {
  const userId = crypto.randomUUID()
  await importKey(userId)
  await runBatch(env.DB, removeRemaining(await remainingOf(userId)))
  await importKey(userId)
  expect(await remainingOf(userId)).toEqual([])
  await importKey(userId, { savedAt: LATER })
  expect(await remainingOf(userId)).toMatchObject([{ savedAt: LATER }])
})
