/** What the inner elements share: what the outer one gives each of them, and how they report to it. */

import { html, LitElement, nothing, type PropertyDeclarations } from 'lit'
import { Attempt } from './attempt.ts'
import { renderDoing } from './busy-button.ts'
import { onEscape } from './focus.ts'
import type { Change, ErrorDetail } from './host.ts'
import type { Language } from './language.ts'
import { describeLag, type Notice, type ShownSlot } from './slot.ts'
import { patchKey, type Access, type KeyChanges } from './vault-client.ts'

/** A property that the outer element sets. */
export const GIVEN = { attribute: false }

/** A property that an element has for itself. */
export const OWN = { state: true }

/** What its user has done to a key. */
export interface Done {
  change: Exclude<Change, 'elsewhere'> | 'saved' | 'deleted'
  /** The slot after the change. */
  slot: ShownSlot
  /** The slot that the key has left; the same one if it has not moved. */
  from: ShownSlot
  /** What is said of the change in the slot's row. */
  notice: Notice
}

/** The events of an inner element, as the one around it hears them. */
interface InnerDetails {
  done: Done
  problem: ErrorDetail
}

/** Fires `done`, `cancel` to be closed, and `problem`. */
export class InnerElement extends LitElement {
  static override properties: PropertyDeclarations = { access: GIVEN, language: GIVEN }

  declare access: Access
  declare language: Language
  protected readonly attempt = new Attempt(this, (detail) => this.tell('problem', detail))

  /** Moves the focus to what its user is likely to use first. */
  override focus(options?: FocusOptions): void {
    const places = '#title, button[part=button], input, select, [part~=notice]'
    this.renderRoot.querySelector<HTMLElement>(places)?.focus(options)
  }

  /** The event ends at the element around this one. */
  protected tell<Type extends keyof InnerDetails>(type: Type, detail: InnerDetails[Type]): void {
    this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true }))
  }

  /** A form: its fields, and its end with the button `save`. The Escape key closes it. */
  protected renderForm(
    fields: unknown,
    save: unknown,
    isBusy: boolean,
    submit: (event: Event) => unknown,
  ) {
    return html`
      <form
        part="form"
        novalidate
        autocomplete="off"
        @submit=${submit}
        @keydown=${onEscape(() => this.leave())}
      >
        ${fields} ${this.problemAt('')} ${this.renderButtons(save, isBusy)}
      </form>
    `
  }

  /** What is being done and what went wrong, if that is about this field. */
  protected problemAt(field: string) {
    return field === this.faultyField ? this.attempt.render() : nothing
  }

  /** The selector of the field that the problem is about; empty if it is about none. */
  protected get faultyField(): string {
    return ''
  }

  /** The end of a form: `buttons`, the button that closes it, and what is being done. */
  protected renderButtons(buttons: unknown, isBusy: boolean) {
    return html`
      <div class="buttons">
        ${buttons}
        <button type="button" part="button" ?disabled=${isBusy} @click=${this.cancel}>
          ${this.language.say('cancel')}
        </button>
        ${renderDoing(this.attempt.doing)}
      </div>
    `
  }

  /** Whether it has something that its user would have to type again. */
  get hasTyped(): boolean {
    return false
  }

  /** Whether it can be closed without losing what was typed or what a request answers. It may ask first. */
  mayClose(): boolean {
    return this.renderRoot.querySelector('.buttons :disabled') === null
  }

  /** Closes it if that loses nothing. */
  leave(): void {
    if (this.mayClose()) this.cancel()
  }

  protected cancel(): void {
    this.dispatchEvent(new Event('cancel', { bubbles: true }))
  }
}

/** What a user changes of a key itself. */
type KeyChange = Exclude<Change, 'tested' | 'elsewhere'>

/** What a row opens to. */
export class PanelElement extends InnerElement {
  static override properties: PropertyDeclarations = {
    keySlot: GIVEN,
    slots: GIVEN,
    offered: GIVEN,
  }

  /** The slot of the row. */
  declare keySlot: ShownSlot
  /** Every slot of the user. */
  declare slots: readonly ShownSlot[]
  /** The slots that a key can be saved in. */
  declare offered: readonly ShownSlot[]

  /** Changes the key, and reports it. */
  protected async change(
    signal: AbortSignal,
    change: KeyChange,
    changes: KeyChanges,
  ): Promise<void> {
    const { access, keySlot, language } = this
    const slot = await patchKey({ access, signal }, keySlot, changes)
    const text = language.say(change === 'limits' ? 'event_limits_changed' : `event_${change}`)
    const narrows = change === 'paused' || change === 'limits'
    const more = narrows ? describeLag(slot, language) : ''
    this.tellDone(change, slot, { text, tone: 'success', more })
  }

  protected tellDone(change: Done['change'], slot: ShownSlot, notice: Notice): void {
    this.tell('done', { change, slot, from: this.keySlot, notice })
  }
}
