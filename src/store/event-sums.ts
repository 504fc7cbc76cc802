/** Sums in the table `api_key_events`: what a caller did with a key in one hour is one row. */

import type { Slot } from '../crypto/seal.ts'
import type { ErrorCode } from '../shared/error-code.ts'
import type { SumKind } from '../shared/event-kind.ts'
import { RETURNING_EVENT, type WrittenEvent } from './events.ts'
import type { Statement } from './d1.ts'

/** What callers did with a key in one hour, as far as one isolate has counted it. */
export interface Sum extends Slot {
  /** A user who was removed, and is added again, has another one. */
  userIdentity: string
  event: SumKind
  caller: string | null
  code: ErrorCode | null
  count: number
  errors: number
  firstAt: string
  lastAt: string
}

/** The bytes that D1 takes for a parameter: https://developers.cloudflare.com/d1/platform/limits/ */
const MAX_BYTES = 2_000_000

/** The sums in parts, each of which D1 takes with one statement. A user id alone may have 6,000 bytes. */
export function splitSums(sums: readonly Sum[]): Sum[][] {
  const parts: Sum[][] = []
  let part: Sum[] = []
  let bytes = Infinity
  for (const sum of sums) {
    // A bracket before the first row, and a comma or a bracket after each.
    const size = encoder.encode(JSON.stringify(toRow(sum))).length + 1
    if (bytes + size > MAX_BYTES) {
      part = []
      parts.push(part)
      bytes = 1
    }
    part.push(sum)
    bytes += size
  }
  return parts
}

const encoder = new TextEncoder()

/**
 * Adds to the sums of an hour: one row for each slot, caller, kind and code. Removed users are left out. It
 * returns the sums with what was added.
 */
export function addSums(sums: readonly Sum[]): Statement<WrittenEvent> {
  return {
    sql: `INSERT INTO api_key_events
            (day, user_id, id, provider, event, actor, caller, code, count, errors, first_at, last_at)
          SELECT value ->> 0, users.id, value ->> 2, value ->> 3, value ->> 4, 'caller', value ->> 5,
            value ->> 6, value ->> 7, value ->> 8, value ->> 9, value ->> 10
          FROM json_each(?1) JOIN users ON users.id = value ->> 1 AND users.identity = value ->> 11
          WHERE TRUE
          ON CONFLICT (day, user_id, id) DO UPDATE SET
            count = count + excluded.count,
            errors = errors + excluded.errors,
            first_at = min(first_at, excluded.first_at),
            last_at = max(last_at, excluded.last_at)
          ${RETURNING_EVENT}`,
    values: [JSON.stringify(sums.map(toRow))],
  }
}

function toRow(sum: Sum): unknown[] {
  return [
    sum.lastAt.slice(0, 10),
    sum.userId,
    nameSum(sum),
    sum.provider,
    sum.event,
    sum.caller,
    sum.code,
    sum.count,
    sum.errors,
    sum.firstAt,
    sum.lastAt,
    sum.userIdentity,
  ]
}

/** The id of a sum: the same in all isolates, and sorted at the end of its hour. */
export function nameSum({ lastAt, event, code, provider, caller }: Sum): string {
  const rest = JSON.stringify([event, code, provider, caller])
  return `${lastAt.slice(0, 13)}:59:59.999Z.${rest}`
}
