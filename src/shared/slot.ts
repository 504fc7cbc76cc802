/** The slot of the plain route, and what is known about a slot's key. */

import type * as z from 'zod/mini'
import type { keyCondition, keyStatus, rejectionReason, verdict } from './answers.ts'

/** The slot of the plain route. It has no provider. */
export const DEFAULT_SLOT = 'default'

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

/** Whose key a use takes. */
export type KeySource = 'own'

/** The key that a use took. */
export interface UsedKey {
  source: KeySource
  /** The name of the slot. */
  slot: string
}
