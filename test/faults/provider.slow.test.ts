/** A provider that is down, hangs, or stops in the middle of its answer, while the vault checks or uses a key. */

import { describe, expect, it, vi } from 'vitest'
import { saveSlot } from '../../src/keys/save.ts'
import { verifySlot } from '../../src/keys/verify.ts'
import { env } from '../isolate.ts'
import { ownerOf, recordLogs, someUser, storedKey } from '../support.ts'
import { expectQuiet, expectSafe, fail, MARK, someVault } from './fault.ts'
import { METHODS, REQUESTS, someSubject, stateBegun, type Operation } from './operations.ts'
import { stateOf } from './state.ts'

/** When the time limit of a check passes: while the vault waits for the answer, or in the middle of it. */
type Moment = 'before' | 'within' | 'never'

const ABORTED = 'TimeoutError'
const WAYS: readonly [way: string, kind: string, slot: string, moment: Moment, reason: string][] = [
  ['is down', 'good', 'mistral', 'never', 'Error'],
  ['hangs', 'hang', 'openai', 'before', ABORTED],
  ['stops in the middle of its answer', 'stall', 'openai', 'within', 'HTTP 401'],
]

/** Lets the time limit of a check pass at that moment. */
function passTimeLimit(moment: Moment): void {
  if (moment === 'never') return
  const limit = new AbortController()
  const end = () => limit.abort(new DOMException('The time is over', ABORTED))
  vi.spyOn(AbortSignal, 'timeout').mockReturnValue(limit.signal)
  const { fetch: send } = globalThis
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (...request) => {
    const answer = send(...request)
    if (moment === 'before') end()
    const response = await answer
    if (moment === 'within') setTimeout(end, 0)
    return response
  })
}

describe.for(WAYS)('a provider that %s', ([way, kind, slot, moment, reason]) => {
  const apiKey = `sk-${kind}-${crypto.randomUUID()}`

  it(`a new key is saved and unverified if its provider ${way}`, async () => {
    const logs = recordLogs()
    const owner = await ownerOf(await someUser())
    passTimeLimit(moment)
    const saved = await saveSlot(owner, slot, { apiKey, verify: true })
    expect(saved.status).toBe('unverified')
    expect(await storedKey(owner.userId, env, slot)).toBe(apiKey)
    expect(logs.events()).toMatchObject([{ event: 'api_key_tried', verdict: 'unknown', reason }])
    expect(logs.text()).not.toContain(apiKey)
  })

  it(`a stored key keeps its status if its provider ${way}`, async () => {
    const logs = recordLogs()
    const owner = await ownerOf(await someUser())
    await saveSlot(owner, slot, { apiKey, verify: false })
    passTimeLimit(moment)
    expect(await verifySlot(owner, slot)).toMatchObject({
      verdict: 'unknown',
      key: { status: 'unverified', apiKey },
    })
    expect(logs.events()).toMatchObject([{ event: 'api_key_tried', reason }])
  })
})

const USES = new Set([
  'a use over the relay',
  'a counted use over the relay',
  'a use that moves a key',
  'a use that finds two keys',
  'fetchWithApiKey',
  'fetch',
])
const CHECKS = new Set([
  'a save that is checked first',
  "an operator's save that is checked first",
  'saveKey',
  'a save that the provider rejects',
  'an assignment',
  'a check',
  'a check of a team',
  'a check that moves a key',
])

/** An answer that breaks off after its first bytes. */
async function breakOff(): Promise<Response> {
  const chunks = ['{"data"']
  const pull = (body: ReadableStreamDefaultController) => {
    const chunk = chunks.pop()
    if (chunk === undefined) body.error(new Error(MARK))
    else body.enqueue(new TextEncoder().encode(chunk))
  }
  return new Response(new ReadableStream({ pull }))
}

const OPERATIONS = [...REQUESTS, ...METHODS].map(
  (operation) => [operation.name, operation] as const,
)

/** Does the operation while the provider gives that answer, and then one for another user. */
async function attempt(operation: Operation, answer: () => Promise<Response>) {
  const logs = recordLogs()
  const userId = await someSubject(operation)
  const begun = await stateBegun(operation)
  const sent = vi.spyOn(globalThis, 'fetch').mockImplementation(answer)
  const vault = someVault({ ...operation.vars })
  const { code, text } = await operation.run(userId, vault)
  const asked = sent.mock.calls.length
  sent.mockRestore()
  expectQuiet(text)
  expectSafe(logs.text())
  const other = await someSubject(operation)
  expect((await operation.run(other, vault)).code).toBe(operation.code)
  return { code, asked, begun, state: await stateOf(userId), other: await stateOf(other) }
}

describe.for<[way: string, answer: () => Promise<Response>, code: string]>([
  ['is down', fail, 'provider_unreachable'],
  ['breaks off its answer', breakOff, 'broken off'],
])('a provider that %s', ([way, answer, failed]) => {
  it.for(OPERATIONS.filter(([name]) => USES.has(name)))(
    `%s fails, and nothing else, if the provider ${way}`,
    async ([, operation]) => {
      const { code, asked, begun, state } = await attempt(operation, answer)
      expect({ code, asked, state }).toEqual({ code: failed, asked: 1, state: begun })
    },
  )

  it.for(OPERATIONS.filter(([name]) => CHECKS.has(name)))(
    `%s passes if the provider ${way}`,
    async ([, operation]) => {
      expect(await attempt(operation, answer)).toMatchObject({ code: 'ok', asked: 1 })
    },
  )

  it.for(OPERATIONS.filter(([name]) => !USES.has(name) && !CHECKS.has(name)))(
    `%s does not ask a provider that ${way}`,
    async ([, operation]) => {
      const { code, asked, state, other } = await attempt(operation, answer)
      expect({ code, asked, state }).toEqual({ code: operation.code, asked: 0, state: other })
    },
  )
})
