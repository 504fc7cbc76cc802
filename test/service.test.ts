/** The service of an isolate: it is opened once, and a wrong configuration closes every key route. */

import { expect, it, vi } from 'vitest'
import { limiters } from '../src/environment.ts'
import { openFront, openService } from '../src/service.ts'
import { env } from './isolate.ts'
import { app, call, keyPath, mintToken, recordLogs, someUser, URL_BASE } from './support.ts'

const OPTIONAL = Object.keys(limiters).filter((name) => name !== 'RATE_LIMITER')
const NONE = Object.fromEntries(OPTIONAL.map((name) => [name, undefined]))
const NO_SERVERS = { MANAGE_CLIENTS: '', MANAGE_SCOPE: '' }

it.for<[name: string, changes: object, limiters: string[] | null]>([
  ['all of them', {}, null],
  ['no limit for addresses', { ADDRESS_LIMITER: undefined }, ['ADDRESS_LIMITER']],
  [
    'only the limit for users',
    { ...NONE, ...NO_SERVERS },
    OPTIONAL.filter((name) => name !== 'SUPPORT_LIMITER'),
  ],

  ['no limit for a relay that is off', { RELAY_LIMITER: undefined, RELAY_SCOPE: '' }, null],
])(
  'logs once in an isolate which limiters are missing if it has %s',
  async ([, changes, missing]) => {
    const logs = recordLogs()
    const vault = { ...env, ...changes }
    await Promise.all([openService(vault), openService(vault)])
    await openService(vault)
    const warning = { level: 'warn', event: 'limiter_missing', limiters: missing }
    expect(logs.events()).toEqual(missing === null ? [] : [warning])
  },
)

it('reads the environment once, and imports its keys once', async () => {
  const workerEnv = { ...env }
  const userId = await someUser()
  const headers = { Authorization: `Bearer ${await mintToken({ sub: userId })}` }
  const get = async () => app.request(URL_BASE + keyPath(userId), { headers }, workerEnv)
  const importKey = vi.spyOn(crypto.subtle, 'importKey')
  expect(await openService(workerEnv)).toBe(await openService(workerEnv))
  expect((await get()).status).toBe(200)
  expect(importKey).toHaveBeenCalledTimes(2)
  expect((await get()).status).toBe(200)
  expect(importKey).toHaveBeenCalledTimes(2)
})

it('a wrong variable is a 500 on every key route, and the log has the reason without a value', async () => {
  const logs = recordLogs()
  const userId = await someUser()
  const token = await mintToken({ sub: userId })
  const secret = 'short but secret'
  const bad = { JWT_SECRET_KEY: secret, CORS_ORIGINS: 'https://app.test' }
  for (const method of ['GET', 'PUT', 'DELETE']) {
    const headers = { Origin: 'https://app.test' }
    const response = await call(method, keyPath(userId), { token, env: bad, headers })
    expect(response.status).toBe(500)
    expect(response.headers.get('Access-Control-Allow-Origin')).toBe('https://app.test')
    expect(await response.json()).toEqual({
      error: 'Internal server error',
      code: 'server_misconfigured',
      request_id: response.headers.get('X-Request-Id'),
    })
  }
  expect((await call('GET', '/nowhere', { env: bad })).status).toBe(404)
  const errors = logs.events().filter(({ level }) => level === 'error')
  expect(errors).toHaveLength(3)
  expect(errors[0]).toMatchObject({ code: 'server_misconfigured' })
  expect(JSON.stringify(errors[0])).toContain('JWT_SECRET_KEY is under 32 bytes')
  expect(logs.text()).not.toContain(secret)
})

it('opens the front once, even if the service does not open', async () => {
  const wrong = { ...env, JWT_SECRET_KEY: '' }
  expect(openFront(wrong)).toBe(openFront(wrong))
  await expect(openService(wrong)).rejects.toMatchObject({ code: 'server_misconfigured' })
})
