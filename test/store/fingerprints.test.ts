/** A save says whether its user had the key before, and where. */

import { expect, it } from 'vitest'
import { beginPass, rewrap } from '../../src/keys/rewrap.ts'
import { openService } from '../../src/service.ts'
import { env } from '../isolate.ts'
import { MAX_KNOWN } from '../../src/store/fingerprints.ts'
import { someKeyOf } from '../keys/key-owner.ts'
import {
  call,
  keyPath,
  mintToken,
  recordLogs,
  slotPath,
  someEncryptionKey,
  someUser,
} from '../support.ts'

/** A user who saves and deletes keys in slots, in a vault with the bindings `vault`. */
async function someOwner() {
  const userId = await someUser()
  const token = await mintToken({ sub: userId })
  /** Saves a key, and returns what the answer says of it. */
  const save = async (
    provider: string,
    apiKey: string,
    { vault = env, query = '?verify=false' } = {},
  ) => {
    const path = slotPath(userId, provider) + query
    const response = await call('PUT', path, { token, body: { api_key: apiKey }, env: vault })
    const { user } = await response.json<{ user?: { same_key_in?: string[]; known_as?: string } }>()
    return [user?.same_key_in ?? [], user?.known_as ?? null]
  }
  const remove = async (provider: string) => call('DELETE', slotPath(userId, provider), { token })
  return { userId, token, save, remove }
}

it('says in which other slots the same key is', async () => {
  const { userId, token, save } = await someOwner()
  const key = someKeyOf('good')
  expect(await save('openai', key)).toEqual([[], null])
  expect(await save('openai', key)).toEqual([[], null])
  expect(await save('acme', key)).toEqual([['openai'], null])
  await call('PUT', keyPath(userId), { token, body: { api_key: key } })
  expect(await save('mistral', key)).toEqual([['acme', 'default', 'openai'], null])
  expect(await save('mistral', someKeyOf('good'))).toEqual([[], null])
})

it('says that a key was deleted or replaced before', async () => {
  const { save, remove } = await someOwner()
  const [first, second] = [someKeyOf('good'), someKeyOf('good')]
  await save('openai', first)
  await save('openai', second)
  expect(await save('openai', first)).toEqual([[], 'deleted'])
  await remove('openai')
  expect(await save('acme', first)).toEqual([[], 'deleted'])
  expect(await save('openai', first)).toEqual([['acme'], null])
})

it('says that a key was rejected before, on a save or later', async () => {
  const { userId, token, save, remove } = await someOwner()
  const [early, late] = [someKeyOf('bad'), someKeyOf('bad')]
  await save('openai', early, { query: '' })
  expect(await save('openai', early)).toEqual([[], 'rejected'])
  await save('openai', late)
  await call('POST', `${slotPath(userId, 'openai')}/verify`, { token })
  await remove('openai')
  expect(await save('acme', late)).toEqual([[], 'rejected'])
})

it('does not say that another user has the same key', async () => {
  const [one, other] = [await someOwner(), await someOwner()]
  const key = someKeyOf('good')
  await one.save('openai', key)
  expect(await other.save('acme', key)).toEqual([[], null])
})

it('knows a key during a rotation, and after the job has rewrapped it', async () => {
  const [before, next] = [env.API_KEY_ENCRYPTION_KEY, someEncryptionKey()]
  const { save } = await someOwner()
  const key = someKeyOf('good')
  await save('openai', key)
  const rotating = { ...env, API_KEY_ENCRYPTION_KEY: `${next},${before}` }
  expect(await save('acme', key, { vault: rotating })).toEqual([['openai'], null])
  recordLogs()
  const service = await openService({ ...rotating, REWRAP_ROWS_PER_RUN: '10000' })
  await beginPass(service)
  await rewrap(service)
  const rotated = { ...env, API_KEY_ENCRYPTION_KEY: next }
  expect(await save('mistral', key, { vault: rotated })).toEqual([['acme', 'openai'], null])
})

it('knows a key that was assigned to a provider during a rotation', async () => {
  const [before, next] = [env.API_KEY_ENCRYPTION_KEY, someEncryptionKey()]
  const { userId, token, save, remove } = await someOwner()
  const key = someKeyOf('good')
  await call('PUT', keyPath(userId), { token, body: { api_key: key } })
  const rotating = { ...env, API_KEY_ENCRYPTION_KEY: `${next},${before}` }
  await call('POST', `${slotPath(userId, 'openai')}/assign`, { token, env: rotating })
  const rotated = { ...env, API_KEY_ENCRYPTION_KEY: next }
  expect(await save('acme', key, { vault: rotated })).toEqual([['openai'], null])
  await remove('openai')
  await remove('acme')
  expect(await save('mistral', key, { vault: rotated })).toEqual([[], 'deleted'])
})

it('remembers at most 1,000 keys of a user that are gone', async () => {
  const { userId, save, remove } = await someOwner()
  const known = async () =>
    env.DB.prepare('SELECT count(*) AS n FROM known_keys WHERE user_id = ?1')
      .bind(userId)
      .first('n')
  await env.DB.prepare(
    `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2)
     INSERT INTO known_keys (user_id, fingerprint, state) SELECT ?1, i, 'deleted' FROM n`,
  )
    .bind(userId, MAX_KNOWN - 1)
    .run()
  const [last, later] = [someKeyOf('good'), someKeyOf('good')]
  for (const key of [last, later]) {
    // oxlint-disable-next-line no-await-in-loop -- the first one takes the last place
    await save('openai', key)
    // oxlint-disable-next-line no-await-in-loop
    await remove('openai')
  }
  await save('openai', someKeyOf('bad'), { query: '?verify=true' })
  expect(await known()).toBe(MAX_KNOWN)
  expect(await save('openai', last)).toEqual([[], 'deleted'])
  expect(await save('acme', later)).toEqual([[], null])
})
