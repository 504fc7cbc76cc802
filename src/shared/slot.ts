/** A user's slots by name, and what is known of the key in one. */

/** The slot of the plain route. It has no provider. */
export const DEFAULT_SLOT = 'default'

/** What is known of a stored key: its provider accepted it, rejected it, or has not said. */
export type KeyStatus = 'active' | 'rejected' | 'unverified'

/** What a provider says about a key when it is asked; `unknown` if the answer proves nothing. */
export type Verdict = 'accepted' | 'refused' | 'unknown'
