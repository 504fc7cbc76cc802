/** Counts the stored keys of each provider by their state. It opens no key, and names no user. */

import { countByProviderAfter, type ProviderCount } from '../../src/store/all-keys.ts'
import { countInPages, type Pages } from './counted-pages.ts'
import { formatCount } from './progress.ts'
import { layOut } from './table.ts'

const COLUMNS = [
  'keys',
  'of_teams',
  'active',
  'unverified',
  'rejected',
  'out_of_credit',
  'expired',
  'paused',
  'unused',
] as const

/** How many keys there are, and how many of them are in each state. */
export type KeyCounts = Record<(typeof COLUMNS)[number], number>

/** The report, as `--json` prints it. Times are ISO 8601 in UTC. */
export interface KeyReport {
  as_of: string
  unused_days: number
  /** A key that was neither saved nor used from then on is unused. */
  unused_since: string
  /** The provider with the most keys first. */
  providers: (KeyCounts & { provider: string })[]
  total: KeyCounts
}

const DAY_MS = 24 * 60 * 60 * 1000

/** @returns the value of `--days`. @throws Error if it is not a number of days */
export function parseDays(text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new Error('--days must be a whole number from 1 to 9999')
  return Number(text)
}

/** Counts all keys as they are at `now`. A key that was neither saved nor used for `days` days is unused. */
export async function readReport(
  db: D1Database,
  { now, days, ...pages }: Pages & { now: Date; days: number },
): Promise<KeyReport> {
  const as_of = now.toISOString()
  const unused_since = new Date(now.getTime() - days * DAY_MS).toISOString()
  const at = { now: as_of, unusedSince: unused_since }
  const counts = await countInPages(
    db,
    (after, limit) => countByProviderAfter(after, limit, at),
    pages,
  )
  const providers = Array.from(
    Map.groupBy(counts, ({ provider }) => provider),
    ([provider, ofProvider]) => ({ provider, ...sumUp(ofProvider.map(toKeyCounts)) }),
  ).toSorted((one, other) => other.keys - one.keys || (one.provider < other.provider ? -1 : 1))
  return { as_of, unused_days: days, unused_since, providers, total: sumUp(providers) }
}

function toKeyCounts({ rows, ofTeams, outOfCredit, ...counts }: ProviderCount): KeyCounts {
  return { keys: rows, of_teams: ofTeams, out_of_credit: outOfCredit, ...counts }
}

function sumUp(all: readonly KeyCounts[]): KeyCounts {
  const none = { keys: 0, of_teams: 0, active: 0, unverified: 0, rejected: 0, out_of_credit: 0 }
  const sum: KeyCounts = { ...none, expired: 0, paused: 0, unused: 0 }
  for (const counts of all) for (const name of COLUMNS) sum[name] += counts[name]
  return sum
}

/** The report in words, for a terminal. */
export function describeReport(report: KeyReport): string {
  const { as_of, unused_days, unused_since, providers, total } = report
  const rows = [
    ['provider', ...COLUMNS.map((name) => name.replaceAll('_', ' '))],
    ...providers.map((counts) => toCells(counts.provider, counts)),
    toCells('total', total),
  ]
  const days = unused_days === 1 ? '1 day' : `${formatCount(unused_days)} days`
  const meanings = [
    ['of teams', 'its owner is a team. The other keys are of users'],
    ['out of credit', 'its provider said so, and the key has not worked since'],
    ['expired', 'its time has passed, so nobody can use it'],
    ['paused', 'nobody can use it until it is resumed'],
    ['unused', `neither saved nor used since ${unused_since}, for ${days}`],
  ]
  return `Stored keys at ${as_of}
${layOut(rows)}

A key is active, unverified or rejected: what its provider last said of it. These columns add up to the keys.
The other columns count the same keys again. A key may be in several of them.
${layOut(meanings)}`
}

function toCells(name: string, counts: KeyCounts): string[] {
  return [name, ...COLUMNS.map((column) => formatCount(counts[column]))]
}
