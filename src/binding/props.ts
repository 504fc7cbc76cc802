/** Who calls through a service binding, and what its `props` grant. Without props it may do nothing. */

import * as z from 'zod/mini'
import { VaultError } from '../errors.ts'
import type { Settings } from '../settings.ts'
import { nameUserIdFault } from '../shared/user-id.ts'

const grants = z.array(z.enum(['use', 'reveal', 'users']))

/** What a binding may be granted: to use keys, to read them in the clear, to add and remove users. */
export type Grant = z.output<typeof grants>[number]

const props = z.strictObject({
  /** The bound Worker's name, for the log. */
  caller: z.string().check(z.regex(/^[\w.-]{1,64}$/)),
  grants,
  /** The slots that it may touch. Without it, all. */
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
 * A caller writes its own `props`, so the grant `reveal` counts only if the vault's `ALLOW_REVEAL` names
 * the caller, or allows all.
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
 * A caller's argument as text. Types do not cross a binding, so that it may be anything.
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
