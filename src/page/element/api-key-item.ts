/** A stored key: how it is, and what can be done with it. */

import { html, LitElement, nothing } from 'lit'
import { DEFAULT_SLOT } from '../../shared/slot.ts'
import { Attempt } from './attempt.ts'
import { renderDoing } from './busy-button.ts'
import { moveFocus } from './focus.ts'
import type { ErrorDetail } from './host.ts'
import { gapAfter, type Language } from './language.ts'
import {
  describeDisuse,
  describeStatus,
  describeTest,
  isOffered,
  nameSlot,
  readableKey,
  usableKey,
  type Notice,
  type ShownSlot,
} from './slot.ts'
import { PARTS, renderNotice, styles } from './styles.ts'
import type { TextName } from './texts.ts'
import { deleteKey, verifyKey, type Access } from './vault-client.ts'

/** Fires `saved`, `tested`, `deleted` and `assigned` with the slot as it is then, and `problem`. */
export class ApiKeyItem extends LitElement {
  static override styles = styles
  static override properties = {
    access: { attribute: false },
    language: { attribute: false },
    keySlot: { attribute: false },
    slots: { attribute: false },
    offered: { attribute: false },
    opened: { state: true },
    verdict: { state: true },
  }

  declare access: Access
  declare language: Language
  declare keySlot: ShownSlot
  /** Every slot of the user. */
  declare slots: readonly ShownSlot[]
  /** The slots that a key can be saved in. */
  declare offered: readonly ShownSlot[]
  /** The form that is open instead of the buttons. */
  declare private opened: 'replace' | 'assign' | null
  declare private verdict: Notice | null
  readonly #attempt = new Attempt(this, (detail) => this.#tell('problem', detail))

  constructor() {
    super()
    this.opened = null
    this.verdict = null
  }

  protected override render() {
    const status = describeStatus(this.keySlot, this.language)
    return html`
      <div class="row">
        <strong part="provider">${this.#name}</strong>
        ${status && html`<span part="status" class=${status.tone}>${status.text}</span>`}
      </div>
      ${this.#renderKey()} ${this.#attempt.render()}
      <div role="status">${this.verdict === null ? nothing : renderNotice(this.verdict)}</div>
      ${this.#renderOpened()} ${this.#renderDialog()}
    `
  }

  get #name(): string {
    return nameSlot(this.keySlot, this.language.say)
  }

  #renderKey() {
    const key = readableKey(this.keySlot)
    if (key === null) return nothing
    const { preview, savedAt, usedAt, testedAt, expiresAt, baseUrl } = key
    const disuse = describeDisuse(this.keySlot, this.language.say)
    return html`
      <code part="preview" dir="ltr" translate="no">${preview}</code>
      ${baseUrl === null ? nothing : html`<p part="times" dir="ltr">${baseUrl}</p>`}
      <p part="times" class="row">
        ${this.#renderTime('saved', savedAt)} ${this.#renderTime('tested', testedAt)}
        ${this.keySlot.name === DEFAULT_SLOT ? nothing : this.#renderUse(usedAt)}
        ${this.#renderTime('expiresOn', usableKey(this.keySlot) && expiresAt)}
      </p>
      ${disuse && html`<p part="times">${disuse}</p>`}
    `
  }

  #renderUse(usedAt: string | null) {
    if (usedAt === null) return html`<span>${this.language.say('neverUsed')}</span>`
    return this.#renderTime('used', usedAt)
  }

  #renderTime(text: TextName, time: string | null) {
    if (time === null) return nothing
    const { say, minute, day } = this.language
    return html`<time datetime=${time}>${say(text, { time: minute(time), day: day(time) })}</time>`
  }

  #renderOpened() {
    if (this.opened === 'replace') return this.#renderForm()
    return this.opened === 'assign' ? this.#renderAssigning() : this.#renderButtons()
  }

  #renderButtons() {
    const { keySlot } = this
    const { say } = this.language
    const canTest = keySlot.label !== null && usableKey(keySlot) !== null
    const canReplace = isOffered(keySlot) && keySlot.key !== 'unavailable'
    const canAssign = this.#assignable.length > 0
    return html`
      <div class="buttons">
        ${canReplace ? this.#renderButton(say('replace'), () => this.#open('replace')) : nothing}
        ${canAssign ? this.#renderButton(say('setProvider'), () => this.#open('assign')) : nothing}
        ${canTest ? this.#renderButton(say('test'), () => void this.#test()) : nothing}
        ${this.#renderButton(say('delete'), () => this.#ask())} ${renderDoing(this.#attempt.doing)}
      </div>
    `
  }

  #renderButton(action: string, act: () => void) {
    const { doing, wait } = this.#attempt
    const { say } = this.language
    const isIdle = doing === null && wait === 0
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
        @saved=${({ detail }: CustomEvent<ShownSlot>) => {
          this.#close()
          this.#tell('saved', detail)
        }}
        @cancel=${this.#close}
        @problem=${({ detail }: CustomEvent<ErrorDetail>) => this.#tell('problem', detail)}
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
        .preview=${readableKey(this.keySlot)?.preview ?? ''}
        .choices=${this.#assignable}
        @assigned=${({ detail }: CustomEvent<ShownSlot>) => this.#tell('assigned', detail)}
        @cancel=${this.#close}
        @problem=${({ detail }: CustomEvent<ErrorDetail>) => this.#tell('problem', detail)}
      ></api-key-settings-assign>
    `
  }

  /** The slots that the key of the default slot can go to. */
  get #assignable(): ShownSlot[] {
    const { keySlot, slots } = this
    if (keySlot.name !== DEFAULT_SLOT || usableKey(keySlot) === null) return []
    return slots.filter(({ label, key, hosts }) => label !== null && key === null && hosts === null)
  }

  #renderDialog() {
    const { say } = this.language
    const provider = this.#name
    const consequence = say('deleteConsequence')
    const revoke = this.keySlot.label === null ? '' : say('deleteRevoke', { provider })
    return html`
      <dialog part="dialog" aria-labelledby="question" aria-describedby="consequence">
        <strong id="question">${say('deleteQuestion', { provider })}</strong>
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

  #open(form: 'replace' | 'assign'): void {
    this.verdict = null
    this.#attempt.clear()
    this.opened = form
    void moveFocus(this, 'api-key-settings-form, api-key-settings-assign')
  }

  #close(): void {
    this.opened = null
    void moveFocus(this, 'button')
  }

  async #test(): Promise<void> {
    const { access, keySlot } = this
    this.verdict = null
    await this.#attempt.run({ text: 'checking', slot: keySlot }, async (signal) => {
      const { key, verdict } = await verifyKey({ access, signal }, keySlot.name)
      this.verdict = describeTest(verdict, this.#name, this.language.say)
      this.#tell('tested', { ...keySlot, key })
    })
  }

  async #delete(): Promise<void> {
    const { access, keySlot } = this
    this.#dialog?.close()
    await this.#attempt.run({ text: 'deleting' }, async (signal) => {
      await deleteKey({ access, signal }, keySlot)
      this.#tell('deleted', { ...keySlot, key: null })
    })
  }

  #tell(
    type: 'saved' | 'tested' | 'deleted' | 'assigned' | 'problem',
    detail: ShownSlot | ErrorDetail,
  ): void {
    this.dispatchEvent(new CustomEvent(type, { detail }))
  }
}
