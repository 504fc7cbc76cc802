/** A stored key: how it is, and what can be done with it. */

import { html, LitElement, nothing } from 'lit'
import { DEFAULT_SLOT, type Verdict } from '../../shared/slot.ts'
import { Attempt } from './attempt.ts'
import { moveFocus } from './focus.ts'
import type { Problem } from './problem.ts'
import { describeStatus, formatMinute, isOffered, nameSlot, type ShownSlot } from './slot.ts'
import { PARTS, styles } from './styles.ts'
import { deleteKey, verifyKey, type Access } from './vault-client.ts'

/** What a test has shown, for the person who asked. */
const VERDICTS: Record<Verdict, (name: string) => string> = {
  accepted: (name) => `${name} accepts this key.`,
  refused: (name) => `${name} refuses this key.`,
  unknown: (name) => `${name} did not say whether this key works. Test it again later.`,
}

/** Fires `saved`, `tested`, `deleted` and `assigned` with the slot as it is then, and `problem`. */
export class ApiKeyItem extends LitElement {
  static override styles = styles
  static override properties = {
    access: { attribute: false },
    keySlot: { attribute: false },
    slots: { attribute: false },
    opened: { state: true },
    verdict: { state: true },
  }

  declare access: Access
  declare keySlot: ShownSlot
  /** Every slot of the user. */
  declare slots: readonly ShownSlot[]
  /** The form that is open instead of the buttons. */
  declare private opened: 'replace' | 'assign' | null
  declare private verdict: string
  readonly #attempt = new Attempt(this, (problem) => this.#tell('problem', problem))

  constructor() {
    super()
    this.opened = null
    this.verdict = ''
  }

  protected override render() {
    const { text, tone } = describeStatus(this.keySlot)
    return html`
      <div class="row">
        <strong part="provider">${nameSlot(this.keySlot)}</strong>
        <span part="status" class=${tone}>${text}</span>
      </div>
      ${this.#renderKey()} ${this.#attempt.render()}
      <div role="status">
        ${this.verdict ? html`<p part="notice">${this.verdict}</p>` : nothing}
      </div>
      ${this.#renderOpened()} ${this.#renderDialog()}
    `
  }

  #renderKey() {
    const { key, name } = this.keySlot
    if (key === null || key === 'unreadable') return nothing
    const { preview, savedAt, lastUsedAt, baseUrl } = key
    const used = lastUsedAt === null ? 'Never used' : html`Last used ${renderTime(lastUsedAt)}`
    return html`
      <code part="preview" dir="ltr">${preview}</code>
      ${baseUrl === null ? nothing : html`<p part="times" dir="ltr">${baseUrl}</p>`}
      <p part="times" class="row">
        <span>Saved ${renderTime(savedAt)}</span>
        ${name === DEFAULT_SLOT ? nothing : html`<span>${used}</span>`}
      </p>
    `
  }

  #renderOpened() {
    if (this.opened === 'replace') return this.#renderForm()
    return this.opened === 'assign' ? this.#renderAssigning() : this.#renderButtons()
  }

  #renderButtons() {
    const { keySlot } = this
    const { doing, wait } = this.#attempt
    const canTest = isOffered(keySlot) && keySlot.label !== null && keySlot.key !== 'unreadable'
    const canAssign = this.#assignable.length > 0
    const button = (verb: string, act: () => void) => html`
      <button
        type="button"
        part="button"
        aria-label="${verb}${verb === 'Set provider' ? ' of' : ''} the ${nameSlot(keySlot)} key"
        aria-disabled=${doing !== null || wait > 0}
        @click=${() => (doing === null && wait === 0 ? act() : undefined)}
      >
        ${verb}
      </button>
    `
    return html`
      <div class="buttons">
        ${isOffered(keySlot) ? button('Replace', () => this.#open('replace')) : nothing}
        ${canAssign ? button('Set provider', () => this.#open('assign')) : nothing}
        ${canTest ? button('Test', () => void this.#test()) : nothing}
        ${button('Delete', () => this.#ask())}
        ${doing === null ? nothing : html`<span part="busy">${doing}</span>`}
      </div>
    `
  }

  #renderForm() {
    const { access, keySlot, slots } = this
    return html`
      <api-key-settings-form
        class="inner"
        exportparts=${PARTS}
        .access=${access}
        .slots=${slots}
        .choices=${[keySlot]}
        @saved=${({ detail }: CustomEvent<ShownSlot>) => {
          this.#close()
          this.#tell('saved', detail)
        }}
        @cancel=${this.#close}
        @problem=${({ detail }: CustomEvent<Problem>) => this.#tell('problem', detail)}
      ></api-key-settings-form>
    `
  }

  #renderAssigning() {
    const { access, keySlot } = this
    const preview = keySlot.key === null || keySlot.key === 'unreadable' ? '' : keySlot.key.preview
    return html`
      <api-key-settings-assign
        class="inner"
        exportparts=${PARTS}
        .access=${access}
        .preview=${preview}
        .choices=${this.#assignable}
        @assigned=${({ detail }: CustomEvent<ShownSlot>) => this.#tell('assigned', detail)}
        @cancel=${this.#close}
        @problem=${({ detail }: CustomEvent<Problem>) => this.#tell('problem', detail)}
      ></api-key-settings-assign>
    `
  }

  /** The slots that the key of the default slot can go to. */
  get #assignable(): ShownSlot[] {
    const { keySlot, slots } = this
    if (keySlot.name !== DEFAULT_SLOT || keySlot.key === 'unreadable') return []
    return slots.filter(({ label, key, hosts }) => label !== null && key === null && hosts === null)
  }

  #renderDialog() {
    const { label } = this.keySlot
    const revoke = `It still works at ${label}: if others may know it, revoke it there too.`
    return html`
      <dialog part="dialog" aria-labelledby="question" aria-describedby="consequence">
        <strong id="question">Delete the ${nameSlot(this.keySlot)} key?</strong>
        <p id="consequence">
          Applications stop using it at once, and it cannot be brought back from here.
          ${label === null ? nothing : revoke}
        </p>
        <div class="buttons">
          <button type="button" part="button" @click=${() => this.#dialog?.close()}>
            Keep key
          </button>
          <button type="button" part="button danger-button" @click=${this.#delete}>
            Delete key
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
    this.verdict = ''
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
    const name = nameSlot(keySlot)
    this.verdict = ''
    await this.#attempt.run(`Asking ${name} …`, async (signal) => {
      const { key, verdict } = await verifyKey({ access, signal }, keySlot.name)
      this.verdict = verdict === null ? 'This key was changed meanwhile.' : VERDICTS[verdict](name)
      this.#tell('tested', { ...keySlot, key })
    })
  }

  async #delete(): Promise<void> {
    const { access, keySlot } = this
    this.#dialog?.close()
    await this.#attempt.run('Deleting the key …', async (signal) => {
      await deleteKey({ access, signal }, keySlot.name)
      this.#tell('deleted', { ...keySlot, key: null })
    })
  }

  #tell(
    type: 'saved' | 'tested' | 'deleted' | 'assigned' | 'problem',
    detail: ShownSlot | Problem,
  ): void {
    this.dispatchEvent(new CustomEvent(type, { detail }))
  }
}

function renderTime(time: string) {
  return html`<time datetime=${time}>${formatMinute(time)}</time>`
}
