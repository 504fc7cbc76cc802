/** Says in what state a stored key is. */

import { html } from 'lit'
import { daysUntil, endOf } from './days.ts'
import { gapAfter, type Language } from './language.ts'
import { renderLink } from './link.ts'
import { isExpired, isOffered, type ShownKey, type ShownSlot } from './slot.ts'

/** A key expires soon if it expires within these days. */
const SOON_DAYS = 14

/** A word for its look, its text, and the page where the user adds credit. */
interface Status {
  tone: 'ok' | 'none' | 'warn' | 'bad'
  text: string
  billingPage?: string | null
}

/** Renders what {@link describeStatus} returns. */
export function renderStatus(slot: ShownSlot, language: Language) {
  return describeStatus(slot, language).map(({ tone, text, billingPage }) => {
    const link = billingPage && renderLink(billingPage, language.say('addCredit'), language)
    return html`<span part="status" class=${tone}>${text}${link && [gapAfter(text), link]}</span>`
  })
}

/**
 * The most urgent status of a key. A paused key says so, and besides only what keeps it from working after it is
 * resumed. Empty if there is nothing to say.
 */
export function describeStatus(slot: ShownSlot, language: Language): Status[] {
  const { key } = slot
  const { say } = language
  if (!isOffered(slot)) return [{ tone: 'none', text: say('removed') }]
  if (key === 'unavailable') return [{ tone: 'none', text: say('unavailable') }]
  if (key === null || key === 'unreadable') return [{ tone: 'bad', text: say('unreadable') }]
  const fault = describeFault(slot, key, language)
  const statuses = key.isPaused
    ? [fault, { tone: 'warn', text: say('paused') } as const]
    : [fault ?? describeRest(slot, key, language)]
  return statuses.filter((status) => status !== null)
}

/** What keeps the key from working until its user does something about it. */
function describeFault(
  { provider, billingPage }: ShownSlot,
  key: ShownKey,
  { say, day }: Language,
): Status | null {
  const { status, expiresAt, exhaustedAt } = key
  if (provider !== null && status === 'rejected') {
    return { tone: 'bad', text: say('rejected', { provider }) }
  }
  if (expiresAt !== null && isExpired(key)) {
    return { tone: 'bad', text: say('expired', { day: day(expiresAt) }) }
  }
  if (provider === null || exhaustedAt === null) return null
  const text = say('outOfCredit', { provider, day: day(exhaustedAt) })
  return { tone: 'bad', text, billingPage }
}

/** The status of a key that works, as far as the vault knows. */
function describeRest(
  { provider }: ShownSlot,
  key: ShownKey,
  { say, minute, dayFromNow }: Language,
): Status | null {
  const { maxUses, expiresAt, status } = key
  if (maxUses !== null && maxUses.used >= maxUses.count) {
    return { tone: 'warn', text: say('limitReached', { time: minute(endOf(maxUses.per)) }) }
  }
  if (expiresAt !== null && daysUntil(expiresAt) <= SOON_DAYS) {
    return { tone: 'warn', text: say('expiresSoon', { when: dayFromNow(expiresAt) }) }
  }
  if (provider === null) return null
  return status === 'unverified'
    ? { tone: 'none', text: say('unconfirmed') }
    : { tone: 'ok', text: say('accepted', { provider }) }
}
