/** What the database holds between two steps of concurrent work, and what a step may change of it. */

import { openKey } from '../../src/crypto/seal.ts'
import type { Service } from '../../src/service.ts'
import { DEFAULT_SLOT } from '../../src/shared/slot.ts'
import { COLUMNS, type KeyRow } from '../../src/store/api-keys.ts'
import { runBatch } from '../../src/store/d1.ts'
import type { NewLimits } from '../../src/store/limits.ts'
import { tagOf } from '../../src/store/slot-check.ts'
import type { Statement } from '../../src/store/statement.ts'

/** A key, and its text; null if it does not open. */
export interface StateKey extends KeyRow {
  text: string | null
}

interface StateEvent {
  id: string
  userId: string
  provider: string
  event: string
}

export interface State {
  /** The ids of the users, by their identities. */
  users: Map<string, string>
  /** By their identities. */
  keys: Map<string, StateKey>
  tombstones: Set<string>
  /** Those that are not sums, by user and id. */
  events: Map<string, StateEvent>
  faults: string[]
}

const reads: [
  Statement<{ id: string; identity: string }>,
  Statement<KeyRow>,
  Statement<{ identity: string }>,
  Statement<StateEvent>,
] = [
  { sql: 'SELECT id, identity FROM users', values: [] },
  { sql: `SELECT ${COLUMNS} FROM api_keys`, values: [] },
  { sql: 'SELECT identity FROM gone_keys', values: [] },
  {
    sql: `SELECT id, user_id AS userId, provider, event FROM api_key_events WHERE last_at IS NULL`,
    values: [],
  },
]

/** Reads the whole database. `service` has all encryption keys. */
export async function readState({ db, keyring }: Service): Promise<State> {
  const [users, keys, gone, events] = await runBatch(db, reads)
  const opened = await Promise.all(
    keys.results.map(async (row) => {
      const key = await openKey(keyring, row)
      return Object.assign(row, { text: key.state === 'open' ? key.text : null })
    }),
  )
  const byIdentity = new Map(opened.map((key) => [key.identity, key]))
  const closed = opened.filter(({ text }) => text === null)
  return {
    users: new Map(users.results.map(({ id, identity }) => [identity, id])),
    keys: byIdentity,
    tombstones: new Set(gone.results.map(({ identity }) => identity)),
    events: new Map(events.results.map((event) => [event.userId + event.id, event])),
    faults: [
      ...closed.map((key) => `does not open: ${describeKey(key)}`),
      ...(byIdentity.size < opened.length ? ['two rows have one identity'] : []),
    ],
  }
}

/** What works on the database. */
export interface Worker {
  kind: string
  userId: string | null
  /** The row of the slot that it means. */
  provider: string | null
  /** Whether its `DEFAULT_PROVIDER` is `openai`. */
  isMoving: boolean
  /** The text that it saves. */
  text?: string | undefined
  limits?: NewLimits | undefined
  expiresAt?: string | null | undefined
  /** Who uses keys. */
  caller?: string | undefined
  /** The keys that were rejected when it could read them. */
  sawRejected: Set<string>
  /** The texts of the keys that it could have used when it could read them. */
  sawUsable: Set<string>
}

/** Notes what `worker` can read. */
export function look(worker: Worker, { keys }: State, buried: ReadonlySet<string>): void {
  const now = new Date().toISOString()
  for (const key of keys.values()) {
    const { identity, status, userId, provider, pausedAt, callers, expiresAt, text } = key
    if (status === 'rejected') worker.sawRejected.add(identity)
    const names: string[] | null = callers === null ? null : JSON.parse(callers)
    const isAllowed =
      pausedAt === null &&
      (names?.includes(worker.caller ?? '') ?? true) &&
      (expiresAt === null || expiresAt > now)
    const isHere = userId === worker.userId && provider === worker.provider
    if (isHere && isAllowed && text !== null && !buried.has(identity)) worker.sawUsable.add(text)
  }
}

/** What a step has changed. */
export interface Step {
  gone: StateKey[]
  come: StateKey[]
  stayed: { was: StateKey; is: StateKey }[]
  /** The users who are gone, by their identities. */
  removed: Map<string, string>
  events: StateEvent[]
}

export function compare(before: State, after: State): Step {
  const users = new Set(after.users.values())
  return {
    gone: [...before.keys.values()].filter(({ identity }) => !after.keys.has(identity)),
    come: [...after.keys.values()].filter(({ identity }) => !before.keys.has(identity)),
    stayed: [...before.keys.values()].flatMap((was) => {
      const is = after.keys.get(was.identity)
      return is === undefined ? [] : [{ was, is }]
    }),
    removed: new Map([...before.users].filter(([, id]) => !users.has(id))),
    events: [...after.events]
      .filter(([name]) => !before.events.has(name))
      .map(([, event]) => event),
  }
}

/** The faults of a step of `worker`. `buried` is what the second store knows. */
export function judge(
  worker: Worker,
  { before, after, buried }: { before: State; after: State; buried: ReadonlySet<string> },
): string[] {
  const step = compare(before, after)
  const hasTombstone = (identity: string) => after.tombstones.has(identity) || buried.has(identity)
  const lost = [...step.gone.map(({ identity }) => identity), ...step.removed.keys()]
  return [
    ...after.faults,
    ...lost
      .filter((identity) => !hasTombstone(identity))
      .map((identity) => `no tombstone: ${identity}`),
    ...[...after.users.keys(), ...after.keys.keys()]
      .filter((identity) => after.tombstones.has(identity))
      .map((identity) => `a tombstone of a living one: ${identity}`),
    ...step.gone
      .filter((key) => !mayGo(worker, key, { step, buried, before }))
      .map((key) => `lost: ${describeKey(key)}`),
    ...step.come.flatMap((key) => judgeNew(worker, key, step)),
    ...step.stayed.flatMap(({ was, is }) => judgeOld(worker, { was, is }, step)),
    ...judgeTrail(worker, step),
  ]
}

/** The rows that are one slot with `DEFAULT_PROVIDER`. */
const PAIR = new Set([DEFAULT_SLOT, 'openai'])

/** The key that stays when `gone` meets it in one slot. */
function mergedWith({ isMoving }: Worker, gone: StateKey, { stayed }: Step): StateKey | undefined {
  if (!isMoving || !PAIR.has(gone.provider)) return undefined
  return stayed.find(
    ({ was, is }) =>
      was.userId === gone.userId &&
      was.provider !== gone.provider &&
      PAIR.has(was.provider) &&
      is.provider === 'openai',
  )?.was
}

function mayGo(
  worker: Worker,
  key: StateKey,
  { step, buried, before }: { step: Step; buried: ReadonlySet<string>; before: State },
): boolean {
  const { kind } = worker
  const merged = mergedWith(worker, key, step)
  if (merged !== undefined) return merged.updatedAt >= key.updatedAt
  if (kind === 'copy') {
    const owner = [...before.users].find(([, id]) => id === key.userId)?.[0] ?? ''
    return buried.has(key.identity) || buried.has(owner)
  }
  if (kind === 'expire') return key.expiresAt !== null && key.expiresAt < new Date().toISOString()
  if (kind === 'remove') return key.userId === worker.userId
  const replaced = step.come.some(
    ({ userId, provider }) => userId === key.userId && provider === key.provider,
  )
  if (kind === 'save' || kind === 'import') return replaced
  return kind === 'delete' && key.userId === worker.userId && key.provider === worker.provider
}

function judgeNew(
  { kind, userId, provider, text, expiresAt = null }: Worker,
  key: StateKey,
  { gone }: Step,
): string[] {
  const isMeant =
    ['save', 'import'].includes(kind) && key.userId === userId && key.provider === provider
  const previous = gone.find(
    (other) => other.userId === key.userId && other.provider === key.provider,
  )
  const kept = previous === undefined ? [null, null, null, null] : limitsOf(previous)
  return [
    ...(isMeant && key.text === text ? [] : [`came from nowhere: ${describeKey(key)}`]),
    ...(same(limitsOf(key), kept) ? [] : [`the limits of the previous key: ${describeKey(key)}`]),
    ...(key.expiresAt === expiresAt ? [] : [`another expiry: ${describeKey(key)}`]),
  ]
}

const limitsOf = ({ pausedAt, callers, maxUses, maxUsesPer }: KeyRow) => [
  pausedAt,
  callers,
  maxUses,
  maxUsesPer,
]

const same = (one: unknown, other: unknown) => JSON.stringify(one) === JSON.stringify(other)

function judgeOld(
  worker: Worker,
  { was, is }: { was: StateKey; is: StateKey },
  step: Step,
): string[] {
  const merged = step.gone.find((gone) => mergedWith(worker, gone, step)?.identity === was.identity)
  const isOwn = worker.userId === was.userId
  const isAssigned =
    worker.kind === 'assign' &&
    isOwn &&
    is.provider === worker.provider &&
    was.provider !== is.provider
  const isMoved = worker.isMoving && was.provider === DEFAULT_SLOT && is.provider === 'openai'
  const isLimited = worker.kind === 'limit' && isOwn && is.provider === worker.provider
  const [before, after] = [
    [...limitsOf(was), was.expiresAt],
    [...limitsOf(is), is.expiresAt],
  ]
  const hasChanged = !same(before, after)
  const isTagged = hasChanged || merged !== undefined || (isAssigned && !isMoved)
  const name = `${describeKey(was)} → ${describeKey(is)}`
  const limitFaults =
    merged === undefined
      ? judgeLimits(isLimited ? worker.limits : {}, was, is)
      : judgeMerge(was, merged, is)
  return [
    ...(was.text === is.text && was.updatedAt === is.updatedAt ? [] : [`another key: ${name}`]),
    ...(was.provider === is.provider || isAssigned || isMoved ? [] : [`moved: ${name}`]),
    ...limitFaults.map((fault) => `${fault}: ${name}`),
    ...(is.revision - was.revision === (isTagged ? 1 : 0) ? [] : [`revision: ${name}`]),
    ...(was.status === 'rejected' &&
    is.status !== 'rejected' &&
    !worker.sawRejected.has(was.identity)
      ? [`a rejection is gone: ${name}`]
      : []),
  ]
}

/** What a change of limits may not change. */
function judgeLimits(limits: NewLimits = {}, was: StateKey, is: StateKey): string[] {
  const { isPaused, callers, maxUses, expiresAt } = limits
  return [
    ...(isPaused === undefined && was.pausedAt !== is.pausedAt ? ['paused or resumed'] : []),
    ...(was.pausedAt !== is.pausedAt && isPaused !== (is.pausedAt !== null)
      ? ['the pause is not as asked']
      : []),
    ...(callers === undefined && was.callers !== is.callers ? ['other callers'] : []),
    ...(maxUses === undefined && (was.maxUses !== is.maxUses || was.maxUsesPer !== is.maxUsesPer)
      ? ['another maximum']
      : []),
    ...(expiresAt === undefined && was.expiresAt !== is.expiresAt ? ['another expiry'] : []),
  ]
}

/** The stricter limits of both have to stay. */
function judgeMerge(kept: StateKey, gone: StateKey, is: StateKey): string[] {
  const now = new Date().toISOString()
  const callers = [kept, gone].flatMap((key): string[][] =>
    key.callers === null ? [] : [JSON.parse(key.callers)],
  )
  const left: string[] = JSON.parse(is.callers ?? '[]')
  const expiry = gone.expiresAt === null || gone.expiresAt <= now ? null : gone.expiresAt
  const maxima = [kept, gone].flatMap(({ maxUses }) => maxUses ?? [])
  return [
    ...([kept, gone].some(({ pausedAt }) => pausedAt !== null) && is.pausedAt === null
      ? ['a pause is lifted']
      : []),
    ...(callers.length > 0 && is.callers === null ? ['callers are lifted'] : []),
    ...(callers.some((list) => left.some((name) => !list.includes(name))) ? ['more callers'] : []),
    ...(maxima.some((most) => (is.maxUses ?? Infinity) > most) ? ['a maximum is lifted'] : []),
    ...([kept.expiresAt, expiry].some((time) => time !== null && (is.expiresAt ?? '9') > time)
      ? ['an expiry is lifted']
      : []),
  ]
}

const IN_TRAIL = new Set([
  'saved',
  'replaced',
  'imported',
  'deleted',
  'assigned',
  'paused',
  'resumed',
  'limits_changed',
])

/** Each change of a key is one event, apart from those of a user who goes. */
function judgeTrail(worker: Worker, step: Step): string[] {
  const { gone, come, stayed } = step
  const removed = new Set(step.removed.values())
  const isReplaced = (key: StateKey) =>
    come.some(({ userId, provider }) => userId === key.userId && provider === key.provider)
  const changed = stayed.filter(
    ({ was, is }) =>
      worker.kind === 'limit' &&
      !same([...limitsOf(was), was.expiresAt], [...limitsOf(is), is.expiresAt]) &&
      !gone.some((key) => mergedWith(worker, key, step)?.identity === was.identity),
  )
  const expected = [
    ...gone.filter((key) => !isReplaced(key)).map((key) => ({ key, event: 'deleted' })),
    ...come.map((key) => ({ key, event: 'come' })),
    ...stayed
      .filter(({ was, is }) => was.provider !== is.provider)
      .map(({ is }) => ({ key: is, event: 'assigned' })),
    ...changed.map(({ is }) => ({ key: is, event: 'limited' })),
  ]
    .filter(({ key }) => !removed.has(key.userId))
    .map(({ key, event }) => `${key.userId} ${key.provider} ${event}`)
  const written = step.events
    .filter(({ event }) => IN_TRAIL.has(event))
    .map(({ userId, provider, event }) => `${userId} ${provider} ${groupOf(event)}`)
  return same(written.toSorted(), expected.toSorted())
    ? []
    : [`the trail has ${written.join()}, and not ${expected.join()}`]
}

function groupOf(event: string): string {
  if (['saved', 'replaced', 'imported'].includes(event)) return 'come'
  return ['paused', 'resumed', 'limits_changed'].includes(event) ? 'limited' : event
}

export function describeKey(key: StateKey): string {
  const { userId, provider, identity, status, updatedAt, kid, text } = key
  const limits = JSON.stringify([...limitsOf(key), key.expiresAt])
  return `${userId}/${provider} ${identity.slice(0, 6)} ${tagOf(key).slice(32)} ${kid} ${status} ${updatedAt} ${limits} ${text}`
}
