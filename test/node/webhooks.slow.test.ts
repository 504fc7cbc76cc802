import { randomBytes, randomUUID } from 'node:crypto'
import { experimental_readRawConfig as readRawConfig, createTestHarness } from 'wrangler'
import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { applyMigrations } from '../../scripts/lib/migrations.ts'
import type { EventMessage } from '../../src/shared/answers.ts'
import { NO_VARS } from './wrangler-names.ts'
import { mintToken } from './start-vault.ts'
import { startReceiver, type Delivery } from './webhook-receiver.ts'

const KEY = `sk-sentinel-${randomUUID()}`
const JWT_SECRET_KEY = randomBytes(32).toString('hex')
const WEBHOOK_SECRET = `whsec_${randomBytes(32).toString('base64')}`
const webhook = new Webhook(WEBHOOK_SECRET)

interface Bindings {
  DB: { prepare: (sql: string) => { run: () => Promise<unknown> } }
  QUEUE: { send: (message: EventMessage) => Promise<unknown> }
}

let receiver: Awaited<ReturnType<typeof startReceiver>>
let vault: Awaited<ReturnType<typeof startWorkers>>

/** Starts the vault, the example, and a consumer of its dead letters, with real queues between them. */
async function startWorkers(origin: string) {
  const { rawConfig: ofVault } = readRawConfig({ config: 'wrangler.toml' })
  const { rawConfig: ofExample } = readRawConfig({ config: 'examples/webhooks/wrangler.toml' })
  const [consumer] = ofExample.queues?.consumers ?? []
  if (consumer?.dead_letter_queue === undefined) throw new Error('There is no dead-letter queue')
  const { queue, dead_letter_queue, max_retries = 3 } = consumer
  const producers = (binding: string) => [{ binding, queue }]
  const harness = createTestHarness({
    workers: [
      {
        config: { ...ofVault, queues: { producers: producers('EVENTS_QUEUE') } },
        vars: { ...NO_VARS, VERIFY_ON_SAVE: 'false' },
        secrets: { JWT_SECRET_KEY, API_KEY_ENCRYPTION_KEY: randomBytes(32).toString('base64') },
      },
      {
        config: {
          ...ofExample,
          main: `examples/webhooks/${ofExample.main}`,
          // The queue waits for nothing, so the tests wait for deliveries alone.
          queues: { consumers: [{ ...consumer, max_batch_timeout: 0, retry_delay: 0 }] },
        },
        vars: { WEBHOOK_URL: `${origin}/webhooks`, FIRST_RETRY_S: '0' },
        secrets: { WEBHOOK_SECRET },
      },
      {
        config: {
          name: 'dead-letters',
          main: 'test/node/dead-letters.ts',
          compatibility_date: '2026-08-03',
          queues: {
            producers: producers('QUEUE'),
            consumers: [{ queue: dead_letter_queue, max_batch_timeout: 0 }],
          },
        },
        vars: { RECEIVER: origin },
      },
    ],
  })
  const { url } = await harness.listen()
  const { DB } = await harness.getWorker<Bindings>().getEnv()
  await applyMigrations(DB)
  const { QUEUE } = await harness.getWorker<Bindings>('dead-letters').getEnv()
  return {
    attempts: max_retries + 1,
    send: async (message: EventMessage) => QUEUE.send(message),
    addUser: async (id: string) => DB.prepare(`INSERT INTO users (id) VALUES ('${id}')`).run(),
    /** Calls the vault for the user. */
    call: async (userId: string, method: string, path: string, body?: object) => {
      const token = await mintToken(JWT_SECRET_KEY, userId)
      const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }
      const init = { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) }
      return fetch(new URL(`/api/users/${userId}/${path}`, url), init)
    },
    logs: () => harness.getLogs().map(({ message }) => message),
    close: async () => harness.close(),
  }
}

beforeAll(async () => {
  receiver = await startReceiver()
  vault = await startWorkers(receiver.url)
})
afterAll(async () => {
  await vault.close()
  await receiver.close()
})

/** What a receiver reads from a delivery. @throws Error if its signature is not good */
const open = ({ body, headers }: Delivery): unknown => webhook.verify(body, headers)
const idOf = ({ headers }: Delivery) => headers['webhook-id']
const distinct = (values: unknown[]) => new Set(values).size

/** Saves a key of a new user and deletes it, which the receiver answers with `statuses` and then 204. */
async function deleteKey(statuses: number[] = []): Promise<string> {
  const userId = `user-${randomUUID()}`
  receiver.plan(userId, statuses)
  await vault.addUser(userId)
  const path = 'api-keys/openai'
  expect((await vault.call(userId, 'PUT', path, { api_key: KEY })).status).toBe(200)
  expect((await vault.call(userId, 'DELETE', path)).status).toBe(200)
  return userId
}

/** Waits until the receiver has got `count` deliveries about the user. */
async function delivered(userId: string, count: number, path?: string): Promise<Delivery[]> {
  await expect.poll(() => receiver.got(userId, path), { timeout: 60_000 }).toHaveLength(count)
  return receiver.got(userId, path)
}

/** Sends an event that no other test sends, and waits for it: what was sent before has been delivered too. */
async function flush(): Promise<void> {
  await delivered(await deleteKey(), 1)
}

const someEvent = (user_id: string): EventMessage => {
  const at = '2026-11-25T12:00:00.000Z'
  const id = `${at}.["limit_reached",null,"ümläut"]`
  return { user_id, id, provider: 'openai', event: 'limit_reached', by: 'caller', at }
}

it('a deleted key is posted as the trail shows it, with a signature that standardwebhooks accepts', async () => {
  const userId = await deleteKey()
  const [delivery] = await delivered(userId, 1)
  const response = await vault.call(userId, 'GET', 'api-key-events')
  const { events }: { events: EventMessage[] } = await response.json()
  const deleted = events.find(({ event }) => event === 'deleted')
  expect(delivery && open(delivery)).toEqual({
    type: 'api_key.deleted',
    timestamp: deleted?.at,
    data: { ...deleted, user_id: userId },
  })
  expect(delivery?.headers).toMatchObject({
    'content-type': 'application/json',
    'webhook-id': expect.stringMatching(/^evt_[\w-]{43}$/),
  })
})

it('a changed body, id or secret breaks the signature of a delivery', async () => {
  const [delivery] = await delivered(await deleteKey(), 1)
  const { body = '', headers = {} } = delivery ?? {}
  expect(() => webhook.verify(`${body} `, headers)).toThrow('No matching signature')
  const another = { ...headers, 'webhook-id': 'evt_another' }
  expect(() => webhook.verify(body, another)).toThrow('No matching signature')
  const stranger = new Webhook(`whsec_${randomBytes(32).toString('base64')}`)
  expect(() => stranger.verify(body, headers)).toThrow('No matching signature')
})

it('each copy of an event has the same id, and the same event of two users has two ids', async () => {
  const [one, two] = [`user-${randomUUID()}`, `user-${randomUUID()}`]
  await vault.send(someEvent(one))
  await vault.send(someEvent(one))
  await vault.send(someEvent(two))
  const [copies, others] = [await delivered(one, 2), await delivered(two, 1)]
  const all = [...copies, ...others]
  expect(all.map((delivery) => open(delivery))).toMatchObject(
    [one, one, two].map((userId) => ({ data: someEvent(userId) })),
  )
  expect([distinct(copies.map(idOf)), distinct(all.map(idOf))]).toEqual([1, 2])
})

it('an event comes later to a receiver that was down, with the same id and body', async () => {
  const deliveries = await delivered(await deleteKey([503, 0, 302]), 4)
  expect(distinct(deliveries.map(({ body }) => body))).toBe(1)
  expect(distinct(deliveries.map(idOf))).toBe(1)
  expect(distinct(deliveries.map((delivery) => JSON.stringify(open(delivery))))).toBe(1)
  await flush()
  expect(receiver.got(JSON.parse(deliveries[0]?.body ?? '').data.user_id)).toHaveLength(4)
  expect(receiver.all().filter(({ path }) => path === '/elsewhere')).toEqual([])
})

it('an event comes once to a receiver that answers that it is gone', async () => {
  const userId = await deleteKey([410])
  await delivered(userId, 1)
  await flush()
  expect(receiver.got(userId)).toHaveLength(1)
  const gone = () => vault.logs().filter((line) => line.includes('webhook_gone'))
  await expect.poll(gone).toHaveLength(1)
})

it('an event becomes a dead letter after the last retry, and the others are delivered', async () => {
  const userId = await deleteKey(Array.from({ length: 20 }, () => 500))
  await delivered(await deleteKey(), 1)
  const [letter] = await delivered(userId, 1, '/dead')
  expect(receiver.got(userId)).toHaveLength(vault.attempts)
  expect(JSON.parse(letter?.body ?? '')).toMatchObject([{ user_id: userId, event: 'deleted' }])
})

it('no key is in a delivery or a log', async () => {
  await delivered(await deleteKey([500]), 2)
  await expect.poll(() => vault.logs().join('\n')).toContain('webhook_failed')
  const all = [...receiver.all().map((delivery) => JSON.stringify(delivery)), ...vault.logs()]
  expect(all.filter((text) => text.includes(KEY) || text.includes(WEBHOOK_SECRET))).toEqual([])
})
