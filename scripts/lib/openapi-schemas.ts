/** The JSON Schemas of the OpenAPI document, made from the zod schemas of the API. */

import * as z from 'zod/mini'
import { NOT_YOUR_OWN, ofTeam } from '../../src/http/answer.ts'
import { MAX_USES, place, useCounts } from '../../src/http/bodies.ts'
import { errorAnswer, invalidKeyAnswer } from '../../src/shared/answers.ts'
import { CODES, type ErrorCode } from '../../src/shared/error-code.ts'
import { MAX_KEYS } from '../../src/shared/slot.ts'
import { OPERATIONS, SCHEMAS } from './operations.ts'

/** The codes of answers that belong to no operation. */
const OTHER_CODES: readonly ErrorCode[] = ['not_found', 'method_not_allowed']

/**
 * An answer may get more fields in a later version: `input` leaves its objects open. What a custom schema
 * allows is in the registry.
 */
const OPTIONS = { io: 'input', unrepresentable: 'any' } as const

for (const useCount of Object.values(useCounts)) {
  z.globalRegistry.add(useCount, { type: 'integer', minimum: 0, maximum: MAX_USES })
}

z.globalRegistry.add(place, { type: 'integer', minimum: 0, maximum: MAX_KEYS - 1 })

/** A schema of the document by its name: one of `SCHEMAS`, or an error code. */
export function refer(name: string): { $ref: string } {
  return { $ref: `#/components/schemas/${name}` }
}

/** All schemas of the document: the bodies, and an error answer for each code that HTTP has. */
export function describeSchemas(): Record<string, object> {
  const codes = [
    ...new Set([...OPERATIONS.flatMap((operation) => operation.codes), ...OTHER_CODES]),
  ]
  codes.sort((one, other) => CODES[one].status - CODES[other].status)
  const registry = z.registry<{ id: string }>()
  for (const [id, schema] of Object.entries(SCHEMAS)) registry.add(schema, { id })
  for (const code of codes) registry.add(errorSchema(code), { id: code })
  const { schemas } = z.toJSONSchema(registry, { ...OPTIONS, uri: (id) => refer(id).$ref })
  for (const schema of Object.values(schemas)) {
    delete schema.$id
    delete schema.$schema
  }
  return { ...schemas, Error: { oneOf: codes.map(refer) } }
}

/** A schema that stays where it is used. */
export function describeSchema(schema: z.core.$ZodType) {
  return z.toJSONSchema(schema, OPTIONS)
}

function errorSchema(code: ErrorCode) {
  const { error: first } = CODES[code]
  const ofUsers = code === 'not_your_own' ? [first, ...Object.values(NOT_YOUR_OWN)] : []
  const error = z.enum([...new Set([first, ...ofUsers, ...ofUsers.map(ofTeam)])])
  const answer = code === 'api_key_invalid' ? invalidKeyAnswer : errorAnswer
  const schema = z.extend(answer, { error, code: z.literal(code) })
  return schema.check(z.describe(`Status ${CODES[code].status}.`))
}
