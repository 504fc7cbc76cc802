import { describe, expect, it } from 'vitest'
import { fetchTrail, fetchUser, search } from '../../../src/callers/browser/trail.ts'
import { someCall, standForVault } from '../../page/element/vault.ts'

const VAULT = 'https://vault.test/api/users/user-1'

/** Runs each request of a file with a call of its own. */
const run: Parameters<typeof fetchTrail>[0] = async (work) => work(someCall().call)

it('a query has what is given, and nothing else', () => {
  const given = { provider: 'a&b', cursor: '', from: undefined, limit: 5 }
  expect([search(given), search({})]).toEqual(['?provider=a%26b&limit=5', '?'])
})

describe('a trail as a file', () => {
  it('asks for the events of the query', async () => {
    const vault = standForVault([new Response('{"id":"a"}\n')])
    const file = await fetchTrail(run, { provider: 'openai', from: '2026-01-01T00:00:00Z' })
    expect(await file.text()).toBe('{"id":"a"}\n')
    const query = 'provider=openai&from=2026-01-01T00%3A00%3A00Z&format=ndjson'
    expect(vault.asked()).toEqual([`GET ${VAULT}/api-key-events?${query}`])
  })

  it.for<[what: string, text: string]>([
    ['ends within a line', '{"id":"a"}\n{"id":'],
    ['ends after a bracket', '{"id":"b"}\n{"hours":{"1":2}'],
    ['ends within its cursor', '{"id":"a"}\n{"next_cursor":"b"'],
  ])('an answer that %s is not_an_answer', async ([, text]) => {
    standForVault([new Response(text)])
    await expect(fetchTrail(run, {})).rejects.toMatchObject({ code: 'not_an_answer' })
  })

  it('an empty trail is an empty file', async () => {
    standForVault([new Response('')])
    expect((await fetchTrail(run, {})).size).toBe(0)
  })
})

describe('the data of a user as a file', () => {
  const USER = '{"type":"user","user_id":"user-1"}\n'
  const end = (cursor: string | null) => `{"type":"end","next_cursor":${JSON.stringify(cursor)}}\n`

  it('a file of one part is the answer itself', async () => {
    const lines = `${USER}{"type":"event","id":"a"}\n${end(null)}`
    const vault = standForVault([new Response(lines)])
    expect(await (await fetchUser(run)).text()).toBe(lines)
    expect(vault.asked()).toEqual([`GET ${VAULT}/export?`])
  })

  it.for<[what: string, text: string]>([
    ['ends before its last line', `${USER}{"type":"event","id":"a"}\n`],
    ['is empty', ''],
  ])('an answer that %s is not_an_answer', async ([, text]) => {
    standForVault([new Response(text)])
    await expect(fetchUser(run)).rejects.toMatchObject({ code: 'not_an_answer' })
  })

  it('a file of several parts has one user and one end', async () => {
    const vault = standForVault([
      new Response(`${USER}{"id":"b"}\n${end('b"&x')}`),
      new Response(`${USER}{"id":"a"}\n${end(null)}`),
    ])
    const text = await (await fetchUser(run)).text()
    expect(text).toBe(`${USER}{"id":"b"}\n{"id":"a"}\n${end(null)}`)
    expect(vault.asked().at(-1)).toBe(`GET ${VAULT}/export?cursor=b%22%26x`)
  })
})
