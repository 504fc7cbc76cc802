/** A save: the key that a slot holds after it, and what stays of the previous one. */

import { afterEach, describe, expect, it, vi } from 'vitest'
import { VaultError } from '../../src/errors.ts'
import { assignKey } from '../../src/keys/assign.ts'
import { saveSlot } from '../../src/keys/save.ts'
import { setLimits } from '../../src/keys/slots.ts'
import { deleteSlot } from '../../src/keys/slots.ts'
import { env } from '../isolate.ts'
import {
  call,
  interceptD1,
  keyPath,
  mintToken,
  ownerOf,
  recordLogs,
  seenByProvider,
  slotPath,
  someKeyUser,
  someUser,
  storedKey,
} from '../support.ts'
import { someKeyOf, someKeyOwner, someOwner } from './key-owner.ts'

describe('a save that the provider checks first', () => {
  it('keeps the previous key if the provider rejects the new one', async () => {
    const logs = recordLogs()
    const { userId, put, get, stored } = await someOwner()
    const [good, bad] = [someKeyOf('good'), someKeyOf('bad')]
    await put('openai', good)
    const refused = await put('openai', bad)
    expect(refused).toEqual({
      status: 422,
      body: {
        error: 'The provider rejected this API key',
        code: 'api_key_rejected',
        detail: 'OpenAI does not accept this key.',
        request_id: expect.any(String),
      },
    })
    expect(await stored('openai')).toBe(good)
    expect(await get('openai')).toMatchObject({ body: { status: 'active' } })
    const shown = logs.text() + JSON.stringify(refused)
    expect(shown).not.toContain(bad)
    expect(shown).not.toContain('Incorrect')
    expect(logs.events()).toContainEqual({
      level: 'info',
      event: 'api_key_tried',
      request_id: refused.body['request_id'],
      user_id: userId,
      provider: 'openai',
      verdict: 'refused',
      reason: 'HTTP 401',
    })
  })

  it('does not ask a provider about the keys of a user who does not exist', async () => {
    const userId = `absent-${crypto.randomUUID()}`
    const token = await mintToken({ sub: userId })
    const keys = ['good', 'bad', 'good', 'bad'].map(someKeyOf)
    const save = async (api_key: string) =>
      call('PUT', `${slotPath(userId, 'openai')}?verify=true`, { token, body: { api_key } })
    const answers = await Promise.all(keys.map(save))
    expect(answers.map(({ status }) => status)).toEqual([404, 404, 404, 404])
    expect((await Promise.all(keys.map(seenByProvider))).flat()).toEqual([])
  })
})

describe('a change while an earlier save is checked with its provider', () => {
  afterEach(() => vi.useRealTimers())

  const [before, later] = [someKeyOf('good'), someKeyOf('good')]
  const write = async (userId: string, apiKey: string, vault: Partial<Env> = {}) =>
    saveSlot(await ownerOf(userId, { ...env, ...vault }), 'openai', { apiKey, verify: false })
  const remove = async (userId: string) => deleteSlot(await ownerOf(userId), 'openai')

  /** Saves `earlier`, and does `change` before it is written: the code of the save, and the stored key. */
  async function during(userId: string, change: () => Promise<unknown>, vault: Partial<Env> = {}) {
    const earlier = someKeyOf('good')
    let trips = 0
    const DB = interceptD1(async (trip) => {
      trips += 1
      // The second round trip writes the key, after the check.
      if (trips === 2) await change()
      return trip()
    })
    const owner = await ownerOf(userId, { ...env, ...vault, DB })
    const code = await saveSlot(owner, 'openai', { apiKey: earlier, verify: true }).then(
      () => 'saved',
      (error: unknown) => VaultError.from(error).code,
    )
    const stored = await storedKey(userId, env, 'openai')
    return { code, stored: stored === earlier ? 'the earlier key' : stored }
  }

  it.for<[name: string, filled: boolean]>([
    ['into an empty slot', false],
    ['over another key', true],
  ])('a later save %s wins over a save that is still checked', async ([, filled]) => {
    const userId = filled ? await someKeyUser(before) : await someUser()
    const lost = { code: 'changed_meanwhile', stored: later }
    expect(await during(userId, async () => write(userId, later))).toEqual(lost)
  })

  // A tag has no time in it.
  it.for([-3_600, 3_600])(
    'a later save that adds the user wins, in an isolate whose clock is off by %i s',
    async (seconds) => {
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + seconds * 1_000 })
      const vault = { AUTO_CREATE_USERS: 'true' }
      const userId = `absent-${crypto.randomUUID()}`
      const lost = { code: 'changed_meanwhile', stored: later }
      expect(await during(userId, async () => write(userId, later, vault), vault)).toEqual(lost)
    },
  )

  it('a later deletion wins over a save that is still checked', async () => {
    const userId = await someKeyUser(before)
    const lost = { code: 'changed_meanwhile', stored: null }
    expect(await during(userId, async () => remove(userId))).toEqual(lost)
  })

  it('a key that is assigned to the slot wins over a save that is still checked', async () => {
    const userId = await someUser()
    const owner = await ownerOf(userId)
    await saveSlot(owner, 'default', { apiKey: later, verify: false })
    const lost = { code: 'changed_meanwhile', stored: later }
    expect(await during(userId, async () => assignKey(owner, 'openai', false))).toEqual(lost)
  })

  it('a pause wins over a save that is still checked', async () => {
    const userId = await someKeyUser(before)
    const owner = await ownerOf(userId)
    const pause = async () => setLimits(owner, 'openai', { isPaused: true, condition: null })
    expect(await during(userId, pause)).toEqual({ code: 'changed_meanwhile', stored: before })
  })

  it.for([
    ['a use', "last_used_at = '2026-01-01T00:00:00.000Z', uses = 1"],
    ['a verdict', "status = 'rejected'"],
  ])('a save counts although its check came with %s of the previous key', async ([, set]) => {
    const userId = await someKeyUser(before)
    const change = env.DB.prepare(`UPDATE api_keys SET ${set} WHERE user_id = ?1`).bind(userId)
    const won = { code: 'saved', stored: 'the earlier key' }
    expect(await during(userId, async () => change.run())).toEqual(won)
  })

  it('a checked save counts if nobody else changes the slot', async () => {
    const userId = await someKeyUser(before)
    const won = { code: 'saved', stored: 'the earlier key' }
    expect(await during(userId, async () => undefined)).toEqual(won)
  })
})

describe('the refusals of a save', () => {
  it.for<[code: string, name: string, provider: string, baseUrl?: string]>([
    ['unknown_provider', 'an unknown provider', 'nobody'],
    ['base_url_invalid', 'no base URL for a provider that needs one', 'own'],
    ['base_url_invalid', 'a base URL for a provider with an origin', 'openai', 'https://a.test'],
  ])('refuses with %s: %s', async ([code, , provider, baseUrl]) => {
    const owner = await ownerOf(await someUser())
    const saved = saveSlot(owner, provider, { apiKey: 'sk-1', baseUrl, verify: false })
    await expect(saved).rejects.toMatchObject({ code })
    expect(await storedKey(owner.userId, env, provider)).toBeNull()
  })

  it('refuses with user_not_found a user who does not exist, and adds nothing', async () => {
    const owner = await ownerOf(`absent-${crypto.randomUUID()}`)
    const saved = saveSlot(owner, 'openai', { apiKey: 'sk-1', verify: false })
    await expect(saved).rejects.toMatchObject({ code: 'user_not_found' })
    const notes = 'SELECT 1 FROM api_key_events WHERE user_id = ?1'
    expect((await env.DB.prepare(notes).bind(owner.userId).all()).results).toEqual([])
  })

  it('a save that a condition forbids changes nothing', async () => {
    const { userId, apiKey } = await someKeyOwner()
    const key = { apiKey: someKeyOf('good'), verify: false, condition: { kind: 'empty' } } as const
    const saved = saveSlot(await ownerOf(userId), 'openai', key)
    await expect(saved).rejects.toMatchObject({ code: 'changed_meanwhile' })
    expect(await storedKey(userId, env, 'openai')).toBe(apiKey)
  })
})

describe('what stays of the previous key', () => {
  it('a paused key stays paused when it is replaced, since the time of its first pause', async () => {
    const { limit, put, shown } = await someKeyOwner()
    const { body } = await limit({ paused: true })
    expect((await limit({ paused: true })).body['paused_at']).toBe(body['paused_at'])
    const saved = await put('openai', someKeyOf('good'), '?verify=false')
    expect(saved.body).toMatchObject({ user: { paused_at: body['paused_at'] } })
    expect(await shown()).toMatchObject({ paused_at: body['paused_at'] })
  })

  it('a key that is replaced leaves its limits to the next one, but not its expiry', async () => {
    const { limit, put, shown } = await someKeyOwner()
    const limits = { callers: ['binding:chat'], max_uses: { count: 5, per: 'day' } }
    await limit({ ...limits, expires_at: '2999-01-01T00:00:00Z' })
    await put('openai', someKeyOf('good'), '?verify=false')
    const key = await shown()
    expect(key).toMatchObject({ ...limits, max_uses: { ...limits.max_uses, used: 0 } })
    expect(key).not.toHaveProperty('expires_at')
  })

  it('a key that was paused, deleted and saved again is not paused', async () => {
    const { limit, remove, put, shown } = await someKeyOwner()
    await limit({ paused: true })
    await remove('openai')
    await put('openai', someKeyOf('good'), '?verify=false')
    expect(await shown()).not.toHaveProperty('paused_at')
  })

  it('limits stay with a key that moves to the slot of DEFAULT_PROVIDER', async () => {
    const { userId, token, putPlain, limit } = await someOwner()
    await putPlain(someKeyOf('good'))
    await limit('default', { paused: true })
    const options = { token, body: { api_key: someKeyOf('good') } }
    await call('PUT', keyPath(userId), { ...options, env: { DEFAULT_PROVIDER: 'openai' } })
    const rows = 'SELECT provider, paused_at FROM api_keys WHERE user_id = ?1'
    const { results } = await env.DB.prepare(rows).bind(userId).all()
    expect(results).toEqual([{ provider: 'openai', paused_at: expect.any(String) }])
  })
})

it.for([
  [20, true],
  [19, false],
] as const)(
  'a save of a key of %i characters says which slots have it: %s',
  async ([length, isSaid]) => {
    const apiKey = crypto.randomUUID().slice(0, length)
    const { userId } = await someOwner()
    const owner = await ownerOf(userId)
    const save = async (name: string, key: string) =>
      saveSlot(owner, name, { apiKey: key, verify: false })
    await save('acme', `${apiKey.slice(1)}x`)
    await save('default', apiKey)
    await save('anthropic', apiKey)
    const { sameIn } = await save('openai', apiKey)
    expect(sameIn.toSorted()).toEqual(isSaid ? ['anthropic', 'default'] : [])
  },
)
