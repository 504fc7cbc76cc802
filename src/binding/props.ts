/** The caller of a service binding, and what its `props` grant. Without props, a caller may do nothing. */

import * as z from 'zod/mini'
import { VaultError } from '../errors.ts'
import type { Settings } from '../settings.ts'
import { nameUserIdFault } from '../shared/user-id.ts'

const grants = z.array(z.enum(['use', 'reveal', 'users']))

/** What a binding can grant: using keys, reading them in the clear, or adding and removing users. */
export type Grant = z.output<typeof grants>[number]

const props = z.strictObject({
  /** The bound Worker's name, for the log. */
  caller: z.string().check(z.regex(/^[\w.-]{1,64}$/)),
  grants,
  /** The slots that the caller may use. If it is missing, all slots. */
  providers: z.optional(z.array(z.string())),
})

/** The `props` of a binding: `[services.props]` in the caller's wrangler.toml. */
export type BindingProps = z.output<typeof props>

const NOBODY: BindingProps = { caller: 'unknown', grants: [], providers: [] }

/** Reads a binding's `props`. Malformed props grant nothing. */
export function readProps(value: unknown): BindingProps {
  const parsed = props.safeParse(value)
  return parsed.success ? parsed.data : NOBODY
}

/** @throws VaultError `not_granted` */
export function requireGrant({ grants: granted }: BindingProps, grant: Grant): void {
  if (!granted.includes(grant)) throw new VaultError('not_granted')
}

/**
 * A caller writes its own `props`. The grant `reveal` therefore counts only if the vault's `ALLOW_REVEAL`
 * names the caller, or allows all callers.
 *
 * @throws VaultError `not_granted`
 */
export function requireRevealer({ caller }: BindingProps, { revealers }: Settings): void {
  if (revealers !== 'all' && !revealers.includes(caller)) throw new VaultError('not_granted')
}

/** @throws VaultError `provider_not_granted` */
export function requireProvider({ providers }: BindingProps, name: string): void {
  if (providers?.includes(name) === false) throw new VaultError('provider_not_granted')
}

/**
 * Returns a caller's argument as text. It may be any value, since a binding does not check types.
 *
 * @throws VaultError `invalid_argument`
 */
export function requireText(value: unknown): string {
  if (typeof value !== 'string' || value === '') throw new VaultError('invalid_argument')
  return value
}

/** @throws VaultError `invalid_argument` */
export function requireUserId(value: unknown): string {
  const userId = requireText(value)
  if (nameUserIdFault(userId) !== null) throw new VaultError('invalid_argument')
  return userId
}
