/** The routes in another app that mounts them. */

import { Hono } from 'hono'
import { hc } from 'hono/client'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { apiKeys } from '../../src/http/api-keys.ts'
import { namesIn } from '../../src/shared/json.ts'
import { ROUTES } from '../../src/shared/routes.ts'
import { env } from '../isolate.ts'
import { keyPath, mintToken, recordLogs, someUser } from '../support.ts'

describe('another app', () => {
  const host = new Hono<{ Bindings: Env }>()
    .get('/', (c) => c.text('host'))
    .route('/vault', apiKeys)
    .onError((error, c) => c.text(`host: ${error.message}`, 500))

  it('answers below the path of another app', async () => {
    const client = hc<typeof host>('https://host.test')
    expectTypeOf(client.vault.users[':userId']['api-key'].$put).toBeFunction()

    const userId = await someUser()
    const headers = { Authorization: `Bearer ${await mintToken({ sub: userId })}` }
    const path = keyPath(userId).replace('/api', '/vault')
    const get = await host.request(path, { headers }, env)
    expect(await get.json()).toEqual({ has_api_key: false })
  })

  const own = namesIn(ROUTES)
    .map((id) => ROUTES[id])
    .filter(({ path }) => /^\/api\/(?:users|teams)\//.test(path))

  it.for(own)('stays out of caches with $method $path', async ({ method, path }) => {
    const response = await host.request(path.replace('/api', '/vault'), { method }, env)
    expect([response.status, response.headers.get('Cache-Control')]).toEqual([401, 'no-store'])
  })

  it('stays out of caches and logs its errors in another app', async () => {
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

  it('answers its own refusals in another app, and leaves the rest to that app', async () => {
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
