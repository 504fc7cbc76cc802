/** `<api-key-settings>`: a user's API keys on one screen, for any frontend to embed. */

import { html, LitElement, nothing, type PropertyValues } from 'lit'
import { repeat } from 'lit/directives/repeat.js'
import { DEFAULT_SLOT } from '../../shared/slot.ts'
import { ApiKeyForm } from './api-key-form.ts'
import { ApiKeyItem } from './api-key-item.ts'
import { AssignForm } from './assign-form.ts'
import { Attempt } from './attempt.ts'
import { moveFocus } from './focus.ts'
import type { Problem } from './problem.ts'
import { describeSaved, isOffered, nameSlot, type ShownSlot } from './slot.ts'
import { PARTS, styles } from './styles.ts'
import { fetchSlots, type Access, type GetToken } from './vault-client.ts'

/**
 * Shows the keys of `userId` in the vault at `baseUrl`. Fires `saved` (`detail`: `provider`, `preview`,
 * `status`), `deleted` (`provider`), and `error` (`code`, `message`, `requestId`); none of them bubbles.
 */
export class ApiKeySettings extends LitElement {
  static override styles = styles
  static override properties = {
    baseUrl: { attribute: 'base-url' },
    userId: { attribute: 'user-id' },
    providers: {},
    getToken: { attribute: false },
    slots: { state: true },
    isAdding: { state: true },
    notice: { state: true },
  }

  /** Where the vault is; left out, where this script came from. */
  declare baseUrl: string
  /** The token's `sub`. */
  declare userId: string | null
  /** Names of the slots that are offered, separated by spaces; left out, every provider. */
  declare providers: string | null
  declare getToken: GetToken | undefined
  declare private slots: readonly ShownSlot[] | null
  declare private isAdding: boolean
  declare private notice: string
  #attempt = new Attempt(this, (problem) => this.#failed(problem))
  #access: Access | null = null

  constructor() {
    super()
    this.baseUrl = new URL(import.meta.url).origin
    this.userId = null
    this.providers = null
    this.slots = null
    this.isAdding = false
    this.notice = ''
  }

  override connectedCallback(): void {
    super.connectedCallback()
    window.addEventListener('online', this.#retry)
    // Its words are English, whatever the page around it speaks.
    this.lang ||= 'en'
    this.dir ||= 'ltr'
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    window.removeEventListener('online', this.#retry)
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    const isOther = changed.has('baseUrl') || changed.has('userId')
    const isFirst = changed.has('getToken') && changed.get('getToken') === undefined
    if (isOther || isFirst) this.#start()
  }

  protected override render() {
    if (this.#access === null) {
      return html`<p part="times">Waiting for user-id and getToken to be set …</p>`
    }
    return html`
      <div role="status">
        ${this.notice ? html`<p part="notice" tabindex="-1">${this.notice}</p>` : nothing}
      </div>
      ${this.slots === null ? this.#renderWaiting() : this.#renderSlots(this.slots)}
    `
  }

  #renderWaiting() {
    const { doing, wait } = this.#attempt
    const retry = html`
      <button
        id="retry"
        type="button"
        part="button"
        aria-disabled=${wait > 0}
        @click=${this.#again}
      >
        Try again
      </button>
    `
    return html`
      ${this.#attempt.render()} ${doing === null ? retry : html`<p part="times busy">${doing}</p>`}
    `
  }

  #renderSlots(slots: readonly ShownSlot[]) {
    const stored = slots.filter(({ key }) => key !== null)
    const empty = html`<p class="card">No keys yet. Add one for this application to use.</p>`
    return html`
      ${stored.length === 0 && !this.isAdding ? empty : nothing}
      <ul role="list" @click=${this.#unsay}>
        ${repeat(
          stored,
          ({ name }) => name,
          (keySlot) => this.#renderItem(keySlot, slots),
        )}
      </ul>
      ${this.#renderAdding(slots)}
    `
  }

  #renderItem(keySlot: ShownSlot, slots: readonly ShownSlot[]) {
    return html`
      <li>
        <api-key-settings-item
          exportparts=${PARTS}
          .access=${this.#access}
          .keySlot=${keySlot}
          .slots=${slots}
          @saved=${this.#from(this.#saved)}
          @tested=${this.#from(this.#tested)}
          @deleted=${this.#from(this.#deleted)}
          @assigned=${this.#from(this.#assigned)}
          @problem=${this.#from(this.#failed)}
        ></api-key-settings-item>
      </li>
    `
  }

  #renderAdding(slots: readonly ShownSlot[]) {
    const choices = slots.filter((slot) => slot.key === null && this.#offers(slot))
    if (choices.length === 0) return nothing
    if (!this.isAdding) {
      return html`
        <button id="add" type="button" part="button primary-button" @click=${this.#add}>
          Add a key
        </button>
      `
    }
    return html`
      <api-key-settings-form
        class="card"
        exportparts=${PARTS}
        .access=${this.#access}
        .slots=${slots}
        .choices=${choices}
        @saved=${this.#from(this.#added)}
        @cancel=${this.#cancel}
        @problem=${this.#from(this.#failed)}
      ></api-key-settings-form>
    `
  }

  /** Where `providers` says nothing, the default slot is for those who know it: scripts, not people. */
  #offers(slot: ShownSlot): boolean {
    const named = this.providers?.split(/\s+/)
    return isOffered(slot) && (named?.includes(slot.name) ?? slot.name !== DEFAULT_SLOT)
  }

  /** Begins anew, for another user or vault; what is still under way for the one before is not told. */
  #start(): void {
    const { baseUrl, userId } = this
    // Frontends pass a new function at every render: the one of the moment is asked.
    const getToken: GetToken = async (options) => this.getToken?.(options) ?? ''
    const isReady = userId && this.getToken !== undefined
    const access = isReady ? { baseUrl, userId, getToken } : null
    this.removeController(this.#attempt)
    this.#access = access
    this.#attempt = new Attempt(this, (problem) => {
      if (access === this.#access) this.#failed(problem)
    })
    this.slots = null
    this.isAdding = false
    this.notice = ''
    void this.#load()
  }

  async #load(): Promise<void> {
    const access = this.#access
    if (access === null) return
    await this.#attempt.run('Loading your keys …', async (signal) => {
      const slots = await fetchSlots({ access, signal })
      if (access === this.#access) this.slots = slots
    })
  }

  /** Hears an inner element's event, unless it is about the user or vault before. */
  #from<T>(hear: (detail: T) => void): (event: CustomEvent<T>) => void {
    const access = this.#access
    return ({ detail }) => {
      if (access === this.#access) hear.call(this, detail)
    }
  }

  readonly #retry = (): void => {
    if (this.slots === null && this.#attempt.wait === 0) void this.#load()
  }

  async #again(): Promise<void> {
    if (this.#attempt.wait > 0) return
    await this.#load()
    void moveFocus(this, '#add, #retry')
  }

  #put(slot: ShownSlot): void {
    this.slots = this.slots?.map((other) => (other.name === slot.name ? slot : other)) ?? null
  }

  #saved(slot: ShownSlot): void {
    const { name: provider, key } = slot
    this.#put(slot)
    this.notice = describeSaved(slot)
    if (key === null || key === 'unreadable') return
    this.#tell('saved', { provider, preview: key.preview, status: key.status })
  }

  #added(slot: ShownSlot): void {
    this.isAdding = false
    this.#saved(slot)
    void moveFocus(this, '[part~=notice]')
  }

  #assigned(slot: ShownSlot): void {
    const from = this.slots?.find(({ name }) => name === DEFAULT_SLOT)
    if (from !== undefined) this.#put({ ...from, key: null })
    this.#saved(slot)
    void moveFocus(this, '[part~=notice]')
  }

  #tested(slot: ShownSlot): void {
    this.#put(slot)
    if (slot.key !== null) return
    this.notice = `The ${nameSlot(slot)} key was deleted elsewhere.`
    void moveFocus(this, '[part~=notice]')
  }

  #deleted(slot: ShownSlot): void {
    this.#put(slot)
    this.notice = `The ${nameSlot(slot)} key is deleted.`
    void moveFocus(this, '[part~=notice]')
    this.#tell('deleted', { provider: slot.name })
  }

  #failed({ code, message, requestId }: Problem): void {
    this.#tell('error', { code, message, requestId })
  }

  /** What was said of the action before is old at the next one. */
  #unsay(): void {
    this.notice = ''
  }

  #tell(type: 'saved' | 'deleted' | 'error', detail: object): void {
    this.dispatchEvent(new CustomEvent(type, { detail }))
  }

  #add(): void {
    this.notice = ''
    this.isAdding = true
    void moveFocus(this, 'api-key-settings-form')
  }

  #cancel(): void {
    this.isAdding = false
    void moveFocus(this, '#add')
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'api-key-settings': ApiKeySettings
  }
}

// Two scripts of it on one page are one too many, and no fault.
if (!customElements.get('api-key-settings')) {
  customElements.define('api-key-settings-form', ApiKeyForm)
  customElements.define('api-key-settings-item', ApiKeyItem)
  customElements.define('api-key-settings-assign', AssignForm)
  customElements.define('api-key-settings', ApiKeySettings)
}
