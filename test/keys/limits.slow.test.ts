/** The maxima of a team's key, while many members use it at once. */

import { beforeEach, expect, it } from 'vitest'
import { saveSlot } from '../../src/keys/save.ts'
import { setLimits } from '../../src/keys/slots.ts'
import { teamOwner } from '../../src/shared/owner.ts'
import type { NewLimits } from '../../src/store/limits.ts'
import { bindTo } from '../binding/callers.ts'
import { env } from '../isolate.ts'
import { ownerOf, seenByProvider, someUser, stopClock } from '../support.ts'
import { MODELS, someKeyOf } from './key-owner.ts'

beforeEach(stopClock)

/** A team with a key for OpenAI. */
async function someTeam() {
  const teamId = `team-${crypto.randomUUID()}`
  const apiKey = someKeyOf('good')
  const owner = await ownerOf(await someUser(teamOwner(teamId)))
  await saveSlot(owner, 'openai', { apiKey, verify: false })
  const sql = `SELECT uses, (SELECT sum(uses) FROM member_uses WHERE user_id = ?1) AS ofMembers
    FROM api_keys WHERE user_id = ?1`
  return {
    teamId,
    apiKey,
    limit: async (limits: NewLimits) => setLimits(owner, 'openai', { condition: null, ...limits }),
    stored: async () => env.DB.prepare(sql).bind(owner.userId).first(),
  }
}

it.for([
  [10, 10],
  [null, 20],
] as const)(
  'a maximum of %j, and of 2 for each member, lets exactly %i of 100 concurrent uses by ten members through',
  async ([count, allowed]) => {
    const { apiKey, teamId, limit, stored } = await someTeam()
    const maxUses = count === null ? null : ({ count, per: 'day' } as const)
    await limit({ maxUses, maxUsesPerMember: { count: 2, per: 'day' } })
    const members = Array.from({ length: 10 }, () => `member-${crypto.randomUUID()}`)
    const vault = bindTo({}, { caller: 'chat', grants: ['use'], teams: true })
    const uses = Array.from({ length: 100 }, async (_, index) => {
      const member = members[Math.floor(index / 10)] ?? ''
      const request = new Request(MODELS)
      const result = await vault.fetchWithApiKey(member, 'openai', request, { teamId })
      if (result.ok) await result.response.text()
      return { member, code: result.ok ? 'ok' : result.code }
    })
    const { ok = [], limit_reached: refused = [] } = Object.groupBy(
      await Promise.all(uses),
      ({ code }) => code,
    )
    expect([ok.length, refused.length]).toEqual([allowed, 100 - allowed])
    const usesOf = members.map((member) => ok.filter((use) => use.member === member).length)
    expect(Math.max(...usesOf)).toBeLessThanOrEqual(2)
    expect(await seenByProvider(apiKey)).toHaveLength(allowed)
    expect(await stored()).toEqual({ uses: count ?? 0, ofMembers: allowed })
  },
)
