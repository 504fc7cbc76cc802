/** The focus follows what the user does in the element, and is never taken from the rest of the page. */

import type { LitElement } from 'lit'

/** Waits until `host` is rendered, then focuses the first of `selectors` that is in it, unless the focus has left `host`. */
export async function moveFocus(host: LitElement, ...selectors: string[]): Promise<void> {
  await host.updateComplete
  const isElsewhere = document.activeElement !== document.body && !host.shadowRoot?.activeElement
  if (isElsewhere) return
  const found = selectors.map((selector) => host.renderRoot.querySelector<HTMLElement>(selector))
  found.find((element) => element !== null)?.focus()
}

/** Renders `host`. What has the focus in it keeps the focus, even if it is moved. If it goes, `instead` gets the focus. */
export function keepFocus(
  { shadowRoot }: LitElement,
  renderHost: () => void,
  instead?: HTMLElement,
): void {
  let focused = shadowRoot?.activeElement
  while (focused?.shadowRoot?.activeElement) focused = focused.shadowRoot.activeElement
  renderHost()
  if (shadowRoot?.activeElement !== null || !(focused instanceof HTMLElement)) return
  const next = focused.isConnected ? focused : instead
  next?.focus({ preventScroll: true })
}

/** Listens for Escape. A dialog of the host application around the element stays open. */
export function onEscape(leave: () => void): (event: KeyboardEvent) => void {
  return (event) => {
    if (event.key !== 'Escape') return
    event.preventDefault()
    leave()
  }
}
