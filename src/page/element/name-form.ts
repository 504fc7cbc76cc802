/** The form that gives a key another label, or another place among the keys of its provider. */

import { html } from 'lit'
import { renderBusyButton } from './busy-button.ts'
import { moveFocus } from './focus.ts'
import { PanelElement } from './inner-element.ts'
import { isLabelRefused, readLabel, renderLabelField } from './label-field.ts'
import { keysBeside, type ShownSlot } from './slot.ts'

/** Fires `done`, `cancel` and `problem`. */
export class NameForm extends PanelElement {
  protected override render() {
    const { attempt, keySlot, language } = this
    const { say } = language
    const { doing, wait } = attempt
    const isBusy = doing !== null
    const fields = html`
      ${renderLabelField(language, attempt, { label: keySlot.label ?? '' })}
      ${this.problemAt('#label')}
      <label for="place" part="label">${say('place')}</label>
      <select id="place" part="select" ?disabled=${isBusy}>
        ${this.#keys.map(
          (each, place) =>
            html`<option value=${place} .defaultSelected=${each.name === keySlot.name}>
              ${place + 1}
            </option>`,
        )}
      </select>
    `
    const save = renderBusyButton(say('saveName'), { doing, isEarly: wait > 0 })
    return this.renderForm(fields, save, isBusy, this.#submit)
  }

  /** The keys of the provider, in their order. */
  get #keys(): ShownSlot[] {
    return keysBeside(this.slots, this.keySlot)
  }

  protected override get faultyField(): string {
    return isLabelRefused(this.attempt) ? '#label' : ''
  }

  async #submit(event: Event): Promise<void> {
    event.preventDefault()
    const { attempt, keySlot, renderRoot } = this
    if (attempt.wait > 0) return
    const label = readLabel(renderRoot) || null
    const position = Number(renderRoot.querySelector('select')?.value)
    const isOther = label !== keySlot.label
    const isElsewhere = this.#keys[position]?.name !== keySlot.name
    if (!isOther && !isElsewhere) return this.cancel()
    await attempt.run({ text: 'changing', slot: keySlot }, async (signal) => {
      const changes = { ...(isOther && { label }), ...(isElsewhere && { position }) }
      await this.change(signal, isOther ? 'renamed' : 'moved', changes)
    })
    if (isLabelRefused(attempt)) void moveFocus(this, '#label')
  }
}
