/** What can happen to a user's keys. The kinds are published. */

import * as z from 'zod/mini'

/** What is summed: one event an hour for each slot, caller and code. */
export const sumKind = z.enum(['used', 'use_refused', 'limit_reached', 'unreadable'])

/** How a caller sees what is in a slot, or the key itself. Each time is an event. */
export const lookKind = z.enum(['revealed', 'viewed'])

export const eventKind = z.enum([
  'saved',
  'replaced',
  'deleted',
  'assigned',
  'imported',
  'verified',
  'rejected_on_save',
  'rejected_in_use',
  'paused',
  'resumed',
  'limits_changed',
  'expired',
  ...lookKind.options,
  ...sumKind.options,
])

export type SumKind = z.infer<typeof sumKind>
export type LookKind = z.infer<typeof lookKind>
export type EventKind = z.infer<typeof eventKind>
