/** Teams, which are owners in the table `users`: what their admins set, and whose tokens count. */

import { refuse, type Statement } from './d1.ts'

/** A team and what its admins have set. Times are ISO 8601 in UTC. */
export interface Team {
  createdAt: string
  /** Whether its members may use keys of their own. */
  ownKeys: 0 | 1
  /** Older tokens do not count; null for none. */
  tokensSince: string | null
}

const COLUMNS = 'created_at AS createdAt, own_keys AS ownKeys, tokens_since AS tokensSince'

/** Returns one row if the team exists. */
export function selectTeam(userId: string): Statement<Team> {
  return { sql: `SELECT ${COLUMNS} FROM users WHERE id = ?1`, values: [userId] }
}

/** What changes of a team. What is undefined stays as it is. */
export interface NewTeam {
  ownKeys?: boolean | undefined
  /** An earlier time than the team's changes nothing. */
  tokensSince?: string | undefined
}

/** Changes the team, and returns it. */
export function updateTeam(userId: string, { ownKeys, tokensSince }: NewTeam): Statement<Team> {
  return {
    sql: `UPDATE users SET own_keys = coalesce(?2, own_keys),
            tokens_since = nullif(max(coalesce(tokens_since, ''), coalesce(?3, '')), '')
          WHERE id = ?1 RETURNING ${COLUMNS}`,
    values: [userId, ownKeys === undefined ? null : Number(ownKeys), tokensSince ?? null],
    changes: userId,
  }
}

/** The token of a member, who does something with the keys of a team. */
export interface TeamToken {
  teamId: string
  /** ISO 8601 in UTC. */
  issuedAt: string
}

const ADMITTED = (member: string) => `CASE WHEN (SELECT tokens_since FROM users WHERE id = ?1) > ?2
  THEN ${refuse('token_old')} ELSE ${member} END`

/** Fails if the team does not take the token. */
export function requireTokenSince({ teamId, issuedAt }: TeamToken): Statement<object> {
  return { sql: `SELECT ${ADMITTED('NULL')}`, values: [teamId, issuedAt] }
}

/** As {@link requireTokenSince}. It adds the member to the users, so that the trail of the team can name them. */
export function admitMember({ teamId, issuedAt }: TeamToken, member: string): Statement {
  return {
    sql: `INSERT INTO users (id) SELECT ${ADMITTED('?3')} WHERE TRUE ON CONFLICT DO NOTHING`,
    values: [teamId, issuedAt, member],
    changes: null,
  }
}
