/** The Worker as Cloudflare runs it: HTTP, the Cron Trigger, the service binding and the Durable Object. */

import { createExecutionContext, createScheduledController } from 'cloudflare:test'
import { exports } from 'cloudflare:workers'
import { expect, it } from 'vitest'
import worker from '../src/index.ts'
import { env } from './isolate.ts'
import { recordLogs, someKeyUser, someUser, storedKey } from './support.ts'

it('answers HTTP with the app', async () => {
  const request = new Request('https://vault.test/api/config')
  const response = await worker.fetch(request, { ...env }, createExecutionContext())
  expect(await response.json()).toEqual({ oidc: null })
})

it('runs all jobs on its Cron Trigger', async () => {
  recordLogs()
  const userId = await someKeyUser('sk-expired-0123456789')
  const expire = "UPDATE api_keys SET expires_at = '2020-01-01T00:00:00.000Z' WHERE user_id = ?1"
  await env.DB.prepare(expire).bind(userId).run()
  await worker.scheduled(createScheduledController(), { ...env })
  expect(await storedKey(userId, env, 'openai')).toBeNull()
  // The deletion has reached the second store.
  expect(await env.DB.prepare('SELECT at FROM heartbeat').first('at')).toMatch(/^20.*Z$/)
})

it('exports the classes of the service binding and of the Durable Object', async () => {
  const props = { caller: 'chat', grants: ['users'] }
  const binding = exports.KeyVault({ props })
  expect(await binding.hasUser(await someUser())).toMatchObject({ ok: true, exists: true })
  const stub = env.DELETIONS.getByName('a test')
  expect(await stub.exchange(0, [])).toMatchObject({ missing: [], isComplete: true })
})
