import { createExecutionContext, createMessageBatch, getQueueResult } from 'cloudflare:test'
import { afterEach, expect, it, vi } from 'vitest'
import webhooks from '../../examples/webhooks/webhooks.ts'
import type { EventMessage } from '../../src/shared/answers.ts'
import { recordLogs } from '../support.ts'

const settings = {
  WEBHOOK_URL: 'https://app.test/webhooks',
  WEBHOOK_SECRET: `whsec_${btoa('s'.repeat(32))}`,
  FIRST_RETRY_S: '10',
}

afterEach(() => vi.useRealTimers())

const at = '2026-11-25T12:00:00.000Z'

/** A message of the queue in its `attempts`-th attempt. */
function messageOf(id: string, attempts = 1) {
  const event = {
    id: `${at}.${id}`,
    provider: 'openai',
    event: 'deleted',
    by: 'owner',
    at,
  } as const
  const body: EventMessage = { user_id: 'user', ...event }
  return { id, timestamp: new Date(at), attempts, body }
}

/** Has the Worker deliver the messages, and returns what it tells the queue. */
async function deliver(messages: Parameters<typeof createMessageBatch>[1], changes: object = {}) {
  const batch = createMessageBatch('key-events', messages)
  const retries = batch.messages.map((message) => vi.spyOn(message, 'retry'))
  const context = createExecutionContext()
  await webhooks.queue(batch, { ...settings, ...changes })
  const { explicitAcks: acked, retryMessages } = await getQueueResult(batch, context)
  const delays = retries.flatMap(({ mock }) => mock.calls.map(([options]) => options?.delaySeconds))
  return { acked, retried: retryMessages.map(({ msgId }) => msgId), delays }
}

const answer = (status: number) =>
  vi.spyOn(globalThis, 'fetch').mockImplementation(async () => new Response(null, { status }))

it.for([200, 202, 204])(
  'takes a message for delivered that is answered with %i',
  async (status) => {
    answer(status)
    expect(await deliver([messageOf('a')])).toMatchObject({ acked: ['a'], retried: [] })
  },
)

it.for([302, 400, 404, 429, 500, 503])(
  'delivers a message later if the answer is %i',
  async (status) => {
    const logs = recordLogs()
    answer(status)
    expect(await deliver([messageOf('a')])).toEqual({ acked: [], retried: ['a'], delays: [10] })
    expect(logs.events()).toMatchObject([{ event: 'webhook_failed', status, delay_s: 10 }])
  },
)

it('delivers a message later if there is no answer in 10 seconds', async () => {
  recordLogs()
  const timeout = vi.spyOn(AbortSignal, 'timeout').mockReturnValue(AbortSignal.abort())
  expect(await deliver([messageOf('a')])).toEqual({ acked: [], retried: ['a'], delays: [10] })
  expect(timeout).toHaveBeenCalledWith(10_000)
})

it('delivers no message again that the receiver says is gone for good', async () => {
  const logs = recordLogs()
  answer(410)
  expect(await deliver([messageOf('a')])).toMatchObject({ acked: ['a'], retried: [] })
  expect(logs.events()).toMatchObject([{ event: 'webhook_gone' }])
})

it.for<[attempts: number, delay: number]>([
  [1, 10],
  [2, 40],
  [3, 160],
  [4, 640],
  [5, 2_560],
  [6, 10_240],
  [7, 40_960],
  [8, 43_200],
  [100, 43_200],
])('waits longer after each attempt: after %i for %i s', async ([attempts, delay]) => {
  recordLogs()
  answer(500)
  expect((await deliver([messageOf('a', attempts)])).delays).toEqual([delay])
})

it('settles each message of a batch by itself', async () => {
  recordLogs()
  const fetched = answer(204)
  fetched.mockImplementationOnce(async () => Promise.reject(new Error('The connection was lost')))
  const messages = ['a', 'b', 'c'].map((id) => messageOf(id))
  const { acked, retried } = await deliver(messages)
  expect([acked.length, retried.length]).toEqual([2, 1])
})

it('an event of a team has another webhook-id than one of the user with the same id', async () => {
  const fetched = answer(204)
  const { body: ofUser, ...message } = messageOf('a')
  const { user_id: team_id, ...event } = ofUser
  const ofTeam = { team_id, ...event }
  const sent = async (body: object) => {
    expect(await deliver([{ ...message, body }])).toMatchObject({ acked: ['a'] })
    const request = new Request(...(fetched.mock.lastCall ?? ['https://app.test']))
    const { data }: { data: unknown } = await request.json()
    return { id: request.headers.get('webhook-id'), data }
  }
  const [user, team] = [await sent(ofUser), await sent(ofTeam)]
  expect([user.data, team.data]).toEqual([ofUser, ofTeam])
  expect(user.id).not.toBe(team.id)
})

const event = messageOf('b').body

it.for<[what: string, body: unknown]>([
  ['null', null],
  ['nothing', undefined],
  ['text', 'deleted'],
  ['a list', [event]],
  ...(['user_id', 'id', 'event', 'at'] as const).flatMap((name): [string, unknown][] => [
    [`an event without ${name}`, { ...event, [name]: undefined }],
    [`an event with a number as ${name}`, { ...event, [name]: 1 }],
  ]),
  ['an event of a user and a team', { ...event, team_id: 'acme' }],
  ['an event with what JSON does not have', { ...event, count: 1n }],
])('drops a message that is %s, logs its id, and delivers the others', async ([, body]) => {
  const logs = recordLogs()
  const fetched = answer(204)
  const messages = [messageOf('a'), { ...messageOf('poison'), body }, messageOf('c')]
  const { acked, retried } = await deliver(messages)
  expect([acked.toSorted(), retried]).toEqual([['a', 'c', 'poison'], []])
  expect(fetched).toHaveBeenCalledTimes(2)
  expect(logs.events()).toEqual([
    { level: 'error', event: 'webhook_malformed', message_id: 'poison' },
  ])
})

it.for<[name: string, changes: object, message: string]>([
  ['a secret without whsec_', { WEBHOOK_SECRET: btoa('s'.repeat(32)) }, 'WEBHOOK_SECRET must be'],
  ['a short secret', { WEBHOOK_SECRET: `whsec_${btoa('s'.repeat(16))}` }, 'WEBHOOK_SECRET must be'],
  ...[
    'http://app.test/webhooks',
    'http://10.0.0.1/webhooks',
    'http://localhost.evil.test/',
    'https://user:password@app.test/',
    'ftp://localhost/',
    'app.test/webhooks',
    '',
  ].map((url): [string, object, string] => [
    `the URL ${url}`,
    { WEBHOOK_URL: url },
    'WEBHOOK_URL must be an https: URL',
  ]),
  ['a delay that is not a number', { FIRST_RETRY_S: 'soon' }, 'FIRST_RETRY_S must be'],
])('sends nothing with %s, so that the queue keeps the batch', async ([, changes, message]) => {
  const fetched = answer(204)
  await expect(deliver([messageOf('a')], changes)).rejects.toThrow(message)
  expect(fetched).not.toHaveBeenCalled()
})

it.for(['http://localhost:8790/webhooks', 'http://127.0.0.1:8790/', 'http://[::1]:8790/'])(
  'posts to a receiver on this machine: %s',
  async (url) => {
    const fetched = answer(204)
    expect(await deliver([messageOf('a')], { WEBHOOK_URL: url })).toMatchObject({ acked: ['a'] })
    expect(fetched.mock.lastCall?.[0]).toBe(url)
  },
)

it('signs a message with each secret while one replaces the other', async () => {
  const fetched = answer(204)
  const [one, two] = [settings.WEBHOOK_SECRET, `whsec_${btoa('t'.repeat(32))}`]
  const signatures = async (secret: string) => {
    await deliver([messageOf('a')], { WEBHOOK_SECRET: secret })
    return new Headers(fetched.mock.lastCall?.[1]?.headers).get('webhook-signature')?.split(' ')
  }
  vi.useFakeTimers({ toFake: ['Date'], now: Date.parse(at) })
  const both = [...((await signatures(one)) ?? []), ...((await signatures(two)) ?? [])]
  expect(await signatures(`${one} ${two}`)).toEqual(both)
})
