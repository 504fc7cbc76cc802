import { describe, expect, it } from 'vitest'
import { fetchEvents, fetchExport } from '../../../src/page/element/trail-client.ts'
import type { EventAnswer } from '../../../src/shared/answers.ts'
import { breakOff, refuse, someCall, standForVault } from './vault.ts'

const EVENTS = 'https://vault.test/api/users/user-1/api-key-events'
const event: EventAnswer = {
  id: '2026-06-15T10:00:00.000Z.1000',
  provider: 'openai',
  event: 'saved',
  by: 'owner',
  at: '2026-06-15T10:00:00.000Z',
}

describe('fetchEvents', () => {
  const page = (next_cursor: string | null) =>
    Response.json({ user_id: 'user-1', events: [event], next_cursor })

  it.for([
    ['the newest', undefined, ''],
    ['those before a cursor', '2026-06-14T20&x', '&cursor=2026-06-14T20%26x'],
    ['the newest, if the cursor is empty', '', ''],
  ] as const)('asks for 200 events of the slot: %s', async ([, cursor, query]) => {
    const vault = standForVault([page('next')])
    const { call } = someCall()
    expect(await fetchEvents(call, 'openai', cursor)).toEqual({ events: [event], next: 'next' })
    expect(vault.asked()).toEqual([`GET ${EVENTS}?provider=openai&limit=200${query}`])
    expect(vault.tokens()).toEqual(['Bearer token-1'])
  })

  it('says that no older events are left', async () => {
    standForVault([page(null)])
    expect(await fetchEvents(someCall().call, 'openai')).toEqual({ events: [event], next: null })
  })

  it('throws the problem of a refusal', async () => {
    standForVault([refuse(400, 'invalid_query')])
    const events = fetchEvents(someCall().call, 'openai')
    await expect(events).rejects.toMatchObject({ name: 'Problem', code: 'invalid_query' })
  })
})

describe('fetchExport', () => {
  it('asks for all events of the slot as a file', async () => {
    const lines = `${JSON.stringify(event)}\n`
    const vault = standForVault([new Response(lines)])
    const file = await fetchExport(someCall().call, 'openai')
    expect(await file.text()).toBe(lines)
    expect(vault.asked()).toEqual([`GET ${EVENTS}?provider=openai&format=ndjson`])
    expect(vault.tokens()).toEqual(['Bearer token-1'])
  })

  it('joins the parts of a long export into one file', async () => {
    const line = (id: string) =>
      `${JSON.stringify({ ...event, id, caller: '{"next_cursor":"a"}' })}\n`
    const vault = standForVault([
      new Response(`${line('c')}{"next_cursor":"c&x"}\n`),
      new Response(`${line('b')}{"next_cursor":"b"}\n`),
      new Response(line('a')),
    ])
    const file = await fetchExport(someCall(['token-1', 'token-2', 'token-3']).call, 'openai')
    expect(await file.text()).toBe(line('c') + line('b') + line('a'))
    const query = '?provider=openai&format=ndjson'
    expect(vault.asked()).toEqual(
      ['', '&cursor=c%26x', '&cursor=b'].map((cursor) => `GET ${EVENTS}${query}${cursor}`),
    )
  })

  it('gives no file if a part is refused', async () => {
    standForVault([new Response('{"next_cursor":"c"}\n'), refuse(429, 'rate_limited')])
    const file = fetchExport(someCall().call, 'openai')
    await expect(file).rejects.toMatchObject({ name: 'Problem', code: 'rate_limited' })
  })

  it('throws the problem of a refusal, not a file with it', async () => {
    standForVault([refuse(503, 'database_busy')])
    const file = fetchExport(someCall().call, 'openai')
    await expect(file).rejects.toMatchObject({ name: 'Problem', code: 'database_busy' })
  })

  it.for([
    ['unreachable', { onLine: true, isAborted: false }],
    ['offline', { onLine: false, isAborted: false }],
    ['no_answer', { onLine: true, isAborted: true }],
  ] as const)('a file that breaks off is %s: %j', async ([code, { onLine, isAborted }]) => {
    standForVault([breakOff()], { onLine })
    const { call, end } = someCall()
    if (isAborted) end.abort()
    await expect(fetchExport(call, 'openai')).rejects.toMatchObject({ name: 'Problem', code })
  })
})
