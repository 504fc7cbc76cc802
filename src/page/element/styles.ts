/** What the style sheet names. */

import { html } from 'lit'
import type { Notice } from './slot.ts'

/** The parts of the inner elements, which the outer one passes on. */
export const PARTS =
  'row, menu, item, provider, status, preview, times, notice, success, warning, problem, form, label, input, select, choice, event, link, button, primary-button, danger-button, dialog, busy'

/** A notice, which can take the focus. */
export function renderNotice({ text, tone, more }: Notice) {
  return html`<p part=${`notice ${tone}`} tabindex="-1">
    ${text} ${more && html`<small>${more}</small>`}
  </p>`
}
