/** The form that gives the key of the default slot a provider. */

import { html } from 'lit'
import { renderBusyButton } from './busy-button.ts'
import { PanelElement } from './inner-element.ts'
import { offerMoves } from './offer.ts'
import { describeSaved, findLikelySlots, nameSlot, readableKey, type ShownSlot } from './slot.ts'
import { assignKey } from './vault-client.ts'

/** Fires `done`, `cancel` and `problem`. The beginning of the key may tell whose it is. */
export class AssignForm extends PanelElement {
  protected override render() {
    const { doing, wait } = this.attempt
    const { say } = this.language
    const isBusy = doing !== null
    const choices = this.#choices
    const likely = findLikelySlots(readableKey(this.keySlot)?.preview ?? '', choices)
    const save = renderBusyButton(say('setProvider'), { doing, isEarly: wait > 0 })
    const field = html`
      <label for="provider" part="label">${say('providerOfKey')}</label>
      <select id="provider" part="select" aria-describedby="problem" ?disabled=${isBusy}>
        ${choices.map(
          (slot) =>
            html`<option value=${slot.name} .defaultSelected=${slot.name === likely[0]?.name}>
              ${nameSlot(slot, say)}
            </option>`,
        )}
      </select>
    `
    return this.renderForm(field, save, isBusy, this.#submit)
  }

  /** The empty slots that the key can go to. */
  get #choices(): ShownSlot[] {
    return offerMoves(this.keySlot, this.offered)
  }

  get #select(): HTMLSelectElement | null {
    return this.renderRoot.querySelector('select')
  }

  async #submit(event: Event): Promise<void> {
    event.preventDefault()
    const { access, keySlot: from, language } = this
    const to = this.#choices.find(({ name }) => name === this.#select?.value)
    if (to === undefined || this.attempt.wait > 0) return
    await this.attempt.run({ text: 'checking', slot: to }, async (signal) => {
      const slot = await assignKey({ access, signal }, from, to)
      this.tellDone('saved', slot, describeSaved(slot, language))
    })
  }
}
