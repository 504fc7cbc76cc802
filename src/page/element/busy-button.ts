/** The button that starts a request: while it is busy it keeps its size, and turns. */

import { html, nothing } from 'lit'

interface Look {
  id?: string
  type?: 'submit' | 'button'
  /** What is being done, in words; null if nothing is. */
  doing: string | null
  /** Whether it is too early to try again. */
  isEarly: boolean
  onClick?: (() => void) | undefined
}

/** While it is busy, its name for screen readers is what is being done. */
export function renderBusyButton(label: string, { id, type, doing, isEarly, onClick }: Look) {
  const isBusy = doing !== null
  return html`
    <button
      id=${id ?? nothing}
      type=${type ?? 'submit'}
      part="button primary-button"
      aria-label=${doing ?? nothing}
      aria-disabled=${isBusy || isEarly}
      aria-busy=${isBusy}
      @click=${onClick}
    >
      <span>${label}</span>
    </button>
  `
}

/** What is being done, beside the buttons. The attempt announces it to a screen reader. */
export function renderDoing(doing: string | null) {
  return doing === null ? nothing : html`<span part="busy">${doing}</span>`
}
