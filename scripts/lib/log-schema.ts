/** The JSON Schema of the vault's log lines. */

import * as z from 'zod/mini'
import { lineSchemas } from '../../src/log-lines.ts'

/** Where `npm run log-lines -- write` puts it. */
export const LOG_SCHEMA_FILE = 'docs/log-lines.schema.json'

/** The text of the schema. */
export function renderLogSchema(): string {
  const { $schema, ...schema } = z.toJSONSchema(z.union(lineSchemas()))
  return `${JSON.stringify({ $schema, title: 'A log line of User Key Vault', ...schema }, null, 2)}\n`
}
