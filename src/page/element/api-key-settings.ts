/** `<api-key-settings>`: a user's API keys on one screen, for any frontend to embed. */

import { html, LitElement, nothing, type PropertyValues } from 'lit'
import { ApiKeyItem } from './api-key-item.ts'
import { Attempt } from './attempt.ts'
import { keepFocus, moveFocus } from './focus.ts'
import type { ApiKeySettingsElement, Details, ErrorDetail, GetToken } from './host.ts'
import { GIVEN, OWN, type Done, type InnerElement } from './inner-element.ts'
import type { Choices } from './key-actions.ts'
import { createPanel } from './key-panels.ts'
import { Language } from './language.ts'
import { nameProviders, offerSlots } from './offer.ts'
import { detailProblem, Problem } from './problem.ts'
import { describeChanges, findUrgent, listRows, mergeSlots, type Said } from './shown-keys.ts'
import { findSlot, putSlot, readableKey, type ShownSlot } from './slot.ts'
import { isBuiltIn, loadLanguage } from './spoken-language.ts'
import { PARTS } from './styles.ts'
import type { Texts } from './texts.ts'
import { fetchSlots, type Access } from './vault-client.ts'

/** How long a look in the background may take. */
const LOOK_LIMIT_MS = 30_000

/** If its language is not loaded after this time, the element begins in English. */
const SPEECHLESS_MS = 600

const NOTHING_SAID: Said = new Map()

/**
 * Shows the keys of `userId`, or of the team `teamId`, in the vault at `baseUrl`. Its events are the names of {@link Details};
 * none of them bubbles.
 */
export class ApiKeySettings extends LitElement implements ApiKeySettingsElement {
  static override properties = {
    baseUrl: { attribute: 'base-url' },
    userId: { attribute: 'user-id' },
    teamId: { attribute: 'team-id' },
    providers: {},
    theme: {},
    density: {},
    headingLevel: { attribute: 'heading-level' },

    getToken: GIVEN,
    signIn: GIVEN,
    texts: GIVEN,
    language: OWN,
    isSpeaking: OWN,
    slots: OWN,
    form: OWN,
    said: OWN,
  }

  declare baseUrl: string
  declare userId: string | null
  declare teamId: string | null
  declare providers: string | null
  declare theme: ApiKeySettingsElement['theme']
  declare density: ApiKeySettingsElement['density']
  declare headingLevel: number
  declare getToken: GetToken | undefined
  declare signIn: (() => Promise<void>) | undefined
  declare texts: Partial<Texts> | null
  declare language: Language
  /** Whether there are texts to say. */
  declare private isSpeaking: boolean
  declare private slots: readonly ShownSlot[] | null
  /** The form for a new key, while it is open. */
  declare private form: InnerElement | null
  declare private said: Said
  access: Access | null = null
  #attempt = new Attempt(this, (detail) => this.#failed(detail))
  /** The providers for which the team has keys, if the user is a member and not an admin; otherwise null. */
  #shared: readonly string[] | null = null
  /** By the names of their slots. */
  readonly #rows = new Map<string, ApiKeyItem>()
  /** The names of the rows that are first, as the list was loaded. */
  #urgent: ReadonlySet<string> = new Set()
  #askedLanguage: object | null = null
  readonly #languageWatch = new MutationObserver(() => void this.#speak())

  constructor() {
    super()
    this.baseUrl = new URL(import.meta.url).origin
    this.userId = null
    this.teamId = null
    this.providers = null
    this.theme = null
    this.density = null
    this.headingLevel = 3
    this.texts = null
    this.language = new Language('en')
    this.isSpeaking = false
    this.slots = null
    this.form = null
    this.said = NOTHING_SAID
  }

  override connectedCallback(): void {
    super.connectedCallback()
    window.addEventListener('online', this.#retry)
    document.addEventListener('visibilitychange', this.#look)
    for (const element of [this, document.documentElement]) {
      this.#languageWatch.observe(element, { attributeFilter: ['lang'] })
    }
    void this.#speak()
    this.#look()
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    window.removeEventListener('online', this.#retry)
    document.removeEventListener('visibilitychange', this.#look)
    this.#languageWatch.disconnect()
  }

  override focus(): void {
    this.renderRoot.querySelector<HTMLElement>('#add, #retry')?.focus()
  }

  async reload(): Promise<void> {
    return this.#read(() => true)
  }

  /** Reads the keys again. It says what something else has changed in the slots for which `tells` returns true. */
  async #read(tells: (slot: ShownSlot) => boolean): Promise<void> {
    const { access, slots, language } = this
    if (access === null || slots === null) return this.#load()
    const signal = AbortSignal.timeout(LOOK_LIMIT_MS)
    try {
      const found = await fetchSlots({ access, signal })
      // A change that was made meanwhile may be newer than what was read.
      if (access !== this.access || slots !== this.slots) return
      const merged = mergeSlots(slots, found.slots)
      const changes = describeChanges(slots, merged.filter(tells), language)
      this.#shared = found.shared
      this.slots = merged
      if (changes.size > 0) this.said = changes
      for (const provider of changes.keys())
        this.#tell('changed', { provider, change: 'elsewhere' })
    } catch (error) {
      this.#tell('error', detailProblem(Problem.from(error), language))
    }
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    const isOther = changed.has('baseUrl') || changed.has('userId') || changed.has('teamId')
    const isFirst = changed.has('getToken') && changed.get('getToken') === undefined
    if (isOther || isFirst) this.#start()
    if (changed.has('texts') && this.isConnected) void this.#speak()
    if (changed.has('providers')) this.#warn()
    // The style sheet reads them as attributes.
    for (const name of ['theme', 'density'] as const) {
      if (this[name] === null) this.removeAttribute(name)
      else this.setAttribute(name, this[name])
    }
  }

  protected override update(changed: PropertyValues<this>): void {
    keepFocus(this, () => super.update(changed))
  }

  protected override render() {
    const { tag } = this.language
    if (!this.isSpeaking || this.access === null) return nothing
    // A right-to-left page may have this element in a left-to-right language, and its own texts too.
    const direction = this.dir || (isBuiltIn(tag) ? 'ltr' : nothing)
    return html`
      <div lang=${tag} dir=${direction}>
        ${this.slots === null ? this.#renderWaiting() : this.#renderSlots(this.slots)}
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
      <ul role="list" part="list">
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
    const offered = offerSlots(slots, this.providers)
    const choices = { slots, offered }
    // A key that is being typed is not lost if the key that it was to replace is gone.
    const kept = (name: string) => this.said.has(name) || this.#rows.get(name)?.hasTyped === true
    const rows = listRows(slots, kept, this.#urgent)
    for (const name of this.#rows.keys()) {
      if (!rows.some((slot) => slot.name === name)) this.#rows.delete(name)
    }
    return html`
      <div class="row top">
        <strong>${this.#countAttention(slots)}</strong>
        ${this.form === null ? this.#renderAdd(choices) : nothing}
      </div>
      ${this.form && this.#renderForm(this.form, choices)}
      ${rows.length > 0 ? this.#renderRows(rows, choices) : this.#renderNone()}
    `
  }

  #renderNone() {
    return this.form ? nothing : html`<p class="card">${this.language.say('empty')}</p>`
  }

  #renderRows(rows: readonly ShownSlot[], choices: Choices) {
    return html`
      <ul
        role="list"
        part="list"
        @done=${this.#from(this.#done)}
        @problem=${this.#from(this.#failed)}
        @cancel=${() => this.requestUpdate()}
      >
        ${rows.map((slot) => html`<li>${this.#findRow(slot, choices)}</li>`)}
      </ul>
    `
  }

  #countAttention(slots: readonly ShownSlot[]) {
    const { say, number } = this.language
    const count = findUrgent(slots, this.language).size
    if (count === 0) return nothing
    return say(count === 1 ? 'attentionOne' : 'attentionMany', { count: number(count) })
  }

  /** A slot keeps its row, so that an open form stays with its slot wherever that is in the list. */
  #findRow(keySlot: ShownSlot, { slots, offered }: Choices): ApiKeyItem {
    const { access, language, said, headingLevel: level } = this
    const row = this.#rows.get(keySlot.name) ?? this.#addRow(keySlot)
    const about = said.get(keySlot.name)
    return Object.assign(row, { access, language, keySlot, slots, offered, level, said: about })
  }

  #addRow({ name }: ShownSlot): ApiKeyItem {
    const row = new ApiKeyItem()
    row.setAttribute('exportparts', PARTS)
    this.#rows.set(name, row)
    return row
  }

  #renderAdd({ offered }: Choices) {
    // A provider may have another key, under a label.
    const canAdd = offered.some(({ key, provider, label }) => !key || (provider && label === null))
    if (!canAdd) return nothing
    return html`
      <button id="add" type="button" part="button primary-button" @click=${this.#add}>
        ${this.language.say('addKey')}
      </button>
    `
  }

  #renderForm(form: InnerElement, { slots, offered }: Choices) {
    const { access, language } = this
    return html`
      <div
        @done=${this.#from(this.#added)}
        @cancel=${this.#cancel}
        @problem=${this.#from(this.#failed)}
      >
        ${Object.assign(form, { access, language, slots, offered })}
      </div>
    `
  }

  /** Starts again, for another user or vault. What is under way for the previous one is not reported. */
  #start(): void {
    const access = this.#nameAccess()
    this.removeController(this.#attempt)
    this.access = access
    this.#attempt = new Attempt(this, (detail) => {
      if (access === this.access) this.#failed(detail)
    })
    this.slots = null
    this.form = null
    this.said = NOTHING_SAID
    this.#rows.clear()
    void this.#load()
  }

  #nameAccess(): Access | null {
    const { baseUrl, userId, teamId } = this
    const id = teamId || userId
    if (!id || this.getToken === undefined) return null
    return {
      baseUrl,
      kind: teamId ? 'teams' : 'users',
      id,
      userId,
      // Frontends pass a new function at every render: the latest one is called.
      getToken: async (options) => this.getToken?.(options) ?? '',
      canSignIn: () => this.signIn !== undefined,
      signIn: async () => this.signIn?.(),
    }
  }

  async #load(): Promise<void> {
    const { access } = this
    if (access === null) return
    await this.#attempt.run({ text: 'loading' }, async (signal) => {
      const { slots, shared } = await fetchSlots({ access, signal })
      if (access !== this.access) return
      this.slots = slots
      this.#shared = shared
      this.#urgent = findUrgent(slots, this.language)
      this.#warn()
      const keys = slots.filter(({ key }) => key !== null).length
      this.#tell('loaded', { keys, attention: this.#urgent.size })
    })
  }

  /** Speaks the language of this element, otherwise of the page. */
  async #speak(): Promise<void> {
    const tag = this.closest<HTMLElement>('[lang]')?.lang ?? document.documentElement.lang
    const asked = {}
    this.#askedLanguage = asked
    const late = setTimeout(() => (this.isSpeaking = true), SPEECHLESS_MS)
    const language = await loadLanguage(tag, this.texts ?? null)
    clearTimeout(late)
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
    const { access } = this
    return ({ detail }) => {
      if (access === this.access) hear.call(this, detail)
    }
  }

  readonly #retry = (): void => {
    if (this.slots === null && this.#attempt.wait === 0) void this.#load()
  }

  /** Whoever comes back sees what has changed meanwhile. */
  readonly #look = (): void => {
    if (this.slots !== null && document.visibilityState === 'visible') void this.reload()
  }

  async #again(): Promise<void> {
    if (this.#attempt.wait > 0) return
    await this.#load()
    void moveFocus(this, '#add', '#retry')
  }

  #done({ change, slot, from, notice }: Done): void {
    const hasMoved = from.name !== slot.name
    let slots = this.slots ?? []
    if (hasMoved) slots = putSlot(slots, { ...from, key: null, etag: null, lag: 0 })
    this.slots = putSlot(slots, slot)
    this.said = new Map([[slot.name, notice]])
    this.#report(change, slot)
    if (hasMoved || slot.key === null) void this.#focusRow(slot)
    // Only the service knows where the other keys of the provider are after that.
    if (change === 'moved' || change === 'renamed') void this.#load()
  }

  #report(change: Done['change'], slot: ShownSlot): void {
    const provider = slot.name
    const key = readableKey(slot)
    if (change === 'deleted') this.#tell('deleted', { provider })
    else if (change !== 'saved')
      this.#tell('changed', { provider, change: slot.key === null ? 'elsewhere' : change })
    else if (key !== null)
      this.#tell('saved', { provider, preview: key.preview, status: key.status })
  }

  #added(done: Done): void {
    this.form = null
    this.#done(done)
    void this.#focusRow(done.slot)
  }

  async #focusRow({ name }: ShownSlot): Promise<void> {
    await this.updateComplete
    const row = this.#rows.get(name)
    if (row !== undefined) void moveFocus(row, '[part~=notice]')
  }

  #failed(detail: ErrorDetail): void {
    // The slots show what was changed elsewhere, and the problem stays where it is. A deleted key has no other place for it.
    if (detail.code === 'changed_meanwhile') void this.#read(({ key }) => key === null)
    this.#tell('error', detail)
  }

  #tell<Type extends keyof Details>(type: Type, detail: Details[Type]): void {
    this.dispatchEvent(new CustomEvent(type, { detail }))
  }

  #add(): void {
    this.said = NOTHING_SAID
    this.form = createPanel('replace', 'card')
    void moveFocus(this, '.card')
  }

  #cancel(): void {
    this.form = null
    void moveFocus(this, '#add')
  }
}
