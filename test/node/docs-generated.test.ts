/** The pages of docs/ that `npm run docs -- write` makes. */

import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { ERROR_WORDS } from '../../scripts/docs/error-words.ts'
import { renderErrors } from '../../scripts/docs/errors-page.ts'
import { renderProviderAnswers } from '../../scripts/docs/provider-answers-page.ts'
import { renderRoutes } from '../../scripts/docs/routes-page.ts'
import { CHAPTERS } from '../../scripts/docs/story.ts'
import { OPERATIONS } from '../../scripts/lib/operations.ts'
import { errorCode } from '../../src/shared/answers.ts'
import { USES } from '../../src/shared/error-code.ts'
import { namesIn } from '../../src/shared/json.ts'
import { rowsUnder } from '../markdown.ts'

const read = (path: string): string => readFileSync(path, 'utf8')

it('docs/errors.md is as `npm run docs -- write` makes it', () => {
  expect(read('docs/errors.md')).toBe(renderErrors())
})

it('docs/provider-answers.md is as `npm run docs -- write` makes it', () => {
  expect(read('docs/provider-answers.md')).toBe(renderProviderAnswers())
})

it('docs/errors.md says of each code from where it comes', () => {
  const uses = namesIn(USES).filter((code) => ERROR_WORDS[code].doors === undefined)
  expect(uses).toEqual([])
  const rows = rowsUnder(read('docs/errors.md'), '## Codes')
  expect(rows.map(([, code = '']) => code).toSorted()).toEqual(
    errorCode.options.map((code) => `\`${code}\``).toSorted(),
  )
  expect(rows.filter(([, , , , from = '']) => !/^\S.* \|$/.test(from))).toEqual([])
})

it('docs/routes.md has the answers of the running Worker, as `npm run docs -- write` makes it', async () => {
  expect(read('docs/routes.md')).toBe(await renderRoutes())
})

it('docs/routes.md shows each route once', () => {
  const shown = CHAPTERS.flatMap(({ steps }) =>
    steps.flatMap((step) => ('operation' in step ? step.operation : [])),
  )
  const known = OPERATIONS.map(({ operationId }) => operationId)
  expect(shown.toSorted()).toEqual(known.toSorted())
})
