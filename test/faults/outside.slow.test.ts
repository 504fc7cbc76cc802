/** Each part besides D1 fails in each way, in each operation: limiters, the queue, the second store. */

import { describe, expect, it } from 'vitest'
import { limiters } from '../../src/environment.ts'
import { recordLogs } from '../support.ts'
import { expectQuiet, expectSafe, fail, hang, MARK, someVault, useFakeTimers } from './fault.ts'
import { METHODS, REQUESTS, someSubject, stateBegun, type Operation } from './operations.ts'
import { stateOf } from './state.ts'

/** Work of a part that fails. */
type Broken = () => Promise<never>

const failAtOnce: Broken = () => {
  throw new Error(MARK)
}

const WAYS: readonly [way: string, broken: Broken][] = [
  ['throws', failAtOnce],
  ['fails', fail],
  ['hangs', hang],
]

const LIMITERS = Object.keys(limiters)
const OPERATIONS = [...REQUESTS, ...METHODS].map(
  (operation) => [operation.name, operation] as const,
)

/** Those that an application hears of. */
const PUBLISHED = new Set([
  'a deletion at the plain route',
  'a save that the provider rejects',
  'a deletion',
  'a deletion by support',
  'a deletion of a team',
  'a deletion that finds two keys',
  'a use that finds two keys',
  'a use that finds a later key',
  'a list that moves a key',
  'a pause that finds a later key',
  'deleteKey',
])
/** Those that send a key to its provider, or reveal it. */
const USES = new Set([
  'an assignment',
  'a check',
  'a check of a team',
  'a check that moves a key',
  'a use over the relay',
  'a use of a paused key over the relay',
  'a counted use over the relay',
  'a use that moves a key',
  'a use that finds two keys',
  'a use that finds a later key',
  'fetchWithApiKey',
  'fetch',
  'getDecryptedApiKey',
])

/** The methods that ask a limiter. */
const LIMITED = new Set([...USES, 'saveKey'])

/** Those that find two rows of a slot: the later key may be one that is gone. */
const MEETINGS = new Set([
  'a use that finds two keys',
  'a use that finds a later key',
  'a list that moves a key',
  'a deletion that finds two keys',
  'a pause that finds a later key',
])

/** The operations that need the part in each way that it fails, and all others in one way. */
function casesOf(way: string, names: ReadonlySet<string>) {
  return OPERATIONS.filter(([name]) => way === 'throws' || names.has(name))
}

/** A part that fails, and how often it was asked. */
function brokenPart(broken: Broken) {
  let asked = 0
  const ask = () => {
    asked += 1
    return broken()
  }
  return { ask, asked: () => asked }
}

/** Does the operation in a vault with `changes`, and then one for another user in an untouched vault. */
async function attempt(operation: Operation, changes: object) {
  const userId = await someSubject(operation)
  const begun = await stateBegun(operation)
  const answer = await operation.run(userId, someVault({ ...operation.vars, ...changes }))
  expectQuiet(answer.text)
  const state = await stateOf(userId)
  const other = await someSubject(operation)
  const next = await operation.run(other, someVault({ ...operation.vars }))
  expect(next.code).toBe(operation.code)
  return { code: answer.code, begun, state, asked: await stateOf(other) }
}

describe.for(WAYS)('a rate limiter that %s', ([way, broken]) => {
  it.for(OPERATIONS)(
    `%s passes a rate limiter that ${way}, or is refused`,
    async ([, operation]) => {
      const logs = recordLogs()
      useFakeTimers()
      const { ask, asked: calls } = brokenPart(broken)
      const changes = Object.fromEntries(LIMITERS.map((name) => [name, { limit: ask }]))
      const { code, begun, state, asked } = await attempt(operation, changes)
      const isRefused = operation.as === 'vault:support'
      expect({ code, state }).toEqual(
        isRefused ? { code: 'unhealthy', state: begun } : { code: operation.code, state: asked },
      )
      const failed = logs.events().filter(({ event }) => event === 'rate_limiter_failed')
      expect(failed).toHaveLength(calls())
      expect(calls() > 0).toBe(REQUESTS.includes(operation) || LIMITED.has(operation.name))
      expectSafe(logs.text())
    },
  )
})

describe('a vault without optional parts', () => {
  const optional = LIMITERS.filter((name) => !/^(?:RATE|SUPPORT)_LIMITER$/.test(name))
  const without = [...optional, 'EVENTS_QUEUE', 'DELETIONS', 'ANALYTICS']
  const changes = Object.fromEntries(without.map((name) => [name, undefined]))

  it.for(OPERATIONS)(
    '%s logs no fault in a vault without optional parts',
    async ([, operation]) => {
      const logs = recordLogs()
      const { code } = await attempt(operation, changes)
      expect(code).toBe(operation.code)
      expect(logs.text()).not.toMatch(/rate_limiter_failed|event_not_queued/)
    },
  )
})

describe.for(WAYS)('a queue that %s', ([way, broken]) => {
  it.for(casesOf(way, PUBLISHED))(
    `%s has its answer and its trail if the queue ${way}`,
    async ([name, operation]) => {
      const logs = recordLogs()
      useFakeTimers()
      const { ask, asked: calls } = brokenPart(broken)
      const { code, state, asked } = await attempt(operation, {
        EVENTS_QUEUE: { send: ask, sendBatch: ask },
      })
      expect({ code, state }).toEqual({ code: operation.code, state: asked })
      const failed = logs.events().filter(({ event }) => event === 'event_not_queued')
      expect(failed).toHaveLength(calls())
      expect(calls() > 0).toBe(PUBLISHED.has(name))
      expectSafe(logs.text())
    },
  )
})

describe.for(WAYS)('a second store that %s', ([way, broken]) => {
  it.for(casesOf(way, USES))(
    `%s uses no key while the second store ${way}`,
    async ([name, operation]) => {
      const logs = recordLogs()
      useFakeTimers()
      const { ask, asked: calls } = brokenPart(broken)
      const DELETIONS = { getByName: () => ({ isGone: ask, exchange: ask }) }
      const { code, begun, state, asked } = await attempt(operation, { DELETIONS })
      const isAsked = USES.has(name) || MEETINGS.has(name)
      expect(calls() > 0).toBe(isAsked)
      const before = MEETINGS.has(name) ? await stateOf(await someSubject(operation)) : begun
      expect({ code, state }).toEqual({
        code: isAsked ? 'database_busy' : operation.code,
        state: isAsked ? before : asked,
      })
      expectSafe(logs.text())
    },
  )
})
