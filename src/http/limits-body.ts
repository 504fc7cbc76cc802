/** The body of a PATCH: what its owner allows for a key. */

import * as z from 'zod/mini'
import { VaultError } from '../errors.ts'
import { CALLER_NAME } from '../shared/caller.ts'
import { isWhole } from '../shared/json.ts'
import { expiresAt } from './key-body.ts'
import { requireValid } from './validate.ts'

const MAX_CALLERS = 50
export const MAX_USES = 1_000_000_000

const CALLERS = `callers must be null or a list of at most ${MAX_CALLERS} names, each of the form binding:NAME or relay:NAME.`
const COUNT = `max_uses.count must be a whole number from 0 to ${MAX_USES}.`

/** What the OpenAPI document cannot see: that it is a whole number, from 0 to `MAX_USES`. `z.int` weighs more. */
export const useCount = z.custom<number>((count) => isWhole(count, 0, MAX_USES), COUNT)

const maxUses = z.strictObject(
  {
    count: useCount,
    per: z.enum(['day', 'month'], 'max_uses.per must be "day" or "month".'),
  },
  'max_uses must be null, or {"count": 100, "per": "day"}.',
)

const caller = z.string(CALLERS).check(z.regex(CALLER_NAME, CALLERS))

const FIELDS = 'Send one or more of paused, callers, max_uses and expires_at, and no other field.'

export const limitsBody = z
  .strictObject(
    {
      paused: z.optional(z.boolean('paused must be true or false.')),
      callers: z.nullish(z.array(caller, CALLERS).check(z.maxLength(MAX_CALLERS, CALLERS))),
      max_uses: z.nullish(maxUses),
      expires_at: z.nullish(expiresAt),
    },
    FIELDS,
  )
  .check(z.refine((body) => Object.values(body).some((value) => value !== undefined), FIELDS))

/** Requires one or more limits. The errors of the body are those of `readJson`, and any other fault is a 400. */
export const requireLimits = requireValid('json', limitsBody, (issue) => {
  const code = issue?.path[0] === 'expires_at' ? 'expires_at_invalid' : 'limits_invalid'
  return new VaultError(code, { detail: issue?.message })
})
