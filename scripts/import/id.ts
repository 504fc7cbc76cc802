/** Reads a user id in the forms that databases and their tools write, and refuses one that a tool has changed. */

import { nameUserIdFault } from '../../src/shared/user-id.ts'
import { isJsonObject } from '../../src/shared/json.ts'
import { isAbsent } from './token.ts'

const MAX_LENGTH = 1_000
/** Characters that nobody sees in a token's `sub`, among them those that look empty but are letters. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\u034F\u115F\u1160\u2800\u3164\uFFA0]|(?! )\p{Zs}/u
const AS_TEXT = 'export the ids as text'
const MONTH = '(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)'

/** What tools make of an id. The id that it was cannot be known. */
const CHANGED: readonly [form: RegExp, fault: string][] = [
  [/^\d+[.,]0+$/, 'ends in .0, as pandas and spreadsheets write whole numbers'],
  [
    /^[+-]?\d(?:[.,]\d+)?e[+-]\d+$/i,
    'is in scientific notation, as spreadsheets write long numbers',
  ],
  [/^\d{1,3}(?:[.,]\d{3})+$/, 'has separators of thousands, as spreadsheets write numbers'],
  [
    new RegExp(`^(?:\\d{1,2}-${MONTH}|${MONTH}-\\d{2,4})$`, 'i'),
    'is a date, which spreadsheets make of some ids',
  ],
  [/^#(?:#+|[A-Z0/]+[!?])$/, 'is an error of a spreadsheet'],
  [/^=|^'\d+$/, 'is a formula or a marked text of a spreadsheet'],
]

/** The id, or why it is refused. A refusal shows nothing of it but an invisible character. */
export function readId(field: unknown): { userId: string } | { refused: string } {
  const id = unwrapId(field)
  if (id === undefined) return { refused: 'has no id' }
  if (typeof id !== 'string') {
    return { refused: 'has an id that is not a string or a whole number below 2^53' }
  }
  const fault = nameFault(id)
  return fault === null ? { userId: id } : { refused: `has an id ${fault}` }
}

function nameFault(id: string): string | null {
  if (id.length > MAX_LENGTH) return `over ${MAX_LENGTH} characters`
  if (id.includes('\uFFFD')) return 'that is not UTF-8'
  const invisible = INVISIBLE.exec(id)?.[0].codePointAt(0)
  if (invisible !== undefined) {
    const name = invisible.toString(16).toUpperCase().padStart(4, '0')
    return `with the invisible character U+${name}: remove it`
  }
  if (id.trim() !== id) return 'with spaces around it: remove them'
  const changed = CHANGED.find(([form]) => form.test(id))
  if (changed !== undefined) return `that ${changed[1]}: ${AS_TEXT}`
  const fault = nameUserIdFault(id)
  return fault === null ? null : `that ${fault}`
}

/**
 * The id as text, as it is in a token's `sub`; undefined if it is absent. In Extended JSON v2, MongoDB
 * writes `{"$oid": …}` and `{"$numberLong": …}`, and a UUID as binary of the subtype 04 or as `{"$uuid": …}`.
 * In CSV it writes `ObjectId(…)`. DynamoDB writes `{"S": …}` and `{"N": …}`.
 */
function unwrapId(id: unknown): unknown {
  if (Number.isSafeInteger(id) || typeof id === 'bigint') return String(id)
  if (isAbsent(id)) return undefined
  if (isJsonObject(id)) {
    const { $oid, $numberLong, $numberInt, $uuid, S, N } = id
    return $oid ?? $numberLong ?? $numberInt ?? $uuid ?? S ?? N ?? readUuid(id) ?? id
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
