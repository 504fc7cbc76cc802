/** `examineKey`: what can be said of a pasted text before it is sent. */

import { splitSlot } from '../../shared/slot.ts'
import { findKeyIn, findLikely, findTextFault } from './key-in-text.ts'
import { Problem } from './problem.ts'

/** A slot of the list, or a provider: how its keys begin. */
export interface KnownSlot {
  /** The name of the slot, such as `openai`. */
  provider: string
  key_prefixes: readonly string[]
}

export interface ExaminedKey {
  /** The key in the text, which may be all of it. Null if there is none, or if it is not clear which of several is meant. */
  key: string | null
  /**
   * Why the text is not a key as it stands: an `api_key_invalid` with its `reason`, and an `index` if one character is wrong. Null
   * if it is one.
   */
  fault: Problem | null
  /** The providers whose keys begin as the key does, by the longest beginning that is known. */
  providers: string[]
}

/**
 * Looks at a pasted text: a key, or a command or a file with a key in it. `slots` are those of the list, which say how keys
 * begin. Without them, only the keys of built-in providers are recognized.
 *
 * @example
 * const { key, fault, providers } = examineKey('Authorization: Bearer sk-ant-…', api_keys)
 */
export function examineKey(text: string, slots: readonly KnownSlot[] = KEY_PREFIXES): ExaminedKey {
  const trimmed = text.trim()
  const beginnings = slots.flatMap(({ key_prefixes: prefixes }) => prefixes)
  const fault = findTextFault(trimmed, beginnings)
  const key = fault === null ? trimmed : findKeyIn(trimmed, beginnings)
  const likely = findLikely(key ?? '', slots, ({ key_prefixes: prefixes }) => prefixes)
  return {
    key,
    fault: fault && new Problem('api_key_invalid', fault),
    providers: [...new Set(likely.map(({ provider }) => splitSlot(provider).provider))],
  }
}
