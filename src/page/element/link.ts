/** A link to a page of a provider, which opens in a new tab and says so. */

import { html } from 'lit'
import type { Language } from './language.ts'

/** Renders the link with its text. */
export function renderLink(page: string, text: string, { say }: Language) {
  return html`<a part="link" href=${page} target="_blank" rel="noopener noreferrer"
    >${text}<span class="unseen"> ${say('newTab')}</span></a
  >`
}
