/** The form that gives the key of the default slot a provider. */

import { html } from 'lit'
import { renderBusyButton } from './busy-button.ts'
import { GIVEN, InnerElement } from './inner-element.ts'
import { findLikelySlots, nameSlot, readableKey, type ShownSlot } from './slot.ts'
import { assignKey } from './vault-client.ts'

/** Fires `assigned` with the provider's slot and its key, `cancel`, and `problem`. */
export class AssignForm extends InnerElement {
  static override properties = {
    keySlot: GIVEN,
    choices: GIVEN,
  }

  /** The slot with the key. Its beginning may tell whose it is. */
  declare keySlot: ShownSlot
  /** The empty slots that the key can go to. */
  declare choices: readonly ShownSlot[]

  override focus(): void {
    this.#select?.focus()
  }

  protected override render() {
    const { doing, wait } = this.attempt
    const { say } = this.language
    const isBusy = doing !== null
    const likely = findLikelySlots(readableKey(this.keySlot)?.preview ?? '', this.choices)
    const save = renderBusyButton(say('setProvider'), { doing, isEarly: wait > 0 })
    return html`
      <form part="form" @submit=${this.#submit}>
        <label for="provider" part="label">${say('providerOfKey')}</label>
        <select id="provider" part="select" aria-describedby="problem" ?disabled=${isBusy}>
          ${this.choices.map(
            (slot) =>
              html`<option value=${slot.name} .defaultSelected=${slot === likely[0]}>
                ${nameSlot(slot, say)}
              </option>`,
          )}
        </select>
        ${this.attempt.render()} ${this.renderButtons(save, isBusy)}
      </form>
    `
  }

  get #select(): HTMLSelectElement | null {
    return this.renderRoot.querySelector('select')
  }

  async #submit(event: Event): Promise<void> {
    event.preventDefault()
    const slot = this.choices.find(({ name }) => name === this.#select?.value)
    if (slot === undefined || this.attempt.wait > 0) return
    await this.attempt.run({ text: 'checking', slot }, async (signal) => {
      this.tell('assigned', await assignKey({ access: this.access, signal }, this.keySlot, slot))
    })
  }
}
