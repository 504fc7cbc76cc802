/** Reads keys for an export, and notes each before it is written. */

import { COLUMNS, type KeyRow } from './api-keys.ts'
import type { Statement } from './d1.ts'
import type { WrittenEvent } from './events.ts'
import { noteAndReturn } from './noted-events.ts'

/** A row, and whether somebody noted that its key is gone. */
export interface ExportedRow extends KeyRow {
  /** 1 if it has a tombstone. */
  isGone: 0 | 1
}

const HAS_TOMBSTONE = `EXISTS (
  SELECT 1 FROM gone_keys
  WHERE cause IN ('', 'request', 'expiry', 'operator', 'restore') AND identity = api_keys.identity
)`

/** All keys of the next users that have some, at most `limit` users. */
export function selectKeysAfter(userId: string, limit: number): Statement<ExportedRow> {
  return {
    sql: `SELECT ${COLUMNS}, ${HAS_TOMBSTONE} AS isGone FROM api_keys
          WHERE user_id IN (
            SELECT DISTINCT user_id FROM api_keys WHERE user_id > ?1 ORDER BY user_id LIMIT ?2
          )
          ORDER BY user_id, provider`,
    values: [userId, limit],
  }
}

/** Notes that keys are exported, and returns the events. A key that was replaced or deleted since it was read has none. */
export function noteExported(
  keys: readonly Pick<KeyRow, 'userId' | 'provider' | 'identity'>[],
): Statement<WrittenEvent> {
  const rows = keys.map(({ userId, provider, identity }) => [userId, provider, identity])
  const slots = {
    sql: `SELECT user_id, provider FROM json_each(?1) CROSS JOIN api_keys
            ON user_id = value ->> 0 AND provider = value ->> 1 AND identity = value ->> 2`,
    values: [JSON.stringify(rows)],
  }
  return noteAndReturn({ event: 'exported', by: 'operator' }, slots)
}
