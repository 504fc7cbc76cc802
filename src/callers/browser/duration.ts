/** A time span as a person reads it. */

const UNITS = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
] as const

/** `60 seconds`, `5 minutes`, `24 hours`: in the largest unit of which the span has two or more, rounded up. */
export function sayDuration(seconds: number, tag: string): string {
  const [unit, length] = UNITS.find(([, each]) => seconds >= 2 * each) ?? ['second', 1]
  const count = Math.ceil(seconds / length)
  return count.toLocaleString(tag, { style: 'unit', unit, unitDisplay: 'long' })
}
