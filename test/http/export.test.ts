/** An export has all events of a user, or it breaks off. */

import { Hono } from 'hono'
import { expect, it, vi } from 'vitest'
import { exportAnswer } from '../../src/http/export.ts'
import type { EventRow } from '../../src/store/events.ts'
import { eventsPath, someHistory } from '../keys/key-owner.ts'
import { call, interceptD1, recordLogs } from '../support.ts'

/** More than an export reads at once. */
const EVENTS = 1_100

it('exports all events as NDJSON', async () => {
  const { userId, token, ids } = await someHistory(EVENTS)
  const response = await call('GET', `${eventsPath(userId)}?format=ndjson`, { token })
  expect(Object.fromEntries(response.headers)).toMatchObject({
    'content-type': 'application/x-ndjson',
    'cache-control': 'no-store',
    'content-disposition': 'attachment; filename="api-key-events.ndjson"',
  })
  const lines = (await response.text()).trimEnd().split('\n')
  expect(lines.map((line): string => JSON.parse(line).id)).toEqual(ids)
})

it('breaks an export off, and logs it, if D1 fails in the middle', async () => {
  const { userId, token } = await someHistory(EVENTS)
  let trips = 0
  const DB = interceptD1(async (trip) => {
    trips += 1
    if (trips > 1) throw new Error('D1_ERROR: Network connection lost.')
    return trip()
  })
  const logs = recordLogs()
  // No wait between two attempts.
  vi.spyOn(Math, 'random').mockReturnValue(0)
  const path = `${eventsPath(userId)}?format=ndjson`
  const response = await call('GET', path, { token, env: { DB } })
  await expect(response.text()).rejects.toThrow('database_busy')
  expect(logs.events()).toContainEqual(
    expect.objectContaining({ level: 'error', event: 'export_broken_off' }),
  )
})

const EVENT: EventRow = {
  id: '2026-11-25T12:00:00.000Z.a',
  provider: 'openai',
  event: 'saved',
  actor: 'owner',
  caller: null,
  code: null,
  verdict: null,
  providerStatus: null,
  requestId: null,
  count: 1,
  errors: 0,
  firstAt: null,
  lastAt: null,
}

it('reads no further page when the client goes away', async () => {
  let [read, isClosed] = [0, false]
  async function* pages() {
    try {
      for (; read < 100; read += 1) yield [EVENT]
    } finally {
      isClosed = true
    }
  }
  const app = new Hono().get('/', async (c) => exportAnswer(c, pages()))
  const { body } = await app.request('/')
  const reader = body?.getReader()
  expect((await reader?.read())?.value?.length).toBeGreaterThan(0)
  await reader?.cancel()
  expect([read < 5, isClosed]).toEqual([true, true])
})
