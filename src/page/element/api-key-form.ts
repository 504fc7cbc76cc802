/** The form that takes a key. It examines the key before it sends it, and forgets it afterwards. */

import { html, nothing } from 'lit'
import { findKeyAlone, findKeyFault } from '../../shared/key-text.ts'
import { renderBusyButton } from './busy-button.ts'
import { readExpiry, renderExpiryField } from './expiry-field.ts'
import { moveFocus } from './focus.ts'
import type { ProblemCode } from './host.ts'
import { GIVEN, InnerElement, OWN } from './inner-element.ts'
import { renderKeyField } from './key-field.ts'
import { readLabel, renderLabelField } from './label-field.ts'
import { gapAfter } from './language.ts'
import { describeRemark, examineKey, type Remark } from './key-remark.ts'
import { keysBeside, nameSlot, readableKey, relabel, type ShownSlot } from './slot.ts'
import { putKey } from './vault-client.ts'

/** The fields that problems are about. Any other problem is about the key. */
const FIELDS: Partial<Record<ProblemCode, string>> = {
  base_url_invalid: '#base-url',
  label_invalid: '#label',
  api_key_exists: '#label',
}

/** Fires `saved` with the slot and its new key, `cancel`, and `problem`. */
export class ApiKeyForm extends InnerElement {
  static override properties = {
    slots: GIVEN,
    offered: GIVEN,
    replaced: GIVEN,
    chosen: OWN,
    label: OWN,
    isShown: OWN,
    remark: OWN,
  }

  /** Every slot of the user: the beginnings of their keys tell whose a key is. */
  declare slots: readonly ShownSlot[]
  /** The slots that a key can be saved in. */
  declare offered: readonly ShownSlot[]
  /** The slot whose key is to be replaced; null if the user chooses one. */
  declare replaced: ShownSlot | null
  declare private chosen: string
  /** The label for another key of a provider; empty if it has none. */
  declare private label: string
  declare private isShown: boolean
  declare private remark: Remark | null

  constructor() {
    super()
    this.replaced = null
    this.chosen = ''
    this.label = ''
    this.isShown = false
    this.remark = null
  }

  /** Puts the cursor in the first field. */
  override focus(): void {
    this.#find('select, input')?.focus()
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    this.#forget()
  }

  protected override render() {
    const isBusy = this.attempt.doing !== null
    const fields = html`
      ${this.#hasChoice ? this.#renderChoice(isBusy) : nothing} ${this.#renderLabel()}
      ${this.#renderBaseUrl(isBusy)} ${this.#renderKey(isBusy)}
      <div id="remark" role="status">${this.#renderRemark()} ${this.#renderReplacing()}</div>
      ${renderExpiryField(this.language, isBusy)}
    `
    return this.renderForm(fields, this.#renderSave(), isBusy, this.#submit)
  }

  #renderChoice(isBusy: boolean) {
    const { say } = this.language
    return html`
      <label for="slot" part="label">${say('provider')}</label>
      <select
        id="slot"
        part="select"
        aria-describedby="remark"
        aria-invalid=${this.remark?.kind === 'choice'}
        ?disabled=${isBusy}
        @change=${this.#choose}
      >
        <option value="" disabled .selected=${this.chosen === ''}>${say('chooseProvider')}</option>
        ${this.offered.map((slot) => {
          const provider = nameSlot(slot, say)
          return html`<option value=${slot.name} .selected=${slot.name === this.chosen}>
            ${slot.key === null ? provider : say('hasKey', { provider })}
          </option>`
        })}
      </select>
    `
  }

  #renderLabel() {
    const { attempt, label, language } = this
    if (!this.#takesLabel) return nothing
    return renderLabelField(language, attempt, { label, onInput: () => this.#name() })
  }

  #renderBaseUrl(isBusy: boolean) {
    const slot = this.#slot
    const { hosts = null } = slot ?? {}
    if (slot === undefined || hosts === null) return nothing
    const { say, list } = this.language
    return html`
      <label for="base-url" part="label">${say('baseUrl')}</label>
      <input
        id="base-url"
        part="input"
        type="url"
        dir="ltr"
        autocomplete="off"
        placeholder=${`https://${hosts[0]}`}
        aria-describedby="hosts problem"
        aria-invalid=${this.attempt.problem?.code === 'base_url_invalid'}
        ?readonly=${isBusy}
        .defaultValue=${readableKey(slot)?.baseUrl ?? ''}
      />
      <p id="hosts" part="times">${say('baseUrlRule', { hosts: list(hosts) })}</p>
    `
  }

  #renderKey(isBusy: boolean) {
    const { isShown, language, remark } = this
    const isFaulty = remark?.kind === 'fault' || this.attempt.problem?.code === 'api_key_rejected'
    return renderKeyField(language, {
      slot: this.#slot,
      isShown,
      isFaulty,
      isBusy,
      onInput: this.#look,
      onToggle: this.#toggle,
    })
  }

  #renderRemark() {
    const { remark } = this
    if (remark === null) return nothing
    const { kind } = remark
    const look = { fault: 'problem', choice: 'problem', mismatch: 'notice warning' }
    const hasKey = kind === 'fault' && 'extras' in remark.fault
    return html`<p part=${kind === 'proposal' ? 'notice' : look[kind]}>
      ${describeRemark(remark, this.language)}
      ${
        hasKey
          ? html`<button type="button" part="button" @click=${this.#strip}>
              ${this.language.say('useKey')}
            </button>`
          : nothing
      }
    </p>`
  }

  /** Says that a key is replaced, to whoever did not open the form to replace it. */
  #renderReplacing() {
    const slot = this.#destination
    if (slot === undefined || slot.key === null || slot.name === this.replaced?.name) return nothing
    const { say } = this.language
    const text = say('replaces', { provider: nameSlot(slot, say) })
    const canKeep = this.#takesLabel && slot === this.#picked
    return html`<p part="notice warning">
      ${text}${canKeep ? gapAfter(text) + say('keepBoth') : nothing}
    </p>`
  }

  /** The filled button does what is most likely right. The plain one does what the user may insist on. */
  #renderSave() {
    const { remark } = this
    const { say } = this.language
    const { doing, problem } = this.attempt
    const isEarly = this.attempt.waitFor(this.#nameTask()) > 0
    const anyway = (verify: boolean) => html`
      <button
        id="anyway"
        type="button"
        part="button"
        aria-disabled=${isEarly}
        ?disabled=${doing !== null}
        @click=${() => void this.#save({ verify })}
      >
        ${say('saveAnyway')}
      </button>
    `
    const look = { id: 'save', doing, isEarly }
    if (remark?.kind === 'mismatch') {
      const { instead } = remark
      if (instead === undefined) return anyway(true)
      const onClick = () => void this.#saveFor(instead)
      const label = say('saveFor', { provider: nameSlot(instead, say) })
      return [renderBusyButton(label, { ...look, type: 'button', onClick }), anyway(true)]
    }
    const replaces = this.#slot !== undefined && this.#slot.key !== null
    const isRejected = problem?.code === 'api_key_rejected' && doing === null
    return [
      renderBusyButton(say(replaces ? 'replace' : 'save'), look),
      isRejected ? anyway(false) : nothing,
    ]
  }

  get #hasChoice(): boolean {
    return this.replaced === null && this.offered.length > 1
  }

  /** Where the user wants the key. */
  get #slot(): ShownSlot | undefined {
    const { label, slots } = this
    const chosen = this.#picked
    return chosen && label && this.#takesLabel ? relabel(slots, chosen, label) : chosen
  }

  /** Whether the key may be another one of its provider. */
  get #takesLabel(): boolean {
    const chosen = this.#picked
    if (this.replaced !== null || !chosen?.provider || chosen.label !== null) return false
    return keysBeside(this.slots, chosen).length > 0
  }

  /** The slot that is replaced or chosen. */
  get #picked(): ShownSlot | undefined {
    if (this.replaced !== null) return this.replaced
    const { offered, chosen } = this
    return offered.length === 1 ? offered[0] : offered.find(({ name }) => name === chosen)
  }

  /** Where the filled button saves the key. */
  get #destination(): ShownSlot | undefined {
    return (this.remark?.kind === 'mismatch' ? this.remark.instead : undefined) ?? this.#slot
  }

  /** What a save is. The limit of checks does not hold for one without a check. */
  #nameTask(slot = this.#slot, verify = true): 'checking' | 'saving' {
    return (slot?.provider ?? null) !== null && verify ? 'checking' : 'saving'
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

  /** Examines the key as it stands. White space around a pasted one is removed. */
  #look(event?: Event): void {
    const input = this.#input
    if (input === null) return
    const key = input.value.trim()
    const isPasted = event instanceof InputEvent && event.inputType.startsWith('insertFrom')
    if (isPasted) input.value = key
    if (this.attempt.wait === 0) this.attempt.clear()
    const { offered, slots } = this
    this.remark = key === '' ? null : examineKey(key, { slot: this.#slot, offered, slots })
    if (this.remark?.kind === 'proposal') this.chosen = this.remark.instead.name
  }

  /** Removes what was copied along with the key. */
  #strip(): void {
    const input = this.#input
    if (input !== null) input.value = findKeyAlone(input.value.trim()) ?? input.value
    this.#look()
    input?.focus()
  }

  #choose({ target }: Event): void {
    if (target instanceof HTMLSelectElement) this.chosen = target.value
    this.#look()
  }

  #name(): void {
    this.label = readLabel(this.renderRoot)
    this.#look()
  }

  /** Enter may be faster than the eye: it does not send a key that seems to be another provider's. */
  #submit(event: Event): void {
    event.preventDefault()
    if (this.remark?.kind === 'mismatch') this.#find('#save, #anyway')?.focus()
    else void this.#save()
  }

  async #saveFor(slot: ShownSlot): Promise<void> {
    this.chosen = slot.name
    this.#look()
    await this.#save({ slot })
  }

  async #save({ slot = this.#slot, verify = true } = {}): Promise<void> {
    const apiKey = this.#input?.value.trim() ?? ''
    const text = this.#nameTask(slot, verify)
    if (this.attempt.waitFor(text) > 0) return
    if (slot === undefined) return this.#refuse({ kind: 'choice' })
    const fault = findKeyFault(apiKey)
    if (fault !== null) return this.#refuse({ kind: 'fault', fault })
    await this.attempt.run({ text, slot }, async (signal) => {
      const baseUrl = this.#baseUrl?.value.trim()
      const entered = {
        apiKey,
        baseUrl,
        expiresAt: readExpiry(this.renderRoot) ?? undefined,
        verify,
      }
      const saved = await putKey({ access: this.access, signal }, slot, entered)
      this.#forget()
      this.tell('saved', saved)
    })
    const { problem } = this.attempt
    if (problem !== null) void moveFocus(this, FIELDS[problem.code] ?? '#key')
  }

  #refuse(remark: Remark): void {
    this.remark = remark
    this.#find(remark.kind === 'choice' ? 'select' : '#key')?.focus()
  }

  #toggle(): void {
    this.isShown = !this.isShown
  }

  protected override cancel(): void {
    this.#forget()
    super.cancel()
  }

  #forget(): void {
    if (this.#input !== null) this.#input.value = ''
    if (this.#baseUrl !== null) this.#baseUrl.value = this.#baseUrl.defaultValue
  }
}
