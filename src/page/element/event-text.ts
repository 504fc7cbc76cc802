/** What happened to a key, as its owner reads it. */

import type { EventAnswer } from '../../shared/answers.ts'
import { nameCaller } from './caller-name.ts'
import { pastTime } from './days.ts'
import type { EventLine } from './event-lines.ts'
import type { Language } from './language.ts'
import { nameProvider, type ShownSlot } from './slot.ts'
import type { TextName } from './texts.ts'
import type { Access } from './vault-client.ts'

/** Whose trail it is, and who reads it. */
export type Reader = Pick<Access, 'kind' | 'userId'>

/** The sentence, without the time of day, in a language that has learned what events are called. */
export function describeEvent(
  { event, time, count, errors }: EventLine,
  slot: ShownSlot,
  { say, knows, number, dayFromNow }: Language,
  reader: Reader,
): string {
  const isOther = isOfOther(event, reader)
  const anyone = say(isOther ? 'aMember' : 'anApplication')
  const name = isOther ? event.member : event.caller && nameCaller(event.caller, say)
  const sentence = say(nameText(event, isOther, knows), {
    caller: name ?? anyone,
    provider: nameProvider(slot, say),
    times: count > 1 ? say('times', { count: number(count) }) : '',
    when: dayFromNow(pastTime(time)),
  })
  const reason = `reason_${event.reason}`
  const text = knows(reason) ? sentence + say(reason) : sentence
  const all = errors > 0 ? text + say('timesFailed', { count: number(errors) }) : text
  // A name stays as it is, even at the beginning.
  return name === undefined && all.startsWith(anyone)
    ? all.charAt(0).toUpperCase() + all.slice(1)
    : all
}

/** Whether another admin of the team did it. */
export function isOfOther({ by, member }: EventAnswer, { kind, userId }: Reader): boolean {
  return kind === 'teams' && by === 'owner' && (member === undefined || member !== userId)
}

/**
 * Each kind of event has a text, `event_KIND`. It may have other texts too, for who did it, what the provider said, or why a
 * use was refused. Their names have that at the end.
 */
function nameText(
  { event, by, code, verdict }: EventAnswer,
  isOther: boolean,
  knows: Language['knows'],
): TextName {
  const kind = `event_${event}` as const
  const actor = isOther ? 'operator' : by
  const ends = [`by_${actor === 'import' ? 'job' : actor}`, verdict, code]
  return ends.map((end) => `${kind}_${end}`).find(knows) ?? kind
}
