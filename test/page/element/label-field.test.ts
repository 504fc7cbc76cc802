import { expect, it } from 'vitest'
import { Attempt } from '../../../src/page/element/attempt.ts'
import type { ProblemCode } from '../../../src/page/element/host.ts'
import { isLabelRefused, renderLabelField } from '../../../src/page/element/label-field.ts'
import { Problem } from '../../../src/page/element/problem.ts'
import { markupOf, textsOf } from './markup.ts'
import { english } from './shown.ts'

/** An attempt that ended with `code`. */
async function failed(code: ProblemCode): Promise<Attempt> {
  const host = {
    language: english,
    access: null,
    focus: () => {},
    addController: () => {},
    removeController: () => {},
    requestUpdate: () => {},
    updateComplete: Promise.resolve(true),
  }
  const attempt = new Attempt(host, () => {})
  await attempt.run({ text: 'saving' }, async () => {
    throw new Problem(code)
  })
  return attempt
}

it.for([
  ['label_invalid', true],
  ['api_key_exists', true],
  ['too_many_keys', false],
  ['offline', false],
] as const)('the problem %s is one of the label: %s', async ([code, isRefused]) => {
  const attempt = await failed(code)
  expect(isLabelRefused(attempt)).toBe(isRefused)
  const field = renderLabelField(english, attempt, { label: 'work' })
  expect(textsOf(field, 'label')).toEqual(['Name of the key'])
  expect(markupOf(field)).toContain(`aria-invalid=${isRefused}`)
})
