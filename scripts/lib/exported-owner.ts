/** Everything that the database says about an owner, for an operator: as the lines of the route, or in words. */

import { once } from 'node:events'
import { describeTeam } from '../../src/keys/answer-bodies.ts'
import { exportLines, type Line, type Source } from '../../src/keys/user-export.ts'
import type { EventAnswer, ExportedRow } from '../../src/shared/answers.ts'
import { ownerId, readOwner } from '../../src/shared/owner.ts'
import { BULK_DEADLINE_MS, run } from '../../src/store/d1.ts'
import { describeEvent, type WrittenEvent } from '../../src/store/events.ts'
import {
  type MemberUses,
  selectDays,
  selectEventsOfMember,
  selectUsesOfMember,
} from '../../src/store/member-rows.ts'
import { selectTeam } from '../../src/store/teams.ts'
import { npmCommand } from './advice.ts'
import type { Where } from './database.ts'

/** How many events a description has. */
const SHOWN = 20

/** A command has no encryption key. */
function sourceOf(db: D1Database, owner: string): Source {
  const { kind, id } = readOwner(owner)
  const requireUser = () => {
    throw new Error(`There is no ${kind} ${id}`)
  }
  return { db, userId: owner, open: null, requireUser }
}

/**
 * Prints the export in one part, and what the rows of teams say about the user. If D1 fails, it has no end.
 *
 * @throws Error if there is no such owner
 */
export async function printExport(db: D1Database, owner: string): Promise<void> {
  let identity = ''
  for await (const lines of exportLines(sourceOf(db, owner), { most: Infinity })) {
    const [first] = lines
    if (first?.type === 'user') identity = first.identity ?? ''
    if (first?.type === 'end') await printMember(db, identity)
    await print(await Promise.all(lines.map(async (line) => describeLine(db, owner, line))))
  }
}

async function print(lines: readonly object[]): Promise<void> {
  const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('')
  if (!process.stdout.write(text)) await once(process.stdout, 'drain')
}

/** The line. Of a team, the first one has its id, and what its admins have set. */
async function describeLine(db: D1Database, owner: string, line: Line): Promise<object> {
  if (line.type !== 'user' || readOwner(owner).kind === 'user') return line
  const { exported_at, identity } = line
  const [team = null] = (await run(db, selectTeam(owner))).results
  return { type: 'team', ...describeTeam(owner, team), exported_at, identity }
}

/** Prints what the rows of teams say about the member with this identity. It reads the whole trail, one day after the other. */
async function printMember(db: D1Database, identity: string): Promise<void> {
  const { results: uses } = await run(db, selectUsesOfMember(identity), BULK_DEADLINE_MS)
  await print(uses.map(describeUses))
  const { results: days } = await run(db, selectDays())
  for (const { day } of days) {
    if (day === null) return
    // oxlint-disable-next-line no-await-in-loop -- each takes its part of D1's time
    const { results } = await run(db, selectEventsOfMember(identity, day), BULK_DEADLINE_MS)
    // oxlint-disable-next-line no-await-in-loop -- the days are printed in their order
    await print(results.map(describeMembersEvent))
  }
}

function describeUses({ userId, provider, uses, usesIn: uses_in }: MemberUses) {
  return { type: 'member_uses', ...ownerId(userId), provider, uses, uses_in }
}

function describeMembersEvent(row: WrittenEvent) {
  return { type: 'member_event', ...ownerId(row.userId), ...describeEvent(row) }
}

/** The owner, the keys, what imports noted and the newest events, for a program. @throws as {@link printExport} */
export async function readDescription(db: D1Database, owner: string) {
  const { value: lines } = await exportLines(sourceOf(db, owner), { most: 1 }).next()
  const { events, ...rest } = sortLines(lines ?? [])
  const isAll = events.length <= SHOWN
  return { ...ownerId(owner), ...rest, events: events.slice(0, SHOWN), has_older_events: !isAll }
}

/** The same in words. */
export async function describeOwner(db: D1Database, owner: string, where: Where): Promise<string> {
  const described = await readDescription(db, owner)
  const { keys, imports, events, created_at, has_older_events: hasOlder } = described
  const { kind, id } = readOwner(owner)
  const more = npmCommand(`-s ${kind}s -- export ID`, where)
  return [
    `${JSON.stringify(id)}  added ${created_at}`,
    ...section('Keys', keys.map(describeKey)),
    ...section(
      'Noted by imports',
      imports.map(({ provider, saved_at }) => `${provider}  keys up to ${saved_at ?? 'any time'}`),
    ),
    ...section('Events', events.toSorted(byLastTime).map(describeStoredEvent)),
    ...(hasOlder ? [`  Older ones: ${more}`] : []),
  ].join('\n')
}

/** The lines of a part by their types. */
function sortLines(lines: readonly Line[]) {
  const user = lines.find((line) => line.type === 'user')
  return {
    created_at: user?.created_at ?? '',
    keys: lines.filter((line) => line.type === 'key'),
    imports: lines.filter((line) => line.type === 'import'),
    events: lines.filter((line) => line.type === 'event'),
  }
}

function section(title: string, lines: readonly string[]): string[] {
  return ['', title, ...(lines.length === 0 ? ['none'] : lines).map((line) => `  ${line}`)]
}

function describeKey(key: ExportedRow): string {
  const { provider, callers, max_uses: max, max_uses_per_member: each } = key
  const saver = key.saved_by === undefined ? '' : ` by ${key.saved_by}`
  const facts = [
    key.status,
    `saved ${key.api_key_updated_at}${saver}`,
    `last used ${key.last_used_at ?? 'never'}`,
    `last checked ${key.last_verified_at ?? 'never'}`,
    key.expires_at !== undefined && `expires ${key.expires_at}`,
    key.paused_at !== undefined && `paused ${key.paused_at}`,
    callers !== undefined && `only for ${callers.join(', ') || 'nobody'}`,
    max !== undefined && `${max.used} of ${max.count} uses this ${max.per}`,
    each !== undefined && `${each.count} uses of each member this ${each.per}`,
    `encryption key ${key.key_id}`,
  ]
  return `${provider}  ${facts.filter((fact) => fact !== false).join('; ')}`
}

const lastTime = ({ at, last_at: last = at }: EventAnswer): string => last
/** The latest first. A sum counts from when it last happened. */
const byLastTime = (one: EventAnswer, other: EventAnswer): number =>
  lastTime(other).localeCompare(lastTime(one))

function describeStoredEvent(event: EventAnswer): string {
  const { at, provider, by, caller, count, errors, request_id: request } = event
  const who = caller === undefined ? by : `${by} ${JSON.stringify(caller)}`
  const { code, verdict, reason, provider_status: status } = event
  const more = [
    count !== undefined && `${count} times from ${at}`,
    errors !== undefined && errors > 0 && `${errors} failed`,
    code ?? verdict,
    reason,
    status !== undefined && `status ${status}`,
    request !== undefined && `request ${request}`,
  ]
  return [lastTime(event), provider, event.event, `by ${who}`, ...more.filter(Boolean)].join('  ')
}
