/** A slot of the user as the element shows it. */

import { findLikely } from '../../callers/browser/key-in-text.ts'
import {
  covers,
  DEFAULT_SLOT,
  joinSlot,
  splitSlot,
  type KeyStatus,
  type Verdict,
} from '../../shared/slot.ts'
import { daysUntil, type Period } from './days.ts'
import { gapAfter, type Language } from './language.ts'

/** A user may not need a key that was not used for these days. */
const UNUSED_DAYS = 90

/** A slot. */
export interface ShownSlot {
  name: string
  /** What its provider is called; null for the default slot, and for a provider that is no longer offered. */
  provider: string | null
  /** What its user calls the key, one of several of the provider; null without a label. */
  label: string | null
  keyPage: string | null
  /** Where its user adds credit; null if that is not known. */
  billingPage: string | null
  keyPrefixes: readonly string[]
  /** The hosts on which the user's own base URL may be; null if the provider has a fixed address. */
  hosts: readonly string[] | null
  /**
   * Null if there is none. `'unreadable'`: its user has to enter it again. `'unavailable'`: the operator's
   * encryption key is missing.
   */
  key: ShownKey | 'unreadable' | 'unavailable' | null
  /** Tells whether the slot is still as it was read; null if it has no key. */
  etag: string | null
  /** For how many seconds after its last change applications can use it as before; 0 if they cannot, or if it has not changed. */
  lag: number
}

/** A stored key, as much of it as is ever shown. */
export interface ShownKey {
  /** The first characters and, of a long key, the last four. */
  preview: string
  status: KeyStatus
  /** Since when its account is out of credit, as its provider said; null if it did not say so. */
  exhaustedAt: string | null
  savedAt: string
  /** Whether the operator of the application saved it, and not its owner. */
  isFromOperator: boolean
  usedAt: string | null
  /** When its user last had it checked. */
  testedAt: string | null
  /** From then on it may not be used; null if it never expires. */
  expiresAt: string | null
  isPaused: boolean
  /** The only callers that may use it; null if all may. */
  callers: readonly string[] | null
  /** How often it may be used in a day or a month in UTC, and how often it was; null for no limit. */
  maxUses: { count: number; per: Period; used: number } | null
  /** Of a team's key: how often each member may use it; null for no limit. */
  maxUsesPerMember: { count: number; per: Period } | null
  baseUrl: string | null
  /** The names of other slots with the same key. */
  sameIn: readonly string[]
}

/** How a notice looks. */
export type Tone = 'success' | 'neutral' | 'warning'

/** A text, and how it looks. */
export interface Notice {
  text: string
  tone: Tone
  /** What else there is to say; empty for nothing. */
  more?: string
}

/** The key in the slot, if it can be read. */
export function readableKey({ key }: ShownSlot): ShownKey | null {
  return typeof key === 'string' ? null : key
}

/** The key in the slot, if it can be read and has not expired. */
export function usableKey(slot: ShownSlot): ShownKey | null {
  const key = readableKey(slot)
  return key !== null && isExpired(key) ? null : key
}

/** Whether the service may send the key in the slot to a provider for a check. */
export function canBeChecked(slot: ShownSlot): boolean {
  return usableKey(slot)?.isPaused === false
}

/** Whether the key may not be used any more. */
export function isExpired({ expiresAt }: ShownKey): boolean {
  return expiresAt !== null && daysUntil(expiresAt) <= 0
}

/** What the slot is called: its provider, and its label if it has one. */
export function nameSlot(slot: ShownSlot, say: Language['say']): string {
  const provider = nameProvider(slot, say)
  return slot.label === null ? provider : `${provider} · ${slot.label}`
}

/** What the key in the slot is called on the screen. The only one that is offered needs no name. */
export function titleSlot(
  slot: ShownSlot,
  offered: readonly ShownSlot[],
  say: Language['say'],
): string {
  const isOnly = slot.name === DEFAULT_SLOT && offered.every(({ name }) => name === DEFAULT_SLOT)
  return isOnly ? say('apiKey') : nameSlot(slot, say)
}

/** What the provider of the slot is called. */
export function nameProvider({ name, provider }: ShownSlot, say: Language['say']): string {
  return provider ?? (name === DEFAULT_SLOT ? say('general') : splitSlot(name).provider)
}

/** The slot of this name. One with a label may not have been used yet. */
export function findSlot(slots: readonly ShownSlot[], name: string): ShownSlot | undefined {
  const { provider, label } = splitSlot(name)
  const find = (sought: string) => slots.find((slot) => slot.name === sought)
  const bare = find(provider)
  return find(name) ?? (bare && { ...bare, name, label, key: null, etag: null, lag: 0 })
}

/** The slot of the same provider with the label, or without one. */
export function relabel(slots: readonly ShownSlot[], { name }: ShownSlot, label: string | null) {
  return findSlot(slots, joinSlot({ ...splitSlot(name), label }))
}

/** The slots with a key of the same provider, in the order in which the keys are used. */
export function keysBeside(slots: readonly ShownSlot[], { name }: ShownSlot): ShownSlot[] {
  const { provider } = splitSlot(name)
  return slots.filter((slot) => slot.key !== null && covers(provider, slot.name))
}

/** Whether a key can be saved in the slot: its provider is still offered. */
export function isOffered({ name, provider }: ShownSlot): boolean {
  return provider !== null || name === DEFAULT_SLOT
}

/** A hint that the key may not be needed any more; null if there is no reason for it. */
export function describeDisuse(slot: ShownSlot, say: Language['say']): string | null {
  const key = usableKey(slot)
  // The use of the plain route's key is not recorded, and one of a removed provider can only be deleted.
  if (key === null || slot.provider === null) return null
  // A check does not count: the job also checks keys that nobody uses.
  const { savedAt, usedAt } = key
  const isUnused = [savedAt, usedAt].every((time) => daysUntil(time ?? savedAt) < -UNUSED_DAYS)
  return isUnused ? say('unused', { days: UNUSED_DAYS }) : null
}

/**
 * The slots after `changed` has changed, and which of the others have the same key as it. A new key is the last one of its
 * provider.
 */
export function putSlot(slots: readonly ShownSlot[], changed: ShownSlot): ShownSlot[] {
  const same = readableKey(changed)?.sameIn ?? []
  const known = slots.map((slot) => {
    if (slot.name === changed.name) return changed
    const key = readableKey(slot)
    if (key === null) return slot
    const others = key.sameIn.filter((name) => name !== changed.name)
    const sameIn = same.includes(slot.name) ? [...others, changed.name] : others
    return { ...slot, key: { ...key, sameIn } }
  })
  const isKept = changed.key === null || findSlot(slots, changed.name)?.key
  if (isKept) return known
  const { provider } = splitSlot(changed.name)
  const end = slots.findLastIndex(({ name }) => covers(provider, name)) + 1
  return known.toSpliced(end, 0, changed).filter((slot, at) => slot !== changed || at === end)
}

/** That other slots have the same key; null if none has. `slots` are all slots of the user. */
export function describeSame(
  slot: ShownSlot,
  slots: readonly ShownSlot[],
  { say, names }: Language,
): string | null {
  const key = readableKey(slot)
  const others = slots.filter(({ name }) => key?.sameIn.includes(name))
  if (others.length === 0) return null
  return say('sameKey', { providers: names(others.map((other) => nameSlot(other, say))) })
}

/** For how long applications can still use the slot as before its change; empty if they cannot. */
export function describeLag({ lag }: ShownSlot, { say, duration }: Language): string {
  return lag > 0 ? say('lag', { time: duration(lag) }) : ''
}

/** What a person reads when the key in the slot has just been saved. */
export function describeSaved(slot: ShownSlot, language: Language): Notice {
  const { provider } = slot
  const { say } = language
  const key = readableKey(slot)
  const lag = describeLag(slot, language)
  const paused = key?.isPaused === true ? say('savedPaused') : ''
  const more = paused + (paused && lag && gapAfter(paused)) + lag
  if (provider === null || key === null) return { text: say('savedPlain'), tone: 'success', more }
  const values = { key: nameSlot(slot, say), provider }
  if (key.exhaustedAt !== null) {
    return { text: say('savedOutOfCredit', values), tone: 'warning', more }
  }
  const isAccepted = key.status === 'active'
  const text = say(isAccepted ? 'savedAccepted' : 'savedUnconfirmed', values)
  return { text, tone: isAccepted ? 'success' : 'warning', more }
}

/**
 * What a person reads who has had the key in the slot checked. The verdict is null if the key was changed
 * meanwhile. Few providers say in a check whether there is credit, so an accepted key may still have none.
 */
export function describeTest(
  verdict: Verdict | null,
  slot: ShownSlot,
  say: Language['say'],
): Notice {
  if (slot.key === null) return describeElsewhere(slot, say)
  const provider = nameProvider(slot, say)
  if (verdict !== 'accepted') {
    const text = say(verdict === 'refused' ? 'api_key_rejected' : 'testUnknown', { provider })
    return { text, tone: 'warning' }
  }
  return readableKey(slot)?.exhaustedAt
    ? { text: say('testOutOfCredit', { provider }), tone: 'neutral' }
    : { text: say('testAccepted', { provider }), tone: 'success' }
}

/** What a person reads of a key that something else has changed, such as another tab. */
export function describeElsewhere(slot: ShownSlot, say: Language['say']): Notice {
  const text = slot.key === null ? 'deletedElsewhere' : 'changedElsewhere'
  return { text: say(text, { provider: nameSlot(slot, say) }), tone: 'neutral' }
}

/**
 * The slots whose providers' keys begin as `key` does, by the longest beginning that is known; empty if no
 * beginning fits.
 */
export function findLikelySlots(key: string, slots: readonly ShownSlot[]): ShownSlot[] {
  return findLikely(key, slots, ({ keyPrefixes }) => keyPrefixes)
}
