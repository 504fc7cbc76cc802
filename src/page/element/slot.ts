/** A slot of the user as the page shows it: words for what the service says in codes. */

import { DEFAULT_SLOT, type KeyStatus } from '../../shared/slot.ts'

/** A slot as the page shows it; `key` is `'unreadable'` if the stored key cannot be decrypted. */
export interface ShownSlot {
  name: string
  /** Null for the default slot, and for a provider that is not offered any more. */
  label: string | null
  keyPage: string | null
  keyPrefixes: readonly string[]
  /** The hosts on which the user's own base URL may be; null if the provider has a fixed address. */
  hosts: readonly string[] | null
  key: ShownKey | 'unreadable' | null
}

/** A stored key, as much of it as is ever shown. */
export interface ShownKey {
  preview: string
  status: KeyStatus
  savedAt: string
  lastUsedAt: string | null
  baseUrl: string | null
}

/** What the slot is called: its provider, in most cases. */
export function nameSlot({ name, label }: ShownSlot): string {
  return label ?? (name === DEFAULT_SLOT ? 'General' : name)
}

/** Whether a key can be saved in the slot: not where its provider was taken out. */
export function isOffered({ name, label }: ShownSlot): boolean {
  return label !== null || name === DEFAULT_SLOT
}

/** How the stored key is: a word for its look, and the sentence that is shown. */
export function describeStatus(slot: ShownSlot): { tone: 'ok' | 'none' | 'bad'; text: string } {
  const { key, label } = slot
  if (!isOffered(slot))
    return { tone: 'none', text: 'Not offered any more: it can only be deleted' }
  if (key === null || key === 'unreadable') {
    return { tone: 'bad', text: 'This key cannot be read any more: enter it again' }
  }
  if (label === null) return { tone: 'none', text: `Stored since ${formatDay(key.savedAt)}` }
  if (key.status === 'active') {
    const text =
      key.lastUsedAt === null ? `Accepted by ${label}` : `In use since ${formatDay(key.savedAt)}`
    return { tone: 'ok', text }
  }
  if (key.status === 'unverified') return { tone: 'none', text: 'Not confirmed yet' }
  const day = key.lastUsedAt === null ? '' : ` on ${formatDay(key.lastUsedAt)}`
  return { tone: 'bad', text: `${label} refused this key${day}: replace it` }
}

/** What a person reads when the key in the slot has just been saved. */
export function describeSaved({ label, key }: ShownSlot): string {
  if (label === null || key === null || key === 'unreadable') return 'The key is saved.'
  return key.status === 'active'
    ? `The ${label} key is saved, and ${label} accepts it.`
    : `The ${label} key is saved. ${label} has not confirmed that it works: test it later.`
}

/**
 * The slots whose providers' keys begin as `key` does, by the longest beginning that is known; none
 * where no beginning fits.
 */
export function findLikelySlots(key: string, slots: readonly ShownSlot[]): ShownSlot[] {
  const lengths = slots.map(({ keyPrefixes }) =>
    Math.max(0, ...keyPrefixes.map((prefix) => (key.startsWith(prefix) ? prefix.length : 0))),
  )
  const longest = Math.max(0, ...lengths)
  return longest === 0 ? [] : slots.filter((_slot, index) => lengths[index] === longest)
}

const DAY = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium' })
const MINUTE = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'short' })

/** `3 Nov 2026`, in the reader's time zone. */
export function formatDay(time: string): string {
  return DAY.format(new Date(time))
}

/** `3 Nov 2026, 14:05`, in the reader's time zone. */
export function formatMinute(time: string): string {
  return MINUTE.format(new Date(time))
}
