import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { openUserFile, type Layout, type Line } from '../../../scripts/import/file.ts'
import recorded from '../../import/vectors/python-cryptography-fernet.json' with { type: 'json' }

const directory = mkdtempSync(join(tmpdir(), 'user-key-vault-'))
afterAll(() => rmSync(directory, { recursive: true }))

const LAYOUT: Layout = {
  id: 'id',
  key: 'encrypted_api_key',
  provider: 'default',
  providerColumn: null,
  table: 'users',
}
const TOKEN = recorded.tokens[0]?.token ?? ''

const hex = (text: string) => Buffer.from(text).toString('hex')
const json = (id: unknown, token: unknown) => JSON.stringify({ id, encrypted_api_key: token })

/** Reads a file with `content` like the import. */
async function read(file: string, content: string, layout = LAYOUT): Promise<Line[]> {
  const path = join(directory, file)
  writeFileSync(path, content)
  return Array.fromAsync((await openUserFile(path, layout)).lines)
}

it.for<[name: string, file: string, line: (token: string) => string, changes?: Partial<Layout>]>([
  ['PostgreSQL’s bytea in CSV', 'a.csv', (token) => `7,\\x${hex(token)}`],
  ['PostgreSQL’s bytea in COPY text', 'a.tsv', (token) => `7\t\\\\x${hex(token)}`],
  ['row_to_json', 'a.ndjson', (token) => json(7, `\\x${hex(token)}`)],
  ['MySQL with --binary-as-hex', 'a.tsv', (token) => `7\t0x${hex(token).toUpperCase()}`],
  ['SQLite’s quote mode', 'a.csv', (token) => `7,X'${hex(token)}'`],
  ['pandas', 'a.csv', (token) => `7,b'${token}'`],
  ['base64 of the token', 'a.csv', (token) => `7,${btoa(token)}`],
  [
    'MongoDB, relaxed',
    'a.ndjson',
    (token) => json(7, { $binary: { base64: btoa(token), subType: '00' } }),
  ],
  [
    'MongoDB, canonical',
    'a.ndjson',
    (token) => json({ $numberInt: '7' }, { $binary: { base64: btoa(token), subType: '00' } }),
  ],
  [
    'MongoDB before 4.2',
    'a.ndjson',
    (token) => json({ $numberLong: '7' }, { $binary: btoa(token), $type: '00' }),
  ],
  ['Node’s Buffer', 'a.ndjson', (token) => json(7, Buffer.from(token))],
  ['other column names', 'a.csv', (token) => `7,${token}`, { id: 'user_id', key: 'api_key' }],
])('reads a key as exported by %s', async ([, file, line, changes = {}]) => {
  const layout = { ...LAYOUT, ...changes }
  const header = [layout.id, layout.key].join(file.endsWith('.tsv') ? '\t' : ',')
  const start = file.endsWith('.ndjson') ? '' : `${header}\n`
  expect(await read(file, start + line(TOKEN), layout)).toMatchObject([
    { userId: '7', provider: 'default', token: TOKEN, savedAt: expect.stringMatching(/^20/) },
  ])
})

it.for<[name: string, file: string, content: string]>([
  ['NDJSON', 'users.txt', json(7, TOKEN)],
  ['tab-separated text', 'users.tsv', `id\tencrypted_api_key\n7\t${TOKEN}`],
])('reads %s after a byte order mark', async ([, file, content]) => {
  expect(await read(file, `\uFEFF${content}`)).toMatchObject([{ userId: '7', token: TOKEN }])
})

it.for<[name: string, content: string]>([
  ['semicolons', `id;encrypted_api_key\n7;${TOKEN}`],
  ['semicolons and quotes', `"id";"encrypted_api_key"\r\n"7";"${TOKEN}"`],
  ['tabs', `id\tencrypted_api_key\n7\t${TOKEN}`],
  ['bars', `id|encrypted_api_key\n7|${TOKEN}`],
  ['spaces in its header', `id, encrypted_api_key\n7, ${TOKEN}`],
  ['Excel’s line for the separator', `sep=;\r\nid;encrypted_api_key\r\n7;${TOKEN}`],
])('reads CSV with %s, and counts its lines', async ([name, content]) => {
  const line = name.startsWith('Excel') ? 3 : 2
  expect(await read('users.csv', `\uFEFF${content}`)).toMatchObject([
    { line, userId: '7', token: TOKEN },
  ])
})

it('refuses the lines whose ids were changed, and reads the others', async () => {
  const ids = [' 42 ', '\u200B42', '1.23E+15', '"1,234"', '42']
  const content = ['id,encrypted_api_key', ...ids.map((id) => `${id},${TOKEN}`)].join('\n')
  const lines = await read('users.csv', content)
  expect(lines.map((line) => ('refused' in line ? line.line : line.userId))).toEqual([
    2,
    3,
    4,
    5,
    '42',
  ])
})

it('refuses a file with two columns of the id', async () => {
  const content = `id,id,encrypted_api_key\n1,2,${TOKEN}`
  await expect(read('users.csv', content)).rejects.toThrow('Its first line has two columns id.')
})

it('refuses a JSON array, also after a byte order mark', async () => {
  const array = read('users.json', `\uFEFF[${json(7, TOKEN)}]`)
  await expect(array).rejects.toThrow('is a JSON array')
})
