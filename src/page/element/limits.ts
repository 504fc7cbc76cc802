/** The limits of a key in words. */

import { endOf } from './days.ts'
import type { Language } from './language.ts'
import type { ShownKey } from './slot.ts'

/** That all uses of the period are used up, and when the next one begins; otherwise null. */
export function describeReached({ maxUses }: ShownKey, { say, minute }: Language): string | null {
  if (maxUses === null || maxUses.used < maxUses.count) return null
  return say('limitReached', { time: minute(endOf(maxUses.per)) })
}

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
  else if (callers !== null) texts.push(say('onlyCallers', { callers: names(callers) }))
  return texts
}
