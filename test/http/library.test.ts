import { env } from '../isolate.ts'
import { Hono } from 'hono'
import { hc, type InferRequestType, type InferResponseType } from 'hono/client'
import { describe, expect, expectTypeOf, it } from 'vitest'
import type { ExtractSchema } from 'hono/types'
import type { AppType, Routes } from '../../src/callers/client.ts'
import { apiKeys } from '../../src/http/api-keys.ts'
import type { createApp } from '../../src/http/app.ts'
import { app, keyPath, mintToken, recordLogs, someUser } from '../support.ts'

/** A type without its intersections, which a comparison of types would see. */
type Plain<T> = T extends object ? { [Name in keyof T]: Plain<T[Name]> } : T

describe('Hono’s typed client', () => {
  it('knows every route of the app, as the app has it', () => {
    type App = ExtractSchema<ReturnType<typeof createApp>>
    expectTypeOf<Plain<Routes>>().toEqualTypeOf<Plain<Omit<App, '/' | '/relay/:provider/*'>>>()
  })

  const clientOf = (token: string) =>
    hc<AppType>('https://vault.test', {
      fetch: async (input: RequestInfo | URL, init?: RequestInit) => app.request(input, init, env),
      headers: { Authorization: `Bearer ${token}` },
    }).api.users[':userId']['api-key']

  it('knows the types of the bodies', async () => {
    type Client = ReturnType<typeof clientOf>
    type Put = InferRequestType<Client['$put']>
    expectTypeOf<Put['json']>().toEqualTypeOf<{
      api_key: string
      expires_at?: string | null | undefined
    }>()
    expectTypeOf<Put['param']>().toEqualTypeOf<{ userId: string }>()
    expectTypeOf<InferResponseType<Client['$get'], 200>>().toExtend<{
      has_api_key: boolean
      api_key_preview?: string
    }>()

    const userId = await someUser()
    const client = clientOf(await mintToken({ sub: userId }))
    const put = await client.$put({ param: { userId }, json: { api_key: 'sk-1234567890' } })
    const { user } = await put.json()
    expectTypeOf(user.api_key_preview).toBeString()
    expect(user.api_key_preview).toBe('sk-12345...')
    const deleted = await client.$delete({ param: { userId } })
    expect((await deleted.json()).user.has_api_key).toBe(false)
  })
})

describe('the routes mounted in another app', () => {
  const host = new Hono<{ Bindings: Env }>()
    .get('/', (c) => c.text('host'))
    .route('/vault', apiKeys)
    .onError((error, c) => c.text(`host: ${error.message}`, 500))

  it('answer below the other app’s path', async () => {
    const client = hc<typeof host>('https://host.test')
    expectTypeOf(client.vault.users[':userId']['api-key'].$put).toBeFunction()

    const userId = await someUser()
    const headers = { Authorization: `Bearer ${await mintToken({ sub: userId })}` }
    const path = keyPath(userId).replace('/api', '/vault')
    const get = await host.request(path, { headers }, env)
    expect(await get.json()).toEqual({ has_api_key: false })
  })

  it('stay out of caches, and log their errors', async () => {
    const logs = recordLogs()
    const broken = { ...env, JWT_SECRET_KEY: 'short' }
    const response = await host.request('/vault/users/u/api-key', {}, broken)
    expect(response.status).toBe(500)
    expect(response.headers.get('Cache-Control')).toBe('no-store')
    expect(logs.events()).toMatchObject([
      {
        level: 'error',
        event: 'error',
        code: 'server_misconfigured',
        error: { message: expect.stringContaining('JWT_SECRET_KEY is under 32 bytes') },
      },
    ])
  })

  it('answer their own refusals, and leave the rest to the other app', async () => {
    const refused = await host.request('/vault/users/u/api-key', {}, env)
    expect(refused.status).toBe(401)
    expect(await refused.json()).toEqual({
      error: 'Authorization header with a Bearer token is required',
      code: 'token_missing',
      detail: 'The Authorization header is missing.',
    })
    expect((await host.request('/vault/nowhere', {}, env)).status).toBe(404)
    expect(await (await host.request('/', {}, env)).text()).toBe('host')
  })
})
