/** The form that limits a key: how often, by whom and how long it may be used. */

import { html, nothing } from 'lit'
import { renderBusyButton } from './busy-button.ts'
import { nameCaller } from './caller-name.ts'
import type { Period } from './days.ts'
import { readExpiry, renderExpiryField } from './expiry-field.ts'
import { moveFocus, onEscape } from './focus.ts'
import { GIVEN, InnerElement, OWN } from './inner-element.ts'
import { findChanges, isCount } from './limits.ts'
import { Problem } from './problem.ts'
import type { ShownKey, ShownSlot } from './slot.ts'
import { fetchEvents } from './trail-client.ts'
import { patchKey } from './vault-client.ts'

/** Fires `changed` with the slot and its key, `cancel`, and `problem`. */
export class LimitsForm extends InnerElement {
  static override properties = {
    keySlot: GIVEN,
    limited: GIVEN,
    initial: OWN,
    per: OWN,
    isOnly: OWN,
    seen: OWN,
  }

  declare keySlot: ShownSlot
  /** The key in the slot. */
  declare limited: ShownKey
  /** The key when the form was opened: what differs from it is what the user has changed. */
  declare private initial: ShownKey
  /** Whether uses are limited, and in which period. */
  declare private per: Period | ''
  /** Whether only some callers may use the key. */
  declare private isOnly: boolean
  /** The callers that have used the key lately; null until they are known. */
  declare private seen: readonly string[] | null

  constructor() {
    super()
    this.seen = null
  }

  override focus(): void {
    this.renderRoot.querySelector('select')?.focus()
  }

  protected override willUpdate(): void {
    if (this.hasUpdated) return
    this.initial = this.limited
    this.per = this.initial.maxUses?.per ?? ''
    this.isOnly = this.initial.callers !== null
  }

  protected override firstUpdated(): void {
    void this.#load()
  }

  protected override render() {
    const { doing } = this.attempt
    const isLoading = this.seen === null
    const isBusy = doing !== null && !isLoading
    const look = { doing: isBusy ? doing : null, isEarly: this.#isEarly }
    return html`
      <form
        part="form"
        novalidate
        autocomplete="off"
        @submit=${this.#submit}
        @keydown=${isBusy ? nothing : onEscape(() => this.cancel())}
      >
        ${this.#renderUses(isBusy)} ${this.#renderCallers(isBusy)}
        ${renderExpiryField(this.language, isBusy, this.initial.expiresAt)} ${this.attempt.render()}
        ${this.renderButtons(renderBusyButton(this.language.say('saveLimits'), look), isBusy)}
      </form>
    `
  }

  #renderUses(isBusy: boolean) {
    const { per, initial } = this
    const { say } = this.language
    const option = (value: Period | '', text: string) =>
      html`<option value=${value} .selected=${value === per}>${text}</option>`
    return html`
      <label for="per" part="label">${say('limitOfUses')}</label>
      <select id="per" part="select" ?disabled=${isBusy} @change=${this.#choosePeriod}>
        ${option('', say('noLimit'))} ${option('day', say('perDay'))}
        ${option('month', say('perMonth'))}
      </select>
      ${
        per === ''
          ? nothing
          : html`
              <label for="count" part="label">${say('maxUses')}</label>
              <input
                id="count"
                part="input"
                type="number"
                min="1"
                step="1"
                aria-describedby="problem"
                aria-invalid=${this.attempt.problem?.code === 'limits_invalid'}
                ?readonly=${isBusy}
                .defaultValue=${`${initial.maxUses?.count ?? ''}`}
              />
            `
      }
    `
  }

  #renderCallers(isBusy: boolean) {
    const { isOnly, seen } = this
    const { say } = this.language
    const callers = this.#callers
    const hint = callers.length === 0 && seen !== null && this.attempt.problem === null
    return html`
      <label id="who" for="callers" part="label">${say('callers')}</label>
      <select
        id="callers"
        part="select"
        aria-describedby=${hint ? 'hint' : nothing}
        ?disabled=${isBusy}
        @change=${this.#chooseCallers}
      >
        <option value="" .selected=${!isOnly}>${say('allCallers')}</option>
        <option value="only" .selected=${isOnly} ?disabled=${callers.length === 0 && !isOnly}>
          ${say('someCallers')}
        </option>
      </select>
      ${hint ? html`<p id="hint" part="times">${say('noneSeen')}</p>` : nothing}
      ${
        isOnly
          ? html`<div role="group" aria-labelledby="who">
              ${callers.map((caller) => this.#renderCaller(caller, isBusy))}
            </div>`
          : nothing
      }
    `
  }

  #renderCaller(caller: string, isBusy: boolean) {
    const isAllowed = this.initial.callers?.includes(caller) ?? false
    return html`<label part="choice">
      <input type="checkbox" value=${caller} ?disabled=${isBusy} .defaultChecked=${isAllowed} /><bdi
        translate="no"
        >${nameCaller(caller, this.language.say)}</bdi
      >
    </label>`
  }

  /** Those that may use the key, then those that have used it. */
  get #callers(): string[] {
    return [...new Set([...(this.initial.callers ?? []), ...(this.seen ?? [])])]
  }

  /** Whether the form cannot be saved yet. It does not wait for the callers if they could not be loaded. */
  get #isEarly(): boolean {
    return this.seen === null || this.attempt.waitFor('changing') > 0
  }

  #choosePeriod({ target }: Event): void {
    const chosen = target instanceof HTMLSelectElement ? target.value : ''
    this.per = chosen === 'day' || chosen === 'month' ? chosen : ''
  }

  #chooseCallers({ target }: Event): void {
    this.isOnly = target instanceof HTMLSelectElement && target.value !== ''
  }

  async #load(): Promise<void> {
    const { access, keySlot } = this
    let seen: string[] = []
    await this.attempt.run({ text: 'loadingEvents' }, async (signal) => {
      const { events } = await fetchEvents({ access, signal }, keySlot.name)
      // Uses are summed. A support tool looks at the slot, and does not use its key.
      const uses = events.filter(({ event, last_at }) => last_at || event === 'revealed')
      seen = uses.flatMap(({ caller }) => caller ?? []).toSorted()
    })
    this.seen = seen
  }

  async #submit(event: Event): Promise<void> {
    event.preventDefault()
    if (this.#isEarly) return
    const { access, keySlot } = this
    await this.attempt.run({ text: 'changing' }, async (signal) => {
      const changes = findChanges(this.initial, this.#entered)
      if (changes.max_uses && !isCount(changes.max_uses.count)) throw new Problem('limits_invalid')
      if (Object.keys(changes).length === 0) return this.cancel()
      this.tell('changed', await patchKey({ access, signal }, keySlot, changes))
    })
    if (this.attempt.problem?.code === 'limits_invalid') void moveFocus(this, '#count')
  }

  /** The limits as they are in the form. */
  get #entered() {
    const { per, renderRoot } = this
    const allowed = renderRoot.querySelectorAll<HTMLInputElement>('input:checked')
    const count = Number(renderRoot.querySelector<HTMLInputElement>('#count')?.value)
    return {
      callers: this.isOnly ? Array.from(allowed, ({ value }) => value) : null,
      maxUses: per === '' ? null : { count, per },
      expiresAt: readExpiry(renderRoot),
    }
  }
}
