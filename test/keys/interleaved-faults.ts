/** What a step of concurrent work may change. */

import { DEFAULT_SLOT } from '../../src/shared/slot.ts'
import type { NewLimits } from '../../src/store/limits.ts'
import {
  compare,
  describe,
  limitsOf,
  PAIR,
  same,
  type Kept,
  type Meeting,
  type State,
  type StateKey,
  type Step,
} from './interleaved-state.ts'

/** What works on the database. */
export interface Worker {
  kind: string
  userId: string | null
  /** The row of the slot that it means. */
  provider: string | null
  /** Whether its `DEFAULT_PROVIDER` is `openai`. */
  isMoving: boolean
  /** Whether its `AUTO_CREATE_USERS` is on. */
  createsUsers: boolean
  /** The text that it saves. */
  text?: string | undefined
  limits?: NewLimits | undefined
  expiresAt?: string | null | undefined
  /** Who uses keys. */
  caller?: string | undefined
  saw: Seen
}

/** What a worker could read in the steps before. */
export interface Seen {
  /** The keys at its last step. */
  last: ReadonlyMap<string, StateKey>
  /** The identities of keys that were rejected. */
  rejected: Set<string>
  /** The texts of the keys that it could have used. */
  usable: Set<string>
  /** The identities that the second store called gone. */
  gone: Set<string>
}

/** Notes what `worker` can read. */
export function look(worker: Worker, { keys }: State, buried: ReadonlySet<string>): void {
  const { saw, caller = '' } = worker
  saw.last = keys
  for (const key of keys.values()) {
    const { identity, status, callers, pausedAt, text } = key
    if (status === 'rejected') saw.rejected.add(identity)
    const names: string[] | null = callers === null ? null : JSON.parse(callers)
    const isAllowed = pausedAt === null && (names?.includes(caller) ?? true) && !isPast(key)
    const isHere = isMeant(worker, key) && !buried.has(identity)
    if (isHere && isAllowed && text !== null) saw.usable.add(text)
  }
}

const DAY_MS = 86_400_000

function isPast({ expiresAt }: StateKey, days = 0): boolean {
  return expiresAt !== null && expiresAt < new Date(Date.now() - days * DAY_MS).toISOString()
}

/** Whether the key is in the slot that the worker means. If a key there is gone, the slot may have two rows. */
function isMeant({ userId, provider, isMoving, saw }: Worker, key: StateKey): boolean {
  const isPaired = isMoving && provider === 'openai' && PAIR.has(key.provider) && saw.gone.size > 0
  return key.userId === userId && (key.provider === provider || isPaired)
}

/** What a round trip of some work did. */
interface Trip {
  before: State
  after: State
  /** What the second store knows. */
  buried: ReadonlySet<string>
  /** Whether it was a transaction, and D1 has done it. */
  isDone: boolean
}

/** The faults of a step of `worker`. */
export function judge(worker: Worker, { before, after, buried, isDone }: Trip): string[] {
  const step = compare(before, after)
  const lost = [...step.gone.map(({ identity }) => identity), ...step.removed.keys()]
  const isKnown = (identity: string) => after.tombstones.has(identity) || buried.has(identity)
  const living = [...after.users.keys(), ...after.keys.keys()]
  return [
    ...after.faults,
    ...lost.filter((identity) => !isKnown(identity)).map((one) => `no tombstone: ${one}`),
    ...living
      .filter((identity) => after.tombstones.has(identity))
      .map((identity) => `a tombstone of a living one: ${identity}`),
    ...step.gone
      .filter((key) => !mayGo(worker, key, { step, buried, before }))
      .map((key) => `lost: ${describe(key)}`),
    ...step.come.flatMap((key) => judgeNew(worker, key, step)),
    ...step.stayed.flatMap((kept) => judgeOld(worker, kept, step)),
    ...(step.met === null ? [] : judgeMeeting(worker, step.met)),
    ...judgeLeft(worker, step),
    ...judgeUsers(worker, { step, before, after, buried, isDone }),
    ...judgeTrail(worker, step),
  ]
}

/** What a step is judged by. */
interface Around {
  step: Step
  before: State
  buried: ReadonlySet<string>
}

function mayGo(worker: Worker, key: StateKey, { step, buried, before }: Around): boolean {
  const { kind, isMoving, userId } = worker
  // The faults of a meeting are found by themselves.
  if (step.met?.gone === key) return true
  const { gone, come } = step
  if (kind === 'copy') {
    const [owner = ''] = [...before.users].find(([, id]) => id === key.userId) ?? []
    return buried.has(key.identity) || buried.has(owner)
  }
  if (kind === 'expire') {
    return isPast(key, 30) && !(isMoving && [...before.keys.values()].some(isPairOf(key)))
  }
  if (kind === 'remove') return key.userId === userId
  if (come.some(isInRowOf(key))) return kind === 'save' || kind === 'import'
  // The other row of the slot goes too.
  const isAlone = ![...gone, ...come].some(isPairOf(key))
  return isMeant(worker, key) && (kind === 'delete' || (kind === 'save' && !isAlone))
}

const isInRowOf = (key: StateKey) => (other: StateKey) =>
  other.userId === key.userId && other.provider === key.provider

/** Whether two keys are in one slot with `DEFAULT_PROVIDER`. */
const isPairOf = (key: StateKey) => (other: Pick<StateKey, 'userId' | 'provider'>) =>
  other.userId === key.userId &&
  other.provider !== key.provider &&
  [key, other].every(({ provider }) => PAIR.has(provider))

const NO_LIMITS = { pausedAt: null, callers: null, maxUses: null, maxUsesPer: null }

function judgeNew(worker: Worker, key: StateKey, { gone }: Step): string[] {
  const { kind, text, expiresAt = null } = worker
  const isWanted = ['save', 'import'].includes(kind) && isMeant(worker, key) && key.text === text
  const previous = gone.find(isInRowOf(key))
  const limits = { ...(previous === undefined ? NO_LIMITS : limitsOf(previous)), expiresAt }
  return [
    ...(isWanted ? [] : [`came from nowhere: ${describe(key)}`]),
    ...(same(limitsOf(key), limits)
      ? []
      : [`not the limits of the previous key: ${describe(key)}`]),
  ]
}

function judgeOld(worker: Worker, { was, is }: Kept, { met }: Step): string[] {
  const { kind, provider, isMoving, saw } = worker
  const isMeeting = met?.kept.some((kept) => kept.was === was) ?? false
  const isMoved = isMoving && was.provider === DEFAULT_SLOT && is.provider === 'openai'
  const isAssigned =
    kind === 'assign' &&
    was.userId === worker.userId &&
    was.provider !== is.provider &&
    is.provider === provider
  const limits = kind === 'limit' && isMeant(worker, is) ? worker.limits : {}
  const isChanged = !same(limitsOf(was), limitsOf(is)) || isMeeting || (isAssigned && !isMoved)
  const faults = [
    ...(was.text === is.text && was.updatedAt === is.updatedAt ? [] : ['another key']),
    ...(was.provider === is.provider || isAssigned || isMoved ? [] : ['moved']),
    ...(isMeeting ? [] : judgeLimits(limits, was, is)),
    ...(is.revision - was.revision === (isChanged ? 1 : 0) ? [] : ['another revision']),
    ...(was.status === 'rejected' && is.status !== 'rejected' && !saw.rejected.has(was.identity)
      ? ['a rejection is gone']
      : []),
  ]
  return faults.map((fault) => `${fault}: ${describe(was)} → ${describe(is)}`)
}

/** What a change of limits may not change. */
function judgeLimits(
  { isPaused, callers, maxUses, expiresAt }: NewLimits = {},
  was: StateKey,
  is: StateKey,
): string[] {
  const wanted = {
    pausedAt:
      isPaused === undefined ? was.pausedAt : isPaused ? (was.pausedAt ?? is.pausedAt ?? '') : null,
    callers: callers === undefined ? was.callers : callers && JSON.stringify(callers),
    maxUses: maxUses === undefined ? was.maxUses : (maxUses?.count ?? null),
    maxUsesPer: maxUses === undefined ? was.maxUsesPer : (maxUses?.per ?? null),
    expiresAt: expiresAt === undefined ? was.expiresAt : expiresAt,
  }
  return [limitsOf(was), wanted].some((limits) => same(limitsOf(is), limits))
    ? []
    : ['other limits']
}

/** The stricter limits of keys. */
function strictest(...keys: StateKey[]) {
  const lists = keys.flatMap(({ callers }): string[][] =>
    callers === null ? [] : [JSON.parse(callers)],
  )
  const limited = keys.filter(({ maxUses }) => maxUses !== null)
  const isDaily = limited.every(({ maxUsesPer }) => maxUsesPer === 'day')
  return {
    isPaused: keys.some(({ pausedAt }) => pausedAt !== null),
    callers: lists[0]?.filter((name) => lists.every((list) => list.includes(name))),
    maxUses: Math.min(...limited.map(({ maxUses }) => maxUses ?? 0)),
    per: limited.length > 0 && (isDaily ? 'day' : 'month'),
    expiresAt: keys.flatMap(({ expiresAt }) => expiresAt ?? []).toSorted()[0],
  }
}

const usesLeft = ({ maxUses, uses }: StateKey) => (maxUses === null ? Infinity : maxUses - uses)

/** The later key counts, unless it is gone: then the earlier one does, and both stay. */
function judgeMeeting({ isMoving, saw }: Worker, { kept, gone }: Meeting): string[] {
  const met = [...kept.map(({ was }) => was), ...(gone === null ? [] : [gone])]
  const [later] = met.toSorted((one, other) => (rank(one) < rank(other) ? 1 : -1))
  const used = kept.find(({ was }) => (was === later) === (gone !== null))
  // A key that goes takes a past expiry along.
  const counted = met.map((key) =>
    key === gone && isPast(key) ? { ...key, expiresAt: null } : key,
  )
  const limits = strictest(...counted)
  const left = met.map((key) => usesLeft(saw.last.get(key.identity) ?? key))
  const isUnmoved = gone !== null && used?.is.provider === DEFAULT_SLOT
  const faults = [
    ...(isMoving ? [] : ['two slots are one']),
    ...(used === undefined ? ['the later key goes'] : []),
    ...(saw.gone.has(later?.identity ?? '') === (gone === null) ? [] : ['the wrong key counts']),
    ...(kept.every(({ is }) => same(strictest(is), limits)) ? [] : ['not the stricter limits']),
    ...(used !== undefined && usesLeft(used.is) > Math.min(...left) ? ['uses are forgotten'] : []),
    ...(isUnmoved && saw.last.get(used.was.identity)?.sealed === used.was.sealed
      ? ['the key does not move']
      : []),
  ]
  return faults.map(
    (fault) => `${fault}: ${[...met, ...kept.map(({ is }) => is)].map(describe).join(' | ')}`,
  )
}

/** Of two keys that were saved at the same time, the one of the provider's slot is the later one. */
const rank = ({ updatedAt, provider }: StateKey) => `${updatedAt} ${provider}`

/** A key that the owner replaces or deletes takes along the other one that the vault knew in that slot. */
function judgeLeft({ kind, isMoving, saw }: Worker, { gone, come, stayed, met }: Step): string[] {
  const isChange = isMoving && met === null && ['save', 'delete'].includes(kind)
  const changed = isChange ? [...gone, ...come] : []
  return stayed
    .filter(({ was }) => saw.last.has(was.identity) && changed.some(isPairOf(was)))
    .map(({ was }) => `left in its slot: ${describe(was)}`)
}

/** Only an operator and the job remove users. A user who is added stays. */
function judgeUsers(
  { kind, userId, createsUsers }: Worker,
  { step: { come, removed }, before, after, buried, isDone }: Around & Trip,
): string[] {
  const isAdded = kind === 'add' || (kind === 'save' && createsUsers && come.length > 0)
  const others = [...before.users].filter(
    ([one, id]) => !after.users.has(one) && !removed.has(one) && !(isAdded && id === userId),
  )
  const lost = [...removed].filter(([one, id]) =>
    kind === 'copy' ? !buried.has(one) : kind !== 'remove' || id !== userId,
  )
  const doomed = [...after.users].filter(
    ([one, id]) => isAdded && isDone && id === userId && buried.has(one),
  )
  return [
    ...others.map(([, id]) => `another identity: ${id}`),
    ...lost.map(([, id]) => `removed: ${id}`),
    ...doomed.map(([, id]) => `added, and will be removed: ${id}`),
  ]
}

/** The kinds of events that a change of a key has. */
const KINDS: Record<string, string> = {
  saved: 'come',
  replaced: 'come',
  imported: 'come',
  deleted: 'deleted',
  assigned: 'assigned',
  paused: 'limited',
  resumed: 'limited',
  limits_changed: 'limited',
}

/** Each change of a slot is one event, apart from those of a user who goes. */
function judgeTrail(
  { kind, saw }: Worker,
  { gone, come, stayed, met, removed, events }: Step,
): string[] {
  const users = new Set(removed.values())
  // The event of a change of both rows of a slot is about the one that counts, or about the only one that is left.
  const mayBeSilent = ({ identity }: StateKey) =>
    met === null && ['save', 'delete', 'limit'].includes(kind) && saw.gone.has(identity)
  const deleted = gone.filter((key) => !users.has(key.userId) && !come.some(isInRowOf(key)))
  const assigned = stayed.filter(({ was, is }) => was.provider !== is.provider)
  const limited = stayed.filter(({ was, is }) => met === null && !same(limitsOf(was), limitsOf(is)))
  const linesOf = (isNoted: (key: StateKey) => boolean) => [
    ...deleted.filter(isNoted).map(lineOf('deleted')),
    ...come.map(lineOf('come')),
    ...assigned.map(({ is }) => is).map(lineOf('assigned')),
    ...limited.flatMap(({ is }) => (isNoted(is) ? is : [])).map(lineOf('limited')),
  ]
  const wanted = [linesOf(() => true), linesOf((key) => !mayBeSilent(key))]
  const written = events.flatMap((event) => {
    const about = KINDS[event.event]
    return about === undefined ? [] : lineOf(about)(event)
  })
  return wanted.some((lines) => same(lines.toSorted(), written.toSorted()))
    ? []
    : [`the trail has ${written.join()}, and not ${wanted.join(' or ')}`]
}

const lineOf =
  (event: string) =>
  ({ userId, provider }: Pick<StateKey, 'userId' | 'provider'>) =>
    `${userId} ${provider} ${event}`
