/** The list of what happened to the keys of a slot, the newest first. */

import { html, nothing } from 'lit'
import type { EventAnswer } from '../../shared/answers.ts'
import { covers, splitSlot } from '../../shared/slot.ts'
import { renderDoing } from './busy-button.ts'
import { sumUp, type EventLine } from './event-lines.ts'
import { describeEvent, isOfOther } from './event-text.ts'
import { moveFocus, onEscape } from './focus.ts'
import { OWN, PanelElement } from './inner-element.ts'
import { nameSlot } from './slot.ts'
import type { TextName } from './texts.ts'
import { fetchEvents, fetchExport } from './trail-client.ts'

/** How many lines are shown at first, and with each press of the button for more. */
const LINES_AT_ONCE = 20

/** A browser may begin to read a file late. */
const KEPT_MS = 60_000

/** Fires `cancel` and `problem`. */
export class Activity extends PanelElement {
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

  override focus(): void {
    this.renderRoot.querySelector<HTMLElement>('#title')?.focus()
  }

  protected override firstUpdated(): void {
    void this.#more()
  }

  protected override render() {
    const { next, shown } = this
    const { say } = this.language
    const lines = this.#lines
    const hasMore = next !== null || lines.length > shown
    return html`
      <div @keydown=${onEscape(() => this.cancel())}>
        <strong id="title" tabindex="-1">${say('activity')}</strong>
        ${next === null && lines.length === 0 ? html`<p>${say('noEvents')}</p>` : nothing}
        <ol role="list" aria-labelledby="title">
          ${lines.slice(0, shown).map((line) => this.#renderLine(line))}
        </ol>
        ${this.attempt.render()}
        <div class="buttons">
          ${hasMore ? this.#renderButton(next === '' ? 'tryAgain' : 'more', this.#more) : nothing}
          ${lines.length > 0 ? this.#renderButton('download', this.#download) : nothing}
          <button type="button" part="button" @click=${this.cancel}>${say('close')}</button>
          ${renderDoing(this.attempt.doing)}
        </div>
      </div>
    `
  }

  #renderLine(line: EventLine) {
    const { access, language, keySlot } = this
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

  #renderButton(text: TextName, act: () => Promise<void>) {
    const { doing, wait } = this.attempt
    const isIdle = doing === null && wait === 0
    return html`<button
      type="button"
      part="button"
      aria-disabled=${!isIdle}
      @click=${() => (isIdle ? void act.call(this) : undefined)}
    >
      ${this.language.say(text)}
    </button>`
  }

  get #lines(): EventLine[] {
    return sumUp(this.events, this.next === null)
  }

  /** Shows more lines. If none are left, it fetches pages until there is one, or until the end. */
  async #more(): Promise<void> {
    const { access, keySlot } = this
    const before = Math.min(this.shown, this.#lines.length)
    await this.attempt.run({ text: 'loadingEvents' }, async (signal) => {
      while (this.next !== null && this.#lines.length <= before) {
        // oxlint-disable-next-line no-await-in-loop -- each page begins where the last one ended
        const { events, next } = await fetchEvents({ access, signal }, keySlot.name, this.next)
        this.events = [...this.events, ...events]
        this.next = next
      }
      this.shown = before + LINES_AT_ONCE
      if (before > 0) void moveFocus(this, `li:nth-child(${before + 1})`)
    })
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
