/** Reads the Flask backend's users from CSV, NDJSON or SQLite, one at a time. */

import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { DatabaseSync } from 'node:sqlite'
import type { ImportedKey } from '../../src/import/imported-keys.ts'
import { decodeText, parseCsv } from './csv.ts'
import { findDelimiter, requireColumns, requireHeader, type Separation } from './header.ts'
import { readRecord, refuse, UNEVEN, type Fields, type Refusal } from './record.ts'

/** A line of the file: a user's key, or why the line is refused. */
export type Line = { line: number; read: number } & (ImportedKey | Refusal)

/** What the file calls a line: SQLite has rows. */
export type Unit = 'line' | 'row'

/** A file's lines, and the final value of `read`: bytes, or rows of SQLite. */
export interface UserFile {
  total: number
  unit: Unit
  /** Whether the file ends where a line does. Otherwise its end may be missing. */
  isWhole: boolean
  lines: AsyncIterable<Line>
}

/** What some tools of Windows write at the start of a UTF-8 file, read as Latin-1. */
const BYTE_ORDER_MARK = /^\xEF\xBB\xBF/

/** The longest accepted header. */
const START_BYTES = 4_096

/** The names of the fields to read, and of the table in SQLite. */
export interface Layout extends Fields {
  table: string
}

/**
 * Opens `file`. It detects SQLite by its first bytes, and NDJSON by its name or its first character. Any
 * other file is CSV with a header, or the same with semicolons, tabs or bars.
 *
 * @throws Error that says what is wrong with the file as a whole
 */
export async function openUserFile(file: string, layout: Layout): Promise<UserFile> {
  const stats = await stat(file).catch(() => null)
  if (stats === null) throw new Error(`${file} does not exist`)
  if (!stats.isFile()) throw new Error(`${file} is not a file`)
  const start = await readStart(file)
  if (start.startsWith('SQLite format 3\0')) return openSqlite(file, layout)
  if (start.trimStart().startsWith('[')) {
    throw new Error(`${file} is a JSON array. Make it one object per line: jq -c '.[]' ${file}`)
  }
  const isWhole = await endsInLineBreak(file, stats.size)
  const isNdjson = /\.(?:ndjson|jsonl)$/.test(file) || start.trimStart().startsWith('{')
  const text = { total: stats.size, unit: 'line', isWhole } as const
  if (isNdjson) return { ...text, lines: readNdjson(file, layout) }
  const separation = findDelimiter(Buffer.from(start, 'latin1').toString(), layout)
  return { ...text, lines: readCsv(file, layout, separation) }
}

async function readStart(file: string): Promise<string> {
  await using handle = await open(file)
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(START_BYTES), 0, START_BYTES)
  return buffer.toString('latin1', 0, bytesRead).replace(BYTE_ORDER_MARK, '')
}

async function endsInLineBreak(file: string, size: number): Promise<boolean> {
  await using handle = await open(file)
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(1), 0, 1, Math.max(0, size - 1))
  return bytesRead === 1 && /[\r\n]/.test(buffer.toString('latin1'))
}

function readText(file: string): AsyncGenerator<string> {
  return decodeText(createReadStream(file), file)
}

/** Splits only at line feeds, since a JSON string may contain other separators such as U+2028. */
async function* splitLines(chunks: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = ''
  for await (const chunk of chunks) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
  yield rest
}

async function* readNdjson(file: string, fields: Fields): AsyncGenerator<Line> {
  let [line, read] = [0, 0]
  for await (const text of splitLines(readText(file))) {
    line += 1
    read += Buffer.byteLength(text) + 1
    if (text.trim() !== '') yield { line, read, ...readRecord(parseJson(text), fields) }
  }
}

async function* readCsv(
  file: string,
  layout: Layout,
  separation: Separation,
): AsyncGenerator<Line> {
  const nameColumns = (first: string[]) => ({ names: requireHeader(first, layout), isHeader: true })
  const form = { ...separation, nameColumns }
  for await (const { record, isUneven, ...place } of parseCsv(readText(file), file, form)) {
    yield { ...place, ...(isUneven ? refuse(UNEVEN) : readRecord(record, layout)) }
  }
}

function openSqlite(file: string, layout: Layout): UserFile {
  const database = new DatabaseSync(file, { readOnly: true })
  const { table } = layout
  const columns = database.prepare('SELECT name FROM pragma_table_info(?)').all(table)
  if (columns.length === 0) throw new Error(nameTables(file, database, table))
  const names = columns.map(({ name }) => String(name))
  requireColumns(names, layout, `Its table ${table}`)
  const count = database.prepare(`SELECT count(*) AS rows FROM ${quote(table)}`).get()
  const wanted = new Set([layout.id, layout.key, layout.providerColumn])
  const read = names.filter((name) => wanted.has(name)).map(quote)
  const select = `SELECT ${read.join(', ')} FROM ${quote(table)}`
  const lines = readSqlite(database, select, layout)
  return { total: Number(count?.['rows']), unit: 'row', isWhole: true, lines }
}

function nameTables(file: string, database: DatabaseSync, table: string): string {
  const tables = database
    .prepare("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')")
    .all()
  const names = tables.map(({ name }) => String(name))
  const which = names.length === 0 ? 'It has no tables.' : `It has: ${names.join(', ')}.`
  return `${file} has no table ${table}. ${which} Name the right one with --table.`
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

async function* readSqlite(
  database: DatabaseSync,
  query: string,
  fields: Fields,
): AsyncGenerator<Line> {
  const select = database.prepare(query)
  select.setReadBigInts(true)
  let line = 0
  try {
    for (const record of select.iterate()) {
      line += 1
      yield { line, read: line, ...readRecord(record, fields) }
    }
  } finally {
    database.close()
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
