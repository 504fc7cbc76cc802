/** Takes a key to send it to its provider. One that is gone, and that a restored D1 has again, is not taken. */

import { VaultError } from '../errors.ts'
import { logFailure } from '../log.ts'
import type { ErrorCode } from '../shared/error-code.ts'
import type { SumKind } from '../shared/event-kind.ts'
import { covers, splitSlot } from '../shared/slot.ts'
import type { TeamInUse } from '../shared/team.ts'
import {
  selectKey,
  type KeyRow,
  type SlotRow,
  type UserKeyRow,
  type UserWithoutKey,
} from '../store/api-keys.ts'
import type { Service } from '../service.ts'
import { markChanged } from '../store/changes.ts'
import { runBatch, type Statement } from '../store/d1.ts'
import type { Actor } from '../store/events.ts'
import type { Heartbeat } from '../store/gone-keys.ts'
import {
  giveUseBack,
  selectOpened,
  selectOutlook,
  selectPicked,
  takeUse,
  type AskedUse,
  type OpenedRow,
  type Outlook,
  type PickedNothing,
  type PickedRow,
  type Question,
} from '../store/uses.ts'
import { beginReading, CREDIT_MS, findAtHand, keepAtHand, type Found } from './at-hand.ts'
import { isGone, readHeartbeat } from './gone.ts'
import { overMaximum, requireAllowed, usedNow } from './limits.ts'
import { runOwned } from './owned.ts'
import { makeMark } from './retry.ts'
import { slotName, type NamedSlot } from './slot-name.ts'
import { inRow } from './slot-row.ts'
import { EMPTY, openAndLog, type SlotOwner, type StoredKey } from './stored-key.ts'
import { countEvent, type WaitUntil } from './sums.ts'
import { requireAnyUser } from './users.ts'

/**
 * The row that was read for a check, if its key may be sent to its provider; null if the slot is empty, or if the key is gone.
 *
 * @throws VaultError `user_not_found`, `database_busy`
 */
async function usableRow<Row extends UserKeyRow>(
  owner: SlotOwner,
  [row]: readonly (Row | UserWithoutKey)[],
  heartbeat: Heartbeat | undefined,
): Promise<Row | null> {
  if (row === undefined) requireAnyUser(owner)
  if (row === undefined || row.sealed === null) return null
  return (await isGone(owner.service, row, heartbeat)) ? null : row
}

/** The key in the slot, to be sent to its provider for a check. @throws as {@link usableRow} */
export async function readUsableKey(owner: SlotOwner, slot: NamedSlot): Promise<StoredKey> {
  const { settings } = owner.service
  const row = await inRow(owner, slot, async (at) => {
    const [read, beat] = await runOwned(owner, [selectKey(at), ...readHeartbeat(settings)])
    return usableRow(owner, read.results, beat?.results[0])
  })
  return row === null ? EMPTY : openAndLog(owner, row)
}

/** A caller who uses the keys of a user. */
export interface KeyUser extends SlotOwner, Partial<TeamInUse> {
  by: Extract<Actor, { kind: 'caller' }>
  /** Keeps the isolate alive until the use is recorded. */
  waitUntil: WaitUntil
  /** The providers and slots that the caller may use; all of them, if it is missing. */
  granted?: readonly string[] | undefined
}

/**
 * The key that the use takes, even if its provider was removed. It makes one round trip to D1, which also counts the
 * use if uses are limited, and none if a key at hand will do. A refusal is noted in the trail.
 *
 * @throws VaultError `api_key_paused`, `caller_not_allowed`, `api_key_expired`, `limit_reached`, `provider_not_granted`,
 * `token_expired`, `team_required`, `teams_not_in_token`, `user_not_found`, `database_busy`
 */
export async function takeKey(
  user: KeyUser,
  slot: NamedSlot,
  { isAtHand = true }: { isAtHand?: boolean } = {},
): Promise<StoredKey<PickedRow>> {
  const { row, asked } = await inRow(user, slot, async (at) =>
    pickRow(user, { ...at, name: slot.name }, { isAtHand }),
  )
  if (row === null) return EMPTY
  // A key at hand is never left out, and has no maximum.
  if (asked !== null && row.isLeftOut === 1) {
    const refusal = refusalOf(user, row, asked)
    const { code } = refusal
    const event = code === 'limit_reached' ? code : 'use_refused'
    noteUse(user, row, { event, code: code === event ? null : code })
    throw refusal
  }
  const key = await openAndLog(user, row)
  if (key.state === 'unreadable') {
    if (asked !== null) await giveBack(user, row, asked)
    noteUse(user, row, { event: 'unreadable' })
    markChanged(user.service.db, row.userId)
  }
  return key
}

/** The row of the key that a socket was opened with; null if its slot is empty by now. @throws as {@link usableRow} */
export async function readOpenedRow(user: KeyUser, opened: PickedRow): Promise<OpenedRow | null> {
  const { db, settings } = user.service
  const statements = [selectOpened(opened), ...readHeartbeat(settings)] as const
  const [read, beat] = await runBatch(db, statements)
  return usableRow({ ...user, userId: opened.userId }, read.results, beat?.results[0])
}

/** The key that was picked for a use. `row` is null if the slot is empty. */
interface Picked {
  row: PickedRow | null
  /** Null if D1 was not asked. */
  asked: AskedUse | null
}

/** The row of the slot `name`. */
interface UsedSlot extends SlotRow {
  name: string
}

/** Picks another key if the first one is gone. */
async function pickRow(
  user: KeyUser,
  at: UsedSlot,
  { isAtHand, gone = [] }: { isAtHand: boolean; gone?: readonly string[] },
): Promise<Picked> {
  const { service } = user
  const question = questionOf(user, at)
  const known = isAtHand && gone.length === 0 ? findAtHand(service, question) : null
  if (known !== null) {
    if (known.isDue) user.waitUntil(readAnew(service, question))
    return { row: known.row, asked: null }
  }
  const asked = askNow(question, gone)
  const { picked: row, heartbeat } = await ask(service, asked, takeUse(asked))
  if (row === undefined || !isPickedRow(row)) {
    requireNoFault(user, row)
    return { row: null, asked }
  }
  if (asked.slot !== null && row.provider !== asked.slot) return { row: null, asked }
  if (!(await isGone(service, row, heartbeat))) return { row, asked }
  await giveBack(user, row, asked)
  return pickRow(user, at, { isAtHand, gone: [...gone, row.identity] })
}

/** Reads the key at hand again, and counts nothing. It never throws: what was read before is used until its time ends. */
async function readAnew(service: Service, question: Question): Promise<void> {
  try {
    const asked = askNow(question)
    await ask(service, asked, [selectPicked(asked)])
  } catch (error) {
    logFailure('key_not_read_anew', error)
  }
}

/** Runs the statements that pick a key, and keeps it at hand if it will be picked again. */
async function ask(
  service: Service,
  asked: AskedUse,
  statements: readonly Statement<PickedRow | PickedNothing>[],
): Promise<Found> {
  const reading = beginReading(service, asked)
  const outlook = reading === null ? [] : [selectOutlook(asked)]
  const beat = readHeartbeat(service.settings)
  const results = await runBatch(service.db, [...statements, ...outlook, ...beat])
  const rows = results.flatMap((result): object[] => result.results)
  const found = {
    picked: rows.find(isPick),
    outlook: rows.find(isOutlook),
    heartbeat: rows.find(isHeartbeat),
  }
  if (reading !== null) keepAtHand(reading, found)
  return found
}

const isPick = (row: object): row is PickedRow | PickedNothing => 'isUser' in row
const isPickedRow = (row: PickedRow | PickedNothing): row is PickedRow => row.sealed !== null
const isOutlook = (row: object): row is Outlook => 'isCounted' in row
const isHeartbeat = (row: object): row is Heartbeat => 'age' in row

function questionOf(user: KeyUser, at: UsedSlot): Question {
  const { userId, service, by, granted = null, team = null } = user
  const { provider, label } = splitSlot(at.name)
  return {
    userId,
    provider,
    slot: label === null ? null : at.name,
    takesDefault: at.takesDefault,
    isPlain: at.provider !== at.name,
    caller: by.name,
    granted,
    team,
    isTeamFirst: service.settings.teamFirst,
  }
}

function askNow(question: Question, gone: readonly string[] = []): AskedUse {
  const now = new Date()
  return {
    ...question,
    ...usedNow(question.caller, now),
    creditSince: new Date(now.getTime() - CREDIT_MS).toISOString(),
    gone,
    mark: makeMark(),
  }
}

/** Throws if a use finds no key for another reason than an empty slot. */
function requireNoFault(user: KeyUser, found: PickedNothing | undefined): void {
  const { teamFault = null } = user
  if (teamFault !== null) throw new VaultError(teamFault)
  if (found === undefined || found.isUser === 0) requireAnyUser(user)
  if (found?.ownKeys === 0) throw new VaultError('no_api_key', { detail: NO_OWN_KEYS })
}

const NO_OWN_KEYS =
  'The team has no API key for this provider, and its members may not use their own.'

/** Why the owner or the operator does not allow the use of the key. */
function refusalOf(user: KeyUser, row: PickedRow, asked: AskedUse): VaultError {
  if (row.isStale === 1) return new VaultError('token_expired', { detail: STALE_TOKEN })
  if (!isGranted(user, row)) return new VaultError('provider_not_granted')
  try {
    requireAllowed(row, asked)
  } catch (error) {
    return VaultError.from(error)
  }
  return overMaximum(row, asked)
}

/** Whether the operator lets the caller use the slot. */
export function isGranted(
  { granted, service }: KeyUser,
  { provider }: Pick<KeyRow, 'provider'>,
): boolean {
  const name = slotName(service.settings, provider)
  return granted?.some((named) => covers(named, name)) !== false
}

const STALE_TOKEN = "It is too old for the team's API keys."

/** Gives back the use if it was counted. */
async function giveBack({ service }: KeyUser, row: PickedRow, asked: AskedUse): Promise<void> {
  const counted = row.isLeftOut === 1 ? [] : giveUseBack(row, asked.periods)
  if (counted.length > 0) await runBatch(service.db, counted)
}

/** Counts what the caller did with the key in a row. */
export function noteUse(
  { service, by, waitUntil }: KeyUser,
  { userId, provider, userIdentity, member }: Noted,
  {
    event,
    code = null,
    isError = false,
  }: { event: SumKind; code?: ErrorCode | null; isError?: boolean },
): void {
  const errors = isError ? 1 : 0
  countEvent(service, waitUntil, {
    userId,
    userIdentity,
    provider,
    event,
    caller: by.name,
    member,
    code,
    errors,
  })
}

type Noted = Pick<PickedRow, 'userId' | 'provider' | 'userIdentity' | 'member'>
