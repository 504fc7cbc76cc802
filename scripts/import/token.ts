/** Finds the Fernet token of a field, in the forms that databases, their tools and applications write. */

import { readFernetTime } from '../../src/import/fernet.ts'
import { isJsonObject } from '../../src/shared/json.ts'

/** The token; null for a user without a key; or why the field is refused. */
export type ReadToken = { token: string | null } | { refused: string }

const MAX_LENGTH = 16_384
/** How often one form may be wrapped into another, such as base64 in quotes after a prefix. */
const MAX_WRAPS = 6
/** How psql, MySQL, Python, pandas and spreadsheets write an absent value. */
const ABSENT = new Set(['', '\\N', 'null', 'none', 'nan', '<null>', '(null)', '#n/a'])

/** Whether a present field is empty: null, or a text that stands for it. */
export function isAbsent(value: unknown): boolean {
  if (typeof value !== 'string') return value === null || value === undefined
  return ABSENT.has(value) || ABSENT.has(value.trim().toLowerCase())
}

/** Reads a field. A refusal says what is wrong, and shows nothing of the field. */
export function readToken(field: unknown): ReadToken {
  if (field !== undefined && isAbsent(field)) return { token: null }
  const text = unwrap(field)
  if (text.length === 0) return { refused: NO_KEY }
  const [first = '', ...others] = text
  const tokens = text.flatMap(tokensIn)
  if (tokens.length > 1) return { refused: SEVERAL }
  const [found] = tokens
  if (found !== undefined && isWhole(found)) return { token: found.token }
  if (first.length > MAX_LENGTH) return { refused: `has a token over ${MAX_LENGTH} characters` }
  if (found === undefined) return { refused: others.length > 0 ? NO_KEY : NO_TOKEN }
  return { refused: nameRest(found) }
}

const NO_KEY = 'has no readable key: a user without a key needs null, or an empty field in CSV'
const NO_TOKEN = 'has a key that is not a Fernet token'
const SEVERAL =
  'has several Fernet tokens in one field: write a line for each, with its provider in a column'

/** The texts in a field, without what tools and applications put around them. */
function unwrap(value: unknown, wraps = 0): string[] {
  if (wraps > MAX_WRAPS) return []
  if (value instanceof Uint8Array) return unwrap(ofBytes(Buffer.from(value)), wraps + 1)
  if (typeof value === 'string') return unwrapText(value, wraps)
  if (typeof value !== 'object' || value === null) return []
  const bytes = isJsonObject(value) ? readBinaryObject(value) : null
  if (bytes !== null) return unwrap(bytes, wraps + 1)
  return Object.values(value).flatMap((one) => (isAbsent(one) ? [] : unwrap(one, wraps + 1)))
}

function unwrapText(given: string, wraps: number): string[] {
  const text = given.trim()
  const inner = readJson(text) ?? readBytes(text) ?? withoutQuotes(text) ?? withoutMarker(text)
  return inner === null ? [text] : unwrap(inner, wraps + 1)
}

/** The object or the array that `text` is as JSON. */
function readJson(text: string): object | null {
  if (!/^[[{]/.test(text)) return null
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' ? value : null
  } catch {
    return null
  }
}

/** Decodes bytea of PostgreSQL, BLOB of MySQL, the literals of both and of SQLite, and base64 of a token. */
function readBytes(text: string): string | null {
  const [, hex] = /^(?:\\{1,2}x|0x|_binary 0x|x'|(?=67414141))([0-9a-f]+)'?$/i.exec(text) ?? []
  if (hex !== undefined) return ofBytes(Buffer.from(hex, 'hex'))
  // Some tools encode the bytes of the token in base64, although it is already base64url.
  return /^Z0FBQUF[\w+/-]+={0,2}$/.test(text) ? ofBytes(Buffer.from(text, 'base64')) : null
}

/** The bytes in MongoDB's new or old Extended JSON, in the JSON of a Node `Buffer`, or in DynamoDB's. */
function readBinaryObject({ $binary, type, data, B }: Record<string, unknown>): string | null {
  if (type === 'Buffer' && Array.isArray(data)) return ofBytes(Buffer.from(data))
  const base64 = isJsonObject($binary) ? $binary['base64'] : ($binary ?? B)
  return typeof base64 === 'string' ? ofBytes(Buffer.from(base64, 'base64')) : null
}

/** The token in its bytes as text, or in the bytes that it stands for. */
function ofBytes(bytes: Buffer): string {
  return bytes.toString(bytes[0] === 0x80 ? 'base64url' : 'latin1')
}

/** The text in quotes, or in the repr() of Python's bytes. */
function withoutQuotes(text: string): string | null {
  return /^b?(?<quote>['"`])(?<inner>.*)\k<quote>$/is.exec(text)?.groups?.['inner'] ?? null
}

/**
 * What an application puts before the token to know its kind: short words, each with a separator after it. A longer
 * one may be a salt. Spreadsheets put an apostrophe or an equals sign there.
 */
const WORD = String.raw`\$?(?:[a-z][a-z0-9_-]{0,15}|\d{1,4})[:$|.=]+`
const CALL = String.raw`[a-z]\w{0,15}\((?=.*\)$)`
const TOKEN_BEGINS = String.raw`gAAAA|Z0FBQUF|\\{1,2}x67|0x67|67414141|b?['"]`
const MARKER = new RegExp(
  String.raw`^(?:${WORD}|\{[\w-]{1,16}\}|${CALL}|['=]){1,3}(?=${TOKEN_BEGINS})`,
  'is',
)

function withoutMarker(text: string): string | null {
  const marker = MARKER.exec(text)?.[0]
  if (marker === undefined) return null
  const rest = text.slice(marker.length)
  return marker.endsWith('(') ? rest.slice(0, -1) : rest
}

/** A token, and how many characters are around it. */
interface Found {
  token: string
  before: number
  after: number
}

function isWhole({ before, after }: Found): boolean {
  return before === 0 && after === 0
}

/** The tokens in a text. If it is not one as a whole, each must begin where a word begins. */
function tokensIn(text: string): Found[] {
  if (text.length > MAX_LENGTH) return []
  const whole = normalize(text)
  if (isToken(whole)) return [{ token: whole, before: 0, after: 0 }]
  const parts = [...text.matchAll(/gAAAA[\w-]+={0,2}/g)].map(({ 0: token, index }) => {
    return { token, before: index, after: text.length - index - token.length }
  })
  return parts.filter(({ token }) => isToken(token))
}

/** The token with line breaks, escapes and missing padding mended. All of these stand for the same bytes. */
function normalize(text: string): string {
  const plain = text
    .replaceAll(/\s+|\\[rn]/g, '')
    .replaceAll(/%3D|\\u003d|=3D|&#61;/gi, '=')
    .replaceAll(/%2D/gi, '-')
    .replaceAll(/%5F/gi, '_')
  const urlSafe = /[_-]/.test(plain) ? plain : plain.replaceAll('+', '-').replaceAll('/', '_')
  const bare = urlSafe.replace(/=+$/, '')
  return bare.padEnd(Math.ceil(bare.length / 4) * 4, '=')
}

function isToken(text: string): boolean {
  return readFernetTime(text) !== null
}

function nameRest({ before, after }: Found): string {
  const [where, length] = before > 0 ? ['before', before] : ['after', after]
  return `has text ${where} its Fernet token (${length} characters): leave it out`
}
