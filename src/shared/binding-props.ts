/** The `props` of a service binding, as a schema: what a caller may do with the vault. */

import * as z from 'zod/mini'

const grants = z.array(z.enum(['use', 'reveal', 'users', 'support']))

export const bindingProps = z.strictObject({
  /** The bound Worker's name, for the log, the trail and the owners' limits. */
  caller: z.string().check(z.regex(/^[\w.-]{1,64}$/)),
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
