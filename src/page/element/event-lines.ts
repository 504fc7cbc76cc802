/** The lines of the list of events: what the same caller did on the same day is one line. */

import type { EventAnswer } from '../../shared/answers.ts'
import { LOOKS } from '../../shared/event-kind.ts'
import { splitSlot } from '../../shared/slot.ts'

/** The characters of a time, with which each id begins. */
const ISO_LENGTH = '2026-11-25T12:00:00.000Z'.length

/** Callers look as often as they use a key, and each time is an event. */
const looks = new Set<unknown>(LOOKS)

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
 * Adds uses and looks of the same caller and kind up, by the reader's days. What happened last is first. `isWhole` says
 * that no older events are missing: otherwise the days that these may belong to are left out.
 */
export function sumUp(events: readonly EventAnswer[], isWhole: boolean): EventLine[] {
  const lines = new Map<string, EventLine>()
  for (const event of events) {
    const { id, provider, event: kind, caller, member, code, last_at, at } = event
    const { count = 1, errors = 0 } = event
    const time = last_at ?? at
    // A look at all slots is about each of them.
    const { label } = splitSlot(provider)
    const isOften = last_at !== undefined || looks.has(kind)
    const name = isOften ? JSON.stringify([dayOf(time), label, kind, caller, member, code]) : id
    const line = lines.get(name) ?? { event, time, count: 0, errors: 0 }
    lines.set(name, {
      event,
      time: line.time > time ? line.time : time,
      count: line.count + count,
      errors: line.errors + errors,
    })
  }
  const all = [...lines.values()].toSorted((one, other) => other.time.localeCompare(one.time))
  const oldest = events.at(-1)
  if (isWhole || oldest === undefined) return all
  // Those that are missing have lower ids. The id of a sum is the end of its hour, which may be in the next day.
  const latest = oldest.id.slice(0, ISO_LENGTH)
  return all.filter(({ time }) => dayOf(time) > dayOf(latest))
}

/** The reader's day. */
function dayOf(time: string): number {
  return new Date(time).setHours(0, 0, 0, 0)
}
