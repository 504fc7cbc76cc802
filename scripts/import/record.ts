/** Turns a record of the Flask backend into a user's key for a slot. */

import { readFernetTime } from '../../src/import/fernet.ts'
import { isProviderName } from '../../src/providers/table.ts'
import { isJsonObject } from '../../src/shared/json.ts'
import { userOwner } from '../../src/shared/owner.ts'
import { DEFAULT_SLOT } from '../../src/shared/slot.ts'
import type { ImportedKey } from '../../src/import/imported-keys.ts'
import { readId } from './id.ts'
import { isAbsent, readToken } from './token.ts'

/** The fields of a record to read. */
export interface Fields {
  id: string
  key: string
  /** The slot of a record without a provider. */
  provider: string
  /** The field with a record's provider; null if none is read. */
  providerColumn: string | null
}

/** Why a record is refused. Its user is the one of a sound id, without the key. */
export interface Refusal {
  refused: string
  user: ImportedKey | null
}

/** Why a record of CSV is refused that has another number of fields than the first one. */
export const UNEVEN = 'does not have as many fields as the first line'

/** Year 10000. Later times do not sort as text. */
const END_OF_TIME = Date.UTC(10_000, 0)

/** Reads a record. A refusal says what is wrong, and quotes nothing of the record. */
export function readRecord(given: unknown, fields: Fields): ImportedKey | Refusal {
  if (!isJsonObject(given)) return refuse('is not a JSON object')
  const id = readId(given[fields.id])
  if ('refused' in id) return refuse(id.refused + adviseId(id.refused, given))
  const slot = readSlot(given, fields)
  const userId = userOwner(id.userId)
  const user = { userId, provider: fields.provider, token: null, savedAt: '' }
  if ('refused' in slot) return { ...slot, user }
  const read = readToken(given[fields.key])
  const keyless = { ...user, ...slot }
  if ('refused' in read) return { ...read, user: keyless }
  if (read.token === null) return keyless
  const savedAt = timeOf(read.token)
  if (savedAt === null) return { refused: 'has a key that is not a Fernet token', user: keyless }
  return { ...keyless, ...read, savedAt }
}

/** A refusal of a record whose user is not known. */
export function refuse(refused: string): Refusal {
  return { refused, user: null }
}

function adviseId(refused: string, given: Record<string, unknown>): string {
  return refused === 'has no id' && '_id' in given ? ', but has an _id: add --id-column _id' : ''
}

/** The slot of a record, or why the record is refused. */
export function readSlot(
  given: Record<string, unknown>,
  { provider, providerColumn }: Fields,
): { provider: string } | { refused: string } {
  const named = providerColumn === null ? null : given[providerColumn]
  if (isAbsent(named)) return { provider }
  if (typeof named !== 'string') return { refused: 'has a provider that is not a string' }
  return named === DEFAULT_SLOT || isProviderName(named)
    ? { provider: named }
    : { refused: 'has a provider whose name is not lower-case letters, digits and hyphens' }
}

/** When the token was made, ISO 8601 in UTC; null if it is not a token, or if its time is out of range. */
function timeOf(token: string): string | null {
  const time = readFernetTime(token)
  return time !== null && time.getTime() < END_OF_TIME ? time.toISOString() : null
}
