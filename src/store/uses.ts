/** The statements of a use: which key it takes, and what it counts. All of them pick the same key, in one transaction. */

import { DEFAULT_SLOT } from '../shared/slot.ts'
import type { TeamOfUser } from '../shared/team.ts'
import {
  COLUMNS,
  isAlone,
  type KeyRow,
  type Period,
  type UserKeyRow,
  type UserWithoutKey,
} from './api-keys.ts'
import type { Statement } from './d1.ts'

/** Who uses a key, and when: the current day and month in UTC, such as `2026-11-25` and `2026-11`. */
export interface CountedUse {
  caller: string | null
  /** ISO 8601 in UTC, as all times here. */
  now: string
  periods: Record<Period, string>
}

/** What a use asks for. */
export interface Question {
  userId: string
  provider: string
  /** The only slot that will do; null for all slots of the provider. */
  slot: string | null
  /** Whether a key of the plain route belongs in one of the slots: see `isAlone`. */
  takesDefault: boolean
  /** Whether the user's key of the plain route counts instead of the one in the slot `provider`. */
  isPlain: boolean
  caller: string | null
  /** The providers and slots that the caller may use; null for all. */
  granted: readonly string[] | null
  team: TeamOfUser | null
  /** Whether the team's keys come before the user's own. */
  isTeamFirst: boolean
}

/** What a use asks D1. */
export interface AskedUse extends Question, CountedUse {
  /** A key that was out of credit before may have some again. */
  creditSince: string
  /** The identities of keys that are gone. */
  gone: readonly string[]
  /** Random: it tells this use from the member's others. */
  mark: string
}

/** The key that a use takes. If all are left out, it is the first of them. */
export interface PickedRow extends UserKeyRow {
  /** The user's identity, if it is a team's key and the user exists. */
  member: string | null
  /** 1 if this use of the key is not allowed at present. */
  isLeftOut: 0 | 1
  /** 1 if the token is too old for the team's key. */
  isStale: 0 | 1
  /** 1 if the member has no use of the key left. */
  isMemberOver: 0 | 1
}

/** What is known of the user and the team if a use finds no key. */
export interface PickedNothing extends UserWithoutKey {
  /** 0 if the user has not been added. */
  isUser: 0 | 1
  /** 0 if the team forbids its members' own keys. */
  ownKeys: 0 | 1
}

const periodOf = (column: string) => `CASE api_keys.${column} WHEN 'day' THEN ?4 ELSE ?5 END`
const PERIOD = periodOf('max_uses_per')
const MEMBER_PERIOD = periodOf('max_uses_per_member_per')

/** The slots of the provider: a range of the primary key. */
const OF_PROVIDER = `api_keys.provider >= ?2 AND api_keys.provider < ?2 || ';'
  AND (api_keys.provider = ?2 OR substr(api_keys.provider, length(?2) + 1, 1) = ':')`
/** The same, but with the user's key of the plain route in place of the one without a label. */
const OF_PLAIN = `(${OF_PROVIDER} AND (api_keys.user_id, api_keys.provider) <> (?1, ?2)
  OR (api_keys.user_id, api_keys.provider) = (?1, '${DEFAULT_SLOT}'))`
const ofProvider = ({ isPlain }: AskedUse) => (isPlain ? OF_PLAIN : OF_PROVIDER)
const IS_NAMED = '(?3 IS NULL OR api_keys.provider IS ?3)'
const NOT_GONE = '(?10 IS NULL OR api_keys.identity NOT IN (SELECT value FROM json_each(?10)))'

/** The clock of another isolate may already be in the next period. */
const HAS_USES = `(max_uses > 0 AND (api_keys.uses < max_uses OR coalesce(api_keys.uses_in, '') < ${PERIOD}))`
/** Whether the owner of the key, or what the caller was granted, does not allow the use. */
const IS_REFUSED = `(paused_at IS NOT NULL OR coalesce(expires_at <= ?7, FALSE)
  OR (callers IS NOT NULL AND coalesce(?6 NOT IN (SELECT value FROM json_each(callers)), TRUE))
  OR (max_uses IS NOT NULL AND NOT ${HAS_USES})
  OR (?9 IS NOT NULL AND ?2 NOT IN (SELECT value FROM json_each(?9))
    AND api_keys.provider NOT IN (SELECT value FROM json_each(?9))))`

/** When a key without credit was last used: a use that finds none again notes only its time. NULL for a key with credit. */
const TRIED_AT = "max(exhausted_at, coalesce(last_used_at, ''))"
/** Keys that may work come first, then those without credit, then rejected ones, so that each can recover. */
const CLASS = `CASE WHEN isLeftOut THEN 0 WHEN status = 'rejected' THEN 2 WHEN ${TRIED_AT} > ?8 THEN 1 ELSE 0 END`
const ORDER = `NOT ${IS_NAMED}, isLeftOut, ${CLASS}, position, api_keys.provider LIMIT 1`

/** The user's best key. */
const ofUser = (
  columns: string,
  asked: AskedUse,
) => `SELECT ${columns}, users.identity AS userIdentity, NULL AS member, 1 AS isUser, 1 AS ownKeys,
    ${IS_REFUSED} AS isLeftOut, 0 AS isStale, 0 AS isMemberOver
  FROM users LEFT JOIN api_keys ON api_keys.user_id = id AND ${ofProvider(asked)} AND ${NOT_GONE}
  WHERE id = ?1 ORDER BY ${ORDER}`

const MEMBER = '(SELECT identity FROM users WHERE id = ?1)'
/** Whether the member has no use left. The one that this transaction has just counted does not count. */
const IS_OVER = `(max_uses_per_member IS NOT NULL AND NOT (max_uses_per_member > 0 AND (
  coalesce(mine.uses_in, '') < ${MEMBER_PERIOD} OR mine.uses - (mine.mark = ?13) < max_uses_per_member)))`

/** The best key of the owner that comes first: the user or the team. The other owner counts only if the first has no key of the provider. */
const ofUserOrTeam = (asked: AskedUse) => `WITH team AS (
    SELECT coalesce(max(own_keys), 1) AS ownKeys, coalesce(max(tokens_since), '0') > ?12 AS isOld FROM users WHERE id = ?11
  )
  SELECT api_keys.*, users.identity AS userIdentity, iif(id = ?11, ${MEMBER}, NULL) AS member,
    ${MEMBER} IS NOT NULL AS isUser, ownKeys, id = ?11 AND isOld AS isStale, id = ?11 AND ${IS_OVER} AS isMemberOver,
    ${IS_REFUSED} OR (id = ?11 AND (isOld OR ${IS_OVER})) AS isLeftOut
  FROM team CROSS JOIN users
  LEFT JOIN api_keys ON api_keys.user_id = id AND ${ofProvider(asked)} AND ${NOT_GONE} AND (id = ?11 OR ownKeys)
  LEFT JOIN member_uses AS mine
    ON mine.user_id = id AND mine.provider = api_keys.provider AND mine.member = ${MEMBER}
  WHERE id IN (?1, ?11)
  ORDER BY encrypted_api_key IS NULL, (id = ?11) IS NOT (?14 AND NOT isOld), ${ORDER}`

const FLAGS = 'userIdentity, member, isUser, ownKeys, isLeftOut, isStale, isMemberOver'

/** The key that the use takes; no row if there is none. */
const taken = (asked: AskedUse) =>
  `(SELECT * FROM (${asked.team === null ? ofUser('api_keys.*', asked) : ofUserOrTeam(asked)}) AS api_keys
    WHERE NOT isLeftOut AND user_id IS NOT NULL AND ${IS_NAMED})`

function valuesOf(asked: AskedUse): Statement['values'] {
  const { userId, provider, slot, periods, caller, now, creditSince, granted, gone, team } = asked
  const own = [userId, provider, slot, periods.day, periods.month, caller, now, creditSince]
  const lists = [granted, gone.length === 0 ? null : gone].map(
    (list) => list && JSON.stringify(list),
  )
  const ofTeam =
    team === null ? [] : [team.userId, team.issuedAt, asked.mark, asked.isTeamFirst ? 1 : 0]
  return [...own, ...lists, ...ofTeam]
}

/**
 * Picks the key of a use, and counts the use if its key has a maximum. D1 runs one transaction after the other, so a maximum
 * is exact. The first use of a team's key adds the user.
 */
export function takeUse(asked: AskedUse): Statement<PickedRow | PickedNothing>[] {
  const [picked, counted] = [selectPicked(asked), countUse(asked)]
  if (asked.team === null) return [picked, counted]
  return [addMember(asked), picked, countMember(asked), counted]
}

/** What decides, in addition to the rows, how long the same key is picked. */
export interface Outlook {
  /** 1 if any of the keys that may be picked has a maximum. */
  isCounted: 0 | 1
  /** When the first of them expires; null for never. */
  expiresAt: string | null
  /** When the first of those without credit was last used; null for none. */
  triedAt: string | null
}

export function selectOutlook(asked: AskedUse): Statement<Outlook> {
  const { team } = asked
  const owners = team === null ? '?1' : '?1, ?11'
  return {
    sql: `SELECT count(max_uses) + count(max_uses_per_member) > 0 AS isCounted,
            min(iif(expires_at > ?7, expires_at, NULL)) AS expiresAt, min(iif(${TRIED_AT} > ?8, ${TRIED_AT}, NULL)) AS triedAt
          FROM api_keys WHERE user_id IN (${owners}) AND ${ofProvider(asked)}`,
    values: valuesOf(asked).slice(0, team === null ? 8 : 11),
  }
}

/** It returns no row if neither the user nor the team exists. If the named slot is empty, it may return the key of another one. */
export function selectPicked(asked: AskedUse): Statement<PickedRow | PickedNothing> {
  const { team, takesDefault } = asked
  const columns = `${COLUMNS}, ${isAlone(takesDefault)}`
  const sql =
    team === null
      ? ofUser(columns, asked)
      : `SELECT ${columns}, ${FLAGS} FROM (${ofUserOrTeam(asked)}) AS api_keys`
  return { sql, values: valuesOf(asked) }
}

function addMember(asked: AskedUse): Statement {
  return {
    sql: `INSERT INTO users (id) SELECT ?1 FROM ${taken(asked)} WHERE user_id = ?11 AND NOT isUser`,
    values: valuesOf(asked),
    changes: null,
  }
}

/** It comes before {@link countUse}, which would otherwise pick another key after the last use of this one. */
function countMember(asked: AskedUse): Statement {
  return {
    sql: `INSERT INTO member_uses (user_id, provider, member, uses_in, uses, mark)
          SELECT user_id, provider, member, ${MEMBER_PERIOD}, 1, ?13 FROM ${taken(asked)} AS api_keys
          WHERE user_id = ?11 AND max_uses_per_member > 0
          ON CONFLICT (user_id, provider, member) DO UPDATE SET
            uses = CASE WHEN uses_in >= excluded.uses_in THEN uses + 1 ELSE 1 END,
            uses_in = max(uses_in, excluded.uses_in), mark = excluded.mark`,
    values: valuesOf(asked),
  }
}

/** A key without a maximum takes one read. */
function countUse(asked: AskedUse): Statement {
  const owners = asked.team === null ? '?1' : '?1, ?11'
  return {
    sql: `UPDATE api_keys SET
            uses = CASE WHEN uses_in >= ${PERIOD} THEN uses + 1 ELSE 1 END,
            uses_in = max(coalesce(uses_in, ''), ${PERIOD})
          WHERE user_id IN (${owners}) AND ${ofProvider(asked)} AND CASE WHEN max_uses > 0
            THEN (user_id, api_keys.provider) = (SELECT user_id, provider FROM ${taken(asked)}) END`,
    values: valuesOf(asked),
    // A key with a maximum is never at hand.
    changes: null,
  }
}

/** Gives back a use of the key in `row`, wherever it has moved, that was counted in these periods and did not happen. */
export function giveUseBack(
  { userId, identity, maxUsesPer, maxUsesPerMemberPer, member }: PickedRow,
  periods: CountedUse['periods'],
): Statement[] {
  const back = 'SET uses = uses - 1 WHERE user_id = ?1 AND uses > 0'
  const key = [userId, identity]
  const ofKey = maxUsesPer && {
    sql: `UPDATE api_keys ${back} AND identity = ?2 AND uses_in = ?3`,
    values: [...key, periods[maxUsesPer]],
    changes: null,
  }
  const ofMember = maxUsesPerMemberPer && {
    sql: `UPDATE member_uses ${back} AND member = ?4 AND uses_in = ?3
          AND provider = (SELECT provider FROM api_keys WHERE user_id = ?1 AND identity = ?2)`,
    values: [...key, periods[maxUsesPerMemberPer], member],
  }
  return [ofKey, ofMember].filter((statement) => statement !== null)
}

/** The row of a key that a socket was opened with, wherever it has moved. */
export interface OpenedRow extends UserKeyRow {
  /** Older tokens do not count for the team's keys; null for none, and for a user. */
  tokensSince: string | null
}

/** The key, or the one in its slot by now. It returns no row if the owner does not exist. */
export function selectOpened({
  userId,
  provider,
  identity,
}: Pick<KeyRow, 'userId' | 'provider' | 'identity'>): Statement<OpenedRow | UserWithoutKey> {
  return {
    sql: `SELECT ${COLUMNS}, users.identity AS userIdentity, tokens_since AS tokensSince
          FROM users LEFT JOIN api_keys
            ON user_id = id AND (api_keys.identity = ?2 OR provider = ?3)
          WHERE id = ?1 ORDER BY api_keys.identity IS NOT ?2 LIMIT 1`,
    values: [userId, identity, provider],
  }
}
