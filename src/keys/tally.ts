/** What an isolate has counted and has not written yet, within a bound of bytes. */

import { Kept } from '../shared/kept.ts'
import { nameSum, type Counted, type Hour, type Hours, type Sum } from '../store/noted-events.ts'

/** The most bytes of what waits, and of what is known of written sums. */
export const MAX_BYTES = 8_000_000
/** The characters of an hour of a sum, about. */
const HOUR_LENGTH = 50
const DAY_MS = 24 * 60 * 60 * 1_000

/** A sum that waits, since a time in milliseconds since the epoch. */
export interface Waiting {
  sum: Sum
  since: number
}

/** What the isolate has written of a sum. */
interface Written {
  /** The latest hour that it has counted: `2026-11-25T12`. */
  hour: string
  /** The written counts of that day. */
  count: number
}

export class Tally {
  readonly #waiting = new Kept<Waiting>(MAX_BYTES)
  readonly #written = new Kept<Written>(MAX_BYTES)
  #lost = 0

  get isEmpty(): boolean {
    return this.#waiting.bytes === 0
  }

  /** Whether the counts should be written before there is no room. */
  get isFull(): boolean {
    return this.#waiting.bytes > MAX_BYTES / 2
  }

  /** Adds counts to those that wait. If there is no room, it drops the sums that were counted longest ago. */
  keep(sum: Sum, now: number): void {
    const name = nameDay(sum, sum.day)
    const earlier = this.#waiting.get(name)
    const hours = earlier === undefined ? sum.hours : addHours(earlier.sum.hours, sum.hours)
    const characters = name.length + sum.userId.length + HOUR_LENGTH * Object.keys(hours).length
    const waiting = { sum: { ...sum, hours }, since: earlier?.since ?? now }
    for (const gone of this.#waiting.set(name, waiting, characters)) this.#lost += countIn(gone.sum)
  }

  /** How many counts had no room since the last call. */
  takeLost(): number {
    const lost = this.#lost
    this.#lost = 0
    return lost
  }

  /** Whether the isolate counts this for the first time in the hour `at`: ISO 8601. */
  beginsHour(counted: Counted, at: string): boolean {
    const name = nameDay(counted)
    const written = this.#written.get(name)
    const hour = at.slice(0, 13)
    if (written?.hour === hour) return false
    const isSameDay = written?.hour.startsWith(at.slice(0, 10)) === true
    this.#written.set(name, { hour, count: isSameDay ? written.count : 0 }, hour.length)
    return true
  }

  noteWritten(sum: Sum): void {
    const written = this.#written.get(nameDay(sum))
    if (written?.hour.startsWith(sum.day) === true) written.count += countIn(sum)
  }

  /** Takes what waits for this, of today and of yesterday. */
  takeSame(counted: Counted, now: number): Sum[] {
    const days = [now, now - DAY_MS].map((time) => new Date(time).toISOString().slice(0, 10))
    return days.flatMap((day) => {
      const name = nameDay(counted, day)
      const waiting = this.#waiting.get(name)
      this.#waiting.delete(name)
      return waiting === undefined ? [] : [waiting.sum]
    })
  }

  takeAll(): Sum[] {
    return this.#take(() => true)
  }

  /** Takes what waits since then or longer. */
  takeSince(time: number): Sum[] {
    return this.#take(({ since }) => since <= time)
  }

  /** Takes each sum of which at least as much waits as is written of its day. */
  takeHalves(): Sum[] {
    return this.#take(({ sum }) => {
      const written = this.#written.get(nameDay(sum))
      return written?.hour.startsWith(sum.day) !== true || countIn(sum) >= written.count
    })
  }

  #take(isTaken: (waiting: Waiting) => boolean): Sum[] {
    const taken = this.#waiting.values().filter(isTaken)
    for (const { sum } of taken) this.#waiting.delete(nameDay(sum, sum.day))
    return taken.map(({ sum }) => sum)
  }
}

/** The name of a sum on a day, or on all days. */
function nameDay(counted: Counted, day = ''): string {
  return day + counted.userIdentity + nameSum(counted)
}

function addHours(some: Hours, others: Hours): Hours {
  const hours = { ...some }
  for (const [name, hour] of Object.entries(others)) hours[name] = addHour(hour, hours[name])
  return hours
}

function addHour([count, errors, first, last]: Hour, other: Hour | undefined): Hour {
  if (other === undefined) return [count, errors, first, last]
  return [
    count + other[0],
    errors + other[1],
    first < other[2] ? first : other[2],
    last > other[3] ? last : other[3],
  ]
}

function countIn({ hours }: Sum): number {
  return Object.values(hours).reduce((total, [count]) => total + count, 0)
}
