/** What each operation of a team does: the same as for a user, with a team in the answer. */

import { describeMemberSlot, describeTeam } from '../keys/answer-bodies.ts'
import { findSlot } from '../keys/slot-name.ts'
import { listSlots, readSlot } from '../keys/slots.ts'
import type { SlotOwner } from '../keys/stored-key.ts'
import { changeTeam, readTeam } from '../keys/teams.ts'
import { readOwner } from '../shared/owner.ts'
import type { TeamOperation } from '../shared/routes.ts'
import { userHandlers, type Handlers } from './handlers.ts'

export const teamHandlers: Handlers<TeamOperation> = {
  listTeamSlots: async (asked) => {
    const { owner } = asked
    if (seesAll(owner)) return ofTeam(await userHandlers.listSlots(asked))
    const slots = await listSlots(owner)
    return ofTeam({ user_id: readOwner(owner.userId).id, api_keys: slots.map(describeMemberSlot) })
  },

  getTeamSlot: async (asked) => {
    const { owner, slot: name } = asked
    if (seesAll(owner)) return userHandlers.getSlot(asked)
    const { provider } = findSlot(owner.service.settings, name)
    return describeMemberSlot({ name, provider, key: await readSlot(owner, name) })
  },

  saveTeamSlot: async (asked) => changedOfTeam(await userHandlers.saveSlot(asked)),

  deleteTeamSlot: async (asked) => changedOfTeam(await userHandlers.deleteSlot(asked)),

  setTeamLimits: userHandlers.setLimits,

  verifyTeamSlot: userHandlers.verifySlot,

  listTeamEvents: async (asked, c) => {
    const answer = await userHandlers.listEvents(asked, c)
    return answer instanceof Response ? answer : ofTeam(answer)
  },

  getTeam: async ({ owner }) => describeTeam(owner.userId, await readTeam(owner)),

  changeTeam: async ({ owner, body: { own_keys: ownKeys, tokens_since: tokensSince } }) =>
    describeTeam(owner.userId, await changeTeam(owner, { ownKeys, tokensSince })),

  removeTeam: async (asked) => ofTeam(await userHandlers.removeUser(asked)),
}

/** Whether whoever works on the slots sees all that is shown of a key. Admins and servers do. */
function seesAll({ member, isAdmin }: SlotOwner): boolean {
  return member === undefined || isAdmin === true
}

/** The answer about an owner, as one about a team. */
function ofTeam<Answer extends { user_id: string }>({ user_id: team_id, ...rest }: Answer) {
  return { team_id, ...rest }
}

/** The answer to a change, as one about a team. */
function changedOfTeam<Message, Key>({
  message,
  user_id: team_id,
  user: team,
}: {
  message: Message
  user_id: string
  user: Key
}) {
  return { message, team_id, team }
}
