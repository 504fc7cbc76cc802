/** The names of slots, and what is known about a slot's key. */

import type * as z from 'zod/mini'
import type { keyCondition, keySource, keyStatus, rejectionReason, verdict } from './answers.ts'

/** The slot of the plain route. It has no provider. */
export const DEFAULT_SLOT = 'default'

/** The most keys that an owner has of one provider. */
export const MAX_KEYS = 10

/** The parts of a slot's name: `openai:work` has the label `work`, and `openai` has none. */
export interface SlotParts {
  provider: string
  label: string | null
}

export function splitSlot(name: string): SlotParts {
  const end = name.indexOf(':')
  if (end < 0) return { provider: name, label: null }
  return { provider: name.slice(0, end), label: name.slice(end + 1) }
}

export function joinSlot({ provider, label }: SlotParts): string {
  return label === null ? provider : `${provider}:${label}`
}

/** A slot's name in one case: two labels that differ only in case are one. Null without a label, which only one slot has. */
export function foldSlot(name: string): string | null {
  const { provider, label } = splitSlot(name)
  if (label === null) return null
  // Upper case has more letters in common, such as those of ß and SS. Lower case first makes ß of ẞ, which is upper case already.
  return joinSlot({ provider, label: label.toLowerCase().toUpperCase().toLowerCase() })
}

/** Whether a permission for `named` covers the slot: a provider covers all its slots, and a slot only itself. */
export function covers(named: string, slot: string): boolean {
  return named === slot || named === splitSlot(slot).provider
}

/** As {@link covers}, or whether a use of a key of the provider `slot` may take the one in the slot `named`. */
export function coversUse(named: string, slot: string): boolean {
  return covers(named, slot) || splitSlot(named).provider === slot
}

/** A slot's name in a header or a log line, which hold ASCII. */
export function encodeSlot(name: string): string {
  return encodeURI(name)
}

/** Whether the provider accepted the stored key, rejected it, or has not said. */
export type KeyStatus = z.infer<typeof keyStatus>

/** A provider's answer to a probe. It is `unknown` if the answer proves nothing. */
export type Verdict = z.infer<typeof verdict>

/** What keeps a key from working at present. */
export type KeyCondition = z.infer<typeof keyCondition>

/** The key's account has no credit left. */
export const OUT_OF_CREDIT: KeyCondition = 'out_of_credit'

/** Why a provider rejects a key. It is `unknown` if the provider does not say. */
export type RejectionReason = z.infer<typeof rejectionReason>

/** Whose key a use takes: the user's own, or that of a team of the user. */
export type KeySource = z.infer<typeof keySource>

/** The key that a use took. */
export interface UsedKey {
  source: KeySource
  /** The name of the slot. */
  slot: string
}
