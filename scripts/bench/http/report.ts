/** Summarizes rounds: medians, and the vault's ratio to each other Worker, pair by pair. */

import type { Row } from '../http.ts'
import { CONNECTIONS, GENERATOR } from './load.ts'

/** The figures of a Worker on a route. CPU is in µs per request, times are in ms. */
export interface Figures {
  route: string
  worker: string
  per_second: number
  p50: number
  p99: number
  cpu: number
  /** The vault's throughput divided by this Worker's: median, least and most of the pairs. Null for the vault. */
  ratio: { median: number; min: number; max: number } | null
  /** How much more CPU the vault takes than this Worker: the median of the pairs. */
  more_cpu: number | null
}

export function summarize(rows: readonly Row[]): Figures[] {
  return rows.map((row) => {
    const vault = rows.findLast(({ route }) => route === row.route) ?? row
    const pairs = row.rounds.map((own, index) => ({ own, vault: vault.rounds[index] ?? own }))
    const ratios = pairs.map((pair) => pair.vault.perSecond / pair.own.perSecond)
    const isVault = row === vault
    return {
      route: row.route,
      worker: row.worker,
      per_second: round(median(row.rounds.map(({ perSecond }) => perSecond)), 0),
      p50: round(median(row.rounds.map(({ p50 }) => p50)), 2),
      p99: round(median(row.rounds.map(({ p99 }) => p99)), 2),
      cpu: round(median(row.rounds.map(({ cpu }) => cpu)), 0),
      ratio: isVault
        ? null
        : {
            median: round(median(ratios), 2),
            min: round(Math.min(...ratios), 2),
            max: round(Math.max(...ratios), 2),
          },
      more_cpu: isVault
        ? null
        : round(median(pairs.map((pair) => pair.vault.cpu - pair.own.cpu)), 0),
    }
  })
}

/** Prints a table of the figures, and how they were measured. */
export function printFigures(figures: readonly Figures[]): void {
  console.table(
    figures.map(({ per_second, ratio, more_cpu, cpu, ...names }) => ({
      ...names,
      'requests/s': per_second,
      'CPU µs': cpu,
      'vault ÷ this': ratio === null ? '' : `${ratio.median} (${ratio.min} to ${ratio.max})`,
      'vault − this, CPU µs': more_cpu ?? '',
    })),
  )
  console.log(
    `${CONNECTIONS} connections by ${GENERATOR}. The rate limiter is a stub in the vault; its peers have none.`,
  )
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits))
}
