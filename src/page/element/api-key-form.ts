/** The form that takes a key: it looks at the key before it is sent, and forgets it once it is saved. */

import { html, LitElement, nothing } from 'lit'
import { findKeyAlone, nameKeyFault } from '../../shared/key-text.ts'
import { Attempt } from './attempt.ts'
import { moveFocus } from './focus.ts'
import { examineKey, type Remark } from './key-remark.ts'
import type { Problem } from './problem.ts'
import { nameSlot, type ShownSlot } from './slot.ts'
import { styles } from './styles.ts'
import { putKey, type Access } from './vault-client.ts'

/**
 * Browsers and password managers fill password fields and offer to remember them. They leave alone a
 * text field whose characters are hidden by CSS: https://developer.mozilla.org/docs/Web/CSS/-webkit-text-security
 */
const HIDES_TEXT = CSS.supports('-webkit-text-security', 'disc')

/** Fires `saved` with the slot and its new key, `cancel`, and `problem`. */
export class ApiKeyForm extends LitElement {
  static override styles = styles
  static override properties = {
    access: { attribute: false },
    slots: { attribute: false },
    choices: { attribute: false },
    chosen: { state: true },
    isShown: { state: true },
    remark: { state: true },
  }

  declare access: Access
  /** Every slot of the user: their keys' beginnings tell whose a key is. */
  declare slots: readonly ShownSlot[]
  /** The slots that the key can be saved in. */
  declare choices: readonly ShownSlot[]
  declare private chosen: string
  declare private isShown: boolean
  declare private remark: Remark | null
  readonly #attempt = new Attempt(this, (problem) => this.#tell('problem', problem))

  constructor() {
    super()
    this.chosen = ''
    this.isShown = false
    this.remark = null
  }

  /** Puts the cursor where one begins. */
  override focus(): void {
    this.#find('select, input')?.focus()
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    this.#forget()
  }

  protected override render() {
    const isBusy = this.#attempt.doing !== null
    const isMismatch = this.remark?.kind === 'mismatch'
    const isRejected = this.#attempt.problem?.code === 'api_key_rejected'
    return html`
      <form
        part="form"
        novalidate
        autocomplete="off"
        @submit=${this.#submit}
        @keydown=${this.#leave}
      >
        ${this.choices.length > 1 ? this.#renderChoice(isBusy) : nothing}
        ${this.#renderBaseUrl(isBusy)} ${this.#renderKey(isBusy)}
        <div id="remark" role="status">${this.#renderRemark()}</div>
        ${this.#attempt.render()}
        <div class="buttons">
          <button
            id="save"
            type=${isMismatch ? 'button' : 'submit'}
            part="button primary-button"
            aria-disabled=${isBusy || this.#attempt.wait > 0}
            aria-busy=${isBusy}
            @click=${isMismatch ? () => this.#save() : nothing}
          >
            ${this.#nameSubmit()}
          </button>
          ${
            isRejected && !isBusy
              ? html`<button type="button" part="button" @click=${this.#insist}>
                  Save anyway
                </button>`
              : nothing
          }
          <button type="button" part="button" ?disabled=${isBusy} @click=${this.#cancel}>
            Cancel
          </button>
        </div>
      </form>
    `
  }

  #renderChoice(isBusy: boolean) {
    return html`
      <label for="slot" part="label">Provider</label>
      <select
        id="slot"
        part="select"
        aria-describedby="remark"
        aria-invalid=${this.remark?.kind === 'choice'}
        ?disabled=${isBusy}
        @change=${this.#choose}
      >
        <option value="" disabled .selected=${this.chosen === ''}>Choose a provider</option>
        ${this.choices.map(
          (slot) =>
            html`<option value=${slot.name} .selected=${slot.name === this.chosen}>
              ${nameSlot(slot)}
            </option>`,
        )}
      </select>
    `
  }

  #renderBaseUrl(isBusy: boolean) {
    const { hosts = null, key = null } = this.#slot ?? {}
    if (hosts === null) return nothing
    const saved = key === null || key === 'unreadable' ? '' : (key.baseUrl ?? '')
    return html`
      <label for="base-url" part="label">Base URL</label>
      <input
        id="base-url"
        part="input"
        type="url"
        dir="ltr"
        autocomplete="off"
        placeholder=${`https://${hosts[0]}`}
        aria-describedby="hosts problem"
        aria-invalid=${this.#attempt.problem?.code === 'base_url_invalid'}
        ?readonly=${isBusy}
        .defaultValue=${saved}
      />
      <p id="hosts" part="times">On ${hosts.join(' or ')}</p>
    `
  }

  #renderKey(isBusy: boolean) {
    const { isShown, remark } = this
    const slot = this.#slot
    const isFaulty = remark?.kind === 'fault' || this.#attempt.problem?.code === 'api_key_rejected'
    return html`
      <div class="row">
        <label for="key" part="label">${slot ? `${nameSlot(slot)} API key` : 'API key'}</label>
        ${
          slot?.keyPage
            ? html`<a part="link" href=${slot.keyPage} target="_blank" rel="noopener noreferrer"
                >Get a key from ${nameSlot(slot)}<span class="unseen"> (in a new tab)</span></a
              >`
            : nothing
        }
      </div>
      <div class="field">
        <input
          id="key"
          part="input"
          class=${isShown ? '' : 'hidden-text'}
          type=${isShown || HIDES_TEXT ? 'text' : 'password'}
          dir="ltr"
          autocomplete="off"
          autocapitalize="off"
          autocorrect="off"
          spellcheck="false"
          data-1p-ignore
          data-bwignore
          data-form-type="other"
          data-lpignore="true"
          data-protonpass-ignore
          aria-describedby="remark problem"
          aria-invalid=${isFaulty}
          ?readonly=${isBusy}
          @input=${this.#look}
        />
        <button
          type="button"
          part="button"
          aria-label=${isShown ? 'Hide the key' : 'Show the key'}
          @click=${this.#toggle}
        >
          ${isShown ? 'Hide' : 'Show'}
        </button>
      </div>
    `
  }

  #renderRemark() {
    const { remark } = this
    if (remark === null) return nothing
    const { kind, text, instead, hasKey } = remark
    const change = () => this.#take(instead)
    const isFault = kind === 'fault' || kind === 'choice'
    return html`<p part=${isFault ? 'problem' : `notice ${kind}`}>
      ${text}
      ${
        kind === 'mismatch' && instead
          ? html`<button type="button" part="button" @click=${change}>
              Save it for ${nameSlot(instead)}
            </button>`
          : nothing
      }
      ${
        hasKey
          ? html`<button type="button" part="button" @click=${this.#strip}>
              Use the key alone
            </button>`
          : nothing
      }
    </p>`
  }

  #nameSubmit(): string {
    const { doing, wait } = this.#attempt
    if (doing !== null) return doing
    if (wait > 0) return `Save in ${wait} s`
    return this.remark?.kind === 'mismatch' ? 'Save it anyway' : 'Save key'
  }

  get #slot(): ShownSlot | undefined {
    const { choices, chosen } = this
    return choices.length === 1 ? choices[0] : choices.find(({ name }) => name === chosen)
  }

  get #input(): HTMLInputElement | null {
    return this.renderRoot.querySelector<HTMLInputElement>('#key')
  }

  get #baseUrl(): HTMLInputElement | null {
    return this.renderRoot.querySelector<HTMLInputElement>('#base-url')
  }

  #find(selector: string): HTMLElement | null {
    return this.renderRoot.querySelector(selector)
  }

  /** Looks at the key as it stands; white space around a pasted one is taken away. */
  #look(event?: Event): void {
    const input = this.#input
    if (input === null) return
    const key = input.value.trim()
    const isPasted = event instanceof InputEvent && event.inputType.startsWith('insertFrom')
    if (isPasted) input.value = key
    if (this.#attempt.wait === 0) this.#attempt.clear()
    const { choices, slots } = this
    this.remark = key === '' ? null : examineKey(key, { slot: this.#slot, choices, slots })
    const { kind, instead } = this.remark ?? {}
    if (kind === 'proposal' && instead) this.chosen = instead.name
  }

  /** Takes away what was copied along with the key. */
  #strip(): void {
    const input = this.#input
    if (input !== null) input.value = findKeyAlone(input.value.trim()) ?? input.value
    this.#look()
    input?.focus()
  }

  #take(slot: ShownSlot | undefined): void {
    this.chosen = slot?.name ?? ''
    this.#look()
    this.#input?.focus()
  }

  #choose({ target }: Event): void {
    if (target instanceof HTMLSelectElement) this.chosen = target.value
    this.#look()
  }

  /** A key that seems to be another provider's is not sent by Enter, which may be faster than the eye. */
  #submit(event: Event): void {
    event.preventDefault()
    if (this.remark?.kind === 'mismatch') this.#find('#save')?.focus()
    else void this.#save()
  }

  #insist(): void {
    void this.#save(false)
  }

  async #save(verify = true): Promise<void> {
    const [slot, apiKey] = [this.#slot, this.#input?.value.trim() ?? '']
    if (this.#attempt.wait > 0) return
    if (slot === undefined)
      return this.#refuse('choice', 'Choose the provider that the key is for.')
    const fault = nameKeyFault(apiKey, 'The key')
    if (fault !== null) return this.#refuse('fault', fault)
    const isTried = slot.label !== null && verify
    const doing = isTried ? `Trying the key with ${slot.label} …` : 'Saving the key …'
    await this.#attempt.run(doing, async (signal) => {
      const entered = { apiKey, baseUrl: this.#baseUrl?.value.trim(), verify }
      const key = await putKey({ access: this.access, signal }, slot.name, entered)
      this.#forget()
      this.#tell('saved', { ...slot, key })
    })
    const { problem } = this.#attempt
    if (problem === null) return
    void moveFocus(this, problem.code === 'base_url_invalid' ? '#base-url' : '#key')
  }

  #refuse(kind: 'choice' | 'fault', text: string): void {
    this.remark = { kind, text }
    this.#find(kind === 'choice' ? 'select' : '#key')?.focus()
  }

  #toggle(): void {
    this.isShown = !this.isShown
  }

  #leave(event: KeyboardEvent): void {
    if (event.key !== 'Escape' || this.#attempt.doing !== null) return
    event.preventDefault() // A dialog of the host application around it stays open.
    this.#cancel()
  }

  #cancel(): void {
    this.#forget()
    this.dispatchEvent(new Event('cancel'))
  }

  #tell(type: 'saved' | 'problem', detail: ShownSlot | Problem): void {
    this.dispatchEvent(new CustomEvent(type, { detail }))
  }

  #forget(): void {
    if (this.#input !== null) this.#input.value = ''
    if (this.#baseUrl !== null) this.#baseUrl.value = this.#baseUrl.defaultValue
  }
}
