/** The list of what happened to the keys of a slot, the newest first. */

import { html, nothing } from 'lit'
import type { EventAnswer } from '../../shared/answers.ts'
import { covers, splitSlot } from '../../shared/slot.ts'
import { renderDoing } from './busy-button.ts'
import { sumUp, type EventLine } from './event-lines.ts'
import { describeEvent, isOfOther } from './event-text.ts'
import { moveFocus, onEscape } from './focus.ts'
import { OWN } from './inner-element.ts'
import type { Language } from './language.ts'
import { LearningPanel } from './learning-panel.ts'
import { nameSlot } from './slot.ts'
import { fetchEvents, fetchExport } from './trail-client.ts'

/** How many lines are shown at first, and with each press of the button for more. */
const LINES_AT_ONCE = 20

/** A browser may begin to read a file late. */
const KEPT_MS = 60_000

/** Fires `cancel` and `problem`. */
export class Activity extends LearningPanel {
  static override properties = {
    events: OWN,
    next: OWN,
    shown: OWN,
  }

  declare private events: readonly EventAnswer[]
  /** Where the next page begins; empty before the first one, null after the last one. */
  declare private next: string | null
  /** How many lines are shown, if there are so many. */
  declare private shown: number

  constructor() {
    super()
    this.events = []
    this.next = ''
    this.shown = 0
  }

  protected override render() {
    const { next, shown, spoken } = this
    const { say } = this.language
    const lines = this.#lines
    const isMissing = next === '' || this.isForeign
    const hasMore = isMissing || next !== null || lines.length > shown
    return html`
      <div @keydown=${onEscape(() => this.cancel())}>
        <strong id="title" tabindex="-1">${say('activity')}</strong>
        ${spoken && this.#renderLines(lines.slice(0, shown), spoken)} ${this.attempt.render()}
        <div class="buttons">
          ${hasMore ? this.renderButton(isMissing ? say('tryAgain') : spoken?.say('more'), this.again) : nothing}
          ${spoken && lines.length > 0 ? this.renderButton(spoken.say('download'), this.#download) : nothing}
          <button type="button" part="button" @click=${this.cancel}>${say('close')}</button>
          ${renderDoing(this.attempt.doing)}
        </div>
      </div>
    `
  }

  #renderLines(lines: readonly EventLine[], language: Language) {
    return html`
      ${this.next === null && lines.length === 0 ? html`<p>${language.say('noEvents')}</p>` : nothing}
      <ol role="list" aria-labelledby="title">
        ${lines.map((line) => this.#renderLine(line, language))}
      </ol>
    `
  }

  #renderLine(line: EventLine, language: Language) {
    const { access, keySlot } = this
    const { event } = line
    const { member, provider } = event
    const slot = { ...keySlot, label: splitSlot(provider).label }
    // A look at all slots is about this one too.
    const isOther = provider !== keySlot.name && covers(splitSlot(keySlot.name).provider, provider)
    const about = [
      isOther && nameSlot(slot, language.say),
      !isOfOther(event, access) && member,
    ].filter((text) => text)
    return html`<li part="event" class="row" tabindex="-1">
      <span>${describeEvent(line, keySlot, language, access)}</span>
      ${about.map((text) => html`<bdi part="times" translate="no">${text}</bdi>`)}
      <time part="times" datetime=${line.time}>${language.minute(line.time)}</time>
    </li>`
  }

  get #lines(): EventLine[] {
    return sumUp(this.events, this.next === null)
  }

  /** Loads what is missing, or more lines. */
  protected override async again(): Promise<void> {
    if (this.shown > 0 && this.isForeign) return this.load()
    const before = Math.min(this.shown, this.#lines.length)
    await this.load(async (signal) => {
      await this.#fetch(signal, before)
      this.shown = before + LINES_AT_ONCE
      if (before > 0) void moveFocus(this, `li:nth-child(${before + 1})`)
    })
  }

  /** Fetches pages until there are more lines than `before`, or until the end. */
  async #fetch(signal: AbortSignal, before: number): Promise<void> {
    const { access, keySlot } = this
    while (this.next !== null && this.#lines.length <= before) {
      // oxlint-disable-next-line no-await-in-loop -- each page begins where the last one ended
      const { events, next } = await fetchEvents({ access, signal }, keySlot.name, this.next)
      this.events = [...this.events, ...events]
      this.next = next
    }
  }

  /** Saves all events of the slot as a file. A link could not send the token. */
  async #download(): Promise<void> {
    const { access, keySlot } = this
    await this.attempt.run({ text: 'loadingEvents' }, async (signal) => {
      const link = document.createElement('a')
      link.href = URL.createObjectURL(await fetchExport({ access, signal }, keySlot.name))
      link.download = `api-key-events-${keySlot.name}.ndjson`
      link.click()
      setTimeout(() => URL.revokeObjectURL(link.href), KEPT_MS)
    })
  }
}
