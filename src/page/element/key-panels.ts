/** The elements that a row opens to besides its details, and the form for a new key. */

import { Activity } from './activity.ts'
import { ApiKeyForm } from './api-key-form.ts'
import { AssignForm } from './assign-form.ts'
import type { InnerElement } from './inner-element.ts'
import type { Panel } from './key-actions.ts'
import { LimitsForm } from './limits-form.ts'
import { NameForm } from './name-form.ts'
import { PARTS } from './styles.ts'

const PANELS = {
  replace: ApiKeyForm,
  setProvider: AssignForm,
  name: NameForm,
  limits: LimitsForm,
  activity: Activity,
}

/** Makes the element, without its properties. `look` is its class. */
export function createPanel(panel: Panel, look: string): InnerElement {
  const element = new PANELS[panel]()
  element.className = look
  element.setAttribute('exportparts', PARTS)
  return element
}
