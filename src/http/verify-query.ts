/** The query of a save: whether the vault checks the key with its provider first. */

import * as z from 'zod/mini'
import { VaultError } from '../errors.ts'
import { requireValid } from './validate.ts'

export const verifyQuery = z.object({
  verify: z.optional(z.enum(['true', 'false'], '"verify" must be true or false.')),
})

/** 400 for a `verify` that is neither `true` nor `false`. */
export const requireQuery = requireValid('query', verifyQuery, refuseQuery)

/** A value that a route does not know. */
export function refuseQuery(issue?: z.core.$ZodIssue): VaultError {
  return new VaultError('invalid_query', { detail: issue?.message })
}

/** Undefined if the query leaves it to the configuration. */
export function isAsked({ verify }: z.output<typeof verifyQuery>): boolean | undefined {
  return verify === undefined ? undefined : verify === 'true'
}
