/** What is known of a stored key besides its status: its times and its limits. */

import { html, nothing } from 'lit'
import { DEFAULT_SLOT } from '../../shared/slot.ts'
import type { Language } from './language.ts'
import { describeLimits } from './limits.ts'
import { describeDisuse, readableKey, usableKey, type ShownSlot } from './slot.ts'
import type { TextName } from './texts.ts'

/** When the key was last used; nothing if that is not known. The use of the plain route's key is not recorded. */
export function renderUse(slot: ShownSlot, language: Language) {
  const key = readableKey(slot)
  if (key === null || slot.name === DEFAULT_SLOT) return nothing
  const { usedAt } = key
  return usedAt === null ? language.say('neverUsed') : renderTime('used', usedAt, language)
}

/** Renders nothing if the key cannot be read. */
export function renderKeyFacts(slot: ShownSlot, language: Language) {
  const key = readableKey(slot)
  if (key === null) return nothing
  const { savedAt, isFromOperator, testedAt, expiresAt, baseUrl } = key
  const { say } = language
  const remarks = [isFromOperator ? say('savedByOperator') : null, describeDisuse(slot, say)]
  return html`
    ${baseUrl === null ? nothing : html`<p part="times" dir="ltr">${baseUrl}</p>`}
    <p part="times" class="row">
      ${renderTime('saved', savedAt, language)} ${renderTime('tested', testedAt, language)}
      ${renderTime('expiresOn', usableKey(slot) && expiresAt, language)}
      ${describeLimits(key, language).map((text) => html`<span>${text}</span>`)}
    </p>
    ${remarks.map((remark) => remark && html`<p part="times">${remark}</p>`)}
  `
}

function renderTime(text: TextName, time: string | null, { say, minute, day }: Language) {
  return time === null
    ? nothing
    : html`<time datetime=${time}>${say(text, { time: minute(time), day: day(time) })}</time>`
}
