/** The slot that a name means. With `DEFAULT_PROVIDER`, the plain route uses that provider's slot. */

import type { Provider } from '../providers/provider.ts'
import { findProvider } from '../providers/table.ts'
import { VaultError } from '../errors.ts'
import type { Settings } from '../settings.ts'
import { DEFAULT_SLOT } from '../shared/slot.ts'

const FOUND = Symbol('found')

/** A slot that {@link findSlot} has found. */
export interface NamedSlot {
  readonly [FOUND]: true
  /** As its row has it. */
  name: string
  /** Null for the default slot without `DEFAULT_PROVIDER`, and for an unknown slot. */
  provider: Provider | null
  /** Whether the configuration has it. Otherwise its provider was removed, or its name is a misplaced key, which is not logged. */
  isKnown: boolean
}

/** A slot whose key can be used. */
export interface ProviderSlot extends NamedSlot {
  provider: Provider
}

/** The slot that `given` means: the name in a route, in a method of the binding or in a query. */
export function findSlot(settings: Settings, given: string): NamedSlot {
  const name = slotName(settings, given)
  const provider = settings.providers.get(name) ?? null
  return { [FOUND]: true, name, provider, isKnown: provider !== null || name === DEFAULT_SLOT }
}

/** The name of the slot that `given` means, which may be the `provider` of a row. */
export function slotName({ defaultProvider }: Settings, given: string): string {
  return given === DEFAULT_SLOT ? (defaultProvider ?? given) : given
}

/** Returns the slot, if keys can be saved in it. @throws VaultError `unknown_provider` */
export function requireKnown({ providers }: Settings, slot: NamedSlot): NamedSlot {
  findProvider(providers, slot.name)
  return slot
}

/** Returns the slot, if it has a provider. @throws VaultError `unknown_provider` */
export function requireProvider({ providers }: Settings, slot: NamedSlot): ProviderSlot {
  const provider = findProvider(providers, slot.name)
  if (provider === null) throw new VaultError('unknown_provider')
  return { ...slot, provider }
}

/** The name of the slot that `given` means, for the log, the counts and the trail; null for an unknown one. */
export function nameSlot(settings: Settings, given: unknown): string | null {
  if (typeof given !== 'string') return null
  const { name, isKnown } = findSlot(settings, given)
  return isKnown ? name : null
}

/** The names that a slot has had: before `DEFAULT_PROVIDER` was set, the plain route had its own. */
export function namesOf({ defaultProvider }: Settings, { name }: NamedSlot): readonly string[] {
  return name === defaultProvider ? [name, DEFAULT_SLOT] : [name]
}
