/** The table `users`: the owners, who may have keys. */

import { teamOwner, type OwnerParts } from '../shared/owner.ts'
import { deleteUsers, IS_LATE, type Burial, type Cause, type Selection } from './gone-keys.ts'
import type { Statement } from './d1.ts'
import { deleteEventsOf } from './events.ts'
import { releasePass } from './rewrap.ts'

/**
 * Adds the user. One that exists stays as it is, but gets another identity while the heartbeat is late: the database may
 * have been restored, and the job then deletes a user who was removed. The previous identity gets no tombstone, because
 * a user who was not removed has it in each backup.
 */
export function insertUser(userId: string): Statement {
  return {
    sql: `INSERT INTO users (id) VALUES (?1)
          ON CONFLICT (id) DO UPDATE SET identity = excluded.identity WHERE ${IS_LATE}`,
    values: [userId],
    changes: userId,
  }
}

/** Deletes the users with these ids, with all that names them. It returns each user. */
export function removeUsers(
  ids: Selection,
  cause: Cause,
): [events: Statement, pass: Statement, ...users: Burial<{ userId: string }>] {
  return [deleteEventsOf(ids), releasePass(ids), ...deleteUsers(ids, cause)]
}

/** A user who may have keys. */
export interface User {
  id: string
  createdAt: string
}

/** Returns one row if the user exists. */
export function selectUser(userId: string): Statement<User> {
  return { sql: 'SELECT id, created_at AS createdAt FROM users WHERE id = ?1', values: [userId] }
}

/** A user as an operator sees it in a list. */
export interface ListedUser extends User {
  /** How many keys the user has. */
  keys: number
}

const LISTED = `SELECT id, created_at AS createdAt,
    (SELECT count(*) FROM api_keys WHERE user_id = users.id) AS keys FROM users`
/** Between them are the texts of all teams. UTF-8 has no such byte. */
const [BEFORE_TEAMS, AFTER_TEAMS] = [
  `'${teamOwner('')}'`,
  `'${teamOwner('')}' || CAST(x'FF' AS TEXT)`,
]

/** Ranges of the primary key, so that a page of users reads no team. */
const OF_KIND: Record<OwnerParts['kind'], string> = {
  user: `${LISTED} WHERE id > ?1 AND id < ${BEFORE_TEAMS}
    UNION ALL ${LISTED} WHERE id > max(?1, ${AFTER_TEAMS})`,
  team: `${LISTED} WHERE id > max(?1, ${BEFORE_TEAMS}) AND id < ${AFTER_TEAMS}`,
}

/** The first `limit` users or teams after the text `after`, by their texts. */
export function selectUsers(
  after: string,
  limit: number,
  kind: OwnerParts['kind'] = 'user',
): Statement<ListedUser> {
  return { sql: `${OF_KIND[kind]} ORDER BY id LIMIT ?2`, values: [after, limit] }
}
