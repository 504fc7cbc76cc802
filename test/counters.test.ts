/** What the vault counts in Workers Analytics Engine. A stub keeps the data points: none can be read locally. */

import { createExecutionContext } from 'cloudflare:test'
import { env } from './isolate.ts'
import { expect, it } from 'vitest'
import { KeyVault } from '../src/binding/key-vault.ts'
import { count } from '../src/counters.ts'
import {
  call,
  mintToken,
  PROVIDER,
  putKey,
  recordLogs,
  slotPath,
  someKeyUser,
  someUser,
} from './support.ts'

const SLOT_ROUTE = '/api/users/:userId/api-keys/:provider'

/** A vault that counts. Each point is its index, its blobs and its first two doubles. */
function countingVault(changes: object = {}) {
  const points: unknown[][] = []
  const writeDataPoint = ({ indexes = [], blobs = [], doubles = [] }: AnalyticsEngineDataPoint) => {
    const [status = 0, providerStatus = 0, milliseconds = -1] = doubles
    expect(milliseconds).toBeGreaterThanOrEqual(0)
    points.push([...indexes, ...blobs, status, providerStatus])
  }
  return { points, vault: { ...env, ...changes, ANALYTICS: { writeDataPoint } } }
}

/** Calls of a bound Worker with the name `chat`. */
function bind(vault: Env) {
  const props = { caller: 'chat', grants: ['use', 'users', 'support'] }
  return new KeyVault(Object.assign(createExecutionContext(), { props }), vault)
}

it.for<[title: string, method: string, body: object | undefined, code: string | null, n: number]>([
  ['a save', 'PUT', { api_key: 'sk-good-of-a-counted-save' }, null, 200],
  ['a deletion', 'DELETE', undefined, null, 200],
  ['a refusal by its code', 'PUT', { api_key: 7 }, 'api_key_invalid', 400],
])('counts %s', async ([, method, body, code, status]) => {
  const { points, vault } = countingVault()
  const userId = await someKeyUser('sk-good-before-it')
  const token = await mintToken({ sub: userId })
  await call(method, slotPath(userId, 'openai'), { token, body, env: vault })
  const operation = `${method} ${SLOT_ROUTE}`
  const point = [code ?? operation, 'request', operation, code, null, null, null, null, status, 0]
  expect(points).toEqual([point])
})

it('counts a use through the relay with its caller, its provider and the status of its answer', async () => {
  const { points, vault } = countingVault()
  const userId = await someKeyUser('sk-good-for-the-relay')
  const token = await mintToken({ sub: userId, scope: 'relay', client_id: 'notebook' })
  await call('GET', '/relay/openai/v1/models', { token, env: vault })
  const operation = 'GET /relay/:provider/*'
  const point = [
    operation,
    'request',
    operation,
    null,
    'relay:notebook',
    'openai',
    'own',
    null,
    200,
    200,
  ]
  expect(points).toEqual([point])
})

it('counts the calls of a binding, with what its provider answered or why it was refused', async () => {
  const { points, vault } = countingVault()
  const [userId, other] = [await someKeyUser('sk-spent-for-the-binding'), await someUser()]
  const use = async (user: string) =>
    bind(vault).fetchWithApiKey(user, 'openai', new Request(`${PROVIDER}/v1/models`))
  await use(userId)
  await use(other)
  const [method, caller, condition] = ['fetchWithApiKey', 'binding:chat', 'out_of_credit']
  expect(points).toEqual([
    [condition, 'binding_call', method, null, caller, 'openai', 'own', condition, 0, 429],
    ['no_api_key', 'binding_call', method, 'no_api_key', caller, 'openai', null, null, 0, 0],
  ])
})

it('counts a key that cannot be decrypted, each time it is read', async () => {
  const { points, vault } = countingVault()
  const userId = await someKeyUser('sk-good-before-the-damage')
  await env.DB.prepare(`UPDATE api_keys SET encrypted_api_key = 'v1.x.AAAA' WHERE user_id = ?1`)
    .bind(userId)
    .run()
  const token = await mintToken({ sub: userId })
  await call('GET', slotPath(userId, 'openai'), { token, env: vault })
  const [unreadable] = points
  expect(unreadable).toMatchObject({ 1: 'api_key_unreadable', 2: 'read a slot', 5: 'openai' })
  expect(points).toHaveLength(2)
})

it('counts a slot with a label by its provider', () => {
  const points: unknown[] = []
  const { ANALYTICS } = countingVault().vault
  const spied = { writeDataPoint: (point: AnalyticsEngineDataPoint) => void points.push(point) }
  const counted = { event: 'binding_call', operation: 'fetchWithApiKey', code: null } as const
  count({ ...ANALYTICS, ...spied }, { ...counted, provider: 'openai:work', key_source: 'team' })
  expect(points).toMatchObject([{ blobs: { 4: 'openai', 5: 'team' } }])
})

it('counts the answers of a vault that is configured wrong', async () => {
  const { points, vault } = countingVault({ JWT_SECRET_KEY: '' })
  await putKey(await someUser(), 'sk-good', { env: vault })
  expect(points).toMatchObject([{ 0: 'server_misconfigured', 8: 500 }])
})

it('writes no key, token or user id, even if a key is given as a slot', async () => {
  const secret = `sk-${crypto.randomUUID()}`
  const { points, vault } = countingVault()
  const userId = await someKeyUser(secret)
  const token = await mintToken({ sub: userId, scope: 'relay', client_id: 'notebook' })
  const binding = bind(vault)
  for (const slot of ['openai', secret]) {
    await call('PUT', slotPath(userId, slot), { token, body: { api_key: secret }, env: vault })
    await call('GET', `/relay/${slot}/v1/models?q=${secret}`, { token, env: vault })
    await binding.listEvents(userId, { provider: slot })
    await binding.fetchWithApiKey(userId, slot, new Request(`${PROVIDER}/v1/models`))
  }
  expect(points.length).toBeGreaterThanOrEqual(8)
  for (const hidden of [secret, token, userId]) {
    expect(JSON.stringify(points)).not.toContain(hidden)
  }
})

it('answers as usual if the dataset refuses a data point, and says so in the log', async () => {
  const logs = recordLogs()
  const writeDataPoint = () => {
    throw new TypeError('too many data points')
  }
  const userId = await someUser()
  const response = await putKey(userId, 'sk-good-without-a-count', {
    env: { ...env, ANALYTICS: { writeDataPoint } },
  })
  expect(response.status).toBe(200)
  expect(logs.events()).toContainEqual(expect.objectContaining({ event: 'not_counted' }))
})
