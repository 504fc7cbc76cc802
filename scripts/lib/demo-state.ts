/** Statements that bring a made-up key into the state that only time and providers bring about. */

import type { Statement } from '../../src/store/d1.ts'
import { nameSum, type Hours } from '../../src/store/noted-events.ts'
import type { DemoChange, DemoKey, DemoUses } from './demo-keys.ts'

const DAY_MS = 24 * 60 * 60 * 1_000
const MINUTE_MS = 60 * 1_000

/** Sets the state of a key that has just been saved, and has the trail tell its history. */
export function bringAbout(userId: string, key: DemoKey): Statement[] {
  const { slot, history } = key
  if (history === undefined) return [setState(userId, key)]
  const forget = 'DELETE FROM api_key_events WHERE user_id = ?1 AND provider = ?2'
  const events = history.map((told, index) => {
    // A minute apart, in order, and none in the future.
    const at = inDays(-told.daysAgo, (index - history.length) * MINUTE_MS)
    const row = 'count' in told ? describeUses(slot, told, at) : describeChange(told, at)
    return insertEvent([userId, slot, at, told.event, ...row])
  })
  return [setState(userId, key), { sql: forget, values: [userId, slot] }, ...events]
}

function setState(userId: string, key: DemoKey): Statement {
  const { slot, status = 'unverified', expiresIn = 0, uses = 0 } = key
  const { savedDaysAgo = 0, usedDaysAgo, exhaustedDaysAgo } = key
  const before = (days?: number) => (days === undefined ? null : inDays(-days))
  const expiredAt = expiresIn < 0 ? inDays(expiresIn) : null
  return {
    sql: `UPDATE api_keys SET status = ?3, updated_at = ?4, last_used_at = ?5, exhausted_at = ?6,
            expires_at = coalesce(?7, expires_at), expiry_noted = ?7 IS NOT NULL, uses = ?8,
            uses_in = substr(?9, 1, CASE max_uses_per WHEN 'day' THEN 10 ELSE 7 END)
          WHERE user_id = ?1 AND provider = ?2`,
    values: [
      userId,
      slot,
      status,
      before(savedDaysAgo),
      before(usedDaysAgo),
      before(exhaustedDaysAgo),
      expiredAt,
      uses,
      inDays(0),
    ],
  }
}

type Row = [
  id: string,
  actor: string,
  caller: string | null,
  verdict: string | null,
  reason: string | null,
  hours: string | null,
]

function describeChange(change: DemoChange, at: string): Row {
  const { event, by = 'owner', caller = null, verdict = null, reason = null } = change
  return [`${at}.${event}`, by, caller, verdict, reason, null]
}

function describeUses(provider: string, { event, caller, count }: DemoUses, at: string): Row {
  const counted = {
    userId: '',
    userIdentity: '',
    provider,
    event,
    caller,
    member: null,
    code: null,
  }
  const [hour, minute] = [at.slice(11, 13), at.slice(14, -1)]
  const hours: Hours = { [hour]: [count, 0, minute, minute] }
  return [nameSum(counted), 'caller', caller, null, null, JSON.stringify(hours)]
}

function insertEvent(
  values: [userId: string, slot: string, at: string, event: string, ...row: Row],
): Statement {
  return {
    sql: `INSERT INTO api_key_events
            (day, user_id, provider, event, id, actor, caller, verdict, reason, hours)
          VALUES (substr(?3, 1, 10), ?1, ?2, ?4, ?5, ?6, ?7, ?8, ?9, ?10)`,
    values,
  }
}

/** The time so many days from now. */
export function inDays(days: number, ms = 0): string {
  return new Date(Date.now() + days * DAY_MS + ms).toISOString()
}
