/** The row of a key: how it is, what its state asks for, and a menu with the rest. It opens to its details. */

import { html, nothing, type PropertyValues, type TemplateResult } from 'lit'
import { keepFocus, moveFocus } from './focus.ts'
import type { ErrorDetail } from './host.ts'
import { GIVEN, OWN, PanelElement, type Done, type InnerElement } from './inner-element.ts'
import { chooseAction, listActions, type Action, type Panel } from './key-actions.ts'
import { renderKeyFacts, renderUse } from './key-facts.ts'
import { closeMenu, renderMenu } from './key-menu.ts'
import { createPanel } from './key-panels.ts'
import { describeStatus, renderStatus } from './key-status.ts'
import { gapAfter } from './language.ts'
import { renderLink } from './link.ts'
import {
  describeLag,
  describeSame,
  describeTest,
  nameProvider,
  nameSlot,
  readableKey,
  titleSlot,
} from './slot.ts'
import type { Notice } from './slot.ts'
import { renderNotice } from './styles.ts'
import { deleteKey, verifyKey } from './vault-client.ts'

type Opened = Panel | 'details' | null

const CLOSED = { opened: null, opener: '#open' }

/** Fires `done`, `problem`, and `cancel` if nothing is open any more in the row of an empty slot. */
export class ApiKeyItem extends PanelElement {
  static override properties = {
    said: GIVEN,
    level: GIVEN,
    opened: OWN,
  }

  /** What has last happened to the key. */
  declare said: Notice | undefined
  /** The level of the heading. */
  declare level: number
  declare private opened: Opened
  #panel: InnerElement | null = null
  /** What is open when the panel closes, and the selector of what opened the panel. */
  #before: { opened: Opened; opener: string } = CLOSED

  constructor() {
    super()
    this.opened = null
  }

  protected override willUpdate(): void {
    const { access, language, keySlot, slots, offered } = this
    if (this.#panel !== null)
      Object.assign(this.#panel, { access, language, keySlot, slots, offered })
  }

  protected override update(changed: PropertyValues): void {
    keepFocus(this, () => super.update(changed), this)
  }

  protected override render() {
    const { keySlot, said } = this
    return html`
      ${
        keySlot.key === null
          ? said && renderNotice(said)
          : [this.#renderRow(), this.attempt.render()]
      }
      <div @done=${this.#passDone} @problem=${this.#passProblem} @cancel=${this.#close}>
        ${this.#renderOpened()}
      </div>
      ${this.#renderDialog()}
    `
  }

  override get hasTyped(): boolean {
    return this.#panel?.hasTyped === true
  }

  get #name(): string {
    return nameSlot(this.keySlot, this.language.say)
  }

  #renderRow() {
    const { keySlot, language, offered, said, slots } = this
    const { doing } = this.attempt
    const statuses = describeStatus(keySlot, language)
    const actions = listActions(keySlot, this)
    const asked = statuses.flatMap(({ asksFor }) => asksFor ?? [])
    const main = chooseAction(actions, asked)
    const same = describeSame(keySlot, slots, language)
    const preview = readableKey(keySlot)?.preview
    const use = html`<p part="times">${renderUse(keySlot, language)}</p>`
    return html`
      <div part="row">
        <div class="what">
          <div role="heading" aria-level=${this.level}>
            <button
              id="open"
              type="button"
              part="provider"
              aria-expanded=${this.opened !== null}
              @click=${this.#toggle}
            >
              ${titleSlot(keySlot, offered, language.say)}
            </button>
          </div>
          ${preview && html`<code part="preview" dir="ltr" translate="no">${preview}</code>`}
        </div>
        <div class="state">
          ${renderStatus(statuses)}
          <div role="status">${said && doing === null ? renderNotice(said) : nothing}</div>
          ${doing === null ? (said ? nothing : use) : html`<p part="busy">${doing}</p>`}
          ${same && html`<p part="times">${same}</p>`}
        </div>
        <div class="actions">
          ${main && this.#renderMain(main)}
          ${renderMenu(
            this.#nameAction('menu'),
            actions.filter((action) => action !== main).map((action) => this.#renderItem(action)),
          )}
        </div>
      </div>
    `
  }

  /** A screen reader that lists all buttons does not say in which row each one is. */
  #nameAction(action: Action | 'menu'): string {
    const { say } = this.language
    return say('actOn', { action: say(action), provider: this.#name })
  }

  #renderMain(action: Action) {
    const { language } = this
    const { billingPage } = this.keySlot
    if (action === 'addCredit' && billingPage !== null)
      return renderLink(billingPage, language.say(action), language, 'button')
    return html`
      <button
        id="main"
        type="button"
        part="button"
        aria-label=${this.#nameAction(action)}
        aria-disabled=${this.#isBarred(action)}
        @click=${() => this.#act(action, '#main')}
      >
        ${language.say(action)}
      </button>
    `
  }

  #renderItem(action: Action): TemplateResult {
    return html`
      <button
        type="button"
        role="menuitem"
        part="item"
        tabindex="-1"
        class=${action}
        aria-disabled=${this.#isBarred(action)}
        @click=${(event: Event) => {
          closeMenu(event)
          this.#act(action, '#more')
        }}
      >
        ${this.language.say(action)}
      </button>
    `
  }

  /** After a refused test, only the test has to wait. A leaked key can be paused and deleted meanwhile. */
  #isBarred(action: Action): boolean {
    const { doing } = this.attempt
    return doing !== null || (action === 'test' && this.attempt.waitFor('checking') > 0)
  }

  #act(action: Action, opener: string): void {
    if (this.#isBarred(action)) return
    if (action === 'test') void this.#test()
    else if (action === 'pause' || action === 'resume') void this.#pause(action === 'pause')
    else if (action === 'delete') this.#ask()
    else if (action === 'addCredit') open(this.keySlot.billingPage ?? '', '_blank', 'noopener')
    else this.#open(action, opener)
  }

  #renderOpened() {
    if (this.#panel !== null) return this.#panel
    if (this.opened === null || this.keySlot.key === null) return nothing
    const canLimit = listActions(this.keySlot, this).includes('limits')
    const more: Panel[] = canLimit ? ['limits', 'activity'] : ['activity']
    return html`
      <div class="inner">
        ${renderKeyFacts(this.keySlot, this.language)}
        <div class="buttons">
          ${more.map(
            (panel) => html`
              <button
                id=${panel}
                type="button"
                part="button"
                aria-label=${this.#nameAction(panel)}
                @click=${() => this.#open(panel, `#${panel}`)}
              >
                ${this.language.say(panel)}
              </button>
            `,
          )}
        </div>
      </div>
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

  /** Opens the details, or closes what is open. */
  #toggle(): void {
    if (this.opened === null) this.#open('details', '#open')
    else if (this.#panel === null) this.#close()
    else {
      this.#before = { ...this.#before, opener: '#open' }
      this.#panel.leave()
    }
  }

  #open(panel: Panel | 'details', opener: string): void {
    if (this.#panel?.mayClose() === false) return
    this.attempt.clear()
    this.#before = { opened: this.opened === 'details' ? 'details' : null, opener }
    this.#panel = panel === 'details' ? null : createPanel(panel, 'inner')
    this.opened = panel
    if (this.#panel !== null) void moveFocus(this, '.inner')
  }

  #close(): void {
    const { opened, opener } = this.#before
    this.#panel = null
    this.opened = opened
    this.#before = CLOSED
    // Nothing else may keep the row of an empty slot.
    if (this.keySlot.key === null) this.cancel()
    void moveFocus(this, opener, '#open')
  }

  /** An event of the panel ends in this row. */
  #passDone({ detail }: CustomEvent<Done>): void {
    this.#close()
    this.tell('done', detail)
  }

  #passProblem({ detail }: CustomEvent<ErrorDetail>): void {
    this.tell('problem', detail)
  }

  async #test(): Promise<void> {
    const { access, keySlot } = this
    await this.attempt.run({ text: 'checking', slot: keySlot }, async (signal) => {
      const { tested, verdict } = await verifyKey({ access, signal }, keySlot)
      this.tellDone('tested', tested, describeTest(verdict, tested, this.language.say))
    })
  }

  async #pause(paused: boolean): Promise<void> {
    await this.attempt.run({ text: 'changing' }, (signal) =>
      this.change(signal, paused ? 'paused' : 'resumed', { paused }),
    )
  }

  async #delete(): Promise<void> {
    const { access, keySlot, language } = this
    this.#dialog?.close()
    await this.attempt.run({ text: 'deleting' }, async (signal) => {
      const slot = await deleteKey({ access, signal }, keySlot)
      this.#panel = null
      this.opened = null
      const text = language.say('deleted', { provider: this.#name })
      const more = describeLag(slot, language)
      this.tellDone('deleted', slot, { text, tone: 'neutral', more })
    })
  }
}
