/** Rows as D1 returns them. */

import { usedNow } from '../../src/keys/limits.ts'
import type { KeyRow } from '../../src/store/api-keys.ts'
import type { EventRow } from '../../src/store/events.ts'
import type { AskedUse } from '../../src/store/uses.ts'

/** A key that was saved, without limits, and that nobody has used. */
export function someKeyRow(changes: Partial<KeyRow> = {}): KeyRow {
  return {
    userId: 'user',
    provider: 'openai',
    sealed: 'v1.0123456789ab.AAAA',
    kid: '0123456789ab',
    identity: '0123abcd',
    revision: 1,
    position: 0,
    updatedAt: '2026-01-02T00:00:00.000Z',
    savedBy: null,
    status: 'unverified',
    exhaustedAt: null,
    lastUsedAt: null,
    lastVerifiedAt: null,
    expiresAt: null,
    pausedAt: null,
    callers: null,
    maxUses: null,
    maxUsesPer: null,
    uses: 0,
    usesIn: null,
    maxUsesPerMember: null,
    maxUsesPerMemberPer: null,
    ...changes,
  }
}

/** A use of any key of the provider by `binding:chat`, at the time of the Worker's clock. */
export function someUse(changes: Partial<AskedUse> & Pick<AskedUse, 'userId'>): AskedUse {
  return {
    ...usedNow('binding:chat'),
    provider: 'openai',
    slot: null,
    takesDefault: false,
    isPlain: false,
    creditSince: new Date(Date.now() - 3_600_000).toISOString(),
    granted: null,
    gone: [],
    team: null,
    isTeamFirst: false,
    mark: crypto.randomUUID(),
    ...changes,
  }
}

/** The event of a save. */
export function someEventRow(changes: Partial<EventRow> = {}): EventRow {
  return {
    id: '2026-11-25T12:00:00.000Z.0123456789abcdef',
    provider: 'openai',
    event: 'saved',
    actor: 'owner',
    caller: null,
    member: null,
    code: null,
    verdict: null,
    reason: null,
    providerStatus: null,
    requestId: null,
    count: 1,
    errors: 0,
    firstAt: null,
    lastAt: null,
    ...changes,
  }
}
