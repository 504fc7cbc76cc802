import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { openUserFile, type Layout, type Line } from '../../scripts/lib/import-file.ts'
import recorded from '../crypto/vectors/python-cryptography-fernet.json' with { type: 'json' }

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

describe('an export of the previous backend', () => {
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
  ])('is read: %s', async ([, file, line, changes = {}]) => {
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
  ])('is read after a byte order mark: %s', async ([, file, content]) => {
    expect(await read(file, `\uFEFF${content}`)).toMatchObject([{ userId: '7', token: TOKEN }])
  })

  it('is recognized as a JSON array after a byte order mark', async () => {
    const array = read('users.json', `\uFEFF[${json(7, TOKEN)}]`)
    await expect(array).rejects.toThrow('is a JSON array')
  })

  it('is read as a user without a key for each form of NULL that tools write', async () => {
    const absent = ['', 'NULL', '\\N', 'null', 'None', 'nan', 'NaN', '<null>', '(null)']
    const lines = absent.map((value, index) => `u${index},${value}`)
    const keys = await read('a.csv', ['id,encrypted_api_key', ...lines].join('\n'))
    expect(keys).toMatchObject(absent.map((_, index) => ({ userId: `u${index}`, token: null })))
  })

  it('is refused without an id, with the option that reads MongoDB’s _id', async () => {
    const line = JSON.stringify({ _id: { $oid: '507f1f77bcf86cd799439011' }, key: null })
    expect(await read('a.ndjson', line)).toMatchObject([
      { refused: 'has no id, but has an _id: add --id-column _id' },
    ])
  })

  it.for<[name: string, id: unknown, expected: string | null]>([
    ['an ObjectId', { $oid: '507f1f77bcf86cd799439011' }, '507f1f77bcf86cd799439011'],
    ['an ObjectId of CSV', 'ObjectId(507f1f77bcf86cd799439011)', '507f1f77bcf86cd799439011'],
    [
      'a UUID',
      { $uuid: '00112233-4455-6677-8899-aabbccddeeff' },
      '00112233-4455-6677-8899-aabbccddeeff',
    ],
    [
      'a UUID of mongoexport',
      { $binary: { base64: 'ABEiM0RVZneImaq7zN3u/w==', subType: '04' } },
      '00112233-4455-6677-8899-aabbccddeeff',
    ],
    [
      'a UUID of an older mongoexport',
      { $binary: 'ABEiM0RVZneImaq7zN3u/w==', $type: '04' },
      '00112233-4455-6677-8899-aabbccddeeff',
    ],
    ['a UUID in another byte order', { $binary: { base64: 'ABEi', subType: '03' } }, null],
    ['true', true, null],
    ['a float of pandas', '7.0', null],
    ['an absent value', 'NULL', null],
    ['a number over 2^53', 2 ** 53 + 2, null],
    ['one dot', '.', null],
    ['two dots', '..', null],
    ['half of a surrogate pair', 'a\ud800', null],
  ])('is read or refused by its id: %s', async ([, id, expected]) => {
    const [key] = await read('a.ndjson', json(id, null))
    const refused = { refused: expect.stringMatching(/^has (?:no|an) id/) }
    expect(key).toMatchObject(expected === null ? refused : { userId: expected })
  })
})
