/** The schemas of log lines, by which the tests also check every line that the vault logs. */

import { expect, it } from 'vitest'
import { LOG_EVENTS, lineSchemas } from '../src/log-lines.ts'
import { nameLineFault } from './log-lines.ts'

const LINE = { level: 'info', event: 'expired_key_deleted', user_id: 'user', provider: 'openai' }

it.for<[name: string, line: object]>([
  ['an unknown event', { ...LINE, event: 'made_up' }],
  ['an unknown field', { ...LINE, extra: 1 }],
  ['a missing field', { ...LINE, provider: undefined }],
  ['another type', { ...LINE, user_id: 1 }],
  ['another level', { ...LINE, level: 'error' }],
])('refuses a line with %s', ([, line]) => {
  expect(nameLineFault(JSON.stringify(line))).not.toBeNull()
})

it.for<[name: string, line: string]>([
  ['a line of the vault', JSON.stringify(LINE)],
  ['a line of a library', 'Listening on 8787'],
])('accepts %s', ([, line]) => {
  expect(nameLineFault(line)).toBeNull()
})

it('accepts an error with its causes, and each level of an event', () => {
  const error = { message: 'outer', name: 'Error', cause: { message: 'inner' } }
  const line = {
    request_id: '1',
    caller: 'binding:chat',
    method: 'fetch',
    user_id: null,
    code: null,
  }
  for (const level of ['info', 'error']) {
    const call = { level, event: 'binding_call', ...line, duration_ms: 0, error }
    expect(nameLineFault(JSON.stringify(call))).toBeNull()
  }
  const extra = { ...error, cause: { message: 'inner', extra: 1 } }
  const failed = { level: 'error', event: 'not_counted', error: extra }
  expect(nameLineFault(JSON.stringify(failed))).not.toBeNull()
})

it('makes one schema for each event, by its name', () => {
  const names = lineSchemas().map(({ shape }) => shape.event.def.values[0])
  expect(names).toEqual(Object.keys(LOG_EVENTS))
})
