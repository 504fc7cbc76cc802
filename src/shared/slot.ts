/** The slot of the plain route, and what is known about a slot's key. */

/** The slot of the plain route. It has no provider. */
export const DEFAULT_SLOT = 'default'

/** Whether the provider accepted the stored key, rejected it, or has not said. */
export type KeyStatus = 'active' | 'rejected' | 'unverified'

/** A provider's answer to a probe. It is `unknown` if the answer proves nothing. */
export type Verdict = 'accepted' | 'refused' | 'unknown'
