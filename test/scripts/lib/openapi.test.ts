import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { OPENAPI_FILE, renderOpenApi } from '../../../scripts/lib/openapi.ts'

it('openapi.json is what the schemas say: after a change, npm run openapi -- write', () => {
  expect(readFileSync(OPENAPI_FILE, 'utf8')).toBe(renderOpenApi())
})
