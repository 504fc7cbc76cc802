/** The limits of a key: what they are in words, and what its user changes. */

import { nameCaller } from './caller-name.ts'
import type { Period } from './days.ts'
import type { Language } from './language.ts'
import type { ShownKey } from './slot.ts'
import type { KeyChanges } from './vault-client.ts'

/** How often the key was used, of how often it may be, and who may use it. */
export function describeLimits(
  { maxUses, maxUsesPerMember, callers }: ShownKey,
  language: Language,
): string[] {
  const { say, names, number } = language
  const texts: string[] = []
  if (maxUses !== null) {
    const { count, per, used } = maxUses
    const values = { used: number(used), count: number(count) }
    texts.push(say(per === 'day' ? 'usesToday' : 'usesThisMonth', values))
  }
  if (maxUsesPerMember !== null) {
    const { count, per } = maxUsesPerMember
    texts.push(say(per === 'day' ? 'memberPerDay' : 'memberPerMonth', { count: number(count) }))
  }
  if (callers?.length === 0) texts.push(say('noCallers'))
  else if (callers !== null) {
    const named = callers.map((caller) => nameCaller(caller, say))
    texts.push(say('onlyCallers', { callers: names(named) }))
  }
  return texts
}

interface Maximum {
  count: number
  per: Period
}

/** Limits as a user enters them. */
interface EnteredLimits {
  callers: string[] | null
  maxUses: Maximum | null
  maxUsesPerMember: Maximum | null
  /** Undefined if it stays as it is. */
  expiresAt: string | null | undefined
}

/** Returns only what differs from the key's limits. */
export function findChanges(
  key: ShownKey,
  { callers, maxUses, maxUsesPerMember, expiresAt }: EnteredLimits,
): KeyChanges {
  return {
    ...(JSON.stringify(callers) !== JSON.stringify(key.callers) && { callers }),
    ...(isOther(maxUses, key.maxUses) && { max_uses: maxUses }),
    ...(isOther(maxUsesPerMember, key.maxUsesPerMember) && {
      max_uses_per_member: maxUsesPerMember,
    }),
    ...(expiresAt !== undefined && { expires_at: expiresAt }),
  }
}

function isOther(entered: Maximum | null, known: Maximum | null): boolean {
  return entered?.count !== known?.count || entered?.per !== known?.per
}

/** Whether it is a number of uses that makes sense. The service knows the highest one. */
export function isCount(count: number): boolean {
  return Number.isInteger(count) && count > 0
}
