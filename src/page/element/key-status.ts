/** Says in what state a stored key is. */

import { html } from 'lit'
import { daysUntil, endOf } from './days.ts'
import type { Action } from './key-actions.ts'
import type { Language } from './language.ts'
import { isExpired, isOffered, type ShownKey, type ShownSlot } from './slot.ts'

/** A key expires soon if it expires within these days. */
const SOON_DAYS = 14

/** How a status looks. What is `bad` or `warn` needs its user's attention. */
type StatusTone = 'ok' | 'none' | 'warn' | 'bad'

interface Status {
  tone: StatusTone
  text: string
  /** What its user is likely to do about it. */
  asksFor?: Action
}

/** Renders what {@link describeStatus} returns. */
export function renderStatus(statuses: readonly Status[]) {
  return statuses.map(({ tone, text }) => html`<span part="status" class=${tone}>${text}</span> `)
}

/** Whether its user has to do something about the key. A key that its user has paused needs nothing. */
export function needsAttention(slot: ShownSlot, language: Language): boolean {
  return describeStatus(slot, language).some(({ tone }) => tone === 'bad' || tone === 'warn')
}

/**
 * The most urgent status of a key. A paused key says so, and besides only what keeps it from working after it is
 * resumed. Empty if there is nothing to say.
 */
export function describeStatus(slot: ShownSlot, language: Language): Status[] {
  const { key } = slot
  const { say } = language
  if (key === null) return []
  if (!isOffered(slot)) return [{ tone: 'none', text: say('removed'), asksFor: 'delete' }]
  if (key === 'unavailable') return [{ tone: 'none', text: say('unavailable') }]
  if (key === 'unreadable') return [{ tone: 'bad', text: say('unreadable'), asksFor: 'replace' }]
  const fault = describeFault(slot, key, language)
  const statuses = key.isPaused
    ? [fault, { tone: 'none', text: say('api_key_paused'), asksFor: 'resume' } as const]
    : [fault ?? describeRest(slot, key, language)]
  return statuses.filter((status) => status !== null)
}

/** What keeps the key from working until its user does something about it. */
function describeFault(
  { provider }: ShownSlot,
  key: ShownKey,
  { say, day }: Language,
): Status | null {
  const { status, expiresAt, exhaustedAt } = key
  if (provider !== null && status === 'rejected') {
    return { tone: 'bad', text: say('rejected', { provider }), asksFor: 'replace' }
  }
  if (expiresAt !== null && isExpired(key)) {
    return { tone: 'bad', text: say('expired', { day: day(expiresAt) }), asksFor: 'replace' }
  }
  if (provider === null || exhaustedAt === null) return null
  const text = say('outOfCredit', { provider, day: day(exhaustedAt) })
  return { tone: 'bad', text, asksFor: 'addCredit' }
}

/** The status of a key that works, as far as the vault knows. */
function describeRest(
  { provider }: ShownSlot,
  key: ShownKey,
  { say, minute, dayFromNow }: Language,
): Status | null {
  const { maxUses, expiresAt, status } = key
  if (maxUses !== null && maxUses.used >= maxUses.count) {
    const text = say('limitReached', { time: minute(endOf(maxUses.per)) })
    return { tone: 'warn', text, asksFor: 'limits' }
  }
  if (expiresAt !== null && daysUntil(expiresAt) <= SOON_DAYS) {
    const text = say('expiresSoon', { when: dayFromNow(expiresAt) })
    return { tone: 'warn', text, asksFor: 'replace' }
  }
  if (provider === null) return null
  return status === 'unverified'
    ? { tone: 'none', text: say('unconfirmed'), asksFor: 'test' }
    : { tone: 'ok', text: say('accepted', { provider }), asksFor: 'test' }
}
