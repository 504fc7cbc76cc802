/** What the database holds between two steps of concurrent work, and what a step has changed of it. */

import { openKey } from '../../src/crypto/seal.ts'
import type { Service } from '../../src/service.ts'
import { DEFAULT_SLOT } from '../../src/shared/slot.ts'
import { COLUMNS, type KeyRow } from '../../src/store/api-keys.ts'
import { runBatch, type Statement } from '../../src/store/d1.ts'

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

const select = <Row>(sql: string): Statement<Row> => ({ sql: `SELECT ${sql}`, values: [] })

/** Reads the whole database. `service` has all encryption keys. */
export async function readState({ db, keyring }: Service): Promise<State> {
  const [users, rows, gone, events] = await runBatch(db, [
    select<{ id: string; identity: string }>('id, identity FROM users'),
    select<KeyRow>(`${COLUMNS} FROM api_keys`),
    select<{ identity: string }>('identity FROM gone_keys'),
    select<StateEvent>(
      'id, user_id AS userId, provider, event FROM api_key_events WHERE hours IS NULL',
    ),
  ])
  const keys = await Promise.all(
    rows.results.map(async (row) => {
      const key = await openKey(keyring, row)
      return Object.assign(row, { text: key.state === 'open' ? key.text : null })
    }),
  )
  const byIdentity = new Map(keys.map((key) => [key.identity, key]))
  return {
    users: new Map(users.results.map(({ id, identity }) => [identity, id])),
    keys: byIdentity,
    tombstones: new Set(gone.results.map(({ identity }) => identity)),
    events: new Map(events.results.map((event) => [event.userId + event.id, event])),
    faults: [
      ...keys.filter(({ text }) => text === null).map((key) => `does not open: ${describe(key)}`),
      ...(byIdentity.size < keys.length ? ['two rows have one identity'] : []),
    ],
  }
}

/** A key before and after a step. */
export interface Kept {
  was: StateKey
  is: StateKey
}

/** What a step has changed. */
export interface Step {
  gone: StateKey[]
  come: StateKey[]
  stayed: Kept[]
  met: Meeting | null
  /** The users who are gone, by their identities. */
  removed: Map<string, string>
  events: StateEvent[]
}

/** Two keys in the rows of one slot, where both stay, or one goes. */
export interface Meeting {
  kept: [Kept, ...Kept[]]
  gone: StateKey | null
}

export function compare(before: State, after: State): Step {
  const users = new Set(after.users.values())
  const gone = [...before.keys.values()].filter(({ identity }) => !after.keys.has(identity))
  const stayed = [...before.keys.values()].flatMap((was) => {
    const is = after.keys.get(was.identity)
    return is === undefined ? [] : [{ was, is }]
  })
  const events = [...after.events].flatMap(([id, event]) => (before.events.has(id) ? [] : [event]))
  return {
    gone,
    come: [...after.keys.values()].filter(({ identity }) => !before.keys.has(identity)),
    stayed,
    met: findMeeting({ gone, stayed, events }),
    removed: new Map([...before.users].filter(([, id]) => !users.has(id))),
    events,
  }
}

/** The rows that are one slot with `DEFAULT_PROVIDER`. */
export const PAIR = new Set([DEFAULT_SLOT, 'openai'])

/** The limits of keys that meet are written. If both stay, the trail does not know of it. */
function findMeeting({
  gone,
  stayed,
  events,
}: Pick<Step, 'gone' | 'stayed' | 'events'>): Meeting | null {
  const [first, ...more] = stayed.filter(
    ({ was, is }) => PAIR.has(was.provider) && PAIR.has(is.provider) && was.revision < is.revision,
  )
  if (first === undefined) return null
  const { userId } = first.was
  const other = gone.find((key) => key.userId === userId && PAIR.has(key.provider))
  if (other !== undefined) return { kept: [first], gone: other }
  return more.length === 1 && events.length === 0 ? { kept: [first, ...more], gone: null } : null
}

/** What a key's owner allows. */
export const limitsOf = ({ pausedAt, callers, maxUses, maxUsesPer, expiresAt }: KeyRow) => ({
  pausedAt,
  callers,
  maxUses,
  maxUsesPer,
  expiresAt,
})

export const same = (one: unknown, other: unknown) => JSON.stringify(one) === JSON.stringify(other)

export function describe(key: StateKey): string {
  const { userId, provider, identity, revision, sealed, status, updatedAt, text } = key
  const limits = JSON.stringify(Object.values(limitsOf(key)))
  return `${userId}/${provider} ${identity.slice(0, 6)}.${revision} ${sealed.slice(-4)} ${status} ${updatedAt} ${limits} ${text}`
}

export function describeStep({ gone, come, stayed, events }: Step): string {
  const changed = stayed.filter(({ was, is }) => !same(was, is))
  return [
    ...gone.map((key) => ` −(${describe(key)})`),
    ...come.map((key) => ` +(${describe(key)})`),
    ...changed.map(({ was, is }) => ` (${describe(was)} → ${describe(is)})`),
    ...events.map(({ event, provider }) => ` ${event} ${provider}`),
  ].join('')
}
