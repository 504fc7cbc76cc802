/** The limits of a key: what they are in words, and what its user changes. */

import { nameCaller } from './caller-name.ts'
import type { Period } from './days.ts'
import type { Language } from './language.ts'
import type { ShownKey } from './slot.ts'
import type { KeyChanges } from './vault-client.ts'

/** How often the key was used, of how often it may be, and who may use it. */
export function describeLimits({ maxUses, callers }: ShownKey, language: Language): string[] {
  const { say, names, number } = language
  const texts: string[] = []
  if (maxUses !== null) {
    const { count, per, used } = maxUses
    const values = { used: number(used), count: number(count) }
    texts.push(say(per === 'day' ? 'usesToday' : 'usesThisMonth', values))
  }
  if (callers?.length === 0) texts.push(say('noCallers'))
  else if (callers !== null) {
    const named = callers.map((caller) => nameCaller(caller, say))
    texts.push(say('onlyCallers', { callers: names(named) }))
  }
  return texts
}

/** Limits as a user enters them. */
interface EnteredLimits {
  callers: string[] | null
  maxUses: { count: number; per: Period } | null
  /** Undefined if it stays as it is. */
  expiresAt: string | null | undefined
}

/** Returns only what differs from the key's limits. */
export function findChanges(
  key: ShownKey,
  { callers, maxUses, expiresAt }: EnteredLimits,
): KeyChanges {
  const isOther = maxUses?.count !== key.maxUses?.count || maxUses?.per !== key.maxUses?.per
  return {
    ...(JSON.stringify(callers) !== JSON.stringify(key.callers) && { callers }),
    ...(isOther && { max_uses: maxUses }),
    ...(expiresAt !== undefined && { expires_at: expiresAt }),
  }
}

/** Whether it is a number of uses that makes sense. The service knows the highest one. */
export function isCount(count: number): boolean {
  return Number.isInteger(count) && count > 0
}
