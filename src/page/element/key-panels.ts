/** What a row opens to besides its details. */

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

/** Makes the element. The row gives it its properties. */
export function createPanel(panel: Panel): InnerElement {
  const element = new PANELS[panel]()
  element.className = 'inner'
  element.setAttribute('exportparts', PARTS)
  return element
}
