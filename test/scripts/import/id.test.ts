import { expect, it } from 'vitest'
import { readId } from '../../../scripts/import/id.ts'

it.for<[name: string, id: unknown, expected: string]>([
  ['text', 'ann', 'ann'],
  ['a whole number', 7, '7'],
  ['a number as text', '0042', '0042'],
  ['a bigint', 2n ** 53n, '9007199254740992'],
  ['a UUID', '3F2504E0-4F89-11D3-9A0C-0305E82C3301', '3F2504E0-4F89-11D3-9A0C-0305E82C3301'],
  ['an e-mail address', 'ann@example.com', 'ann@example.com'],
  ['an id of Auth0', 'auth0|507f1f77', 'auth0|507f1f77'],
  ['a name with a space', 'ann lee', 'ann lee'],
  ['a name in another script', '日本 é', '日本 é'],
  ['a number in hex with an e', '12e34567', '12e34567'],
  ['a version', '1.2.3', '1.2.3'],
  ['a hash sign', '#42', '#42'],
  ['DynamoDB’s text', { S: 'ann' }, 'ann'],
  ['DynamoDB’s number', { N: '42' }, '42'],
])('reads an id that is %s', ([, id, expected]) => {
  expect(readId(id)).toEqual({ userId: expected })
})

const refusalOf = (id: unknown) => {
  const read = readId(id)
  return 'refused' in read ? read.refused : null
}

it.for<[id: string, character: string]>([
  ['\u200B42', 'U+200B'],
  ['4\u200D2', 'U+200D'],
  ['\uFEFF42', 'U+FEFF'],
  ['42\u00A0', 'U+00A0'],
  ['4\u202F2', 'U+202F'],
  ['4\u00AD2', 'U+00AD'],
  ['\u202E42', 'U+202E'],
  ['42\u2066', 'U+2066'],
  ['42\u2028', 'U+2028'],
  ['4\n2', 'U+000A'],
  ['42\t', 'U+0009'],
  ['4\u00002', 'U+0000'],
  ['4\u00852', 'U+0085'],
  ['42\u3164', 'U+3164'],
  ['42\u2800', 'U+2800'],
  ['42\u{E0041}', 'U+E0041'],
])('refuses the id %j, and names the invisible character', ([id, character]) => {
  expect(refusalOf(id)).toBe(`has an id with the invisible character ${character}: remove it`)
})

it.for([' 42', '42 ', ' 42 '])('refuses the spaces around the id %j', (id) => {
  expect(refusalOf(id)).toBe('has an id with spaces around it: remove them')
})

it.for<[id: string, words: string]>([
  ['42.0', 'ends in .0'],
  ['42,00', 'ends in .0'],
  ['1.23E+15', 'is in scientific notation'],
  ['1,23E+15', 'is in scientific notation'],
  ['1e+16', 'is in scientific notation'],
  ['-1.5e-7', 'is in scientific notation'],
  ['1,234', 'has separators of thousands'],
  ['1.234.567', 'has separators of thousands'],
  ['1-Mar', 'is a date'],
  ['Sep-24', 'is a date'],
  ['#REF!', 'is an error of a spreadsheet'],
  ['#NAME?', 'is an error of a spreadsheet'],
  ['#DIV/0!', 'is an error of a spreadsheet'],
  ['#######', 'is an error of a spreadsheet'],
  ['="42"', 'is a formula'],
  ["'42", 'is a formula or a marked text'],
])('refuses the id %j, which a spreadsheet has changed', ([id, words]) => {
  const refused = refusalOf(id)
  expect(refused).toMatch(/^has an id that .*: export the ids as text$/)
  expect(refused).toContain(words)
})
