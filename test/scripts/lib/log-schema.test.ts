import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { LOG_SCHEMA_FILE, renderLogSchema } from '../../../scripts/lib/log-schema.ts'

it('the schema of log lines is what src/log-lines.ts says: after a change, npm run log-lines -- write', () => {
  expect(readFileSync(LOG_SCHEMA_FILE, 'utf8')).toBe(renderLogSchema())
})
