/**
 * Keeps the rows of keys that are in use. With `USE_FRESH_SECONDS`, a use that asks the same as an earlier one takes the
 * same row, without D1. A row is kept only while D1 would pick it again, and its key stays sealed.
 */

import { Kept } from '../shared/kept.ts'
import type { Service } from '../service.ts'
import { beginRead, isUnchanged } from '../store/changes.ts'
import type { Heartbeat } from '../store/gone-keys.ts'
import type { AskedUse, Outlook, PickedNothing, PickedRow, Question } from '../store/uses.ts'
import { isRecentAfter, isWatched } from './gone.ts'

/** Of about 10,000 keys. An isolate has 128 MB. */
const MOST_BYTES = 32 * 1024 * 1024
/** If a row cannot be read again, the next attempt comes after one of so many parts of the time for which it is kept. */
const ATTEMPTS = 12

/** After this time, a key that was out of credit counts as one with credit again. */
export const CREDIT_MS = 60 * 60 * 1_000

/** A row that a use has picked. Times are in milliseconds since the epoch. */
interface AtHand {
  row: PickedRow
  heartbeat: Heartbeat | undefined
  /** When the read began: before its statements were sent. */
  readAt: number
  /** Before this time, D1 would pick it again, as far as this isolate knows. */
  until: number
  /** The row is not read again before this time. */
  nextReadAt: number
  /** See `beginRead`. */
  begun: number
}

const atHand = new WeakMap<Service, Kept<AtHand>>()

/** A read whose row may be kept. */
export interface Reading {
  service: Service
  asked: AskedUse
  begun: number
  readAt: number
}

/** What a read has found. */
export interface Found {
  picked: PickedRow | PickedNothing | undefined
  outlook: Outlook | undefined
  heartbeat: Heartbeat | undefined
}

/** Begins a read. Null if its row will not be kept. */
export function beginReading(service: Service, asked: AskedUse): Reading | null {
  if (service.settings.useFreshSeconds === 0 || asked.gone.length > 0) return null
  return { service, asked, begun: beginRead(service.db), readAt: Date.now() }
}

/** The row that D1 would pick; null if D1 has to be asked. `isDue` says that it should be read again meanwhile. */
export function findAtHand(
  service: Service,
  question: Question,
): { row: PickedRow; isDue: boolean } | null {
  const now = Date.now()
  const known = atHand.get(service)?.get(nameOf(question))
  if (known === undefined || now < known.readAt || now >= known.until) return null
  if (!isUnchanged(service.db, known.begun, ownersOf(question))) return null
  const { heartbeat, readAt } = known
  if (heartbeat !== undefined && !isRecentAfter(heartbeat, now - readAt)) return null
  const isDue = now >= known.nextReadAt
  if (isDue) known.nextReadAt = now + freshMs(service) / ATTEMPTS
  return { row: known.row, isDue }
}

/** Keeps the row that a read has found, if D1 would pick it again. Otherwise it forgets an earlier one. */
export function keepAtHand({ service, asked, begun, readAt }: Reading, found: Found): void {
  const rows = atHand.get(service) ?? new Kept<AtHand>(MOST_BYTES)
  atHand.set(service, rows)
  const name = nameOf(asked)
  rows.delete(name)
  const now = Date.now()
  rows.dropOld((past) => now >= past.until)
  const { picked: row, outlook, heartbeat } = found
  if (row === undefined || row.sealed === null || row.isLeftOut === 1) return
  // D1 returns another key if the slot that is asked for is empty.
  if (asked.slot !== null && row.provider !== asked.slot) return
  if (outlook === undefined || outlook.isCounted === 1 || row.exhaustedAt !== null) return
  if (!isWatched(service, heartbeat)) return
  // If somebody who is not a user yet uses a team's key, D1 is asked, which adds the user.
  if (asked.team?.userId === row.userId && row.member === null) return
  const until = Math.min(readAt + freshMs(service), endOf(outlook))
  const nextReadAt = readAt + freshMs(service) / 2
  const kept = { row, heartbeat, readAt, until, nextReadAt, begun }
  rows.set(name, kept, JSON.stringify(row).length)
}

/** When D1 may pick another key although nobody has changed any. */
function endOf({ expiresAt, triedAt }: Outlook): number {
  const expiry = expiresAt === null ? Infinity : Date.parse(expiresAt)
  return triedAt === null ? expiry : Math.min(expiry, Date.parse(triedAt) + CREDIT_MS)
}

function freshMs({ settings }: Service): number {
  return settings.useFreshSeconds * 1_000
}

function ownersOf({ userId, team }: Question): string[] {
  return team === null ? [userId] : [userId, team.userId]
}

function nameOf(question: Question): string {
  const { userId, provider, slot, takesDefault, isPlain, caller, granted, team } = question
  const of = [userId, provider, slot, takesDefault, isPlain, caller, granted]
  return JSON.stringify([...of, team?.userId, team?.issuedAt])
}
