/** What the grant `support` is for: helping users with their keys. Their owners see each of these calls. */

import * as z from 'zod/mini'
import { describeListedSlot } from '../answers.ts'
import { VaultError } from '../errors.ts'
import { nameSlot } from '../keys/slot-name.ts'
import { listSlots, setLimits } from '../keys/slots.ts'
import { noteLook, type KeyUser } from '../keys/take.ts'
import { DEFAULT_EVENTS, listEvents, MAX_EVENTS } from '../keys/trail.ts'
import { requireAnyUser } from '../keys/users.ts'
import type { EventAnswer, ListedAnswer } from '../shared/answers.ts'
import { isWhole } from '../shared/json.ts'
import { describeEvent } from '../store/events.ts'
import type { BindingProps } from '../shared/binding-props.ts'
import { isNamed, requireNamed } from './props.ts'

/** In the trail: the caller has seen all slots. */
const ALL_SLOTS = '*'

const eventQuery = z.strictObject({
  provider: z.optional(z.string()),
  cursor: z.optional(z.string()),
  limit: z.optional(z.custom<number>((limit) => isWhole(limit, 1, MAX_EVENTS))),
})

/** The user's slots, as far as the binding names them. @throws VaultError as `listSlots` and `noteLook` */
export async function viewSlots(user: KeyUser, props: BindingProps): Promise<ListedAnswer[]> {
  const slots = await listSlots(user)
  await noteView(user, ALL_SLOTS)
  const named = slots.filter(({ name }) => isNamed(props, user.service.settings, name))
  return named.map(describeListedSlot)
}

/** @throws VaultError `invalid_argument`, `provider_not_granted`, and as `listEvents` and `noteLook` */
export async function viewEvents(
  user: KeyUser,
  props: BindingProps,
  given: unknown,
): Promise<{ events: EventAnswer[]; nextCursor: string | null }> {
  const query = eventQuery.safeParse(given)
  if (!query.success) throw new VaultError('invalid_argument')
  const { provider = ALL_SLOTS, limit = DEFAULT_EVENTS } = query.data
  requireNamed(props, user.service.settings, provider)
  const { events, next } = await listEvents(user, { ...query.data, limit })
  await noteView(user, nameSlot(user.service.settings, provider) ?? ALL_SLOTS)
  return { events: events.map(describeEvent), nextCursor: next }
}

/** The user may have been removed since the look. */
async function noteView(user: KeyUser, provider: string): Promise<void> {
  if (!(await noteLook(user, provider, 'viewed'))) requireAnyUser(user)
}

/** Pauses the key in the slot, and returns when it was paused. @throws as `setLimits` */
export async function pauseKey(user: KeyUser, provider: string): Promise<string> {
  const key = await setLimits(user, provider, { isPaused: true, condition: null })
  if (key.state === 'empty' || key.row.pausedAt === null) throw new VaultError('no_api_key')
  return key.row.pausedAt
}
