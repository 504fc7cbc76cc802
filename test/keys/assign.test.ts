/** Keys of the plain route that move to a provider, one at their user's request or all by the job. */

import { beforeEach, describe, expect, it } from 'vitest'
import { openKey } from '../../src/crypto/seal.ts'
import { sealForProvider } from '../../src/keys/assign.ts'
import { saveSlot } from '../../src/keys/save.ts'
import { openService } from '../../src/service.ts'
import { run } from '../../src/store/d1.ts'
import { askForPass } from '../../src/store/rewrap.ts'
import { env } from '../isolate.ts'
import {
  call,
  interceptD1,
  ownerOf,
  seenByProvider,
  slotPath,
  someEncryptionKey,
  someKeyUser,
  storedKey,
} from '../support.ts'
import { clearRows, kids, passRow, runJob, someKeys } from './sealed-rows.ts'
import { someKeyOf, someOwner } from './key-owner.ts'

/** A user with a key of the plain route. */
async function somePlainOwner(apiKey: string) {
  const owner = await someOwner()
  await owner.putPlain(apiKey)
  return owner
}

describe('POST …/assign', () => {
  it('moves the key of the plain route to the provider if it accepts the key', async () => {
    const key = someKeyOf('good')
    const { assign, stored, getPlain, get } = await somePlainOwner(key)
    expect(await assign('openai')).toMatchObject({
      status: 200,
      body: { provider: 'openai', has_api_key: true, status: 'active', last_used_at: null },
    })
    expect([await stored('openai'), await stored('default')]).toEqual([key, null])
    expect(await getPlain()).toMatchObject({ body: { has_api_key: false } })
    expect(await get('openai')).toMatchObject({ body: { has_api_key: true, status: 'active' } })
    expect(await seenByProvider(key)).toHaveLength(1)
  })

  it('does not ask the provider with verify=false', async () => {
    const key = someKeyOf('bad')
    const { assign } = await somePlainOwner(key)
    expect(await assign('openai', '?verify=false')).toMatchObject({
      body: { status: 'unverified' },
    })
    expect(await seenByProvider(key)).toEqual([])
  })

  it('keeps both keys if the provider already has one', async () => {
    const [key, other] = [someKeyOf('good'), someKeyOf('good')]
    const { put, assign, stored } = await somePlainOwner(key)
    await put('openai', other, '?verify=false')
    expect(await assign('openai')).toMatchObject({
      status: 409,
      body: { code: 'api_key_exists', error: 'This provider has an API key already' },
    })
    expect([await stored('openai'), await stored('default')]).toEqual([other, key])
  })

  it.for([
    ['openai', 'bad', 422, 'api_key_rejected'],
    ['default', 'good', 404, 'unknown_provider'],
    ['nobody', 'good', 404, 'unknown_provider'],
    ['own', 'good', 400, 'base_url_invalid'],
  ] as const)('an assignment to %s of a %s key answers %i %s, and changes nothing', async (row) => {
    const [provider, kind, status, code] = row
    const key = someKeyOf(kind)
    const { assign, stored } = await somePlainOwner(key)
    expect(await assign(provider)).toMatchObject({ status, body: { code } })
    expect(await stored('default')).toBe(key)
  })

  it.for(['deleted', 'replaced'] as const)(
    'takes what is there if the key is %s meanwhile',
    async (change) => {
      const [key, later] = [someKeyOf('good'), someKeyOf('good')]
      const { userId, token, remove, putPlain, stored } = await somePlainOwner(key)
      let isRead = false
      const DB = interceptD1(async (trip) => {
        const result = await trip()
        if (!isRead) {
          isRead = true
          await (change === 'deleted' ? remove('default') : putPlain(later))
        }
        return result
      })
      const path = `${slotPath(userId, 'openai')}/assign`
      const answer = await call('POST', path, { token, env: { DB } })
      const isDeleted = change === 'deleted'
      expect(answer.status).toBe(isDeleted ? 404 : 200)
      expect(await answer.json()).toMatchObject(
        isDeleted ? { code: 'no_api_key' } : { status: 'active' },
      )
      expect(await stored('openai')).toBe(isDeleted ? null : later)
    },
  )

  it('answers 404 no_api_key without a key', async () => {
    const { assign } = await someOwner()
    expect(await assign('openai')).toMatchObject({ status: 404, body: { code: 'no_api_key' } })
  })
})

describe('npm run keys -- assign', () => {
  beforeEach(clearRows)

  it.for(['the same encryption key', 'a new encryption key'])(
    'the job moves every key of the plain route, sealed under %s',
    async (keyring) => {
      const keys = await someKeys(3, env)
      const users = [...keys.keys()]
      const other = someKeyOf('good')
      const taken = await someKeyUser(other)
      const plain = someKeyOf('good')
      await storePlain(taken, plain)
      await runJob(env)
      await runJob(env)
      const both = `${someEncryptionKey()},${env.API_KEY_ENCRYPTION_KEY}`
      const vault =
        keyring === 'a new encryption key' ? { ...env, API_KEY_ENCRYPTION_KEY: both } : env
      await run(env.DB, askForPass(new Date().toISOString(), 'openai'))
      await runJob(vault)
      await runJob(vault)
      for (const [userId, apiKey] of keys) {
        expect(await storedKey(userId, vault, 'openai')).toBe(apiKey)
        expect(await storedKey(userId, vault, 'default')).toBeNull()
      }
      expect(await storedKey(taken, vault, 'openai')).toBe(other)
      expect(await storedKey(taken, vault, 'default')).toBe(plain)
      expect(await passRow()).toMatchObject({ assign_to: null, finished_at: expect.any(String) })
      expect(await assignedOf([...users, taken])).toEqual(
        users.toSorted().map((user_id) => ({ user_id, provider: 'openai', actor: 'job' })),
      )
      expect(Object.keys(await kids())).toHaveLength(1)
    },
  )

  it('the job moves nothing to a provider that is not configured', async () => {
    const [[userId = '', key = ''] = []] = await someKeys(1, env)
    await runJob(env)
    await runJob(env)
    await run(env.DB, askForPass(new Date().toISOString(), 'nobody'))
    await runJob(env)
    await runJob(env)
    expect(await storedKey(userId, env, 'default')).toBe(key)
  })

  it('seals only keys of default slots for the provider, each for its user', async () => {
    const service = await openService(env)
    const opened = ['default', 'acme'].map((provider) => {
      const row = { userId: 'jane', provider, sealed: `v1.${provider}`, kid: 'any' }
      return { row, sealed: `v1.now.${provider}`, text: `sk-${provider}` }
    })
    const [moved, ...others] = await sealForProvider(service, 'openai', opened)
    expect(others).toEqual([])
    expect(moved).toMatchObject({ userId: 'jane', from: 'v1.now.default' })
    const { kid } = service.keyring.sealing
    const row = { userId: 'jane', provider: 'openai', sealed: moved?.sealed ?? '', kid }
    expect(await openKey(service.keyring, row)).toEqual({ state: 'open', text: 'sk-default' })
  })

  it.for<[name: string, provider: string | null]>([
    ['no provider', null],
    ['a provider that is not configured', 'nobody'],
    ['a provider that needs a base URL', 'own'],
  ])('seals nothing for %s', async ([, provider]) => {
    const row = { userId: 'jane', provider: 'default', sealed: 'v1.x', kid: 'any' }
    const opened = [{ row, sealed: 'v1.x', text: 'sk-1' }]
    expect(await sealForProvider(await openService(env), provider, opened)).toEqual([])
  })
})

/** Saves a key in the default slot of the user. */
async function storePlain(userId: string, apiKey: string): Promise<void> {
  await saveSlot(await ownerOf(userId), 'default', { apiKey, verify: false })
}

/** The events of assignments of these users, by user. */
async function assignedOf(users: readonly string[]) {
  const sql = `SELECT user_id, provider, actor FROM api_key_events WHERE event = 'assigned'
    AND user_id IN (SELECT value FROM json_each(?1)) ORDER BY user_id`
  return (await env.DB.prepare(sql).bind(JSON.stringify(users)).all()).results
}
