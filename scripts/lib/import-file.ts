/** The previous backend's users, read from CSV, NDJSON or SQLite, one at a time. */

import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { DatabaseSync } from 'node:sqlite'
import { CsvError, parse } from 'csv-parse'
import * as z from 'zod/mini'
import { readFernetTime } from '../../src/crypto/fernet.ts'
import { isJsonObject } from '../../src/shared/json.ts'
import type { ImportedUser } from '../../src/store/imported-users.ts'

/** A line of the file: a user, with a key or without, or why it is refused. */
export type Line = { line: number; read: number } & (ImportedUser | { refused: string })

/** A file's lines, and what `read` counts up to: bytes, or rows of SQLite. */
export interface UserFile {
  total: number
  lines: AsyncIterable<Line>
}

const MAX_ID_LENGTH = 1_000
const MAX_TOKEN_LENGTH = 16_384
/** Year 10000: from there on, times as text do not sort. */
const END_OF_TIME = Date.UTC(10_000, 0)
const COLUMNS = ['id', 'encrypted_api_key']

const user = z.object({
  id: z.string('has no id').check(
    z.minLength(1, 'has no id'),
    z.maxLength(MAX_ID_LENGTH, `has an id over ${MAX_ID_LENGTH} characters`),
    z.refine((id) => id.isWellFormed() && !id.includes('\uFFFD'), 'has an id that is not UTF-8'),
  ),
  token: z.nullable(
    z
      .string('has no encrypted_api_key; null, or empty in CSV, is a user without a key')
      .check(z.maxLength(MAX_TOKEN_LENGTH, `has a token over ${MAX_TOKEN_LENGTH} characters`)),
  ),
})

/**
 * Opens `file`: SQLite by its first bytes, NDJSON where its name or its first character says so, else
 * CSV with a header.
 *
 * @throws Error that says what is wrong with the file as a whole
 */
export async function openUserFile(file: string): Promise<UserFile> {
  const stats = await stat(file)
  if (!stats.isFile()) throw new Error(`${file} is not a file`)
  const start = await readStart(file)
  if (start.startsWith('SQLite format 3\0')) return openSqlite(file)
  const isNdjson = /\.(?:ndjson|jsonl)$/.test(file) || start.trimStart().startsWith('{')
  return { total: stats.size, lines: isNdjson ? readNdjson(file) : readCsv(file) }
}

async function readStart(file: string): Promise<string> {
  await using handle = await open(file)
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(64), 0, 64)
  return buffer.toString('latin1', 0, bytesRead)
}

/** The file as text. What is no UTF-8 is refused as a whole: a changed id would be another user's. */
async function* readText(file: string): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false })
  try {
    for await (const chunk of createReadStream(file)) yield decoder.decode(chunk, { stream: true })
    yield decoder.decode()
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    throw new Error(`${file} is not UTF-8`, { cause: error })
  }
}

/** At line feeds alone: a JSON string may hold any other separator (U+2028) as it is. */
async function* splitLines(chunks: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = ''
  for await (const chunk of chunks) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
  yield rest
}

async function* readNdjson(file: string): AsyncGenerator<Line> {
  let [line, read] = [0, 0]
  for await (const text of splitLines(readText(file))) {
    line += 1
    read += Buffer.byteLength(text) + 1
    if (text.trim() !== '') yield { line, read, ...check(parseJson(text)) }
  }
}

async function* readCsv(file: string): AsyncGenerator<Line> {
  const parser = parse({
    bom: true,
    columns: requireColumns,
    info: true,
    relax_column_count: true,
    skip_empty_lines: true,
  })
  const text = Readable.from(readText(file)).on('error', (error) => parser.destroy(error))
  text.pipe(parser)
  try {
    let uneven = 0
    for await (const { record, info } of parser) {
      const isUneven = info.invalid_field_length > uneven
      uneven = info.invalid_field_length
      const checked = isUneven
        ? { refused: 'has not as many fields as the first line' }
        : check(record)
      yield { line: info.lines, read: info.bytes, ...checked }
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error
    const where = `${file} is not CSV at line ${parser.info.lines}`
    throw new Error(`${where}: ${error.code}`, { cause: error })
  }
}

function requireColumns(header: string[]): string[] {
  const missing = COLUMNS.filter((column) => !header.includes(column))
  if (missing.length === 0) return header
  throw new Error(
    `The first line must name the columns, separated by commas; it lacks ${missing.join(' and ')}`,
  )
}

function openSqlite(file: string): UserFile {
  const database = new DatabaseSync(file, { readOnly: true })
  const columns = database.prepare("SELECT name FROM pragma_table_info('users')").all()
  const missing = COLUMNS.filter((column) => !columns.some(({ name }) => name === column))
  if (missing.length > 0)
    throw new Error(`${file} has no table users with ${COLUMNS.join(' and ')}`)
  const count = database.prepare('SELECT count(*) AS rows FROM users').get()
  return { total: Number(count?.['rows']), lines: readSqlite(database) }
}

async function* readSqlite(database: DatabaseSync): AsyncGenerator<Line> {
  const select = database.prepare(`SELECT ${COLUMNS.join(', ')} FROM users`)
  select.setReadBigInts(true)
  let line = 0
  for (const record of select.iterate()) {
    line += 1
    yield { line, read: line, ...check(record) }
  }
  database.close()
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** A record as a user. What is refused is told without what it holds. */
function check(record: unknown): ImportedUser | { refused: string } {
  if (!isJsonObject(record)) return { refused: 'is not a JSON object' }
  const { id, encrypted_api_key } = record
  const parsed = user.safeParse({ id: idText(id), token: tokenText(encrypted_api_key) })
  if (!parsed.success) return { refused: parsed.error.issues[0]?.message ?? 'is not a user' }
  const savedAt = parsed.data.token === null ? '' : timeOf(parsed.data.token)
  if (savedAt === null) return { refused: 'has an encrypted_api_key that is not a Fernet token' }
  return { ...parsed.data, savedAt }
}

/** SQL's integers are the text that their tokens' `sub` is. */
function idText(id: unknown): unknown {
  return Number.isSafeInteger(id) || typeof id === 'bigint' ? String(id) : id
}

/** SQL's NULL and an empty CSV field mean: no key. Bytes are read as text, and so is `b'…'`, their repr. */
function tokenText(token: unknown): unknown {
  const text = token instanceof Uint8Array ? Buffer.from(token).toString('latin1') : token
  if (text === '') return null
  return typeof text === 'string' ? text.replace(/^b'(.*)'$/, '$1') : text
}

/** When the token was made, ISO 8601 in UTC; null if it is not one, or no calendar knows its time. */
function timeOf(token: string): string | null {
  const time = readFernetTime(token)
  return time !== null && time.getTime() < END_OF_TIME ? time.toISOString() : null
}
