/**
 * An owner, which is a user or a team, as one text. It is in the column `user_id`, and in each name that stands for an
 * owner.
 */

/** The parts of the text of an owner: whether it is a user or a team, and its id in tokens and paths. */
export interface OwnerParts {
  kind: 'user' | 'team'
  id: string
}

const TEAM = 'team:'
/** A user id that would read as a team gets one more `~`, so that no user and no team have the same text. */
const LIKE_TEAM = /^~*team:/

/** The text of a user: the user id, unless it begins like the text of a team. */
export function userOwner(id: string): string {
  return LIKE_TEAM.test(id) ? `~${id}` : id
}

/** The text of a team. */
export function teamOwner(id: string): string {
  return TEAM + id
}

/** The text of an owner. */
export function ownerText({ kind, id }: OwnerParts): string {
  return kind === 'team' ? teamOwner(id) : userOwner(id)
}

/** The owner of a text. */
export function readOwner(text: string): OwnerParts {
  if (text.startsWith(TEAM)) return { kind: 'team', id: text.slice(TEAM.length) }
  return { kind: 'user', id: LIKE_TEAM.test(text) ? text.slice(1) : text }
}

/** An owner in answers, messages and files. */
export type OwnerId = { user_id: string; team_id?: never } | { team_id: string; user_id?: never }

/** The id of a text's owner, under the name of its kind. */
export function ownerId(text: string): OwnerId {
  const { kind, id } = readOwner(text)
  return kind === 'user' ? { user_id: id } : { team_id: id }
}
