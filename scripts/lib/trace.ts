/** `npm run users -- trace ID`, and the same of teams: what is left of an owner, where, and until when. */

import { readHmacs } from '../../src/import/removed-users.ts'
import { readOwner, type OwnerParts } from '../../src/shared/owner.ts'
import { runBatch } from '../../src/store/d1.ts'
import { countTraces } from '../../src/store/traces.ts'
import { npmCommand } from './advice.ts'
import type { Where } from './database.ts'
import { formatCount } from './progress.ts'

type Kind = OwnerParts['kind']

/** Stands for the command. */
const FINISH = 'FINISH'

/** Until when the rows of a table stay. */
const UNTIL: Record<string, string> = {
  users: 'until the user is removed',
  api_keys: 'sealed; until the key is deleted, or the user removed',
  member_uses: 'how often each member used a key; until the key is deleted, or the user removed',
  api_key_events: 'until EVENTS_KEPT_DAYS have passed, or the user is removed',
  imported_keys: `until the user is removed, or ${FINISH}`,
  removed_users: `an HMAC of the id; until the operator adds the user again, or ${FINISH}`,
  rewrap: 'the position of the rewrap job; until it moves on, or the user is removed',
}

/** As {@link UNTIL}, if it differs for a team: the save that adds a team again forgets no HMAC. */
const UNTIL_OF_TEAM: Record<string, string> = {
  removed_users: `an HMAC of the id; until ${FINISH}`,
}

/** What an operator has to know of the rows of teams. */
const MEMBER =
  '  Rows of teams have the random id of a member. It names nobody once the user is removed.'

const DAY_MS = 24 * 60 * 60 * 1000

/** A table, with how many of its rows name an owner, and until when; null if there are none. */
interface TracedTable {
  table: string
  rows: number
  until: string | null
}

/** The rows that name the owner, by table. */
export async function traceOwner(db: D1Database, owner: string, where: Where) {
  const { byId } = await readHmacs(db, [owner])
  const found = await runBatch(db, countTraces(owner, byId.get(owner) ?? null))
  const { kind } = readOwner(owner)
  return found.flatMap(({ results }) =>
    results.map(({ place: table, rows }): TracedTable => {
      return { table, rows, until: rows === 0 ? null : untilOf(table, kind, where) }
    }),
  )
}

function untilOf(place: string, kind: Kind, where: Where): string {
  const ofTeam = kind === 'team' ? UNTIL_OF_TEAM[place] : undefined
  const until = ofTeam ?? UNTIL[place]?.replaceAll('user', kind) ?? ''
  return until.replace(FINISH, npmCommand('import -- --finish', where))
}

/** Says which rows name the owner, and what may be left elsewhere, where nobody can look from here. */
export function describeTraces(tables: readonly TracedTable[], kind: Kind): string {
  return [...describeTables(tables, kind), '', ...describeElsewhere(Date.now(), kind)].join('\n')
}

function describeTables(traced: readonly TracedTable[], kind: Kind): string[] {
  const isGone = traced.every(({ rows }) => rows === 0)
  const tables = traced.map(({ table, rows, until }) =>
    `  ${table.padEnd(14)} ${formatCount(rows).padStart(6)}  ${until ?? ''}`.trimEnd(),
  )
  const gone = isGone ? [`  Nothing in the database names this ${kind}.`] : []
  const members = kind === 'user' ? [MEMBER] : []
  return [`Rows of the database that name the ${kind}:`, ...tables, ...gone, ...members]
}

/** Each place outside the database, with its last day if the owner is removed, or was removed, today at the latest. */
export function describeElsewhere(now: number, kind: Kind = 'user'): string[] {
  const inDays = (days: number) => new Date(now + days * DAY_MS).toISOString().slice(0, 10)
  return [
    `Elsewhere, if the ${kind} was removed today:`,
    `  Second store      Random ids of deleted keys and ${kind}s, for ever. No ${kind} id, no key.`,
    `  D1 Time Travel    All rows as they were, keys sealed. Until ${inDays(30)}; on the Free plan until ${inDays(7)}.`,
    '  Your backups      All rows as they were, keys sealed. Until you delete the file.',
    `  Workers Logs      The id in some lines, no key. Until ${inDays(7)}; on the Free plan until ${inDays(3)}.`,
    '                    Where Logpush or a Tail Worker sends lines, as long as you keep them.',
    `  Queue of events   The id in messages, no key. Until ${inDays(4)}, or as you set the retention: ${inDays(14)} at most.`,
    '                    The same holds for its dead-letter queue. Your application has what a webhook delivered.',
    '  Analytics Engine  Counts without an id and without a key, for three months.',
  ]
}
