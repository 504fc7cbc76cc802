/** `ETag`, `If-Match` and `If-None-Match`: a client changes only what it has seen. */

import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { entityTag, readPrecondition } from '../../src/http/precondition.ts'
import type { Condition } from '../../src/store/versions.ts'
import { env } from '../isolate.ts'
import {
  call,
  interceptD1,
  keyPath,
  mintToken,
  seenByProvider,
  slotPath,
  someKey,
  someUser,
  storedKey,
} from '../support.ts'

it('makes a strong tag of the time of a key', () => {
  expect(entityTag('2026-01-01T00:00:00.000Z')).toBe('"2026-01-01T00:00:00.000Z"')
})

const oneOf = (...versions: string[]): Condition => ({ kind: 'one of', versions })

it.for<[headers: Record<string, string>, condition: Condition | null]>([
  [{}, null],
  [{ 'If-Match': '*' }, { kind: 'present' }],
  [{ 'If-Match': '"a"' }, oneOf('a')],
  [{ 'If-Match': '"a", W/"b"' }, oneOf('a', 'b')],
  [{ 'If-Match': 'no quotes' }, oneOf('')],
  [{ 'If-Match': '' }, oneOf('')],
  [{ 'If-Match': '"a"', 'If-None-Match': '*' }, oneOf('a')],
  [{ 'If-None-Match': '*' }, { kind: 'empty' }],
  [{ 'If-None-Match': '"a"' }, null],
])('reads the headers %j as the condition %j', async ([headers, condition]) => {
  const app = new Hono().put('/', (c) => c.json(readPrecondition(c)))
  const response = await app.request('/', { method: 'PUT', headers })
  expect(await response.json()).toEqual(condition)
})

const slotOf = (userId: string) => slotPath(userId, 'acme')
const PATHS = [
  ['the plain route', keyPath, 'default'],
  ['a slot', slotOf, 'acme'],
] as const

/** A user, and requests to one of the user's slots. */
async function someOwner(pathOf: (userId: string) => string) {
  const userId = await someUser()
  const token = await mintToken({ sub: userId })
  const send = async (method: string, headers: Record<string, string> = {}, apiKey = someKey()) => {
    const body = method === 'PUT' ? { api_key: apiKey } : undefined
    const path = `${pathOf(userId)}${method === 'PUT' ? '?verify=false' : ''}`
    const response = await call(method, path, { token, headers, body })
    return { status: response.status, tag: response.headers.get('ETag') ?? '', response }
  }
  return { userId, send }
}

describe('the entity tag', () => {
  it.for(PATHS)('%s tags each key anew, and an empty slot not at all', async ([, pathOf]) => {
    const { send } = await someOwner(pathOf)
    expect((await send('GET')).tag).toBe('')
    const first = await send('PUT')
    expect(first.tag).toMatch(/^"20.*Z"$/)
    expect((await send('GET')).tag).toBe(first.tag)
    const second = await send('PUT')
    expect(second.tag > first.tag).toBe(true)
    await send('DELETE')
    expect((await send('GET')).tag).toBe('')
  })

  it('gives a later key a later tag, whatever the clock', async () => {
    const { userId, send } = await someOwner(slotOf)
    await send('PUT')
    const sql = "UPDATE api_keys SET updated_at = '2999-01-01T00:00:00.999Z' WHERE user_id = ?1"
    await env.DB.prepare(sql).bind(userId).run()
    expect((await send('PUT')).tag).toBe('"2999-01-01T00:00:01.000Z"')
  })

  it('tags a key that does not open as well', async () => {
    const { userId, send } = await someOwner(slotOf)
    const { tag } = await send('PUT')
    const sql = "UPDATE api_keys SET encrypted_api_key = 'v1.0123456789ab.AAAA' WHERE user_id = ?1"
    await env.DB.prepare(sql).bind(userId).run()
    expect((await send('GET')).tag).toBe(tag)
    expect((await send('DELETE', { 'If-Match': tag })).status).toBe(200)
  })
})

describe('a condition', () => {
  it.for(PATHS)(
    '%s lets a client change only the key that it saw',
    async ([, pathOf, provider]) => {
      const { userId, send } = await someOwner(pathOf)
      const { tag: old } = await send('PUT')
      const key = someKey()
      const { tag } = await send('PUT', { 'If-Match': `"other", W/${old}` }, key)
      for (const method of ['PUT', 'DELETE']) {
        const late = await send(method, { 'If-Match': old })
        expect([late.status, await late.response.json()]).toMatchObject([
          412,
          {
            code: 'changed_meanwhile',
            detail: 'Another change came in between: read the slot again.',
          },
        ])
      }
      expect(await storedKey(userId, env, provider)).toBe(key)
      expect((await send('DELETE', { 'If-Match': tag })).status).toBe(200)
    },
  )

  it.for(
    PATHS.flatMap(([name, pathOf]) => [
      [name, '{"If-None-Match":"*"}', 'the empty slot alone', pathOf, 200, 412] as const,
      [name, '{"If-Match":"*"}', 'the filled slot alone', pathOf, 412, 200] as const,
      [name, '{"If-Match":"\\"other\\""}', 'neither slot', pathOf, 412, 412] as const,
    ]),
  )('%s changes, with %s, %s', async ([, headers, , pathOf, empty, filled]) => {
    const { send } = await someOwner(pathOf)
    expect((await send('PUT', JSON.parse(headers))).status).toBe(empty)
    await send('PUT')
    expect((await send('PUT', JSON.parse(headers))).status).toBe(filled)
    expect((await send('DELETE', JSON.parse(headers))).status).toBe(filled)
  })

  it('asks for the condition in the same round trip', async () => {
    const { userId, send } = await someOwner(slotOf)
    const { tag } = await send('PUT')
    let trips = 0
    const DB = interceptD1(async (trip) => {
      trips += 1
      return trip()
    })
    const token = await mintToken({ sub: userId })
    const headers = { 'If-Match': tag }
    const body = { api_key: someKey() }
    const path = `${slotOf(userId)}?verify=false`
    const put = await call('PUT', path, { token, headers, body, env: { DB } })
    expect([put.status, trips]).toEqual([200, 1])
  })

  it('refuses a change of another key before it asks the provider', async () => {
    const userId = await someUser()
    const token = await mintToken({ sub: userId })
    const apiKey = `sk-good-${crypto.randomUUID()}`
    const options = { token, headers: { 'If-Match': '"other"' }, body: { api_key: apiKey } }
    const answer = await call('PUT', `${slotPath(userId, 'openai')}?verify=true`, options)
    expect(await answer.json()).toMatchObject({ code: 'changed_meanwhile' })
    expect(await seenByProvider(apiKey)).toEqual([])
  })

  it.for(PATHS)(
    '%s answers 404 to a condition of a user who does not exist',
    async ([, pathOf]) => {
      const token = await mintToken({ sub: 'nobody' })
      const options = { token, headers: { 'If-Match': '"x"' }, body: { api_key: someKey() } }
      expect((await call('PUT', `${pathOf('nobody')}?verify=false`, options)).status).toBe(404)
      const answer = await call('DELETE', pathOf('nobody'), {
        token,
        headers: { 'If-Match': '"x"' },
      })
      expect(answer.status).toBe(404)
    },
  )
})
