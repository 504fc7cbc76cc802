import { expect, it } from 'vitest'
import { isJsonObject, isWhole, namesIn, parseJson } from '../../src/shared/json.ts'

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

it.for<[text: string, expected: unknown]>([
  ['{"a": [1]}', { a: [1] }],
  ['null', null],
  ['', undefined],
  ["{'a': 1}", undefined],
  ['{} {}', undefined],
])('parses %j, or says that it is not JSON', ([text, expected]) => {
  expect(parseJson(text)).toEqual(expected)
})

it.for<[value: unknown, expected: boolean]>([
  [1, true],
  [3, true],
  [0, false],
  [4, false],
  [1.5, false],
  [NaN, false],
  [Infinity, false],
  ['2', false],
  [null, false],
  [undefined, false],
])('tells whether %j is a whole number from 1 to 3: %s', ([value, expected]) => {
  expect(isWhole(value, 1, 3)).toBe(expected)
})

it('namesIn has the names of a table in their order', () => {
  expect(namesIn({ second: 2, first: 1 })).toEqual(['second', 'first'])
})
