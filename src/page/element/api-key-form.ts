/** The form that takes a key. It examines the key before it sends it, and forgets it afterwards. */

import { html, nothing } from 'lit'
import { findKeyIn, findTextFault, joinLines } from '../../callers/browser/key-in-text.ts'
import { renderBusyButton } from './busy-button.ts'
import { readExpiry, renderExpiryField } from './expiry-field.ts'
import { moveFocus } from './focus.ts'
import type { ProblemCode } from './host.ts'
import { GIVEN, InnerElement, OWN } from './inner-element.ts'
import { renderKeyField } from './key-field.ts'
import { readLabel, renderLabelField } from './label-field.ts'
import { gapAfter } from './language.ts'
import { beginningsOf, describeRemark, examineKey, type Remark } from './key-remark.ts'
import {
  describeSaved,
  keysBeside,
  nameSlot,
  readableKey,
  relabel,
  type ShownKey,
  type ShownSlot,
  usableKey,
} from './slot.ts'
import { putKey } from './vault-client.ts'

/** The field that each problem is about. A fault of the key is about its field, and any other problem about none. */
const FIELDS: Partial<Record<ProblemCode, string>> = {
  api_key_rejected: '#key',
  base_url_invalid: '#base-url',
  label_invalid: '#label',
  api_key_exists: '#label',
}

/** Fires `done`, `cancel` and `problem`. */
export class ApiKeyForm extends InnerElement {
  static override properties = {
    slots: GIVEN,
    offered: GIVEN,
    keySlot: GIVEN,
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
  declare keySlot: ShownSlot | null
  /** What is typed as the provider. */
  declare private chosen: string
  /** The label for another key of a provider; empty if it has none. */
  declare private label: string
  declare private isShown: boolean
  declare private remark: Remark | null

  constructor() {
    super()
    this.keySlot = null
    this.chosen = ''
    this.label = ''
    this.isShown = false
    this.remark = null
  }

  /** An element that is moved is connected again at once, and keeps what was typed. */
  override disconnectedCallback(): void {
    super.disconnectedCallback()
    queueMicrotask(() => {
      if (!this.isConnected) this.#forget()
    })
  }

  protected override render() {
    const isBusy = this.attempt.doing !== null
    const fields = html`
      <div @keydown=${this.#press}>
        ${this.#renderKey(isBusy)} ${this.problemAt('#key')}
        <div id="remark" role="status">${this.#renderRemark()} ${this.#renderReplacing()}</div>
        ${this.#hasChoice ? this.#renderChoice(isBusy) : nothing} ${this.#renderLabel()}
        ${this.problemAt('#label')} ${this.#renderBaseUrl(isBusy)} ${this.problemAt('#base-url')}
        ${this.#renderExpiry(isBusy)}
      </div>
    `
    return this.renderForm(fields, this.#renderSave(), isBusy, this.#submit)
  }

  protected override get faultyField(): string {
    const { problem } = this.attempt
    if (problem === null) return ''
    return problem.reason === undefined ? (FIELDS[problem.code] ?? '') : '#key'
  }

  /** A field with a list, which a user can search by typing. */
  #renderChoice(isBusy: boolean) {
    const { say } = this.language
    const isMissing = this.remark?.kind === 'choice'
    return html`
      <label for="slot" part="label">${say('provider')}</label>
      <input
        id="slot"
        part="input"
        list="slots"
        autocomplete="off"
        placeholder=${say('chooseProvider')}
        aria-describedby="choice"
        aria-invalid=${isMissing}
        ?readonly=${isBusy}
        .value=${this.chosen}
        @input=${this.#choose}
      />
      <datalist id="slots">
        ${this.offered.map((slot) => {
          const provider = nameSlot(slot, say)
          return html`<option value=${provider}>
            ${slot.key === null ? nothing : say('hasKey', { provider })}
          </option>`
        })}
      </datalist>
      <div id="choice" role="status">
        ${isMissing ? html`<p part="problem">${say('chooseProvider')}</p>` : nothing}
      </div>
    `
  }

  /** Whoever replaces a key rarely has another expiry in mind. */
  #renderExpiry(isBusy: boolean) {
    const { language } = this
    const { say, day } = language
    const { expiresAt = null } = this.#replacedKey ?? {}
    const kept = this.#keptExpiry
    const summary = kept === null ? say('never') : day(kept)
    return html`
      ${
        expiresAt === kept || expiresAt === null
          ? nothing
          : html`<p part="times">${say('expiryPassed', { day: day(expiresAt) })}</p>`
      }
      <details>
        <summary>${say('expires')} · ${summary}</summary>
        ${renderExpiryField(language, isBusy, kept)}
      </details>
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
    const isWrong = this.attempt.problem?.code === 'base_url_invalid'
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
        aria-invalid=${isWrong}
        ?readonly=${isBusy}
        .defaultValue=${readableKey(slot)?.baseUrl ?? ''}
      />
      ${
        // The problem says the same.
        isWrong
          ? nothing
          : html`<p id="hosts" part="times">${say('base_url_invalid', { hosts: list(hosts) })}</p>`
      }
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
      onPaste: this.#paste,
      onToggle: this.#toggle,
    })
  }

  #renderRemark() {
    const { remark } = this
    if (remark === null || remark.kind === 'choice') return nothing
    const { kind } = remark
    const look = {
      fault: 'problem',
      proposal: 'notice',
      mismatch: 'notice warning',
      loss: 'notice warning',
    }
    const hasKey = kind === 'fault' && 'extras' in remark.fault
    return html`<p part=${look[kind]}>
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
    if (slot === undefined || slot.key === null || slot.name === this.keySlot?.name) return nothing
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
    return this.keySlot === null && this.offered.length > 1
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
    if (this.keySlot !== null || !chosen?.provider || chosen.label !== null) return false
    return keysBeside(this.slots, chosen).length > 0
  }

  /** The slot that is replaced or chosen. */
  get #picked(): ShownSlot | undefined {
    const { keySlot, offered, language } = this
    if (keySlot !== null) return keySlot
    if (offered.length === 1) return offered[0]
    const chosen = this.chosen.trim().toLowerCase()
    const names = (slot: ShownSlot) => [slot.name, nameSlot(slot, language.say).toLowerCase()]
    return offered.find((slot) => names(slot).includes(chosen))
  }

  /** The key that is replaced, if the form was opened for that. */
  get #replacedKey(): ShownKey | null {
    return this.keySlot && readableKey(this.keySlot)
  }

  /** When the key that is replaced expires; null if it never does, or has. */
  get #keptExpiry(): string | null {
    return (this.keySlot && usableKey(this.keySlot)?.expiresAt) ?? null
  }

  /** Where the filled button saves the key. */
  get #destination(): ShownSlot | undefined {
    return (this.remark?.kind === 'mismatch' ? this.remark.instead : undefined) ?? this.#slot
  }

  /** The name of the task. The rate limit of checks does not apply to a save without a check. */
  #nameTask(slot = this.#slot, verify = true): 'checking' | 'saving' {
    return (slot?.provider ?? null) !== null && verify ? 'checking' : 'saving'
  }

  get #input(): HTMLInputElement | null {
    return this.#find('#key')
  }

  get #baseUrl(): HTMLInputElement | null {
    return this.#find('#base-url')
  }

  #find(selector: string): HTMLInputElement | null {
    return this.renderRoot.querySelector<HTMLInputElement>(selector)
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
    if (this.remark?.kind === 'proposal')
      this.chosen = nameSlot(this.remark.instead, this.language.say)
  }

  /** The field would join lines without a space between them. */
  #paste(event: ClipboardEvent): void {
    const text = event.clipboardData?.getData('text').trim() ?? ''
    const input = this.#input
    if (input === null || !text.includes('\n')) return
    event.preventDefault()
    input.value = joinLines(text)
    this.#look()
  }

  /** Removes what was copied along with the key. */
  #strip(): void {
    const input = this.#input
    if (input !== null)
      input.value = findKeyIn(input.value, beginningsOf(this.slots)) ?? input.value
    this.#look()
    input?.focus()
  }

  #choose({ target }: Event): void {
    if (target instanceof HTMLInputElement) this.chosen = target.value
    this.#look()
  }

  #name(): void {
    this.label = readLabel(this.renderRoot)
    this.#look()
  }

  /** Enter may be faster than the eye: it does not send a key that seems to be another provider's. */
  #press(event: KeyboardEvent): void {
    const isInField = event.target instanceof HTMLInputElement
    if (event.key !== 'Enter' || !isInField || this.remark?.kind !== 'mismatch') return
    event.preventDefault()
    this.renderRoot.querySelector<HTMLElement>('#save, #anyway')?.focus()
  }

  #submit(event: Event): void {
    event.preventDefault()
    // Escape may have put another remark in the place of this one.
    this.#look()
    if (this.remark?.kind !== 'mismatch') void this.#save()
  }

  async #saveFor(slot: ShownSlot): Promise<void> {
    this.chosen = nameSlot(slot, this.language.say)
    this.#look()
    await this.#save({ slot })
  }

  async #save({ slot = this.#slot, verify = true } = {}): Promise<void> {
    const apiKey = this.#input?.value.trim() ?? ''
    const text = this.#nameTask(slot, verify)
    if (this.attempt.waitFor(text) > 0) return
    if (slot === undefined) return this.#refuse({ kind: 'choice' })
    const fault = findTextFault(apiKey, beginningsOf(this.slots))
    if (fault !== null) return this.#refuse({ kind: 'fault', fault })
    await this.attempt.run({ text, slot }, async (signal) => {
      const baseUrl = this.#baseUrl?.value.trim()
      const chosen = readExpiry(this.renderRoot)
      const expiresAt = (chosen === undefined ? this.#keptExpiry : chosen) ?? undefined
      const entered = { apiKey, baseUrl, expiresAt, verify }
      const saved = await putKey({ access: this.access, signal }, slot, entered)
      this.#forget()
      const notice = describeSaved(saved, this.language)
      this.tell('done', { change: 'saved', slot: saved, from: saved, notice })
    })
    if (this.attempt.problem !== null) void moveFocus(this, this.faultyField || '#key')
  }

  #refuse(remark: Remark): void {
    this.remark = remark
    this.#find(remark.kind === 'choice' ? '#slot' : '#key')?.focus()
  }

  #toggle(): void {
    this.isShown = !this.isShown
  }

  override get hasTyped(): boolean {
    return Boolean(this.#input?.value)
  }

  /** What was typed is lost only after the second attempt. */
  override mayClose(): boolean {
    if (!super.mayClose()) return false
    if (!this.hasTyped || this.remark?.kind === 'loss') return true
    this.remark = { kind: 'loss' }
    this.focus()
    return false
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
