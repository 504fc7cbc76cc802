import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { Problem, readProblem } from '../../../src/callers/browser/problem.ts'
import { NOON, setClock } from '../../page/element/shown.ts'

describe('Problem.from', () => {
  it('returns a problem itself', () => {
    const problem = new Problem('offline')
    expect(Problem.from(problem)).toBe(problem)
  })

  it('makes any other error a fault of the element, and writes it to the console', () => {
    const write = vi.spyOn(console, 'error').mockReturnValue()
    onTestFinished(() => write.mockRestore())
    const cause = new Error('holds a token')
    const problem = Problem.from(new TypeError('x is not a function', { cause }))
    expect([problem.code, problem.requestId, problem.retryAt]).toEqual(['internal', null, 0])
    expect(write.mock.calls).toEqual([['TypeError: x is not a function']])
  })
})

describe('readProblem', () => {
  const read = (body: unknown, headers: Record<string, string> = {}) =>
    readProblem(Response.json(body, { status: 400, headers }))

  it('reads the code, the detail and the request id of an answer', async () => {
    const body = { error: 'E', code: 'token_invalid', detail: 'No sub.', request_id: 'request-1' }
    const problem = await read(body)
    expect(problem).toMatchObject({ code: 'token_invalid', detail: 'No sub.', retryAt: 0 })
    expect(problem.requestId).toBe('request-1')
  })

  it('reads why the vault refuses a text as a key', async () => {
    const fault = { reason: 'white_space', index: 6 }
    expect(await read({ error: 'E', code: 'api_key_invalid', ...fault })).toMatchObject(fault)
  })

  it('an answer may have no detail and no request id', async () => {
    const { detail, requestId } = await read({ error: 'E', code: 'rate_limited' })
    expect([detail, requestId]).toEqual(['', null])
  })

  it.for([
    ['42', 42_000],
    ['0', 0],
    ['Wed, 21 Oct 2026 07:28:00 GMT', 0],
  ] as const)('reads when to try again from Retry-After: %s', async ([after, ms]) => {
    setClock()
    const { retryAt } = await read({ error: 'E', code: 'rate_limited' }, { 'Retry-After': after })
    expect(retryAt).toBe(ms === 0 ? 0 : Date.parse(NOON) + ms)
  })

  it.for([
    ['HTML', '<h1>Bad gateway</h1>'],
    ['an empty body', ''],
    ['JSON without a code', '{"error":"Bad gateway"}'],
    ['JSON with a number as its code', '{"error":"Bad gateway","code":502}'],
    ['a list', '[{"code":"internal"}]'],
    ['null', 'null'],
  ] as const)('an answer of something else is not_an_answer: %s', async ([, body]) => {
    expect((await readProblem(new Response(body, { status: 502 }))).code).toBe('not_an_answer')
  })
})
