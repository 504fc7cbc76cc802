/** What the owner of a key allows: whether it is paused, who may use it, and how often. */

import { VaultError } from '../errors.ts'
import type { KeyRow, Period } from '../store/api-keys.ts'
import type { KeptLimits, Maximum } from '../store/limits.ts'
import type { CountedUse, PickedRow } from '../store/uses.ts'

/** The limits of a key. */
export interface Limits {
  /** ISO 8601 in UTC; null if the key is not paused. */
  pausedAt: string | null
  /** The callers that may use it, as `binding:NAME` or `relay:NAME`; null for all that the operator allows. */
  callers: readonly string[] | null
  /** How often it may be used in a day or a month in UTC, and how often it was; null for no limit. */
  maxUses: (Maximum & { used: number }) | null
  /** How often each member of the team may use it; null for no limit. */
  maxUsesPerMember: Maximum | null
}

/** Whether a key's time has passed. `expiresAt` is ISO 8601 in UTC, or null for never. */
export function isExpired(expiresAt: string | null, now = Date.now()): boolean {
  return expiresAt !== null && Date.parse(expiresAt) <= now
}

export function readLimits({
  pausedAt,
  callers,
  maxUses,
  maxUsesPer,
  uses,
  usesIn,
  maxUsesPerMember: count,
  maxUsesPerMemberPer: per,
}: KeyRow): Limits {
  const period = maxUsesPer && periodsOf(new Date().toISOString())[maxUsesPer]
  const used = period !== null && usesIn !== null && usesIn >= period ? uses : 0
  return {
    pausedAt,
    callers: callers === null ? null : JSON.parse(callers),
    maxUses:
      maxUses === null || maxUsesPer === null ? null : { count: maxUses, per: maxUsesPer, used },
    maxUsesPerMember: count === null || per === null ? null : { count, per },
  }
}

/** A use of `caller` at `now`. */
export function usedNow(caller: string | null, now = new Date()): CountedUse {
  const time = now.toISOString()
  return { caller, now: time, periods: periodsOf(time) }
}

function periodsOf(time: string): Record<Period, string> {
  return { day: time.slice(0, 10), month: time.slice(0, 7) }
}

/** Refuses to send a key to its provider for a check. @throws VaultError `api_key_paused`, `api_key_expired` */
export function requireUsable({ pausedAt, expiresAt }: KeyRow, now = Date.now()): void {
  if (pausedAt !== null) throw new VaultError('api_key_paused')
  if (isExpired(expiresAt, now)) throw new VaultError('api_key_expired')
}

/**
 * Throws unless the owner allows this use, apart from a maximum.
 *
 * @throws VaultError `api_key_paused`, `caller_not_allowed`, `api_key_expired`
 */
export function requireAllowed(row: KeyRow, { caller, now }: CountedUse): void {
  const { pausedAt, callers } = readLimits(row)
  if (pausedAt !== null) throw new VaultError('api_key_paused')
  if (callers !== null && (caller === null || !callers.includes(caller))) {
    throw new VaultError('caller_not_allowed')
  }
  if (isExpired(row.expiresAt, Date.parse(now))) throw new VaultError('api_key_expired')
}

/** The refusal of a use, if nothing but a maximum forbids it. */
export function overMaximum(row: PickedRow, { now }: CountedUse): VaultError {
  const { maxUsesPer, maxUsesPerMemberPer, isMemberOver } = row
  const per = isMemberOver === 1 ? maxUsesPerMemberPer : maxUsesPer
  return limitReached(per ?? 'month', new Date(now))
}

/** Says when the next period begins. */
function limitReached(per: Period, now: Date): VaultError {
  const [year, month, day] = [now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate()]
  const next = per === 'day' ? Date.UTC(year, month, day + 1) : Date.UTC(year, month + 1)
  const detail = `The key can be used again from ${new Date(next).toISOString()}.`
  const retryAfter = Math.ceil((next - now.getTime()) / 1_000)
  return new VaultError('limit_reached', { detail, retryAfter })
}

/**
 * The limits of `kept` when it takes the place of `gone`: the stricter ones. An expiry that has passed goes with its key.
 */
export function keepLimits(kept: KeyRow, gone: KeyRow, now = Date.now()): KeptLimits {
  const expiry = isExpired(gone.expiresAt, now) ? null : gone.expiresAt
  return {
    pausedAt: kept.pausedAt ?? gone.pausedAt,
    callers: keepCallers(kept.callers, gone.callers),
    expiresAt: earlierOf(kept.expiresAt, expiry),
    ...keepMaximum(kept, gone),
  }
}

/** The stricter limits of two keys that both stay; null if both have the same. */
export function shareLimits(used: KeyRow, other: KeyRow): KeptLimits | null {
  const expiresAt = earlierOf(used.expiresAt, other.expiresAt)
  const limits = { ...keepLimits(used, other), expiresAt }
  return [used, other].every((row) => LIMITS.every((name) => row[name] === limits[name]))
    ? null
    : limits
}

const LIMITS = ['pausedAt', 'callers', 'expiresAt', 'maxUses', 'maxUsesPer'] as const

function earlierOf(...times: readonly (string | null)[]): string | null {
  return times.filter((time) => time !== null).toSorted()[0] ?? null
}

function keepCallers(kept: string | null, gone: string | null): string | null {
  if (kept === null || gone === null) return kept ?? gone
  const allowed = new Set<unknown>(JSON.parse(gone))
  const both: unknown[] = JSON.parse(kept)
  return JSON.stringify(both.filter((caller) => allowed.has(caller)))
}

type KeptMaximum = Pick<KeptLimits, 'maxUses' | 'maxUsesPer' | 'uses' | 'usesIn'>

/** The lower maximum of both, in the longer period, with the uses of both. */
function keepMaximum(kept: KeyRow, gone: KeyRow): KeptMaximum {
  const limited = [kept, gone].filter(({ maxUses }) => maxUses !== null)
  const [first = kept, second = first] = limited
  if (first === second) return pickMaximum(first)
  const maxUses = Math.min(first.maxUses ?? 0, second.maxUses ?? 0)
  const isDaily = first.maxUsesPer === 'day' && second.maxUsesPer === 'day'
  const [maxUsesPer, length] = isDaily ? (['day', 10] as const) : (['month', 7] as const)
  const periods = limited.map(({ usesIn }) => usesIn?.slice(0, length) ?? '')
  const usesIn = periods.toSorted().at(-1) || null
  const uses = limited.reduce(
    (sum, row, index) => (periods[index] === usesIn ? sum + row.uses : sum),
    0,
  )
  return { maxUses, maxUsesPer, uses, usesIn }
}

function pickMaximum({ maxUses, maxUsesPer, uses, usesIn }: KeyRow): KeptMaximum {
  return { maxUses, maxUsesPer, uses, usesIn }
}
