/** The focus follows what a person does here, and is never taken from elsewhere. */

import type { LitElement } from 'lit'

/** Moves it to `selector` in `host`, when that is rendered, unless it is on something outside meanwhile. */
export async function moveFocus(host: LitElement, selector: string): Promise<void> {
  await host.updateComplete
  const isElsewhere = document.activeElement !== document.body && !host.shadowRoot?.activeElement
  if (!isElsewhere) host.renderRoot.querySelector<HTMLElement>(selector)?.focus()
}
