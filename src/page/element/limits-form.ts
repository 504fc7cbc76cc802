/** The form that limits a key: how often, by whom and how long it may be used. */

import { html, nothing } from 'lit'
import { renderBusyButton } from './busy-button.ts'
import { nameCaller } from './caller-name.ts'
import type { Period } from './days.ts'
import { readExpiry, renderExpiryField } from './expiry-field.ts'
import { moveFocus } from './focus.ts'
import { OWN } from './inner-element.ts'
import type { Language } from './language.ts'
import { LearningPanel } from './learning-panel.ts'
import { findChanges, isCount } from './limits.ts'
import { Problem } from './problem.ts'
import { readableKey, type ShownKey } from './slot.ts'
import { fetchEvents } from './trail-client.ts'

/** Whose uses are limited: those of all, or those of each member of a team. Names of texts and fields end with it. */
type Whose = '' | 'PerMember'

/** Fires `done`, `cancel` and `problem`. */
export class LimitsForm extends LearningPanel {
  static override properties = {
    initial: OWN,
    isOnly: OWN,
    seen: OWN,
  }

  /** The key when the form was opened: what differs from it is what the user has changed. */
  declare private initial: ShownKey
  /** Whether only some callers may use the key. */
  declare private isOnly: boolean
  /** The callers that have used the key lately; null until they are known. */
  declare private seen: readonly string[] | null

  constructor() {
    super()
    this.seen = null
  }

  protected override willUpdate(): void {
    super.willUpdate()
    const key = readableKey(this.keySlot)
    if (this.hasUpdated || key === null) return
    this.initial = key
    this.isOnly = key.callers !== null
  }

  protected override render() {
    const { attempt, isForeign, seen, spoken } = this
    const doing = attempt.doingOf('changing')
    const isBusy = doing !== null
    const buttons = [
      spoken && renderBusyButton(spoken.say('saveLimits'), { doing, isEarly: this.#isEarly }),
      isForeign && seen ? this.renderButton(this.language.say('tryAgain'), this.again) : nothing,
    ]
    return this.renderForm(
      spoken && this.#renderFields(spoken, isBusy),
      buttons,
      isBusy,
      this.#submit,
    )
  }

  #renderFields(language: Language, isBusy: boolean) {
    return html`
      ${this.#renderUses(language, isBusy, '')}
      ${this.access.kind === 'teams' ? this.#renderUses(language, isBusy, 'PerMember') : nothing}
      ${this.#renderCallers(language, isBusy)}
      ${renderExpiryField(language, isBusy, this.initial.expiresAt)}
    `
  }

  /** An empty number means no limit. */
  #renderUses({ say }: Language, isBusy: boolean, whose: Whose) {
    const maximum = this.initial[`maxUses${whose}`]
    const option = (value: Period, text: string) =>
      html`<option value=${value} .defaultSelected=${value === maximum?.per}>${text}</option>`
    return html`
      <label for=${`count${whose}`} part="label">${say(`maxUses${whose}`)}</label>
      <div class="field">
        <input
          id=${`count${whose}`}
          part="input"
          type="number"
          min="1"
          step="1"
          placeholder=${say('noLimit')}
          aria-describedby="problem"
          aria-invalid=${this.#isWrong(whose)}
          ?readonly=${isBusy}
          .defaultValue=${`${maximum?.count ?? ''}`}
        />
        <select
          id=${`per${whose}`}
          part="select"
          aria-label=${say(`limitOfUses${whose}`)}
          ?disabled=${isBusy}
        >
          ${option('day', say('perDay'))} ${option('month', say('perMonth'))}
        </select>
      </div>
      ${this.problemAt(`#count${whose}`)}
    `
  }

  #renderCallers({ say }: Language, isBusy: boolean) {
    const { isOnly, seen } = this
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

  /** Whether the form cannot be saved yet. It can be without the callers if they could not be loaded. */
  get #isEarly(): boolean {
    return this.attempt.doing !== null || this.attempt.waitFor('changing') > 0
  }

  /** Whether this number of uses was refused. If both numbers are valid here, the service may have refused either. */
  #isWrong(whose: Whose): boolean {
    const isFine = (each: Whose) => isCount(this.#readMaximum(each)?.count ?? 1)
    const isRefused = this.attempt.problem?.code === 'limits_invalid'
    return isRefused && (!isFine(whose) || (isFine('') && isFine('PerMember')))
  }

  protected override get faultyField(): string {
    if (this.#isWrong('')) return '#count'
    return this.#isWrong('PerMember') ? '#countPerMember' : ''
  }

  #chooseCallers({ target }: Event): void {
    this.isOnly = target instanceof HTMLSelectElement && target.value !== ''
  }

  protected override async again(): Promise<void> {
    const { access, keySlot } = this
    let seen = this.seen ?? []
    await this.load(async (signal) => {
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
    await this.attempt.run({ text: 'changing' }, async (signal) => {
      const changes = findChanges(this.initial, this.#entered)
      for (const maximum of [changes.max_uses, changes.max_uses_per_member]) {
        if (maximum && !isCount(maximum.count)) throw new Problem('limits_invalid')
      }
      if (Object.keys(changes).length === 0) return this.cancel()
      await this.change(signal, 'limits', changes)
    })
    if (this.attempt.problem?.code === 'limits_invalid')
      void moveFocus(this, '[type=number][aria-invalid=true]')
  }

  /** A browser has no value for what is not a number. */
  #readMaximum(whose: Whose): { count: number; per: Period } | null {
    const { renderRoot } = this
    const input = renderRoot.querySelector<HTMLInputElement>(`#count${whose}`)
    const per = renderRoot.querySelector<HTMLSelectElement>(`#per${whose}`)?.value
    if (!input || (input.value === '' && !input.validity.badInput)) return null
    return { count: Number(input.value), per: per === 'month' ? 'month' : 'day' }
  }

  /** The limits as they are in the form. */
  get #entered() {
    const { renderRoot } = this
    const allowed = renderRoot.querySelectorAll<HTMLInputElement>('input:checked')
    return {
      callers: this.isOnly ? Array.from(allowed, ({ value }) => value) : null,
      maxUses: this.#readMaximum(''),
      maxUsesPerMember: this.#readMaximum('PerMember'),
      expiresAt: readExpiry(renderRoot),
    }
  }
}
