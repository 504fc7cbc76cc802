/** What can happen to a user's keys. The kinds are published. */

import * as z from 'zod/mini'

/** What is summed: one event an hour for each slot, caller and code. */
export const sumKind = z.enum([
  'used',
  'revealed',
  'use_refused',
  'limit_reached',
  'unreadable',
  'viewed',
])

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
  ...sumKind.options,
])

export type SumKind = z.infer<typeof sumKind>
export type EventKind = z.infer<typeof eventKind>
