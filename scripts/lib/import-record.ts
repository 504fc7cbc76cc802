/** Turns a record of the previous backend into a user's key for a slot. Tools write records in many forms. */

import * as z from 'zod/mini'
import { readFernetTime } from '../../src/crypto/fernet.ts'
import { isProviderName } from '../../src/providers/table.ts'
import { isJsonObject } from '../../src/shared/json.ts'
import { DEFAULT_SLOT } from '../../src/shared/slot.ts'
import { nameUserIdFault } from '../../src/shared/user-id.ts'
import type { ImportedKey } from '../../src/store/imported-keys.ts'

/** The fields of a record to read. */
export interface Fields {
  id: string
  key: string
  /** The slot of a record without a provider. */
  provider: string
  /** The field with a record's provider; null if none is read. */
  providerColumn: string | null
}

const MAX_ID_LENGTH = 1_000
const MAX_TOKEN_LENGTH = 16_384
/** Year 10000. Later times do not sort as text. */
const END_OF_TIME = Date.UTC(10_000, 0)
/** How psql, MySQL, Python, pandas and spreadsheets write an absent value. */
const ABSENT = new Set(['', '\\N', 'null', 'none', 'nan', '<null>', '(null)', '#n/a'])

const record = z.object({
  userId: z.string('has an id that is not a string or a whole number below 2^53').check(
    z.minLength(1, 'has no id'),
    z.maxLength(MAX_ID_LENGTH, `has an id over ${MAX_ID_LENGTH} characters`),
    z.refine((id) => !id.includes('\uFFFD'), 'has an id that is not UTF-8'),
    z.refine(
      (id) => !/^\d+\.0$/.test(id),
      'has an id that ends in .0, as pandas writes whole numbers beside an empty one',
    ),
    ({ value, issues }) => {
      const fault = nameUserIdFault(value)
      if (fault !== null)
        issues.push({ code: 'custom', message: `has an id that ${fault}`, input: value })
    },
  ),
  provider: z
    .string('has a provider that is not a string')
    .check(
      z.refine(
        (name) => name === DEFAULT_SLOT || isProviderName(name),
        'has a provider whose name is not lower-case letters, digits and hyphens',
      ),
    ),
  token: z.nullable(
    z
      .string('has no readable key: a user without a key needs null, or an empty field in CSV')
      .check(z.maxLength(MAX_TOKEN_LENGTH, `has a token over ${MAX_TOKEN_LENGTH} characters`)),
  ),
})

/** Reads a record. A refusal says what is wrong, and quotes nothing of the record. */
export function readRecord(
  given: unknown,
  { id, key, provider, providerColumn }: Fields,
): ImportedKey | { refused: string } {
  if (!isJsonObject(given)) return { refused: 'is not a JSON object' }
  const userId = readId(given[id])
  if (userId === undefined) return { refused: nameMissingId(given) }
  const named = providerColumn === null ? null : given[providerColumn]
  const parsed = record.safeParse({
    userId,
    provider: isAbsent(named) ? provider : named,
    token: readToken(given[key]),
  })
  if (!parsed.success) return { refused: parsed.error.issues[0]?.message ?? 'is not a user' }
  const { token } = parsed.data
  const savedAt = token === null ? '' : timeOf(token)
  if (savedAt === null) return { refused: 'has a key that is not a Fernet token' }
  return { ...parsed.data, savedAt }
}

function nameMissingId(given: Record<string, unknown>): string {
  return '_id' in given ? 'has no id, but has an _id: add --id-column _id' : 'has no id'
}

/** Whether a present field is empty: null, or a text that stands for it. */
function isAbsent(value: unknown): boolean {
  if (typeof value !== 'string') return value === null || value === undefined
  return ABSENT.has(value) || ABSENT.has(value.toLowerCase())
}

/**
 * The id as text, as it is in a token's `sub`; undefined if it is absent. In Extended JSON v2, MongoDB
 * writes `{"$oid": …}` and `{"$numberLong": …}`, and a UUID as binary of the subtype 04 or as `{"$uuid": …}`.
 * In CSV it writes `ObjectId(…)`.
 */
function readId(id: unknown): unknown {
  if (Number.isSafeInteger(id) || typeof id === 'bigint') return String(id)
  if (isAbsent(id)) return undefined
  if (isJsonObject(id)) {
    const scalar = id['$oid'] ?? id['$numberLong'] ?? id['$numberInt'] ?? id['$uuid']
    return scalar ?? readUuid(id) ?? id
  }
  return typeof id === 'string' ? (/^ObjectId\("?([0-9a-f]{24})"?\)$/i.exec(id)?.[1] ?? id) : id
}

/** The UUID in MongoDB's old or new binary; null for other bytes, or for a UUID in another byte order. */
function readUuid({ $binary, $type }: Record<string, unknown>): string | null {
  const { base64, subType } = isJsonObject($binary) ? $binary : { base64: $binary, subType: $type }
  if (typeof base64 !== 'string' || !/^0?4$/.test(String(subType))) return null
  const hex = Buffer.from(base64, 'base64').toString('hex')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/** The token as text: null if there is none, undefined if its field is missing. */
function readToken(token: unknown): unknown {
  if (token === undefined || token === null) return token
  if (isAbsent(token)) return null
  const text = readBytes(token)
  if (typeof text !== 'string') return token
  // Some tools encode the bytes of the token in base64, although it is already base64url.
  return text.startsWith('Z0FBQUF') ? decode(text, 'base64') : text
}

/** Decodes bytes as text, in any form that databases and their tools write. */
function readBytes(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1')
  if (isJsonObject(value)) return readBinaryObject(value)
  if (typeof value !== 'string') return value
  // bytea of PostgreSQL, BLOB of MySQL, and the literals of SQLite and MySQL.
  const [, hex] = /^(?:\\{1,2}x|0x|_binary 0x|x')([0-9a-f]+)'?$/i.exec(value) ?? []
  if (hex !== undefined) return decode(hex, 'hex')
  // repr() of Python.
  return value.replace(/^b'(.*)'$|^b"(.*)"$/, '$1$2')
}

/** The bytes in MongoDB's new or old Extended JSON, or in the JSON of a Node `Buffer`. */
function readBinaryObject({ $binary, type, data }: Record<string, unknown>): unknown {
  if (type === 'Buffer' && Array.isArray(data)) return Buffer.from(data).toString('latin1')
  const base64 = isJsonObject($binary) ? $binary['base64'] : $binary
  return typeof base64 === 'string' ? decode(base64, 'base64') : undefined
}

function decode(text: string, encoding: 'hex' | 'base64'): string {
  return Buffer.from(text, encoding).toString('latin1')
}

/** When the token was made, ISO 8601 in UTC; null if it is not a token, or if its time is out of range. */
function timeOf(token: string): string | null {
  const time = readFernetTime(token)
  return time !== null && time.getTime() < END_OF_TIME ? time.toISOString() : null
}
