/** The field that limits how long a key may be used. */

import { html } from 'lit'
import type { Language } from './language.ts'

const YEAR = 365

/** Renders its label, and a choice of days. The first choice is no limit, an empty value. */
export function renderExpiryField({ say }: Language, isBusy: boolean) {
  return html`
    <label for="expiry" part="label">${say('expires')}</label>
    <select id="expiry" part="select" ?disabled=${isBusy}>
      <option value="">${say('never')}</option>
      ${[30, 90, YEAR].map(
        (days) =>
          html`<option value=${days}>
            ${say(days === YEAR ? 'inYear' : 'inDays', { days })}
          </option>`,
      )}
    </select>
  `
}
