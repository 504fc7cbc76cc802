/** A slot of the user as the element shows it. */

import { DEFAULT_SLOT, type KeyStatus, type Verdict } from '../../shared/slot.ts'
import type { Language } from './language.ts'

/** A slot. */
export interface ShownSlot {
  name: string
  /** Null for the default slot, and for a provider that is no longer offered. */
  label: string | null
  keyPage: string | null
  keyPrefixes: readonly string[]
  /** The hosts on which the user's own base URL may be; null if the provider has a fixed address. */
  hosts: readonly string[] | null
  /**
   * Null if there is none. `'unreadable'`: its user has to enter it again. `'unavailable'`: the operator's
   * encryption key is missing.
   */
  key: ShownKey | 'unreadable' | 'unavailable' | null
}

/** A stored key, as much of it as is ever shown. */
export interface ShownKey {
  /** The first characters and, of a long key, the last four. */
  preview: string
  status: KeyStatus
  savedAt: string
  usedAt: string | null
  /** When its user last had it checked. */
  testedAt: string | null
  baseUrl: string | null
}

/** How a notice looks. */
export type Tone = 'success' | 'neutral' | 'warning'

/** A text, and how it looks. */
export interface Notice {
  text: string
  tone: Tone
}

/** The key in the slot, if it can be read. */
export function readableKey({ key }: ShownSlot): ShownKey | null {
  return typeof key === 'string' ? null : key
}

/** What the slot is called: its provider, in most cases. */
export function nameSlot({ name, label }: ShownSlot, say: Language['say']): string {
  return label ?? (name === DEFAULT_SLOT ? say('general') : name)
}

/** Whether a key can be saved in the slot: its provider is still offered. */
export function isOffered({ name, label }: ShownSlot): boolean {
  return label !== null || name === DEFAULT_SLOT
}

/** How the stored key is: a word for its look, and the text. Null for a readable key without a provider. */
export function describeStatus(
  slot: ShownSlot,
  say: Language['say'],
): { tone: 'ok' | 'none' | 'bad'; text: string } | null {
  const { key, label } = slot
  if (!isOffered(slot)) return { tone: 'none', text: say('removed') }
  if (key === 'unavailable') return { tone: 'none', text: say('unavailable') }
  if (key === null || key === 'unreadable') return { tone: 'bad', text: say('unreadable') }
  if (label === null) return null
  if (key.status === 'rejected') return { tone: 'bad', text: say('rejected', { provider: label }) }
  if (key.status === 'unverified') return { tone: 'none', text: say('unconfirmed') }
  return { tone: 'ok', text: say('accepted', { provider: label }) }
}

/** What a person reads when the key in the slot has just been saved. */
export function describeSaved(slot: ShownSlot, say: Language['say']): Notice {
  const { label: provider } = slot
  const key = readableKey(slot)
  if (provider === null || key === null) return { text: say('savedPlain'), tone: 'success' }
  return key.status === 'active'
    ? { text: say('savedAccepted', { provider }), tone: 'success' }
    : { text: say('savedUnconfirmed', { provider }), tone: 'warning' }
}

/** What a person reads who has had the key checked. The verdict is null if the key was changed meanwhile. */
export function describeTest(
  verdict: Verdict | null,
  provider: string,
  say: Language['say'],
): Notice {
  if (verdict === 'accepted') return { text: say('testAccepted', { provider }), tone: 'success' }
  const text = say(verdict === 'refused' ? 'refused' : 'testUnknown', { provider })
  return { text, tone: 'warning' }
}

/**
 * The slots whose providers' keys begin as `key` does, by the longest beginning that is known; empty if no
 * beginning fits.
 */
export function findLikelySlots(key: string, slots: readonly ShownSlot[]): ShownSlot[] {
  const lengths = slots.map(({ keyPrefixes }) =>
    Math.max(0, ...keyPrefixes.map((prefix) => (key.startsWith(prefix) ? prefix.length : 0))),
  )
  const longest = Math.max(0, ...lengths)
  return longest === 0 ? [] : slots.filter((_slot, index) => lengths[index] === longest)
}
