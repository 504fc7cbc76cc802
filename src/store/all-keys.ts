/** Reads the keys of all owners: by kid, or owner by owner, in the order of their identities, which no change of a key changes. */

import type { Slot } from '../crypto/seal.ts'
import { DEFAULT_SLOT } from '../shared/slot.ts'
import { teamOwner } from '../shared/owner.ts'
import { PROVIDER, SEALED_COLUMNS, type KeyRow, type SealedRow } from './api-keys.ts'
import { NOW, type Statement } from './d1.ts'

/** A table `kids` of the stored kids, in SQL. Its last row is null. An index begins with the kid, so each takes a few reads. */
export const KIDS = `WITH RECURSIVE kids (kid) AS (
    SELECT min(key_id) FROM api_keys
    UNION ALL
    SELECT (SELECT min(key_id) FROM api_keys WHERE key_id > kid) FROM kids WHERE kid IS NOT NULL
  )`

/** Every stored kid, sorted. It fails if the table of users is missing. */
export function selectKids(): Statement<{ kid: string }> {
  return {
    sql: `${KIDS} SELECT kid, EXISTS (SELECT 1 FROM users) FROM kids WHERE kid IS NOT NULL`,
    values: [],
  }
}

/** The rows under a kid. */
export interface UnderKid {
  /** At most the limit of {@link countUnder}. */
  rows: number
  /** When the latest of them was saved; null if there are none. An imported time in the future does not count. */
  latest: string | null
}

/** Counts the rows under the kid, at most `limit`. */
export function countUnder(kid: string, limit: number): Statement<UnderKid> {
  return {
    sql: `SELECT count(*) AS rows, max(updated_at) FILTER (WHERE updated_at <= ${NOW}) AS latest
          FROM (
            SELECT updated_at FROM api_keys WHERE key_id = ?1 LIMIT ?2
          )`,
    values: [kid, limit],
  }
}

/** A few rows under the kid. */
export function selectUnder(kid: string): Statement<SealedRow> {
  return { sql: `SELECT ${SEALED_COLUMNS} FROM api_keys WHERE key_id = ?1 LIMIT 3`, values: [kid] }
}

/** The slots of the rows under one of `kids`, at most `limit`. */
export function selectSlotsUnder(
  kids: readonly string[],
  limit: number,
): Statement<Slot & { kid: string }> {
  return {
    sql: `SELECT user_id AS userId, provider, key_id AS kid FROM api_keys
          WHERE key_id IN (SELECT value FROM json_each(?1)) LIMIT ?2`,
    values: [JSON.stringify(kids), limit],
  }
}

/** The last row read so far. A key that is renamed or moved meanwhile keeps its place: its identity stays. */
export type Cursor = Pick<KeyRow, 'userId' | 'identity'>

/** The position before the first row. */
export const START: Cursor = { userId: '', identity: '' }

const FROM_NEXT = `FROM api_keys
  WHERE (user_id, identity) > (?1, ?2) ORDER BY user_id, identity LIMIT ?3`

/** A row, and whether it has to move to a slot that has a key already. */
export interface ScannedRow extends SealedRow, Cursor {
  /** 1 if it is a key of the plain route, and its user has one in the slot `target` too. */
  meets: 0 | 1
}

/** Reads the next rows, at most `limit`. The plain route's keys move to the slot `target`, if there is one. */
export function selectRowsAfter(
  { userId, identity }: Cursor,
  limit: number,
  target: string | null = null,
): Statement<ScannedRow> {
  const other = 'other.user_id = api_keys.user_id AND other.provider = ?4'
  const meets = `provider = '${DEFAULT_SLOT}' AND EXISTS (SELECT 1 FROM api_keys AS other WHERE ${other})`
  return {
    sql: `SELECT ${SEALED_COLUMNS}, identity, ${meets} AS meets ${FROM_NEXT}`,
    values: [userId, identity, limit, target],
  }
}

/** The most rows that one statement counts: counting them surely takes less than D1's 30 s. */
export const COUNTED_ROWS = 250_000

/** How many rows are stored under one kid, in one form. */
export interface KidCount {
  kid: string
  version: 'v1' | 'fernet' | 'unknown'
  rows: number
  /** When the latest of them was saved; null if all times are in the future. */
  latest: string | null
}

/** Counts the next rows, at most `limit`, by kid and form. */
export function countRowsAfter({ userId, identity }: Cursor, limit: number): Statement<KidCount> {
  return {
    sql: `SELECT kid, CASE
              WHEN substr(sealed, 1, 3) = 'v1.' THEN 'v1'
              WHEN substr(sealed, 1, 5) = 'gAAAA' THEN 'fernet'
              ELSE 'unknown'
            END AS version, count(*) AS rows, max(updated_at) FILTER (WHERE updated_at <= ${NOW}) AS latest
          FROM (SELECT ${SEALED_COLUMNS}, updated_at ${FROM_NEXT}) GROUP BY 1, 2`,
    values: [userId, identity, limit],
  }
}

/** What is known about the keys of one provider, whatever their labels. A key may count in several columns. */
export interface ProviderCount {
  provider: string
  rows: number
  ofTeams: number
  active: number
  unverified: number
  rejected: number
  outOfCredit: number
  expired: number
  paused: number
  unused: number
}

/** What a key is compared with. Times are ISO 8601 in UTC. */
export interface CountedAt {
  now: string
  /** A key that was neither saved nor used from then on counts as unused. */
  unusedSince: string
}

/** Counts the next rows, at most `limit`, by provider. */
export function countByProviderAfter(
  { userId, identity }: Cursor,
  limit: number,
  { now, unusedSince }: CountedAt,
): Statement<ProviderCount> {
  const columns = 'user_id, status, exhausted_at, expires_at, paused_at, updated_at, last_used_at'
  return {
    sql: `SELECT ${PROVIDER} AS provider, count(*) AS rows,
            count(*) FILTER (WHERE user_id GLOB '${teamOwner('*')}') AS ofTeams,
            count(*) FILTER (WHERE status = 'active') AS active,
            count(*) FILTER (WHERE status = 'unverified') AS unverified,
            count(*) FILTER (WHERE status = 'rejected') AS rejected,
            count(exhausted_at) AS outOfCredit,
            count(*) FILTER (WHERE expires_at <= ?4) AS expired,
            count(paused_at) AS paused,
            count(*) FILTER (WHERE updated_at < ?5 AND coalesce(last_used_at, '') < ?5) AS unused
          FROM (SELECT provider, ${columns} ${FROM_NEXT}) GROUP BY 1`,
    values: [userId, identity, limit, now, unusedSince],
  }
}

/** The last of the next `count` rows. It returns no row if there are fewer. */
export function selectNthRowAfter({ userId, identity }: Cursor, count: number): Statement<Cursor> {
  return {
    sql: `SELECT user_id AS userId, identity FROM api_keys
          WHERE (user_id, identity) > (?1, ?2) ORDER BY user_id, identity LIMIT 1 OFFSET ?3`,
    values: [userId, identity, count - 1],
  }
}
