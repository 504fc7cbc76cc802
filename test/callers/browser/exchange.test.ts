import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { pathOf, request, requestLines, type Call } from '../../../src/callers/browser/exchange.ts'
import { Problem } from '../../../src/callers/browser/problem.ts'
import { breakOff, refuse, someCall, standForVault } from '../../page/element/vault.ts'

const save = async (call: Call) =>
  request<'saveSlot'>(call, '/api-keys/openai', { method: 'PUT', body: { api_key: 'sk-1' } })
const list = async (call: Call) => request<'listSlots'>(call, '/api-keys', { method: 'GET' })

describe('the path of a slot', () => {
  const keyPrefixes = ['sk-']

  it.for([
    ['openai', '/api-keys/openai'],
    ['openai:a/b', '/api-keys/openai%3Aa%2Fb'],
    ['sk-openai', '/api-keys/sk-openai'],
    [`openai:${'𐐀'.repeat(40)}`, `/api-keys/${encodeURIComponent(`openai:${'𐐀'.repeat(40)}`)}`],
  ] as const)('%s has the path %s', ([name, path]) => {
    expect(pathOf({ name, keyPrefixes })).toBe(path)
  })

  it.for([
    ['begins as a key', 'openai:sk-0123456789'],
    ['begins as a key after white space', 'openai: \tsk-0123456789'],
    ['begins as a key after what nobody sees', 'openai:\uFEFF\u200Bsk-0123456789'],
    ['begins as a key after a quote', 'openai:"sk-0123456789"'],
    ['has over 40 characters', `openai:${'𐐀'.repeat(41)}`],
  ] as const)('no path has a label that %s', ([, name]) => {
    expect(() => pathOf({ name, keyPrefixes })).toThrow('label_invalid')
  })
})

it.for([
  ['a tag', '"0.1"', { 'if-match': '"0.1"' }],
  ['an empty slot', null, { 'if-none-match': '*' }],
  ['nothing', undefined, {}],
] as const)('a change that expects %s says so', async ([, etag, headers]) => {
  const vault = standForVault([Response.json({})])
  await request<'deleteSlot'>(someCall().call, '/api-keys/openai', { method: 'DELETE', etag })
  expect(vault.last().headers).toEqual({ authorization: 'Bearer token-1', ...headers })
})

describe('a token that is not accepted', () => {
  it('a token that is not accepted is replaced by a new one, once', async () => {
    const vault = standForVault([refuse(401, 'token_expired'), Response.json({})])
    const { call, refreshes } = someCall()
    expect(await save(call)).toEqual({})
    expect(vault.tokens()).toEqual(['Bearer token-1', 'Bearer token-2'])
    expect(vault.last()).toMatchObject({ method: 'PUT', body: { api_key: 'sk-1' } })
    expect(refreshes()).toEqual([false, true])
  })

  it('a problem of the second token is thrown', async () => {
    const answers = [refuse(401, 'token_expired'), refuse(401, 'token_invalid', { detail: 'No.' })]
    const vault = standForVault(answers)
    await expect(save(someCall().call)).rejects.toMatchObject({
      code: 'token_invalid',
      detail: 'No.',
      requestId: 'request-1',
    })
    expect(vault.asked()).toHaveLength(2)
  })

  it('a problem of the first token is thrown if the application has no second one', async () => {
    const write = silence()
    const vault = standForVault([refuse(401, 'token_expired')])
    const { call } = someCall(['token-1', new Error('no session')])
    await expect(save(call)).rejects.toMatchObject({ code: 'token_expired' })
    expect(vault.asked()).toHaveLength(1)
    expect(write.mock.calls).toEqual([['Error: no session']])
  })

  it('a second request that gets no answer is said to be that', async () => {
    standForVault([refuse(401, 'token_expired'), () => Promise.reject(new TypeError('failed'))])
    await expect(save(someCall().call)).rejects.toMatchObject({ code: 'unreachable' })
  })

  it.for([400, 403, 404, 500])('asks for no second token after a %i', async (status) => {
    const vault = standForVault([refuse(status, 'internal')])
    const { call, refreshes } = someCall()
    await expect(save(call)).rejects.toBeInstanceOf(Problem)
    expect([vault.asked().length, refreshes()]).toEqual([1, [false]])
  })
})

/** Keeps the console quiet in the current test. */
function silence() {
  const write = vi.spyOn(console, 'error').mockReturnValue()
  onTestFinished(() => write.mockRestore())
  return write
}

describe('problems', () => {
  it.for([
    [true, 'token_missing'],
    [false, 'offline'],
  ] as const)('getToken that throws while online is %s: %s', async ([onLine, code]) => {
    const write = silence()
    const vault = standForVault([], { onLine })
    const { call } = someCall([new Error('no session', { cause: 'a token' })])
    await expect(save(call)).rejects.toMatchObject({ name: 'Problem', code })
    expect(vault.asked()).toEqual([])
    // Its cause may hold a token.
    expect(write.mock.calls).toEqual([['Error: no session']])
  })

  const SILENCES = [
    ['unreachable', { onLine: true, isAborted: false }],
    ['offline', { onLine: false, isAborted: false }],
    ['no_answer', { onLine: true, isAborted: true }],
    ['no_answer', { onLine: false, isAborted: true }],
  ] as const

  it.for(SILENCES)('no answer is %s: %j', async ([code, { onLine, isAborted }]) => {
    standForVault([async () => Promise.reject(new TypeError('Failed to fetch'))], { onLine })
    const { call, end } = someCall()
    if (isAborted) end.abort()
    await expect(save(call)).rejects.toMatchObject({ name: 'Problem', code })
  })

  it.for([
    ['HTML', () => new Response('<h1>Welcome to this hotel</h1>')],
    ['half an answer', breakOff],
  ] as const)('a 200 with %s is not_an_answer', async ([, answer]) => {
    standForVault([answer()])
    await expect(list(someCall().call)).rejects.toMatchObject({
      code: 'not_an_answer',
    })
  })

  it('an answer that was not complete in time is no_answer', async () => {
    standForVault([breakOff()])
    const { call, end } = someCall()
    end.abort()
    await expect(list(call)).rejects.toMatchObject({
      code: 'no_answer',
    })
  })

  it('an error answer of something else is not_an_answer', async () => {
    standForVault([new Response('<h1>Bad gateway</h1>', { status: 502 })])
    await expect(save(someCall().call)).rejects.toMatchObject({ code: 'not_an_answer' })
  })
})

describe('lines', () => {
  const lines = async (call: Call) => requestLines<'exportUser'>(call, '/export', { method: 'GET' })

  it.for(['{"a":1}\n{"b":2}\n', ''])('returns them as they are: %j', async (text) => {
    standForVault([new Response(text)])
    expect(await lines(someCall().call)).toBe(text)
  })

  it('the page of a proxy is not_an_answer', async () => {
    standForVault([new Response('<h1>Welcome to this hotel</h1>')])
    await expect(lines(someCall().call)).rejects.toMatchObject({ code: 'not_an_answer' })
  })
})
