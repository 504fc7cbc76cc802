/** The form that gives a key another label, or another place among the keys of its provider. */

import { html } from 'lit'
import { renderBusyButton } from './busy-button.ts'
import { moveFocus } from './focus.ts'
import { GIVEN, InnerElement } from './inner-element.ts'
import { isLabelRefused, readLabel, renderLabelField } from './label-field.ts'
import type { ShownSlot } from './slot.ts'
import { patchKey } from './vault-client.ts'

/** Fires `moved` with what was done, `cancel`, and `problem`. */
export class NameForm extends InnerElement {
  static override properties = {
    keySlot: GIVEN,
    keys: GIVEN,
  }

  declare keySlot: ShownSlot
  /** The keys of the provider, in their order. */
  declare keys: readonly ShownSlot[]

  override focus(): void {
    this.renderRoot.querySelector('input')?.focus()
  }

  protected override render() {
    const { attempt, keySlot, language } = this
    const { say } = language
    const { doing, wait } = attempt
    const isBusy = doing !== null
    const fields = html`
      ${renderLabelField(language, attempt, { label: keySlot.label ?? '' })}
      <label for="place" part="label">${say('place')}</label>
      <select id="place" part="select" ?disabled=${isBusy}>
        ${this.keys.map(
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

  async #submit(event: Event): Promise<void> {
    event.preventDefault()
    const { access, attempt, keySlot, keys, renderRoot } = this
    if (attempt.wait > 0) return
    const label = readLabel(renderRoot) || null
    const position = Number(renderRoot.querySelector('select')?.value)
    const isOther = label !== keySlot.label
    const isElsewhere = keys[position]?.name !== keySlot.name
    if (!isOther && !isElsewhere) return this.cancel()
    await attempt.run({ text: 'changing', slot: keySlot }, async (signal) => {
      const changes = { ...(isOther && { label }), ...(isElsewhere && { position }) }
      await patchKey({ access, signal }, keySlot, changes)
      const text = this.language.say(isOther ? 'event_renamed' : 'event_moved')
      this.tell('moved', { text, tone: 'success' })
    })
    if (isLabelRefused(attempt)) void moveFocus(this, '#label')
  }
}
