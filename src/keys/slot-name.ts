/** The slot that a name means. With `DEFAULT_PROVIDER`, the plain route uses that provider's slot. */

import type { Provider } from '../providers/provider.ts'
import { findProvider } from '../providers/table.ts'
import type { Settings } from '../settings.ts'
import { DEFAULT_SLOT } from '../shared/slot.ts'

/** A slot that keys can be saved in. */
export interface KnownSlot {
  name: string
  /** Null for the default slot without `DEFAULT_PROVIDER`. */
  provider: Provider | null
}

/** @throws VaultError `unknown_provider` */
export function findSlot(settings: Settings, given: string): KnownSlot {
  const name = slotName(settings, given)
  return { name, provider: findProvider(settings.providers, name) }
}

/** The name of the slot that `given` means: the slot of a route, or the `provider` of a row. */
export function slotName({ defaultProvider }: Settings, given: string): string {
  return given === DEFAULT_SLOT ? (defaultProvider ?? given) : given
}

/**
 * The slot that `given` means, for the log, the counts and the trail. It is null if the configuration has no such
 * slot, because the value may then be a misplaced key.
 */
export function nameSlot(settings: Settings, given: unknown): string | null {
  const known = [DEFAULT_SLOT, ...settings.providers.keys()].find((slot) => slot === given)
  return known === undefined ? null : slotName(settings, known)
}

/** The names that the slot `name` has had: before `DEFAULT_PROVIDER` was set, the plain route had its own. */
export function namesOf({ defaultProvider }: Settings, name: string): readonly string[] {
  return name === defaultProvider ? [name, DEFAULT_SLOT] : [name]
}
