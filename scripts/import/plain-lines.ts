/** Reads users and their API keys from a pipe of CSV, a line at a time. */

import { nameKeyFault } from '../../src/shared/key-text.ts'
import { decodeText, parseCsv, type Columns } from './csv.ts'
import { findDelimiter, requireHeader, splitsInto, type Separation } from './header.ts'
import { readId } from './id.ts'
import { readSlot, UNEVEN, type Fields } from './record.ts'
import { isAbsent } from './token.ts'

/** Whose key a line has, and for which slot. */
export interface Owner {
  userId: string
  provider: string
}

/** A line: a user's key, a user without one, or why the line is refused. */
export type PlainLine = { line: number } & (
  | (Owner & { key: string | null })
  | { refused: string; owner: Owner | null }
)

/** How errors call it. */
const INPUT = 'The standard input'
/** The longest accepted header. */
const START_LENGTH = 4_096

/**
 * Reads CSV with a header as from a file, or lines of an id, a comma and a key.
 *
 * @throws Error that says what is wrong with the input as a whole
 */
export async function* readPlainLines(
  input: AsyncIterable<Uint8Array>,
  fields: Fields,
): AsyncGenerator<PlainLine> {
  const { start, text } = await peek(decodeText(input, INPUT))
  const nameColumns = (first: string[]) => nameFirst(first, fields)
  const form = { ...findSeparation(start, fields), nameColumns }
  for await (const { record, line, isUneven } of parseCsv(text, INPUT, form)) {
    yield { line, ...(isUneven ? { refused: UNEVEN, owner: null } : readKey(record, fields)) }
  }
}

/** Reads the first line, and gives it back with the rest. */
async function peek(chunks: AsyncGenerator<string>) {
  let start = ''
  while (!start.includes('\n') && start.length < START_LENGTH) {
    // oxlint-disable-next-line no-await-in-loop -- one chunk after the other
    const { done, value } = await chunks.next()
    if (done === true) break
    start += value
  }
  async function* whole(): AsyncGenerator<string> {
    yield start
    yield* chunks
  }
  return { start, text: whole() }
}

/** Without a header, a comma ends the id: a key may have other separators in it. */
function findSeparation(start: string, fields: Fields): Separation {
  const found = findDelimiter(start, fields)
  return found.fromLine > 1 || splitsInto(start, found.delimiter, fields)
    ? found
    : { delimiter: ',', fromLine: 1 }
}

/** A text that may be the name of a column. Keys are longer, or have other characters. */
const NAME_LIKE = /^[\w .-]{0,30}$/

/**
 * The columns of the first line. It is a header if it has one of the names. A header with other names must not be taken for
 * a user, and a user must not be shown as the names of a header.
 */
function nameFirst(first: string[], { id, key, ...others }: Fields): Columns {
  if (first.some((name) => [id, key].includes(name.trim()))) {
    return { names: requireHeader(first, { id, key, ...others }), isHeader: true }
  }
  const [, text = ''] = first
  if (first.length === 2 && !NAME_LIKE.test(text.trim()))
    return { names: [id, key], isHeader: false }
  throw new Error(
    `Its first line must name the columns, two of them ${id} and ${key}, or be an id, a comma and a key. ` +
      '--id-column and --key-column set other names.',
  )
}

function readKey(given: Record<string, string>, fields: Fields) {
  const id = readId(given[fields.id])
  if ('refused' in id) return { ...id, owner: null }
  const slot = readSlot(given, fields)
  if ('refused' in slot) return { ...slot, owner: { ...id, provider: fields.provider } }
  const owner = { ...id, ...slot }
  const text = given[fields.key]
  if (isAbsent(text)) return { ...owner, key: null }
  const key = text?.trim() ?? ''
  const fault = nameKeyFault(key, 'has a key that')
  return fault === null ? { ...owner, key } : { refused: fault.replace(/\.$/, ''), owner }
}
