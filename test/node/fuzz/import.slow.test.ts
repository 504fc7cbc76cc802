/** Files of any form: each line is imported, or refused by its number, and no key is shown. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import * as fc from 'fast-check'
import { afterAll, expect, it } from 'vitest'
import { openUserFile, type Layout, type Line } from '../../../scripts/import/file.ts'
import { describeRefusal } from '../../../scripts/import/report.ts'
import { isProviderName } from '../../../src/providers/table.ts'
import { nameUserIdFault } from '../../../src/shared/user-id.ts'
import recorded from '../../import/vectors/python-cryptography-fernet.json' with { type: 'json' }
import { expectAlways, expectQuiet, FUZZED, MARK, someCases } from '../../fuzz/fuzz.ts'
import { anyLine, anyTable, csvOf } from './any-import.ts'
import { makeCheckout } from '../checkout.ts'

const { migrate, path, script, query } = makeCheckout()
const TOKENS = recorded.tokens.map(({ token }) => token)
const LAYOUT: Layout = {
  id: 'id',
  key: 'encrypted_api_key',
  provider: 'default',
  providerColumn: 'provider',
  table: 'users',
}

const directory = mkdtempSync(join(tmpdir(), 'user-key-vault-'))
afterAll(() => rmSync(directory, { recursive: true }))

/** The lines of a file with `content`, or why it cannot be read at all. */
async function read(name: string, content: string | Uint8Array): Promise<Line[] | string> {
  const file = join(directory, name)
  writeFileSync(file, content)
  try {
    return await Array.fromAsync((await openUserFile(file, LAYOUT)).lines)
  } catch (error) {
    return describeFault(error)
  }
}

/** What the command prints. @throws the error if it is a mistake of the code */
function describeFault(error: unknown): string {
  const isOurs = error instanceof Error && error.name === 'Error' && error.message !== ''
  if (!isOurs) throw error
  return error.message
}

/** Whether a line is a user's key that can be stored, or a refusal in words. */
function isSound(line: Line): boolean {
  if ('refused' in line) return /^(?:has|is|does not have) [a-z]/.test(line.refused)
  const { userId, provider, token, savedAt } = line
  const isSlot = provider === 'default' || isProviderName(provider)
  const isTime = token === null ? savedAt === '' : new Date(savedAt).toISOString() === savedAt
  return nameUserIdFault(userId) === null && isSlot && isTime
}

/** The lines that are unsound or out of order. It fails the test if a fault or a refusal shows anything. */
function unsoundOf(lines: Line[] | string): Line[] {
  const all = typeof lines === 'string' ? [] : lines
  const refused = all.map((line) => ('refused' in line ? line.refused : ''))
  expectQuiet(typeof lines === 'string' ? lines : refused.join('\n'), ...TOKENS)
  return all.filter((line, index) => !isSound(line) || line.line < (all[index - 1]?.line ?? 0))
}

it('NDJSON of any form is read or refused line by line', FUZZED, async () => {
  const content = fc.record({
    lines: fc.array(anyLine(TOKENS), { maxLength: 8 }),
    end: fc.constantFrom('\n', '\r\n'),
    start: fc.constantFrom('', '\uFEFF'),
  })
  const property = fc.asyncProperty(content, async ({ lines, end, start }) => {
    const found = await read('a.ndjson', start + lines.join(end))
    expect(unsoundOf(found)).toEqual([])
    const numbers = lines.flatMap((line, index) => (line.trim() === '' ? [] : [index + 1]))
    const isArray = lines.join('\n').trimStart().startsWith('[')
    expect(typeof found === 'string').toBe(isArray)
    const seen = typeof found === 'string' ? numbers : found.map((one) => one.line)
    expect(seen).toEqual(numbers)
  })
  await expectAlways(property)
})

it('CSV of any form is read or refused line by line', FUZZED, async () => {
  const form = fc.record({
    quoted: fc.boolean(),
    delimiter: fc.constantFrom(',', ';', '|'),
    end: fc.constantFrom('\n', '\r\n'),
  })
  const content = fc.tuple(anyTable(TOKENS), form)
  const property = fc.asyncProperty(content, async ([table, given]) => {
    const found = await read('a.csv', csvOf(table, given))
    expect(unsoundOf(found)).toEqual([])
    const isPlain = given.quoted && table.header.join() === 'id,encrypted_api_key,provider'
    const filled = table.rows.filter((cells) => cells.length > 0)
    expect(found).toHaveLength(isPlain ? filled.length : found.length)
  })
  await expectAlways(property, 0.5)
})

it('bytes of any form are read or refused', FUZZED, async () => {
  const start = fc.constantFrom(
    '',
    '{',
    'id,encrypted_api_key\n',
    'id\tencrypted_api_key\n',
    'SQLite format 3\0',
  )
  const content = fc.tuple(
    start,
    fc.uint8Array({ maxLength: 200 }),
    fc.constantFrom('a.csv', 'a.jsonl', 'a.db'),
  )
  const property = fc.asyncProperty(content, async ([begin, rest, name]) => {
    expect(unsoundOf(await read(name, Buffer.concat([Buffer.from(begin), rest])))).toEqual([])
  })
  await expectAlways(property, 0.5)
})

/** A database of a Flask backend. */
function someDatabase(rows: readonly Row[]): Buffer {
  const file = join(directory, 'valid.db')
  rmSync(file, { force: true })
  const database = new DatabaseSync(file)
  database.exec('PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF')
  database.exec('CREATE TABLE users (id, encrypted_api_key, provider)')
  const insert = database.prepare('INSERT INTO users VALUES (?, ?, ?)')
  for (const row of rows) insert.run(...row)
  database.close()
  return readFileSync(file)
}

type Row = [SQLInputValue, SQLInputValue, SQLInputValue]

it('a SQLite database of any form is read or refused', FUZZED, async () => {
  const value = fc.oneof(
    fc.constantFrom<SQLInputValue>(null, 7, 1.5, 2n ** 63n - 1n, 'openai', ...TOKENS, MARK),
    fc.uint8Array({ maxLength: 50 }),
    fc.string({ unit: 'binary' }),
  )
  const change = fc.tuple(fc.nat(8_191), fc.nat(255))
  const content = fc.record({
    rows: fc.array(fc.tuple(value, value, value), { maxLength: 8 }),
    changes: fc.array(change, { maxLength: 5 }),
    length: fc.oneof(fc.constant(8_192), fc.nat(8_192)),
  })
  const property = fc.asyncProperty(content, async ({ rows, changes, length }) => {
    const bytes = someDatabase(rows)
    for (const [at, byte] of changes) bytes[at] = byte
    expect(unsoundOf(await read('a.db', bytes.subarray(0, length)))).toEqual([])
  })
  await expectAlways(property, 0.2)
})

/** The rows that the import would write, as text. */
function keysOf(lines: Line[]): string[] {
  const keys = lines.flatMap((line) => ('refused' in line || line.token === null ? [] : [line]))
  return [
    ...new Set(keys.map(({ userId, provider }) => JSON.stringify([userId, provider]))),
  ].toSorted()
}

it('npm run import stores each line, or reports its number', FUZZED, async () => {
  writeFileSync(path('.dev.vars'), `LEGACY_FERNET_KEY=${recorded.key}`)
  await migrate()

  const lines = someCases(anyLine(TOKENS))
  const content = [JSON.stringify({ id: 'first', encrypted_api_key: TOKENS[0] }), ...lines].join(
    '\n',
  )
  writeFileSync(path('a.ndjson'), content)
  const found = await read('a.ndjson', content)
  const all = typeof found === 'string' ? [] : found
  const { stdout, stderr } = await script('import/command', 'a.ndjson').then(
    (printed) => ({ stdout: printed, stderr: '' }),
    (error: { stdout: string; stderr: string }) => error,
  )
  expectQuiet(stdout + stderr, ...TOKENS)
  const refused = all.flatMap((line) =>
    'refused' in line ? [describeRefusal({ ...line, reason: line.refused }, 'line')] : [],
  )
  const reported = stdout.split('\n').map((line) => line.trim())
  expect(reported).toEqual(expect.arrayContaining(refused))
  expect(stdout).toMatch(new RegExp(`^Read +${all.length.toLocaleString('en')}$`, 'm'))
  const stored = query('SELECT user_id, provider FROM api_keys')
  const keys = stored.map(({ user_id, provider }) => JSON.stringify([user_id, provider]))
  expect(keys.toSorted()).toEqual(keysOf(all))
})
