/** The pages of docs/ that `npm run docs -- write` makes. */

import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { renderErrors } from '../../scripts/docs/errors-page.ts'
import { renderRoutes } from '../../scripts/docs/routes-page.ts'
import { CHAPTERS } from '../../scripts/docs/story.ts'
import { OPERATIONS } from '../../scripts/lib/operations.ts'

const read = (path: string): string => readFileSync(path, 'utf8')

it('docs/errors.md is as `npm run docs -- write` makes it', () => {
  expect(read('docs/errors.md')).toBe(renderErrors())
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
