/** What the owner of a key allows: whether it is paused, who may use it, and how often. */

import { VaultError } from '../errors.ts'
import type { KeyRow, Period } from '../store/api-keys.ts'
import type { CountedUse } from '../store/limits.ts'

/** The limits of a key. */
export interface Limits {
  /** ISO 8601 in UTC; null if the key is not paused. */
  pausedAt: string | null
  /** The names of the callers that may use it; null for all that the operator allows. */
  callers: readonly string[] | null
  /** How often it may be used in a day or a month in UTC, and how often it was; null for no limit. */
  maxUses: { count: number; per: Period; used: number } | null
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
}: KeyRow): Limits {
  const period = maxUsesPer && periodsAt(new Date())[maxUsesPer]
  const used = period !== null && usesIn !== null && usesIn >= period ? uses : 0
  return {
    pausedAt,
    callers: callers === null ? null : JSON.parse(callers),
    maxUses:
      maxUses === null || maxUsesPer === null ? null : { count: maxUses, per: maxUsesPer, used },
  }
}

/** A use of `caller` at `now`, for `countUse`. */
export function usedNow(caller: string | null, now = new Date()): CountedUse {
  return { caller, now: now.toISOString(), periods: periodsAt(now) }
}

function periodsAt(now: Date): Record<Period, string> {
  const time = now.toISOString()
  return { day: time.slice(0, 10), month: time.slice(0, 7) }
}

/**
 * Refuses a use that the owner does not allow. If uses of the key are limited, it must have been counted.
 *
 * @throws VaultError `api_key_paused`, `caller_not_allowed`, `api_key_expired`, `limit_reached`
 */
export function requireAllowed(row: KeyRow, { caller, now }: CountedUse, isCounted: boolean): void {
  const { pausedAt, callers, maxUses } = readLimits(row)
  if (pausedAt !== null) throw new VaultError('api_key_paused')
  if (callers !== null && (caller === null || !callers.includes(caller))) {
    throw new VaultError('caller_not_allowed')
  }
  if (isExpired(row.expiresAt, Date.parse(now))) throw new VaultError('api_key_expired')
  if (maxUses !== null && !isCounted) throw limitReached(maxUses.per, new Date(now))
}

/** Says when the next period begins. */
function limitReached(per: Period, now: Date): VaultError {
  const [year, month, day] = [now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate()]
  const next = per === 'day' ? Date.UTC(year, month, day + 1) : Date.UTC(year, month + 1)
  const detail = `The key can be used again from ${new Date(next).toISOString()}.`
  const retryAfter = Math.ceil((next - now.getTime()) / 1_000)
  return new VaultError('limit_reached', { detail, retryAfter })
}
