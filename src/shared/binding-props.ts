/** The `props` of a service binding, as a schema: what a caller may do with the vault. */

import * as z from 'zod/mini'
import { WORKER_NAME } from './caller.ts'

const grants = z.array(z.enum(['use', 'reveal', 'users', 'support']))

export const bindingProps = z.strictObject({
  /** The bound Worker's name. The log, the trail and the owners' limits have it as `binding:NAME`. */
  caller: z.string().check(z.regex(WORKER_NAME)),
  grants,
  /** The slots that the caller may use. If it is missing, all slots. */
  providers: z.optional(z.array(z.string())),
})

/**
 * What a binding can grant: using keys, reading them in the clear, adding and removing users, or helping users
 * with their keys without seeing one.
 */
export type Grant = z.output<typeof grants>[number]

/** The `props` of a binding: `[services.props]` in the caller's wrangler.toml. */
export type BindingProps = z.output<typeof bindingProps>
