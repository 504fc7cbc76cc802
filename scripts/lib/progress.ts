/** Shows the progress of a long command: a bar on a terminal, and nothing elsewhere. */

import cliProgress from 'cli-progress'

const { Format, Presets, SingleBar } = cliProgress
const STYLE = { ...Presets.shades_grey, barsize: 30 }

/** The speed and the remaining time, if the caller knows them. */
export interface Pace {
  rows_per_second: number
  seconds_left: number | null
}

/** A bar that shows how many of all rows are done. */
export interface Bar {
  move: (done: number, total: number, pace?: Pace) => void
  stop: () => void
}

/** A bar on standard error. It appears at its first move, and measures the speed if the caller gives none. */
export function startBar(title: string): Bar {
  const format = `${title}  {bar} {percentage} %  {value} of {total}  {rate} a second  {left} left`
  const bar = new SingleBar({ ...STYLE, format, formatValue, hideCursor: true })
  const startedAt = performance.now()
  return {
    move: (done, total, pace = paceOf(done, total, performance.now() - startedAt)) => {
      const rate = formatCount(pace.rows_per_second)
      const left = formatSeconds(pace.seconds_left)
      if (bar.isActive) bar.update(done, { rate, left })
      else bar.start(total, done, { rate, left })
    },
    stop: () => bar.stop(),
  }
}

/** The same without a bar, for work whose end is not known. `note` says what it waits for. */
export function startCounter(title: string): Pick<Bar, 'stop'> & {
  move: (done: number, note?: string) => void
} {
  const format = `${title}  {value}  {rate} a second  {note}`
  const bar = new SingleBar({ ...STYLE, format, formatValue, hideCursor: true })
  const startedAt = performance.now()
  return {
    move: (done, note = '') => {
      const rate = formatCount(paceOf(done, done, performance.now() - startedAt).rows_per_second)
      if (bar.isActive) bar.update(done, { rate, note })
      else bar.start(done, done, { rate, note })
    },
    stop: () => bar.stop(),
  }
}

function formatValue(value: number, _options: unknown, type: string): string {
  return type === 'percentage' ? String(value) : formatCount(value)
}

function paceOf(done: number, total: number, elapsedMs: number): Pace {
  const rate = done / (elapsedMs / 1000)
  return { rows_per_second: rate, seconds_left: rate > 0 ? Math.ceil((total - done) / rate) : null }
}

/** Returns only the bar, as text. */
export function drawBar(done: number, total: number): string {
  const part = total > 0 ? Math.min(1, done / total) : 0
  const bar = Format.BarFormat(part, {
    ...STYLE,
    barGlue: '',
    barCompleteString: '█'.repeat(STYLE.barsize),
    barIncompleteString: '░'.repeat(STYLE.barsize),
  })
  return `${bar} ${Math.floor(part * 100)} %`
}

/** Counts with their names, one a line. */
export function describeCounts(
  counts: readonly (readonly [name: string, count: number])[],
): string[] {
  return counts.map(([name, count]) => `${name.padEnd(14)}${formatCount(count).padStart(12)}`)
}

/** 1234567 as `1,234,567`. */
export function formatCount(count: number): string {
  return Math.round(count).toLocaleString('en')
}

/** Seconds as `1 h 5 min`, rounded to what matters; `?` if they are not known. */
export function formatSeconds(seconds: number | null): string {
  if (seconds === null) return '?'
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60]
  if (hours > 0) return `${hours} h ${minutes} min`
  return minutes > 0 ? `${minutes} min ${seconds % 60} s` : `${seconds} s`
}
