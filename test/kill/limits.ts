/** The limits that the clients of the kill test set with a PATCH. */

import type { SlotFields } from '../../src/shared/answers.ts'

/** The limits of a key, by their names in the body of a PATCH. */
export interface KeyLimits {
  paused: boolean
  max_uses: { count: number; per: 'day' | 'month' } | null
  expires_at: string | null
}

export const NO_LIMITS: KeyLimits = { paused: false, max_uses: null, expires_at: null }

/** No use reaches such a maximum, and no key expires while the test runs. */
const MIN_USES = 1_000_000
const FIRST_EXPIRY = Date.UTC(2100, 0)

/** The PATCH with a number from 0 to 1: it changes one limit. A maximum or an expiry hardly comes twice. */
export function patchOf(number: number, { paused }: KeyLimits): Partial<KeyLimits> {
  const kind = Math.floor(number * 5)
  const rest = Math.floor((number * 5 - kind) * 2 ** 29)
  const per = rest % 2 === 0 ? 'day' : 'month'
  const limits = [
    { max_uses: null },
    { max_uses: { count: MIN_USES + rest, per } },
    { expires_at: null },
    { expires_at: new Date(FIRST_EXPIRY + rest).toISOString() },
  ] as const
  return limits[kind] ?? { paused: !paused }
}

/** The event of a PATCH. */
export function eventOf({ paused }: Partial<KeyLimits>): string {
  if (paused === undefined) return 'limits_changed'
  return paused ? 'paused' : 'resumed'
}

/** The limits that the vault shows of a key. */
export function readLimits(
  slot: Pick<SlotFields, 'paused_at' | 'max_uses' | 'expires_at'>,
): KeyLimits {
  const { paused_at: pausedAt, max_uses: maxUses, expires_at: expiresAt = null } = slot
  return {
    paused: pausedAt !== undefined,
    max_uses: maxUses === undefined ? null : { count: maxUses.count, per: maxUses.per },
    expires_at: expiresAt,
  }
}
