import { expect, it } from 'vitest'
import { nameCause } from '../src/log.ts'
import { nameLineFault } from './log-lines.ts'

it.for<[name: string, error: unknown, told: string]>([
  ['its name and message', new TypeError('connect refused'), 'TypeError: connect refused'],
  [
    'no URL',
    new Error('cannot load https://a.test/v1?q=secret now'),
    'Error: cannot load <URL> now',
  ],
  ['nothing of another value', 'sk-secret', 'unknown'],
])('the cause of an error has %s', ([, error, told]) => expect(nameCause(error)).toBe(told))

const LINE = { level: 'info', event: 'expired_key_deleted', user_id: 'user', provider: 'openai' }

it.for<[name: string, line: object]>([
  ['an unknown event', { ...LINE, event: 'made_up' }],
  ['an unknown field', { ...LINE, extra: 1 }],
  ['a missing field', { ...LINE, provider: undefined }],
  ['another type', { ...LINE, user_id: 1 }],
  ['another level', { ...LINE, level: 'error' }],
])('the schema of log lines refuses %s', ([, line]) => {
  expect(nameLineFault(JSON.stringify(line))).not.toBeNull()
})

it.for<[name: string, line: string]>([
  ['a line of the vault', JSON.stringify(LINE)],
  ['a line of a library', 'Listening on 8787'],
])('the schema of log lines leaves %s alone', ([, line]) => {
  expect(nameLineFault(line)).toBeNull()
})
