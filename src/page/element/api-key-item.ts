/** A stored key: how it is, and what can be done with it. */

import { html, nothing, type PropertyValues } from 'lit'
import { renderDoing } from './busy-button.ts'
import { moveFocus } from './focus.ts'
import { GIVEN, InnerElement, OWN, type InnerEvent } from './inner-element.ts'
import { renderKeyFacts } from './key-facts.ts'
import { renderStatus } from './key-status.ts'
import { gapAfter } from './language.ts'
import { offerMoves } from './offer.ts'
import {
  canBeChecked,
  describeLag,
  describeTest,
  isOffered,
  keysBeside,
  nameProvider,
  nameSlot,
  readableKey,
  type Notice,
  type ShownKey,
  type ShownSlot,
} from './slot.ts'
import { PARTS, renderNotice } from './styles.ts'
import type { TextName } from './texts.ts'
import { deleteKey, patchKey, verifyKey } from './vault-client.ts'

/** What is open instead of the buttons: the name of the text of the button that opens it. */
type Opened = 'replace' | 'setProvider' | 'name' | 'limits' | 'activity'

/** Fires `saved`, `changed`, `deleted` and `assigned` with the slot as it is then, `moved`, and `problem`. */
export class ApiKeyItem extends InnerElement {
  static override properties = {
    keySlot: GIVEN,
    slots: GIVEN,
    offered: GIVEN,
    opened: OWN,
    verdict: OWN,
  }

  declare keySlot: ShownSlot
  /** Every slot of the user. */
  declare slots: readonly ShownSlot[]
  /** The slots that a key can be saved in. */
  declare offered: readonly ShownSlot[]
  declare private opened: Opened | null
  declare private verdict: Notice | null

  constructor() {
    super()
    this.opened = null
    this.verdict = null
  }

  /** The same element may get another key. What it has said is not about that one. */
  protected override willUpdate(changed: PropertyValues<this>): void {
    if (!changed.has('keySlot') || changed.get('keySlot')?.name === this.keySlot.name) return
    this.opened = null
    this.verdict = null
    this.attempt.clear()
  }

  protected override render() {
    return html`
      <div class="row">
        <strong part="provider">${this.#name}</strong>
        <div class="row">${renderStatus(this.keySlot, this.language)}</div>
      </div>
      ${renderKeyFacts(this.keySlot, this.slots, this.language)} ${this.attempt.render()}
      <div role="status">${this.verdict === null ? nothing : renderNotice(this.verdict)}</div>
      <div
        @saved=${this.#hear}
        @changed=${this.#hear}
        @assigned=${this.#hear}
        @moved=${this.#hear}
        @problem=${this.#hear}
        @cancel=${this.#close}
      >
        ${this.#renderOpened()}
      </div>
      ${this.#renderDialog()}
    `
  }

  get #name(): string {
    return nameSlot(this.keySlot, this.language.say)
  }

  get #keys(): ShownSlot[] {
    return keysBeside(this.slots, this.keySlot)
  }

  #renderOpened() {
    const key = readableKey(this.keySlot)
    if (this.opened === 'replace') return this.#renderForm()
    if (this.opened === 'setProvider') return this.#renderAssigning()
    if (this.opened === 'activity') return this.#renderActivity()
    if (this.opened === 'name') return this.#renderNaming()
    return key !== null && this.opened === 'limits'
      ? this.#renderLimits(key)
      : this.#renderButtons()
  }

  #renderButtons() {
    const { keySlot } = this
    const { say } = this.language
    const canTest = keySlot.provider !== null && canBeChecked(keySlot)
    const canReplace = isOffered(keySlot) && keySlot.key !== 'unavailable'
    const isPaused = readableKey(keySlot)?.isPaused === true
    const canLimit = isOffered(keySlot) && readableKey(keySlot) !== null
    // One key of a provider needs no name.
    const canName = canLimit && (keySlot.label !== null || this.#keys.length > 1)
    const canAssign = offerMoves(keySlot, this.offered).length > 0
    const opens = (form: Opened) => this.#renderButton(say(form), () => this.#open(form))
    return html`
      <div class="buttons">
        ${canReplace ? opens('replace') : nothing} ${canAssign ? opens('setProvider') : nothing}
        ${canTest ? this.#renderTest() : nothing}
        ${
          canLimit
            ? this.#renderButton(say(isPaused ? 'resume' : 'pause'), () => {
                void this.#pause(!isPaused)
              })
            : nothing
        }
        ${canLimit ? opens('limits') : nothing} ${canName ? opens('name') : nothing}
        ${opens('activity')} ${this.#renderButton(say('delete'), () => this.#ask())}
        ${renderDoing(this.attempt.doing)}
      </div>
    `
  }

  /** A refused test waits alone. A leaked key can be paused and deleted meanwhile. */
  #renderTest() {
    const isEarly = this.attempt.waitFor('checking') > 0
    return this.#renderButton(this.language.say('test'), () => void this.#test(), isEarly)
  }

  #renderButton(action: string, act: () => void, isEarly = false) {
    const { say } = this.language
    const isIdle = this.attempt.doing === null && !isEarly
    return html`
      <button
        type="button"
        part="button"
        aria-label=${say('actOn', { action, provider: this.#name })}
        aria-disabled=${!isIdle}
        @click=${() => (isIdle ? act() : undefined)}
      >
        ${action}
      </button>
    `
  }

  #renderForm() {
    return html`
      <api-key-settings-form
        class="inner"
        exportparts=${PARTS}
        .access=${this.access}
        .language=${this.language}
        .slots=${this.slots}
        .offered=${this.offered}
        .replaced=${this.keySlot}
      ></api-key-settings-form>
    `
  }

  #renderAssigning() {
    return html`
      <api-key-settings-assign
        class="inner"
        exportparts=${PARTS}
        .access=${this.access}
        .language=${this.language}
        .keySlot=${this.keySlot}
        .choices=${offerMoves(this.keySlot, this.offered)}
      ></api-key-settings-assign>
    `
  }

  #renderNaming() {
    return html`
      <api-key-settings-name
        class="inner"
        exportparts=${PARTS}
        .access=${this.access}
        .language=${this.language}
        .keySlot=${this.keySlot}
        .keys=${this.#keys}
      ></api-key-settings-name>
    `
  }

  #renderLimits(key: ShownKey) {
    return html`
      <api-key-settings-limits
        class="inner"
        exportparts=${PARTS}
        .access=${this.access}
        .language=${this.language}
        .keySlot=${this.keySlot}
        .limited=${key}
      ></api-key-settings-limits>
    `
  }

  #renderActivity() {
    return html`
      <api-key-settings-activity
        class="inner"
        exportparts=${PARTS}
        .access=${this.access}
        .language=${this.language}
        .keySlot=${this.keySlot}
      ></api-key-settings-activity>
    `
  }

  #renderDialog() {
    const { say } = this.language
    const { keySlot } = this
    const consequence = say('deleteConsequence')
    const provider = nameProvider(keySlot, say)
    const revoke = keySlot.provider === null ? '' : say('deleteRevoke', { provider })
    return html`
      <dialog part="dialog" aria-labelledby="question" aria-describedby="consequence">
        <strong id="question">${say('deleteQuestion', { provider: this.#name })}</strong>
        <p id="consequence">${consequence + (revoke && gapAfter(consequence) + revoke)}</p>
        <div class="buttons">
          <button type="button" part="button" @click=${() => this.#dialog?.close()}>
            ${say('cancel')}
          </button>
          <button type="button" part="button danger-button" @click=${this.#delete}>
            ${say('delete')}
          </button>
        </div>
      </dialog>
    `
  }

  get #dialog(): HTMLDialogElement | null {
    return this.renderRoot.querySelector('dialog')
  }

  #ask(): void {
    const dialog = this.#dialog
    dialog?.showModal()
    dialog?.scrollTo(0, 0) // The focus is on a button, which a small window scrolls to.
  }

  #open(form: Opened): void {
    this.verdict = null
    this.attempt.clear()
    this.opened = form
    void moveFocus(this, '.inner')
  }

  #close(): void {
    this.opened = null
    void moveFocus(this, 'button')
  }

  /** Passes on what the open form fires, and closes the form unless it failed. */
  #hear({ type, detail }: InnerEvent): void {
    if (type !== 'problem') this.#close()
    if (type === 'changed' && 'lag' in detail) {
      this.#note('event_limits_changed', describeLag(detail, 'earlierLimits', this.language))
    }
    this.tell(type, detail)
  }

  async #test(): Promise<void> {
    const { access, keySlot } = this
    this.verdict = null
    await this.attempt.run({ text: 'checking', slot: keySlot }, async (signal) => {
      const { tested, verdict } = await verifyKey({ access, signal }, keySlot)
      this.verdict = describeTest(verdict, tested, this.language.say)
      this.tell('changed', tested)
    })
  }

  async #pause(paused: boolean): Promise<void> {
    const { access, keySlot } = this
    this.verdict = null
    await this.attempt.run({ text: 'changing' }, async (signal) => {
      const changed = await patchKey({ access, signal }, keySlot, { paused })
      if (paused) this.#note('event_paused', describeLag(changed, 'stillUsed', this.language))
      else this.#note('event_resumed')
      this.tell('changed', changed)
    })
  }

  /** Says what the user has done, as the list of events does, and `more`. */
  #note(text: TextName, more = ''): void {
    this.verdict = { text: this.language.say(text), tone: 'success', more }
  }

  async #delete(): Promise<void> {
    const { access, keySlot } = this
    this.#dialog?.close()
    await this.attempt.run({ text: 'deleting' }, async (signal) => {
      this.tell('deleted', await deleteKey({ access, signal }, keySlot))
    })
  }
}
