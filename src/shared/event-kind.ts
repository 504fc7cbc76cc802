/** What can happen to a user's keys. The kinds are published. */

/** What is done to a key, or found out about it. */
export const CHANGES = [
  'saved',
  'replaced',
  'deleted',
  'assigned',
  'imported',
  'verified',
  'rejected_on_save',
  'rejected_in_use',
  'out_of_credit',
  'in_credit',
  'rechecked',
  'paused',
  'resumed',
  'limits_changed',
  'renamed',
  'moved',
  'expired',
  'exported',
] as const

/** How a caller sees what is in a slot, or the key itself. Each time is an event. */
export const LOOKS = ['revealed', 'viewed'] as const

/** What is summed: one event an hour for each slot, caller and code. */
export const SUMS = ['used', 'use_refused', 'limit_reached', 'unreadable'] as const

export type LookKind = (typeof LOOKS)[number]
export type SumKind = (typeof SUMS)[number]
export type EventKind = (typeof CHANGES)[number] | LookKind | SumKind
