/** An SQL statement as a value, and the SQL that many of them have in common. */

/** A statement that returns rows of type `Row`, with a value for each `?1`, `?2`, … in it. */
export interface Statement<Row = never> {
  readonly sql: string
  readonly values: readonly (string | number | null)[]
  /** Never set: it carries the type. */
  readonly row?: Row
}

/** The time by the clock of D1: ISO 8601 in UTC. */
export const NOW = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"

/** Why a statement fails on purpose, so that nothing of its transaction is done. */
export type Refusal = 'changed' | 'slot_empty' | 'slot_filled' | 'not_moved' | 'too_many_events'

/** An SQL expression that fails, with the refusal in the message of D1's error. No other one has a bad JSON path. */
export function refuse(refusal: Refusal): string {
  return `json_extract('{}', '${refusal}')`
}

/** Whether this is the message of a statement that failed with the refusal. */
export function isRefusal(message: string, refusal: Refusal): boolean {
  return message.includes('JSON path') && message.includes(`'${refusal}'`)
}
