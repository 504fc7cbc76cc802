/** The field that takes a key: its characters are hidden, and nothing fills, checks or remembers it. */

import { html, nothing } from 'lit'
import type { Language } from './language.ts'
import { renderLink } from './link.ts'
import { nameProvider, nameSlot, type ShownSlot } from './slot.ts'

interface KeyField {
  /** Undefined while no provider is chosen. */
  slot: ShownSlot | undefined
  /** Whether its characters are shown. */
  isShown: boolean
  isFaulty: boolean
  isBusy: boolean
  onInput: (event: Event) => void
  onPaste: (event: ClipboardEvent) => void
  onToggle: () => void
}

/** Renders its label, the link to where a user gets a key, the field, and the button that shows its characters. */
export function renderKeyField(
  language: Language,
  { slot, isShown, isFaulty, isBusy, onInput, onPaste, onToggle }: KeyField,
) {
  const { say } = language
  // Browsers and password managers fill password fields and offer to remember them. They leave alone a text
  // field whose characters are hidden by CSS: https://developer.mozilla.org/docs/Web/CSS/-webkit-text-security
  const hidesText = CSS.supports('-webkit-text-security', 'disc')
  return html`
    <div class="row">
      <label id="name" for="key" part="label"
        >${slot ? say('apiKeyOf', { provider: nameSlot(slot, say) }) : say('apiKey')}</label
      >
      ${slot?.keyPage ? renderLink(slot.keyPage, say('getKey', { provider: nameProvider(slot, say) }), language) : nothing}
    </div>
    <div class="field">
      <input
        id="key"
        part="input"
        class=${isShown ? '' : 'hidden-text'}
        type=${isShown || hidesText ? 'text' : 'password'}
        dir="ltr"
        autocomplete="off"
        autocapitalize="off"
        autocorrect="off"
        spellcheck="false"
        data-1p-ignore
        data-bwignore
        data-form-type="other"
        data-lpignore="true"
        data-protonpass-ignore
        aria-describedby="remark problem"
        aria-invalid=${isFaulty}
        ?readonly=${isBusy}
        @input=${onInput}
        @paste=${onPaste}
      />
      <button
        id="toggle"
        type="button"
        part="button"
        aria-labelledby="toggle name"
        @click=${onToggle}
      >
        ${say(isShown ? 'hide' : 'show')}
      </button>
    </div>
  `
}
