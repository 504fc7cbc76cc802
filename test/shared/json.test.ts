import { expect, it } from 'vitest'
import { isJsonObject } from '../../src/shared/json.ts'

it.for<[name: string, value: unknown, expected: boolean]>([
  ['an empty object', {}, true],
  ['an object', { a: 1 }, true],
  ['an object with a field of a prototype', JSON.parse('{"__proto__": 1}'), true],
  ['null', null, false],
  ['a missing value', undefined, false],
  ['an empty list', [], false],
  ['a list of objects', [{}], false],
  ['the text of an object', '{}', false],
  ['a number', 0, false],
  ['a boolean', true, false],
  ['a function', isJsonObject, false],
])('tells whether %s is a JSON object', ([, value, expected]) => {
  expect(isJsonObject(value)).toBe(expected)
})
