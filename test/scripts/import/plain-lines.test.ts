import { expect, it } from 'vitest'
import { readPlainLines } from '../../../scripts/import/plain-lines.ts'

const FIELDS = { id: 'id', key: 'key', provider: 'default', providerColumn: 'provider' }
const KEY = 'sk-0123456789-abcdefghijklmnopqrstuvw'

/** Reads a text that arrives byte by byte, or in chunks of `size`. */
async function read(content: string | Uint8Array, size = 1) {
  const bytes = Buffer.from(content)
  async function* chunks() {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
  }
  return Array.fromAsync(readPlainLines(chunks(), FIELDS))
}

it.for([
  ['a header', `id,key\n7,${KEY}\n`, 2],
  ['other columns', `email,key,id\nsomeone@example.com,${KEY},7\n`, 2],
  ['semicolons', `id;key\n7;${KEY}`, 2],
  ['tabs', `id\tkey\r\n7\t${KEY}\r\n`, 2],
  ['quotes and spaces', `"id", "key"\n"7"," ${KEY} "\n`.replace(', ', ','), 2],
  ['a byte order mark', `\uFEFFid,key\n7,${KEY}\n`, 2],
  ['a first user', `7,${KEY}\n`, 1],
  ['empty lines', `\n\n7,${KEY}\n\n`, 3],
] as const)('CSV with %s is read', async ([, content, line]) => {
  const expected = [{ line, userId: '7', provider: 'default', key: KEY }]
  expect(await read(content)).toEqual(expected)
  expect(await read(content, content.length)).toEqual(expected)
})

it('a column of providers names the slots', async () => {
  const lines = ['id,key,provider', `7,${KEY},openai`, `7,${KEY},`, `7,${KEY},Open AI`]
  expect(await read(lines.join('\n'))).toEqual([
    { line: 2, userId: '7', provider: 'openai', key: KEY },
    { line: 3, userId: '7', provider: 'default', key: KEY },
    {
      line: 4,
      refused: 'has a provider whose name is not lower-case letters, digits and hyphens',
      owner: { userId: '7', provider: 'default' },
    },
  ])
})

it('separators in a key are a part of it if no header names another separator', async () => {
  const key = `${KEY}|a;b`
  expect(await read(`7,${key}\n8,${key}\n`)).toMatchObject([
    { userId: '7', key },
    { userId: '8', key },
  ])
})

it.for([
  ['no id', `,${KEY}`, 'has no id'],
  ['an id of a spreadsheet', `1.5E+15,${KEY}`, 'has an id that is in scientific notation'],
  ['a key in quotes', `7,'${KEY}'`, 'has a key that comes with quotes: send the key alone'],
  ['white space in a key', `7,sk a`, 'has a key that has white space inside, at character 3'],
  ['a masked key', '7,sk-...abcd', 'has a key that is a masked preview'],
  ['a token of Fernet', `7,gAAAA${'a'.repeat(100)}`, 'has a key that is a Fernet token'],
  ['three fields', `7,${KEY},x`, 'does not have as many fields as the first line'],
])('a line with %s is refused, and not quoted', async ([, line, reason]) => {
  const [refused] = await read(`id,key\n${line}\n`, 100)
  expect(refused).toMatchObject({ line: 2, refused: expect.stringContaining(reason ?? '') })
})

it.for(['', 'null', 'None', '\\N'])('a key %j is a user without one', async (text) => {
  expect(await read(`id,key\n7,${text}`)).toMatchObject([{ userId: '7', key: null }])
})

const NO_HEADER = 'must name the columns, two of them id and key, or be an id, a comma and a key'

it.for([
  ['a header with other names', `user_id,api_key\n7,${KEY}`, NO_HEADER],
  ['a header with another key', `id,api_key\n7,${KEY}`, 'lacks key. It has: id, api_key'],
  ['other names with digits', `user_id,key2\n7,${KEY}`, NO_HEADER],
  ['a user without commas', `7 ${KEY}`, NO_HEADER],
  ['a user with three fields', `7,${KEY},openai`, NO_HEADER],
  ['a key without digits', 'alice,sk-secret', NO_HEADER],
  ['another encoding', Buffer.from([0x69, 0x64, 0xe9, 0x0a, 0x2c, 0x0a]), 'is not UTF-8'],
  ['broken quotes', `id,key\n"7"x,${KEY}`, 'is not CSV at line 2'],
])('an input that begins with %s is refused as a whole', async ([, content, message]) => {
  const fault = await read(content ?? '').then(
    () => 'none',
    (error: Error) => error.message,
  )
  expect(fault).toContain(message)
  expect(fault).not.toContain('sk-')
})
