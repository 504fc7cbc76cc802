/** A key of the plain route that moves to a provider at its owner’s request: `POST …/assign`. */

import { describe, expect, it } from 'vitest'
import { assignKey } from '../../src/keys/assign.ts'
import { setLimits } from '../../src/keys/slots.ts'
import { env } from '../isolate.ts'
import { call, interceptD1, ownerOf, seenByProvider, slotPath } from '../support.ts'
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

  it('does not ask the provider if its slot has a key', async () => {
    const key = someKeyOf('bad')
    const { put, assign } = await somePlainOwner(key)
    await put('openai', someKeyOf('good'), '?verify=false')
    expect(await assign('openai')).toMatchObject({ status: 409, body: { code: 'api_key_exists' } })
    expect(await seenByProvider(key)).toEqual([])
  })

  it('refuses a key that is paused and expired as paused before a check, as a check does', async () => {
    const { userId } = await somePlainOwner(someKeyOf('good'))
    const owner = await ownerOf(userId)
    const limits = { isPaused: true, expiresAt: '2020-01-01T00:00:00.000Z', condition: null }
    await setLimits(owner, 'default', limits)
    await expect(assignKey(owner, 'openai', true)).rejects.toMatchObject({ code: 'api_key_paused' })
    const unchecked = assignKey(owner, 'openai', false)
    await expect(unchecked).rejects.toMatchObject({ code: 'api_key_expired' })
  })

  it('does not send a paused key to the provider', async () => {
    const key = someKeyOf('good')
    const { userId, limit, stored } = await somePlainOwner(key)
    await limit('default', { paused: true })
    const assigned = assignKey(await ownerOf(userId), 'openai', true)
    await expect(assigned).rejects.toMatchObject({ code: 'api_key_paused' })
    expect(await seenByProvider(key)).toEqual([])
    expect(await stored('default')).toBe(key)
  })

  it('moves a paused key that is not checked, and it stays paused', async () => {
    const { assign, limit, get } = await somePlainOwner(someKeyOf('good'))
    await limit('default', { paused: true })
    expect((await assign('openai', '?verify=false')).status).toBe(200)
    expect((await get('openai')).body).toMatchObject({ paused_at: expect.any(String) })
  })

  it('a key that is paused meanwhile stays paused', async () => {
    const { userId, limit, get } = await somePlainOwner(someKeyOf('good'))
    let isRead = false
    const DB = interceptD1(async (trip) => {
      const result = await trip()
      if (!isRead) {
        isRead = true
        await limit('default', { paused: true })
      }
      return result
    })
    await assignKey(await ownerOf(userId, { ...env, DB }), 'openai', false)
    expect((await get('openai')).body).toMatchObject({ paused_at: expect.any(String) })
  })

  it('answers 404 no_api_key without a key', async () => {
    const { assign } = await someOwner()
    expect(await assign('openai')).toMatchObject({ status: 404, body: { code: 'no_api_key' } })
  })
})
