import { describe, expect, it } from 'vitest'
import { readExpiry, renderExpiryField } from '../../../src/page/element/expiry-field.ts'
import { markupOf, textsOf } from './markup.ts'
import { english, setClock } from './shown.ts'

const KEPT = '2027-06-14T12:00:00.000Z'

/** A form in which `choice` is selected, or that has no such field. */
function formWith(choice?: string): ParentNode {
  const found = (selector: string) =>
    selector === '#expiry' && choice !== undefined ? { value: choice } : null
  return Object.assign(Object.create(null), { querySelector: found })
}

/** The values of the options. */
const valuesOf = (field: unknown) =>
  Array.from(markupOf(field).matchAll(/<option value="?([^">]*)"?>/g), ([, value]) => value ?? '')

describe('the field', () => {
  it('offers a new key to expire never, or after some time', () => {
    const field = renderExpiryField(english, false)
    expect(textsOf(field, 'option')).toEqual(['Never', 'In 30 days', 'In 90 days', 'In a year'])
    expect(textsOf(field, 'label')).toEqual(['Expires'])
  })

  it('offers to keep the day when a key expires, or to remove it', () => {
    setClock()
    expect(textsOf(renderExpiryField(english, false, KEPT), 'option')).toEqual([
      'Keep 14 Jun 2027',
      'In 30 days',
      'In 90 days',
      'In a year',
      'Never',
    ])
  })

  it.for([true, false])('the field is disabled while the form is busy: %s', (isBusy) => {
    expect(markupOf(renderExpiryField(english, isBusy))).toContain(`?disabled=${isBusy}>`)
  })
})

describe('what is chosen', () => {
  it.for<[expiresAt: string | null, times: (string | null | undefined)[]]>([
    [
      null,
      [
        undefined,
        '2026-07-15T12:00:00.000Z',
        '2026-09-13T12:00:00.000Z',
        '2027-06-15T12:00:00.000Z',
      ],
    ],
    [
      KEPT,
      [
        undefined,
        '2026-07-15T12:00:00.000Z',
        '2026-09-13T12:00:00.000Z',
        '2027-06-15T12:00:00.000Z',
        null,
      ],
    ],
  ])('reads the time of each option for a key that expires at %s', ([expiresAt, times]) => {
    setClock()
    const values = valuesOf(renderExpiryField(english, false, expiresAt))
    expect(values.map((value) => readExpiry(formWith(value)))).toEqual(times)
  })

  it('reads nothing in a form without the field', () => {
    expect(readExpiry(formWith())).toBeUndefined()
  })
})
