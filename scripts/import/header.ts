/** Reads the first line of a CSV file: what separates its fields, and how its columns are named. */

import type { Fields } from './record.ts'

/** Where a file's fields end. `fromLine` is the line of the header, from 1. */
export interface Separation {
  delimiter: string
  fromLine: number
}

/** Spreadsheets write semicolons where a comma stands before decimals. */
const DELIMITERS = [',', '\t', ';', '|'] as const

/**
 * Finds what separates the fields: what a first line `sep=;` of Excel says, otherwise what splits the header into
 * the columns to read, otherwise what is in it most often.
 */
export function findDelimiter(start: string, fields: Fields): Separation {
  const [first = ''] = start.split(/\r\n|\n|\r/, 1)
  const [, declared] = /^"?sep=([^"])"?$/i.exec(first) ?? []
  if (declared !== undefined) return { delimiter: declared, fromLine: 2 }
  const splits = DELIMITERS.map((delimiter) => ({ delimiter, names: splitNames(first, delimiter) }))
  const [most] = splits.toSorted((one, other) => other.names.length - one.names.length)
  const complete = splits.find(({ names }) => lackedBy(names, fields).length === 0)
  return { delimiter: (complete ?? most)?.delimiter ?? ',', fromLine: 1 }
}

/** Whether `delimiter` splits the first line into names, among them those of the id and of the key. */
export function splitsInto(start: string, delimiter: string, fields: Fields): boolean {
  const [first = ''] = start.split(/\r\n|\n|\r/, 1)
  return lackedBy(splitNames(first, delimiter), fields).length === 0
}

function splitNames(line: string, delimiter: string): string[] {
  return line.split(delimiter).map((name) =>
    name
      .trim()
      .replace(/^"(.*)"$/, '$1')
      .trim(),
  )
}

/** A column name is short, and has no digit. */
const COLUMN_NAME = /^[a-z_][a-z_ .-]{0,29}$/i

/** @throws Error that shows the line only if no field can be a key, since it may not be a header */
export function requireHeader(header: string[], fields: Fields): string[] {
  const names = header.map((name) => name.trim())
  const isComplete = lackedBy(names, fields).length === 0
  if (!isComplete && !names.every((name) => COLUMN_NAME.test(name))) {
    throw new Error(
      `Its first line must name the columns. Two of them must be ${fields.id} and ${fields.key}. ` +
        '--id-column and --key-column set other names.',
    )
  }
  requireColumns(names, fields, 'Its first line')
  const wanted = [fields.id, fields.key, fields.providerColumn]
  const twice = wanted.find((name) => names.indexOf(name ?? '') !== names.lastIndexOf(name ?? ''))
  if (typeof twice !== 'string') return names
  throw new Error(`Its first line has two columns ${twice}. Remove or rename one of them.`)
}

/** @throws Error that names the columns of the file */
export function requireColumns(columns: string[], fields: Fields, what: string): void {
  const missing = lackedBy(columns, fields)
  if (missing.length === 0) return
  const found = columns.slice(0, 30).map((column) => column.slice(0, 60))
  throw new Error(
    `${what} lacks ${missing.join(' and ')}. It has: ${found.join(', ')}. ` +
      'Name the right ones with --id-column and --key-column.',
  )
}

function lackedBy(columns: readonly string[], { id, key }: Fields): string[] {
  return [id, key].filter((column) => !columns.includes(column))
}
