import { expect, it } from 'vitest'
import { nameCause } from '../src/log.ts'

it.for<[name: string, error: unknown, told: string]>([
  ['its name and message', new TypeError('connect refused'), 'TypeError: connect refused'],
  [
    'no URL',
    new Error('cannot load https://a.test/v1?q=secret now'),
    'Error: cannot load <URL> now',
  ],
  ['nothing of another value', 'sk-secret', 'unknown'],
])('the cause of an error has %s', ([, error, told]) => expect(nameCause(error)).toBe(told))
