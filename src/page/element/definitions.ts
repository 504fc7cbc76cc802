/**
 * Defines the settings element, and the elements in it. It is the script that a page loads. The order of the imports is that
 * of the script: similar modules are close together, so that gzip saves more.
 */

import { html, render, unsafeCSS } from 'lit'
import { ApiKeySettings } from './api-key-settings.ts'
import { ApiKeyItem } from './api-key-item.ts'
import { ApiKeyForm } from './api-key-form.ts'
import { NameForm } from './name-form.ts'
import { AssignForm } from './assign-form.ts'
import { LimitsForm } from './limits-form.ts'
import { Activity } from './activity.ts'
import sheet from './styles.css'

export { ApiKeySettings }

/** The outer element comes last: a page that has one of the names keeps its content of the tag. */
const ELEMENTS = {
  'api-key-settings-form': ApiKeyForm,
  'api-key-settings-item': ApiKeyItem,
  'api-key-settings-assign': AssignForm,
  'api-key-settings-name': NameForm,
  'api-key-settings-limits': LimitsForm,
  'api-key-settings-activity': Activity,
  'api-key-settings': ApiKeySettings,
}

/** Defines the elements, unless the page has loaded the script twice, or they cannot run on it. */
function defineElements(): void {
  if (customElements.get('api-key-settings') !== undefined) return
  try {
    // It throws if the page requires Trusted Types, and allows no policy that Lit can use.
    render(html`<p></p>`, new DocumentFragment())
    // They adopt one style sheet: no style tag, so that `style-src 'self'` is enough.
    const styles = unsafeCSS(sheet)
    for (const [name, element] of Object.entries(ELEMENTS))
      customElements.define(name, Object.assign(element, { styles }))
  } catch (error) {
    console.error(`<api-key-settings> cannot run on this page. ${String(error)}`)
  }
}

defineElements()
