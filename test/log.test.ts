/** The lines on the console, and errors as their fields. */

import { expect, it, vi } from 'vitest'
import { errorFields, log, nameCause } from '../src/log.ts'

it.for<[level: 'info' | 'warn' | 'error', method: 'log' | 'warn' | 'error', write: () => void]>([
  ['info', 'log', () => log('info', 'rewrap_begun', { keyring: 'kid' })],
  ['warn', 'warn', () => log('warn', 'limiter_missing', { limiters: ['RELAY_LIMITER'] })],
  ['error', 'error', () => log('error', 'not_counted', { error: { message: 'full' } })],
])('writes a line of the level %s as one JSON object with console.%s', ([level, method, write]) => {
  const written = vi.spyOn(console, method).mockImplementation(() => {})
  write()
  expect(written).toHaveBeenCalledOnce()
  expect(JSON.parse(String(written.mock.lastCall?.[0]))).toMatchObject({ level })
})

it.for<[name: string, error: unknown, told: string]>([
  ['its name and message', new TypeError('connect refused'), 'TypeError: connect refused'],
  [
    'no URL',
    new Error('cannot load https://a.test/v1?q=secret now'),
    'Error: cannot load <URL> now',
  ],
  ['nothing of a value that is not an error', 'sk-secret', 'unknown'],
])('names the cause of an error with %s', ([, error, told]) => expect(nameCause(error)).toBe(told))

it('writes an error with its causes, and any other value as a message', () => {
  const error = new TypeError('outer', { cause: new Error('inner', { cause: 'deepest' }) })
  const stack: unknown = expect.stringContaining('log.test')
  expect(errorFields(error)).toEqual({
    name: 'TypeError',
    message: 'outer',
    stack,
    cause: { name: 'Error', message: 'inner', stack, cause: { message: 'deepest' } },
  })
  expect(errorFields(7)).toEqual({ message: '7' })
})
