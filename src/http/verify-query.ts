/** The query of a save: whether the vault checks the key with its provider first. */

import { zValidator } from '@hono/zod-validator'
import * as z from 'zod/mini'
import { VaultError } from '../errors.ts'

export const verifyQuery = z.object({
  verify: z
    .optional(z.enum(['true', 'false']))
    .check(
      z.describe(
        '`false` skips the check with the provider, and `true` asks for it. Without either, `VERIFY_ON_SAVE` decides.',
      ),
    ),
})

/** 400 for a `verify` that is neither `true` nor `false`. */
export const requireQuery = zValidator('query', verifyQuery, (result) => {
  if (result.success) return
  throw new VaultError('invalid_query', { detail: '"verify" must be true or false.' })
})

/** Undefined if the query leaves it to the configuration. */
export function isAsked({ verify }: z.output<typeof verifyQuery>): boolean | undefined {
  return verify === undefined ? undefined : verify === 'true'
}
