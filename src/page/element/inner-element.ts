/** What the inner elements share: what the outer one gives each of them, and how they report to it. */

import { html, LitElement, nothing, type PropertyDeclarations } from 'lit'
import { Attempt } from './attempt.ts'
import { renderDoing } from './busy-button.ts'
import { onEscape } from './focus.ts'
import type { ErrorDetail } from './host.ts'
import type { Language } from './language.ts'
import type { Notice, ShownSlot } from './slot.ts'
import { styles } from './styles.ts'
import type { Access } from './vault-client.ts'

/** A property that the outer element sets. */
export const GIVEN = { attribute: false }

/** A property that an element has for itself. */
export const OWN = { state: true }

/** What an inner element fires. */
type InnerType = 'saved' | 'changed' | 'deleted' | 'assigned' | 'moved' | 'problem'
type InnerDetail = ShownSlot | Notice | ErrorDetail

/** An event of an inner element, as the one around it hears it. */
export interface InnerEvent extends CustomEvent<InnerDetail> {
  readonly type: InnerType
}

/** Fires `cancel` to be closed, `problem`, and what its class says. */
export class InnerElement extends LitElement {
  static override styles = styles
  static override properties: PropertyDeclarations = { access: GIVEN, language: GIVEN }

  declare access: Access
  declare language: Language
  protected readonly attempt = new Attempt(this, (detail) => this.tell('problem', detail))

  /** The event ends at the element around this one. */
  protected tell(type: InnerType, detail: InnerDetail): void {
    this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true }))
  }

  /** A form: its fields, their problem, and its end with the button `save`. The Escape key closes it. */
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
        @keydown=${isBusy ? nothing : onEscape(() => this.cancel())}
      >
        ${fields} ${this.attempt.render()} ${this.renderButtons(save, isBusy)}
      </form>
    `
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

  protected cancel(): void {
    this.dispatchEvent(new Event('cancel', { bubbles: true }))
  }
}
