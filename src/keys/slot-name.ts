/** The slot that a name means. With `DEFAULT_PROVIDER`, the plain route uses that provider's slot. */

import type { Provider } from '../providers/provider.ts'
import { findProvider } from '../providers/table.ts'
import { VaultError } from '../errors.ts'
import type { Settings } from '../settings.ts'
import { nameLabelFault } from '../shared/label.ts'
import { readOwner } from '../shared/owner.ts'
import { DEFAULT_SLOT, splitSlot } from '../shared/slot.ts'
import type { SlotOwner } from './stored-key.ts'

const FOUND = Symbol('found')

/** A slot that {@link findSlot} has found. */
export interface NamedSlot {
  readonly [FOUND]: true
  /** As its row has it. */
  name: string
  /** Null for a slot without a label. */
  label: string | null
  /** Null for the default slot without `DEFAULT_PROVIDER`, and for an unknown slot. */
  provider: Provider | null
  /** Whether it can have a key. Otherwise its provider was removed, or its name may be a misplaced key, which is not logged. */
  isKnown: boolean
  /** What is wrong with the label, as the end of a sentence. No slot has such a name. */
  labelFault: string | null
}

/** A slot whose key can be used. */
export interface ProviderSlot extends NamedSlot {
  provider: Provider
}

/** The slot that `given` means: the name in a route, in a method of the binding or in a query. */
export function findSlot(settings: Settings, given: string): NamedSlot {
  const name = slotName(settings, given)
  const parts = splitSlot(name)
  const { label } = parts
  const found = settings.providers.get(parts.provider) ?? null
  const isDefault = parts.provider === DEFAULT_SLOT
  const isNamed = found !== null || isDefault
  const labelFault = label === null || !isNamed ? null : faultOf(settings, { label, isDefault })
  const isKnown = isNamed && labelFault === null
  return { [FOUND]: true, name, label, provider: isKnown ? found : null, isKnown, labelFault }
}

function faultOf(
  { providers }: Settings,
  { label, isDefault }: { label: string; isDefault: boolean },
): string | null {
  if (isDefault) return 'needs a provider, which the plain route does not have'
  const prefixes = [...providers.values()].flatMap(({ key_prefixes = [] }) => key_prefixes)
  if (prefixes.some((prefix) => label.startsWith(prefix))) return 'begins like an API key'
  return nameLabelFault(label)
}

/** The name of the slot that `given` means, which may be the `provider` of a row. */
export function slotName({ defaultProvider }: Settings, given: string): string {
  return given === DEFAULT_SLOT ? (defaultProvider ?? given) : given
}

/** Returns the slot, unless no slot can have its label. @throws VaultError `label_invalid` */
export function requireLabel(slot: NamedSlot): NamedSlot {
  const { labelFault: fault } = slot
  if (fault !== null) throw new VaultError('label_invalid', { detail: `The label ${fault}.` })
  return slot
}

/** Whether the owner has the default slot. A team has none. */
export function hasDefault({ userId }: SlotOwner): boolean {
  return readOwner(userId).kind === 'user'
}

/** Returns the slot, if the owner can save a key in it. @throws VaultError `label_invalid`, `unknown_provider` */
export function requireKnown(owner: SlotOwner, slot: NamedSlot): NamedSlot {
  const { settings } = owner.service
  return hasDefault(owner) ? knownSlot(settings, slot) : requireProvider(settings, slot)
}

/** Returns the slot, if it has a provider. @throws VaultError `label_invalid`, `unknown_provider` */
export function requireProvider(settings: Settings, slot: NamedSlot): ProviderSlot {
  const { provider } = knownSlot(settings, slot)
  if (provider === null) throw new VaultError('unknown_provider')
  return { ...slot, provider }
}

function knownSlot({ providers }: Settings, slot: NamedSlot): NamedSlot {
  findProvider(providers, splitSlot(requireLabel(slot).name).provider)
  return slot
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
