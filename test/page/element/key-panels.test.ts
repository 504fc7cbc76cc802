import { expect, it } from 'vitest'
import { Activity } from '../../../src/page/element/activity.ts'
import { ApiKeyForm } from '../../../src/page/element/api-key-form.ts'
import { AssignForm } from '../../../src/page/element/assign-form.ts'
import { createPanel } from '../../../src/page/element/key-panels.ts'
import { LimitsForm } from '../../../src/page/element/limits-form.ts'
import { NameForm } from '../../../src/page/element/name-form.ts'
import { PARTS } from '../../../src/page/element/styles.ts'

it.for([
  ['replace', ApiKeyForm],
  ['setProvider', AssignForm],
  ['name', NameForm],
  ['limits', LimitsForm],
  ['activity', Activity],
] as const)('makes what a row opens to for %s', ([panel, kind]) => {
  expect(createPanel(panel, 'inner')).toBeInstanceOf(kind)
})

it('passes the parts of a panel on, and makes a new panel each time', () => {
  const panel = createPanel('limits', 'inner')
  expect(panel.getAttribute('exportparts')).toBe(PARTS)
  expect(createPanel('limits', 'inner')).not.toBe(panel)
})
