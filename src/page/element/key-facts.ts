/** What is known of a stored key besides its status: its preview, its times and its limits. */

import { html, nothing } from 'lit'
import { DEFAULT_SLOT } from '../../shared/slot.ts'
import type { Language } from './language.ts'
import { describeLimits } from './limits.ts'
import { describeDisuse, describeSame, readableKey, usableKey, type ShownSlot } from './slot.ts'
import type { TextName } from './texts.ts'

/** Renders nothing if the key cannot be read. `slots` are all slots of the user. */
export function renderKeyFacts(slot: ShownSlot, slots: readonly ShownSlot[], language: Language) {
  const key = readableKey(slot)
  if (key === null) return nothing
  const { preview, savedAt, isFromOperator, usedAt, testedAt, expiresAt, baseUrl } = key
  const { say, minute, day } = language
  const remarks = [
    isFromOperator ? say('savedByOperator') : null,
    describeSame(slot, slots, language),
    describeDisuse(slot, say),
  ]
  const renderTime = (text: TextName, time: string | null) =>
    time === null
      ? nothing
      : html`<time datetime=${time}>${say(text, { time: minute(time), day: day(time) })}</time>`
  const use = usedAt === null ? html`<span>${say('neverUsed')}</span>` : renderTime('used', usedAt)
  return html`
    <code part="preview" dir="ltr" translate="no">${preview}</code>
    ${baseUrl === null ? nothing : html`<p part="times" dir="ltr">${baseUrl}</p>`}
    <p part="times" class="row">
      ${renderTime('saved', savedAt)} ${renderTime('tested', testedAt)}
      ${slot.name === DEFAULT_SLOT ? nothing : use}
      ${renderTime('expiresOn', usableKey(slot) && expiresAt)}
      ${describeLimits(key, language).map((text) => html`<span>${text}</span>`)}
    </p>
    ${remarks.map((remark) => remark && html`<p part="times">${remark}</p>`)}
  `
}
