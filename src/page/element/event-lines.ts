/** The lines of the list of events: what the same caller did on the same day is one line. */

import type { EventAnswer } from '../../shared/answers.ts'

/** An event, or the sum of several. */
export interface EventLine {
  event: EventAnswer
  /** When it happened last. */
  time: string
  count: number
  /** How many of them the provider answered with an error. */
  errors: number
}

/**
 * Adds sums of the same caller and kind up, by the reader's days. What happened last is first. `isWhole` says
 * that no older events are missing: otherwise the oldest day is left out, since its sums may not be complete.
 */
export function sumUp(events: readonly EventAnswer[], isWhole: boolean): EventLine[] {
  const lines = new Map<string, EventLine>()
  for (const event of events) {
    const { id, event: kind, caller, code, last_at, at, count = 1, errors = 0 } = event
    const time = last_at ?? at
    const name = last_at === undefined ? id : JSON.stringify([dayOf(time), kind, caller, code])
    const line = lines.get(name) ?? { event, time, count: 0, errors: 0 }
    lines.set(name, {
      event,
      time: line.time > time ? line.time : time,
      count: line.count + count,
      errors: line.errors + errors,
    })
  }
  const all = [...lines.values()].toSorted((one, other) => other.time.localeCompare(one.time))
  const oldest = all.at(-1)
  if (isWhole || oldest === undefined) return all
  return all.filter(({ time }) => dayOf(time) !== dayOf(oldest.time))
}

/** The reader's day. */
function dayOf(time: string): number {
  return new Date(time).setHours(0, 0, 0, 0)
}
