/** `<api-key-settings>`: a user's API keys on one screen, for any frontend to embed. */

import { html, isServer, LitElement, nothing, render, type PropertyValues } from 'lit'
import { DEFAULT_SLOT, splitSlot } from '../../shared/slot.ts'
import { Activity } from './activity.ts'
import { ApiKeyForm } from './api-key-form.ts'
import { ApiKeyItem } from './api-key-item.ts'
import { AssignForm } from './assign-form.ts'
import { Attempt } from './attempt.ts'
import { moveFocus } from './focus.ts'
import type { ApiKeySettingsElement, Details, ErrorDetail, GetToken } from './host.ts'
import { Language } from './language.ts'
import { LimitsForm } from './limits-form.ts'
import { NameForm } from './name-form.ts'
import { nameProviders, offerSlots } from './offer.ts'
import {
  describeLag,
  describeSaved,
  findSlot,
  nameSlot,
  putSlot,
  readableKey,
  type Notice,
  type ShownSlot,
} from './slot.ts'
import { isBuiltIn, loadLanguage } from './spoken-language.ts'
import { PARTS, renderNotice, styles } from './styles.ts'
import type { Texts } from './texts.ts'
import { fetchSlots, type Access } from './vault-client.ts'

/** For whoever builds the application. */
const NOT_READY = 'Waiting for user-id and getToken to be set …'

/**
 * Shows the keys of `userId`, or of the team `teamId`, in the vault at `baseUrl`. Fires `saved` (`detail`: `provider`, `preview`,
 * `status`), `deleted` (`provider`), and `error` (`code`, `message`, `requestId`); none of them bubbles.
 */
export class ApiKeySettings extends LitElement implements ApiKeySettingsElement {
  static override styles = styles
  static override properties = {
    baseUrl: { attribute: 'base-url' },
    userId: { attribute: 'user-id' },
    teamId: { attribute: 'team-id' },
    providers: {},
    getToken: { attribute: false },
    texts: { attribute: false },
    language: { state: true },
    isSpeaking: { state: true },
    slots: { state: true },
    isAdding: { state: true },
    notice: { state: true },
  }

  declare baseUrl: string
  declare userId: string | null
  declare teamId: string | null
  declare providers: string | null
  declare getToken: GetToken | undefined
  declare texts: Partial<Texts> | null
  declare language: Language
  /** Whether the texts of the page's language have come. */
  declare private isSpeaking: boolean
  declare private slots: readonly ShownSlot[] | null
  declare private isAdding: boolean
  declare private notice: Notice | null
  #attempt = new Attempt(this, (detail) => this.#failed(detail))
  #access: Access | null = null
  /** The providers of which the team has keys, for a member who is not an admin; null for anybody else. */
  #shared: readonly string[] | null = null
  #askedLanguage: object | null = null
  readonly #languageWatch = new MutationObserver(() => void this.#speak())

  constructor() {
    super()
    this.baseUrl = new URL(import.meta.url).origin
    this.userId = null
    this.teamId = null
    this.providers = null
    this.texts = null
    this.language = new Language('en')
    this.isSpeaking = false
    this.slots = null
    this.isAdding = false
    this.notice = null
  }

  override connectedCallback(): void {
    super.connectedCallback()
    window.addEventListener('online', this.#retry)
    for (const element of [this, document.documentElement]) {
      this.#languageWatch.observe(element, { attributeFilter: ['lang'] })
    }
    void this.#speak()
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    window.removeEventListener('online', this.#retry)
    this.#languageWatch.disconnect()
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    const isOther = changed.has('baseUrl') || changed.has('userId') || changed.has('teamId')
    const isFirst = changed.has('getToken') && changed.get('getToken') === undefined
    if (isOther || isFirst) this.#start()
    if (changed.has('texts') && this.isConnected) void this.#speak()
    if (changed.has('providers')) this.#warn()
  }

  protected override render() {
    const { tag } = this.language
    if (!this.isSpeaking) return nothing
    // A right-to-left page may have this element in a left-to-right language, and its own texts too.
    const direction = this.dir || (isBuiltIn(tag) ? 'ltr' : nothing)
    return html`
      <div lang=${tag} dir=${direction}>
        ${
          this.#access === null
            ? html`<p part="times" lang="en">${NOT_READY}</p>`
            : html`
                <div role="status">
                  ${this.notice === null ? nothing : renderNotice(this.notice)}
                </div>
                ${this.slots === null ? this.#renderWaiting() : this.#renderSlots(this.slots)}
              `
        }
      </div>
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
        ${this.language.say('tryAgain')}
      </button>
    `
    return html`
      ${this.#attempt.render()} ${doing === null ? retry : html`<p part="times busy">${doing}</p>`}
    `
  }

  /** What a member who is not an admin sees. */
  #renderShared(providers: readonly string[]) {
    const { say } = this.language
    if (providers.length === 0) return html`<p class="card">${say('noTeamKeys')}</p>`
    return html`
      <ul role="list">
        ${providers.map(
          (provider) => html`
            <li class="row">
              <strong part="provider">${provider}</strong>
              <span part="status">${say('teamKey')}</span>
            </li>
          `,
        )}
      </ul>
    `
  }

  #renderSlots(slots: readonly ShownSlot[]) {
    if (this.#shared !== null) return this.#renderShared(this.#shared)
    const { say, list } = this.language
    const offered = offerSlots(slots, this.providers)
    const providers = list(offered.map((slot) => nameSlot(slot, say)))
    const isEmpty = slots.every(({ key }) => key === null) && !this.isAdding
    return html`
      ${isEmpty ? html`<p class="card">${say('empty', { providers })}</p>` : nothing}
      <ul role="list" @click=${this.#unsay}>
        ${
          // Each slot has its place, with a key or without it, so that an open form stays with its slot. Only the slots
          // of the same provider move.
          Array.from(Map.groupBy(slots, ({ name }) => splitSlot(name).provider).values(), (group) =>
            group.map((keySlot) =>
              keySlot.key === null ? nothing : this.#renderItem(keySlot, { slots, offered }),
            ),
          )
        }
      </ul>
      ${this.#renderAdding({ slots, offered })}
    `
  }

  #renderItem(keySlot: ShownSlot, { slots, offered }: Choices) {
    return html`
      <li>
        <api-key-settings-item
          exportparts=${PARTS}
          .access=${this.#access}
          .language=${this.language}
          .keySlot=${keySlot}
          .slots=${slots}
          .offered=${offered}
          @saved=${this.#from(this.#saved)}
          @changed=${this.#from(this.#changed)}
          @deleted=${this.#from(this.#deleted)}
          @assigned=${this.#from(this.#assigned)}
          @moved=${this.#from(this.#moved)}
          @problem=${this.#from(this.#failed)}
        ></api-key-settings-item>
      </li>
    `
  }

  #renderAdding({ slots, offered }: Choices) {
    if (!this.isAdding) {
      const isFull = offered.every(({ key }) => key !== null)
      // A provider may have another key, under a label.
      if (isFull && !offered.some(({ provider, label }) => provider && label === null))
        return nothing
      return html`
        <button
          id="add"
          type="button"
          part=${`button ${isFull ? '' : 'primary-button'}`}
          @click=${this.#add}
        >
          ${this.language.say(isFull ? 'addAnother' : 'addKey')}
        </button>
      `
    }
    return html`
      <api-key-settings-form
        class="card"
        exportparts=${PARTS}
        .access=${this.#access}
        .language=${this.language}
        .slots=${slots}
        .offered=${offered}
        @saved=${this.#from(this.#added)}
        @cancel=${this.#cancel}
        @problem=${this.#from(this.#failed)}
      ></api-key-settings-form>
    `
  }

  /** Begins anew, for another user or vault. What is under way for the previous one is not reported. */
  #start(): void {
    const { baseUrl, userId, teamId } = this
    const id = teamId || userId
    // Frontends pass a new function at every render: the latest one is called.
    const getToken: GetToken = async (options) => this.getToken?.(options) ?? ''
    const kind = teamId ? 'teams' : 'users'
    const isReady = id && this.getToken !== undefined
    const access = isReady ? ({ baseUrl, kind, id, userId, getToken } as const) : null
    this.removeController(this.#attempt)
    this.#access = access
    this.#attempt = new Attempt(this, (detail) => {
      if (access === this.#access) this.#failed(detail)
    })
    this.slots = null
    this.isAdding = false
    this.notice = null
    void this.#load()
  }

  async #load(): Promise<void> {
    const access = this.#access
    if (access === null) return
    await this.#attempt.run({ text: 'loading' }, async (signal) => {
      const { slots, shared } = await fetchSlots({ access, signal })
      if (access !== this.#access) return
      this.slots = slots
      this.#shared = shared
      this.#warn()
    })
  }

  /** Speaks the language of this element, otherwise of the page. */
  async #speak(): Promise<void> {
    const tag = this.closest<HTMLElement>('[lang]')?.lang ?? document.documentElement.lang
    const asked = {}
    this.#askedLanguage = asked
    const language = await loadLanguage(tag, this.texts ?? null)
    if (asked !== this.#askedLanguage) return
    this.language = language
    this.isSpeaking = true
  }

  #warn(): void {
    const { slots } = this
    if (slots === null || this.#shared !== null) return
    const unknown = nameProviders(this.providers)?.filter((name) => !findSlot(slots, name)) ?? []
    if (unknown.length === 0) return
    const known = slots.map(({ name }) => name)
    console.warn(`Unknown providers: ${unknown.join(' ')}. Known: ${known.join(' ')}.`, this)
  }

  /** Listens to an inner element, unless its event is about the previous user or vault. */
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
    this.slots = this.slots && putSlot(this.slots, slot)
  }

  #saved(slot: ShownSlot): void {
    this.#put(slot)
    const { language } = this
    const more = describeLag(slot, 'earlierUsed', language)
    this.notice = { ...describeSaved(slot, language.say), more }
    const key = readableKey(slot)
    if (key === null) return
    const { preview, status } = key
    this.#tell('saved', { provider: slot.name, preview, status })
  }

  #added(slot: ShownSlot): void {
    this.isAdding = false
    this.#saved(slot)
    void moveFocus(this, '[part~=notice]')
  }

  #assigned(slot: ShownSlot): void {
    const from = this.slots?.find(({ name }) => name === DEFAULT_SLOT)
    if (from !== undefined) this.#put({ ...from, key: null, etag: null, lag: 0 })
    this.#saved(slot)
    void moveFocus(this, '[part~=notice]')
  }

  /** A key has another label or place. The service knows where the others are then. */
  #moved(notice: Notice): void {
    this.notice = notice
    void this.#load()
    void moveFocus(this, '[part~=notice]')
  }

  #changed(slot: ShownSlot): void {
    this.#put(slot)
    if (slot.key === null) this.#noteDeletion(slot)
  }

  #deleted(slot: ShownSlot): void {
    this.#put(slot)
    this.#noteDeletion(slot)
    this.#tell('deleted', { provider: slot.name })
  }

  #noteDeletion(slot: ShownSlot): void {
    const { say } = this.language
    const text = say('deleted', { provider: nameSlot(slot, say) })
    this.notice = { text, tone: 'neutral', more: describeLag(slot, 'stillUsed', this.language) }
    void moveFocus(this, '[part~=notice]')
  }

  #failed(detail: ErrorDetail): void {
    // The slots show what was changed elsewhere, and the problem stays where it is.
    if (detail.code === 'changed_meanwhile') void this.#load()
    this.#tell('error', detail)
  }

  /** The notice is about the last action: the next one removes it. */
  #unsay(): void {
    this.notice = null
  }

  #tell<Type extends keyof Details>(type: Type, detail: Details[Type]): void {
    this.dispatchEvent(new CustomEvent(type, { detail }))
  }

  #add(): void {
    this.notice = null
    this.isAdding = true
    void moveFocus(this, 'api-key-settings-form')
  }

  #cancel(): void {
    this.isAdding = false
    void moveFocus(this, '#add')
  }
}

/** The slots of the user, and those that a key can be saved in. */
interface Choices {
  slots: readonly ShownSlot[]
  offered: readonly ShownSlot[]
}

/** The outer element comes last: a page that has one of the names keeps its content of the tag. */
const ELEMENTS = {
  'api-key-settings-form': ApiKeyForm,
  'api-key-settings-item': ApiKeyItem,
  'api-key-settings-assign': AssignForm,
  'api-key-settings-name': NameForm,
  'api-key-settings-limits': LimitsForm,
  'api-key-settings-activity': Activity,
  'api-key-settings': ApiKeySettings,
}

/** Defines the elements, unless the page has loaded the script twice, or they cannot run on it. */
function defineElements(): void {
  if (customElements.get('api-key-settings') !== undefined) return
  try {
    // It throws if the page requires Trusted Types, and allows no policy that Lit can use.
    if (!isServer) render(html`<p></p>`, new DocumentFragment())
    for (const [name, element] of Object.entries(ELEMENTS)) customElements.define(name, element)
  } catch (error) {
    console.error(`<api-key-settings> cannot run on this page. ${String(error)}`)
  }
}

defineElements()
