/** What happened to a key, as its owner reads it. */

import type { EventAnswer } from '../../shared/answers.ts'
import type { EventKind } from '../../shared/event-kind.ts'
import type { RejectionReason } from '../../shared/slot.ts'
import { nameCaller } from './caller-name.ts'
import { pastTime } from './days.ts'
import type { EventLine } from './event-lines.ts'
import type { Language } from './language.ts'
import { nameSlot, type ShownSlot } from './slot.ts'
import type { TextName } from './texts.ts'

/** What happens to a key, by whoever does it as a rule: the owner, a caller or the vault. */
const TEXTS: Record<EventKind, TextName> = {
  saved: 'eventSaved',
  replaced: 'eventReplaced',
  deleted: 'eventDeleted',
  assigned: 'eventAssigned',
  imported: 'eventImported',
  verified: 'eventUnconfirmed',
  rejected_on_save: 'eventRejectedOnSave',
  rejected_in_use: 'eventRejectedInUse',
  out_of_credit: 'eventOutOfCredit',
  in_credit: 'eventInCredit',
  rechecked: 'eventRecheckRefused',
  paused: 'eventPaused',
  resumed: 'eventResumed',
  limits_changed: 'eventLimitsChanged',
  expired: 'eventExpired',
  exported: 'eventExported',
  used: 'eventUsed',
  revealed: 'eventRevealed',
  use_refused: 'eventNotAllowed',
  limit_reached: 'eventLimitReached',
  unreadable: 'eventUnreadable',
  viewed: 'eventViewed',
}

/** What the operator of the application, an import or the job does instead of the owner. */
const TEXTS_BY: Partial<Record<EventAnswer['by'], Partial<Record<EventKind, TextName>>>> = {
  operator: {
    saved: 'eventSavedBy',
    deleted: 'eventDeletedBy',
    rejected_on_save: 'eventRejectedOnSaveBy',
    paused: 'eventPausedBy',
  },
  import: { deleted: 'eventDeletedByJob' },
  job: { deleted: 'eventDeletedByJob', assigned: 'eventAssignedByJob' },
}

/** Why the provider rejected a key, if it said why. */
const REASONS: Partial<Record<RejectionReason, TextName>> = {
  revoked: 'reasonRevoked',
  leaked: 'reasonLeaked',
  suspended: 'reasonSuspended',
} satisfies Record<Exclude<RejectionReason, 'unknown'>, TextName>

/** The sentence, without the time of day. */
export function describeEvent(
  { event, time, count, errors }: EventLine,
  slot: ShownSlot,
  { say, number, dayFromNow }: Language,
): string {
  const anyone = say('anApplication')
  const sentence = say(nameText(event), {
    caller: event.caller === undefined ? anyone : nameCaller(event.caller, say),
    provider: nameSlot(slot, say),
    times: count > 1 ? say('times', { count: number(count) }) : '',
    when: dayFromNow(pastTime(time)),
  })
  const reason = REASONS[event.reason ?? 'unknown']
  const text = reason === undefined ? sentence : sentence + say(reason)
  const all = errors > 0 ? text + say('timesFailed', { count: number(errors) }) : text
  // A name stays as it is, also at the beginning.
  return event.caller === undefined && all.startsWith(anyone)
    ? all.charAt(0).toUpperCase() + all.slice(1)
    : all
}

function nameText({ event, by, code, verdict }: EventAnswer): TextName {
  const another = TEXTS_BY[by]?.[event]
  if (another !== undefined) return another
  if (verdict === 'accepted') {
    return event === 'rechecked' ? 'eventRecheckAccepted' : 'eventAccepted'
  }
  if (event === 'verified' && verdict === 'refused') return 'eventRefused'
  if (code === 'api_key_paused') return 'eventKeyPaused'
  if (code === 'api_key_expired') return 'eventKeyExpired'
  return TEXTS[event]
}
