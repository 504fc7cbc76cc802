/** The caller of a service binding, and what its `props` grant. Without props, a caller may do nothing. */

import { VaultError } from '../errors.ts'
import type { Settings } from '../settings.ts'
import { bindingProps, type BindingProps, type Grant } from '../shared/binding-props.ts'
import { nameUserIdFault } from '../shared/user-id.ts'

const NOBODY: BindingProps = { caller: 'unknown', grants: [], providers: [] }

/** Reads a binding's `props`. Malformed props grant nothing. */
export function readProps(value: unknown): BindingProps {
  const parsed = bindingProps.safeParse(value)
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
