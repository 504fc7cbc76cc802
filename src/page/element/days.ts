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

/** The time in `days` days, as the service reads it. */
export function timeIn(days: number): string {
  return new Date(Date.now() + days * DAY_MS).toISOString()
}

/** When the current day or month in UTC ends. */
export function endOf(period: Period): string {
  const end = new Date()
  end.setUTCHours(24, 0, 0, 0)
  if (period === 'month' && end.getUTCDate() > 1) end.setUTCMonth(end.getUTCMonth() + 1, 1)
  return end.toISOString()
}
