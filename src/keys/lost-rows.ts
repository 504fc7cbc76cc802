/** Which rows do not open although the keyring has their encryption key: waiting for a key does not help them. */

import { parseKeyring, type ForeignKids, type KeyringKids } from '../crypto/keyring.ts'
import type { UnderKid } from '../store/all-keys.ts'
import type { Count, Counts, Pass } from '../store/rewrap.ts'

/** What is known of a pass. */
type Passed = Pick<Pass, 'keyring' | 'counts'>

/**
 * Whether the foreign keys have opened rows, so that a row that they do not open was sealed with another key. A foreign
 * row does not name its key.
 */
export function haveOpened({ keyring, counts }: Passed, foreign: ForeignKids | null): boolean {
  const count = foreign === null ? undefined : counts[foreign.kid]
  if (foreign === null || count === undefined) return false
  return openedWith(count, foreign.kid, parseKeyring(keyring)).some((list) =>
    list.split(',').every((name) => foreign.names.includes(name)),
  )
}

/** The counts at the end of a pass, with the lost rows of each kid. */
export function countLost(pass: Passed): Counts {
  const kids = parseKeyring(pass.keyring)
  const counts = Object.entries(pass.counts).map(([kid, { lost: before = 0, ...count }]) => {
    const lost = isTried(pass, kids, kid) ? count.unopenable : Math.min(before, count.unopenable)
    return [kid, lost === 0 ? count : { ...count, lost }] as const
  })
  return Object.fromEntries(counts)
}

const NONE: Count = { rows: 0, done: 0, unopenable: 0 }

/**
 * What the next pass, with `kids`, has to know of the previous one. The lost rows of a kid are only known while there are no
 * other rows under it: see {@link hasOtherRows}. Rows that the foreign keys did not open are no longer lost if other foreign
 * keys take their place. An encryption key that only opens is remembered if it has sealed before: that tells an old key from
 * a new one, which has not.
 */
export function carryCounts(
  pass: Passed,
  kids: KeyringKids,
  unchanged: ReadonlySet<string>,
): Counts {
  const before = parseKeyring(pass.keyring)
  const isOther = hasOtherForeignKeys(pass, kids)
  const known = { [before.seals]: NONE, ...pass.counts }
  const counts = Object.entries(known).flatMap(([kid, count]) => {
    const isKnown = unchanged.has(kid) && !(kid === kids.foreign?.kid && isOther)
    const lost = isKnown ? (count.lost ?? 0) : 0
    const opened_with = openedWith(count, kid, before)
    if (lost === 0 && opened_with.length === 0 && !kids.opens.includes(kid)) return []
    const carried = { ...(lost > 0 && { lost }), ...(opened_with.length > 0 && { opened_with }) }
    return [[kid, { ...NONE, ...carried }] as const]
  })
  return Object.fromEntries(counts)
}

/**
 * Whether there are other rows under a kid than the `left` ones of a pass: there are more, or one was saved since the
 * pass began. `found` is what `countUnder` found, up to one row more than `left`.
 */
export function hasOtherRows({ rows, latest }: UnderKid, left: number, startedAt: string): boolean {
  return rows > left || (latest !== null && latest >= startedAt)
}

/** Whether there are foreign keys, and none of the ones that opened rows is still there. */
export function hasOtherForeignKeys(pass: Passed, { foreign }: KeyringKids): boolean {
  return foreign !== null && !haveOpened(pass, foreign)
}

function isTried(pass: Passed, { seals, opens, foreign }: KeyringKids, kid: string): boolean {
  if (kid === foreign?.kid) return haveOpened(pass, foreign)
  return kid === seals || opens.includes(kid)
}

function openedWith(
  { done, opened_with = [] }: Count,
  kid: string,
  { foreign }: KeyringKids,
): string[] {
  const here = done > 0 && kid === foreign?.kid ? [foreign.names.join(',')] : []
  return [...new Set([...opened_with, ...here])]
}
