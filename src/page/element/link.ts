/** A link to a page of a provider, which opens in a new tab and says so. */

import { html } from 'lit'
import type { Language } from './language.ts'

/** Renders the link with its text. It may look like a button. */
export function renderLink(page: string, text: string, { say }: Language, look = 'link') {
  return html`<a part=${look} href=${page} target="_blank" rel="noopener noreferrer"
    >${text}<span class="unseen"> ${say('newTab')}</span></a
  >`
}
