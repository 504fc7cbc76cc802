/** Times, in days from now. */

const DAY_MS = 24 * 60 * 60 * 1_000

/** In which uses are counted, in UTC. */
export type Period = 'day' | 'month'

/** The days from now until `time`; negative if it has passed. */
export function daysUntil(time: string): number {
  return (Date.parse(time) - Date.now()) / DAY_MS
}

/** The midnights from now until `time`, in the reader's time zone: 0 if it is today. */
export function midnightsUntil(time: string): number {
  const span = new Date(time).setHours(0, 0, 0, 0) - new Date().setHours(0, 0, 0, 0)
  return Math.round(span / DAY_MS) // A day may have 23 or 25 hours.
}

/** The same time of day so much later by the reader's calendar, as the service reads it. */
export function timeIn({ days = 0, years = 0 }: { days?: number; years?: number }): string {
  const time = new Date()
  time.setFullYear(time.getFullYear() + years, time.getMonth(), time.getDate() + days)
  return time.toISOString()
}

/** The time of something that has happened. The clock of this device may be behind. */
export function pastTime(time: string): string {
  return daysUntil(time) > 0 ? new Date().toISOString() : time
}

/** When the current day or month in UTC ends. */
export function endOf(period: Period): string {
  const end = new Date()
  end.setUTCHours(24, 0, 0, 0)
  if (period === 'month' && end.getUTCDate() > 1) end.setUTCMonth(end.getUTCMonth() + 1, 1)
  return end.toISOString()
}
