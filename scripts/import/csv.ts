/** Reads CSV from a stream, a record at a time. Its errors show nothing of what they read. */

import { Readable } from 'node:stream'
import { CsvError, parse, type Parser } from 'csv-parse'
import type { Separation } from './header.ts'

/** A quote that is not closed makes one record of all that follows, which is too long to keep. */
const MAX_RECORD_LENGTH = 64_000_000

/** A record, and where it ends. */
interface CsvRecord {
  record: Record<string, string>
  line: number
  /** How many bytes were read until its end. */
  read: number
  /** Whether it has another number of fields than the first one. */
  isUneven: boolean
}

/** How a text is split, and how its columns are named. */
interface Form extends Separation {
  nameColumns: (first: string[]) => Columns
}

/** The names of the columns, and whether they are the first record. */
export interface Columns {
  names: string[]
  isHeader: boolean
}

/** Text is UTF-8, or it is refused: a changed id would be another user's. `name` is what errors call it. */
export async function* decodeText(
  chunks: AsyncIterable<Uint8Array>,
  name: string,
): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false })
  try {
    for await (const chunk of chunks) yield decoder.decode(chunk, { stream: true })
    yield decoder.decode()
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    throw new Error(`${name} is not UTF-8`, { cause: error })
  }
}

/** @throws Error that has the line at which the text is not CSV, or as `nameColumns` */
export async function* parseCsv(
  text: AsyncIterable<string>,
  name: string,
  { delimiter, fromLine, nameColumns }: Form,
): AsyncGenerator<CsvRecord> {
  const parser = parse({
    bom: true,
    delimiter,
    from_line: fromLine,
    info: true,
    max_record_size: MAX_RECORD_LENGTH,
    // Tools that separate with tabs use escapes, and never quotes.
    quote: delimiter === '\t' ? null : '"',
    relax_column_count: true,
    skip_empty_lines: true,
  })
  const source = Readable.from(text).on('error', (error) => parser.destroy(error))
  source.pipe(parser)
  try {
    yield* readRecords(parser, nameColumns)
  } catch (error) {
    if (!(error instanceof CsvError)) throw error
    const where = `${name} is not CSV at line ${parser.info.lines}`
    throw new Error(`${where}: ${error.code}`, { cause: error })
  }
}

async function* readRecords(
  parser: Parser,
  nameColumns: Form['nameColumns'],
): AsyncGenerator<CsvRecord> {
  let [columns, uneven]: [Columns | null, number] = [null, 0]
  for await (const { record, info } of parser) {
    const isFirst = columns === null
    columns ??= nameColumns(record)
    if (isFirst && columns.isHeader) continue
    const isUneven = info.invalid_field_length > uneven
    uneven = info.invalid_field_length
    const named = columns.names.map((column, index) => [column, record[index]])
    yield { record: Object.fromEntries(named), line: info.lines, read: info.bytes, isUneven }
  }
}
