/** What happened to a key, as its owner reads it. */

import type { EventAnswer } from '../../shared/answers.ts'
import { nameCaller } from './caller-name.ts'
import { pastTime } from './days.ts'
import type { EventLine } from './event-lines.ts'
import type { Language } from './language.ts'
import { nameProvider, type ShownSlot } from './slot.ts'
import { isTextName, type TextName } from './texts.ts'

/** The sentence, without the time of day. */
export function describeEvent(
  { event, time, count, errors }: EventLine,
  slot: ShownSlot,
  { say, number, dayFromNow }: Language,
): string {
  const anyone = say('anApplication')
  const sentence = say(nameText(event), {
    caller: event.caller === undefined ? anyone : nameCaller(event.caller, say),
    provider: nameProvider(slot, say),
    times: count > 1 ? say('times', { count: number(count) }) : '',
    when: dayFromNow(pastTime(time)),
  })
  const reason = `reason_${event.reason}`
  const text = isTextName(reason) ? sentence + say(reason) : sentence
  const all = errors > 0 ? text + say('timesFailed', { count: number(errors) }) : text
  // A name stays as it is, also at the beginning.
  return event.caller === undefined && all.startsWith(anyone)
    ? all.charAt(0).toUpperCase() + all.slice(1)
    : all
}

/**
 * Each kind of event has a text, `event_KIND`. If it reads otherwise by who did it, by what the provider said, or by why a use
 * was refused, another text has that at its end.
 */
function nameText({ event, by, code, verdict }: EventAnswer): TextName {
  const kind = `event_${event}` as const
  const ends = [`by_${by === 'import' ? 'job' : by}`, verdict, code]
  return ends.map((end) => `${kind}_${end}`).find(isTextName) ?? kind
}
