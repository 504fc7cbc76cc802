/** Tells whether an answer is among those that a provider's description names. */

import { isJsonObject, parseJson } from '../shared/json.ts'
import type { KnownAnswer } from './provider.ts'

/** A longer body says nothing, even if it is JSON: the known ones are short. */
export const MAX_KNOWN_BYTES = 16_384

/** Whether an answer with this status is named only together with a field of its body. */
export function needsBody(known: readonly KnownAnswer[], status: number): boolean {
  return known.some((one) => one.status === status && one.field !== undefined)
}

/**
 * Whether an answer is one of `known`. A body that is not JSON, or was not read, counts only if the status alone does. What
 * is compared is a whole value, so a text in another field never counts.
 */
export function isKnown(
  known: readonly KnownAnswer[],
  status: number,
  body: Uint8Array | null,
): boolean {
  const candidates = known.filter((one) => one.status === status)
  if (candidates.some(({ field }) => field === undefined)) return true
  if (candidates.length === 0 || body === null || body.length > MAX_KNOWN_BYTES) return false
  const json = parseJson(new TextDecoder().decode(body))
  return candidates.some(({ field = '', value }) =>
    valuesAt(json, field).some((found) => isValue(found, value)),
  )
}

/** The values of a field that is named by a dotted path. It passes through lists: Google wraps an error in one. */
function valuesAt(json: unknown, field: string): unknown[] {
  let values = [json]
  for (const name of field.split('.')) {
    values = values
      .flat()
      .flatMap((one) => (isJsonObject(one) && Object.hasOwn(one, name) ? [one[name]] : []))
  }
  return values.flat()
}

function isValue(found: unknown, value: KnownAnswer['value']): boolean {
  if (typeof value !== 'string' || !value.endsWith('*')) return found === value
  return typeof found === 'string' && found.startsWith(value.slice(0, -1))
}
