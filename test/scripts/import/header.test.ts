import { expect, it } from 'vitest'
import { findDelimiter, requireHeader } from '../../../scripts/import/header.ts'

const FIELDS = { id: 'id', key: 'api key', provider: 'default', providerColumn: 'provider' }

it.for<[header: string, delimiter: string]>([
  ['id,api key', ','],
  ['id;api key', ';'],
  ['id\tapi key', '\t'],
  ['id|api key', '|'],
  ['"id";"api key"', ';'],
  [' id ; api key \r\n1,5;2', ';'],
  ['id;name, first;api key', ';'],
  ['id,a;b;c;d,api key', ','],
  ['id,name\tx,api key', ','],
  ['key;user;mail', ';'],
  ['id', ','],
  ['', ','],
])('splits the header %j at %j', ([header, delimiter]) => {
  expect(findDelimiter(header, FIELDS)).toEqual({ delimiter, fromLine: 1 })
})

it.for<[start: string, delimiter: string]>([
  ['sep=;\r\nid;api key', ';'],
  ['"sep=\t"\nid\tapi key', '\t'],
])('skips the line of Excel that names the separator: %j', ([start, delimiter]) => {
  expect(findDelimiter(start, FIELDS)).toEqual({ delimiter, fromLine: 2 })
})

it('trims the names of columns', () => {
  expect(requireHeader([' id', 'api key '], FIELDS)).toEqual(['id', 'api key'])
})

it.for([
  [['id', 'id', 'api key'], 'id'],
  [['id', 'api key', ' id '], 'id'],
  [['id', 'api key', 'api key'], 'api key'],
  [['id', 'provider', 'api key', 'provider'], 'provider'],
] as const)('refuses two columns of one name: %j', ([header, name]) => {
  expect(() => requireHeader([...header], FIELDS)).toThrow(
    `Its first line has two columns ${name}. Remove or rename one of them.`,
  )
})

it('accepts two columns of one name that are not read', () => {
  const header = ['id', 'mail', 'mail', 'api key']
  expect(requireHeader(header, FIELDS)).toEqual(header)
})
