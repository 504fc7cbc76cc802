/** An export has up to 10,000 events of a user and says where the next one begins, or it breaks off. */

import { Hono } from 'hono'
import { expect, it, vi } from 'vitest'
import { exportAnswer } from '../../src/http/export.ts'
import { MAX_EXPORTED } from '../../src/keys/trail.ts'
import { eventsPath, someHistory } from '../keys/key-owner.ts'
import { env } from '../isolate.ts'
import { someEventRow } from '../store/rows.ts'
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

/** The lines of an export, and the cursor in its last line. */
async function readExport(path: string, token: string) {
  const response = await call('GET', path, { token })
  const values: { id?: string; next_cursor?: string }[] = (await response.text())
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  const cursor = values.at(-1)?.next_cursor
  return { ids: values.flatMap(({ id }) => id ?? []), lines: values.length, cursor }
}

it('exports at most 10,000 events, and the last line says where the next export begins', async () => {
  const { userId, token, ids } = await someHistory(MAX_EXPORTED + 3)
  const path = `${eventsPath(userId)}?format=ndjson`
  const first = await readExport(path, token)
  expect(first).toEqual({
    ids: ids.slice(0, MAX_EXPORTED),
    lines: MAX_EXPORTED + 1,
    cursor: ids[MAX_EXPORTED - 1],
  })
  const rest = await readExport(`${path}&cursor=${encodeURIComponent(first.cursor ?? '')}`, token)
  expect(rest).toEqual({ ids: ids.slice(MAX_EXPORTED), lines: 3, cursor: undefined })
})

it('ends without a cursor after exactly 10,000 events', async () => {
  const { userId, token } = await someHistory(MAX_EXPORTED)
  const { lines, cursor } = await readExport(`${eventsPath(userId)}?format=ndjson`, token)
  expect([lines, cursor]).toEqual([MAX_EXPORTED, undefined])
})

it('EXPORT_LIMITER limits the exports of a user, and not the pages of the trail', async () => {
  const { userId, token } = await someHistory(1)
  const vault = { EXPORT_LIMITER: env.TIGHT_RATE_LIMITER }
  const statuses = []
  for (const query of ['format=ndjson', 'format=ndjson', 'limit=1', 'format=ndjson', 'limit=1']) {
    // oxlint-disable-next-line no-await-in-loop -- the limiter counts one after the other
    const response = await call('GET', `${eventsPath(userId)}?${query}`, { token, env: vault })
    statuses.push(response.status)
    // oxlint-disable-next-line no-await-in-loop
    await response.text()
  }
  expect(statuses).toEqual([200, 200, 200, 429, 200])
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

it('reads no further page when the client goes away', async () => {
  let [read, isClosed] = [0, false]
  async function* pages() {
    try {
      for (; read < 100; read += 1) yield [someEventRow()]
      return null
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
