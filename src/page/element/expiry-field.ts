/** The field that limits how long a key may be used. */

import { html, nothing } from 'lit'
import { timeIn } from './days.ts'
import type { Language } from './language.ts'

const YEAR = 'year'
const NEVER = 'never'

/**
 * Renders its label, and a choice of days. The first choice is an empty value: it keeps `expiresAt`, the current expiry, or
 * means never if that is null.
 */
export function renderExpiryField(
  { say, day }: Language,
  isBusy: boolean,
  expiresAt: string | null = null,
) {
  const kept = expiresAt === null ? say('never') : say('keepExpiry', { day: day(expiresAt) })
  return html`
    <label for="expiry" part="label">${say('expires')}</label>
    <select id="expiry" part="select" ?disabled=${isBusy}>
      <option value="">${kept}</option>
      ${[30, 90, YEAR].map(
        (days) =>
          html`<option value=${days}>
            ${days === YEAR ? say('inYear') : say('inDays', { days })}
          </option>`,
      )}
      ${expiresAt === null ? nothing : html`<option value=${NEVER}>${say('never')}</option>`}
    </select>
  `
}

/** The time that is chosen in the field, if it counts from now; null for never, undefined for the first choice. */
export function readExpiry(root: ParentNode): string | null | undefined {
  const choice = root.querySelector<HTMLSelectElement>('#expiry')?.value
  if (choice === NEVER) return null
  if (choice === YEAR) return timeIn({ years: 1 })
  return choice ? timeIn({ days: Number(choice) }) : undefined
}
