/** The caller of a service binding, and what its `props` grant. Without props, a caller may do nothing. */

import { VaultError } from '../errors.ts'
import { slotName } from '../keys/slot-name.ts'
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

/** Whether the binding names the slot. With `DEFAULT_PROVIDER`, `default` and that provider are one slot. */
export function isNamed({ providers }: BindingProps, settings: Settings, given: string): boolean {
  const name = slotName(settings, given)
  return providers?.some((named) => slotName(settings, named) === name) !== false
}

/** @throws VaultError `provider_not_granted` */
export function requireNamed(props: BindingProps, settings: Settings, given: string): void {
  if (!isNamed(props, settings, given)) throw new VaultError('provider_not_granted')
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
