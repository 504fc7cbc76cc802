/** Everything that the database says about a user, as lines. Of a key they show only what its user sees. */

import type { ExportedRow, ExportLine } from '../shared/answers.ts'
import { readOwner } from '../shared/owner.ts'
import { runBatch, type BatchResults, type Statement } from '../store/d1.ts'
import { describeEvent, LATEST, selectEvents, type EventRange } from '../store/events.ts'
import {
  selectExportedKeys,
  selectExportedUser,
  type ExportedKey,
  type ExportedUser,
} from '../store/exported-user.ts'
import type { Note } from '../store/gone-keys.ts'
import { describeExportedKey } from './answer-bodies.ts'
import { deletionHooks } from './deletion-hooks.ts'
import { ALL_SLOTS, look } from './look.ts'
import { retry } from './retry.ts'
import {
  namesOfSame,
  openAndLog,
  type OpenKey,
  type SlotOwner,
  type UnreadableKey,
} from './stored-key.ts'
import { inPages, MAX_EXPORTED, toPage } from './trail.ts'
import { requireAnyUser } from './users.ts'

/** A line. If nobody can open a key, its line has only what the row says. */
export type Line = ExportLine | ExportedRow

/** Makes one round trip to D1. */
type Read = <const Statements extends readonly Statement<unknown>[]>(
  statements: Statements,
) => Promise<BatchResults<Statements>>

/** Whose data it is, and where it comes from. A command has no service. */
export interface Source {
  db: D1Database
  userId: string
  /** Makes the first round trip. If it is missing, the first one only reads, like the others. */
  look?: Read
  /** Opens the key of a row; null if nobody can. */
  open: ((row: ExportedKey) => Promise<OpenKey | UnreadableKey>) | null
  /** Is called for a user who does not exist. If it returns, the export has what there is. */
  requireUser: () => void
}

/** Which part of an export it is. */
interface Part {
  /** The `next_cursor` of the part before it. Without one, it is the first part. */
  cursor?: string | undefined
  /** How many events it has, in steps of a page. */
  most: number
}

/**
 * A part of the user's export, in pages. The look of an operator is noted once, as one at all slots.
 *
 * @throws VaultError `user_not_found`, `rate_limited` after 10,000 looks on a day, `database_busy`
 */
export function exportUser(owner: SlotOwner, cursor: string | undefined): AsyncGenerator<Line[]> {
  const { userId, service } = owner
  const source: Source = {
    db: service.db,
    userId,
    look: async (statements) => look(owner, ALL_SLOTS, statements),
    open: async (row) => openAndLog(owner, row),
    requireUser: () => requireAnyUser(owner),
  }
  return exportLines(source, { cursor, most: MAX_EXPORTED })
}

/**
 * The lines of a part, in pages. The first line is the user. In the first part, the keys and the notes of imports follow.
 * Then come events, the newest first, and the end. What only reads is tried again if D1 fails.
 *
 * @throws as `requireUser`, and VaultError `database_busy`
 */
export async function* exportLines(
  source: Source,
  { cursor: start = LATEST, most }: Part,
): AsyncGenerator<Line[]> {
  const again: Read = async (statements) => retry(async (ms) => runBatch(source.db, statements, ms))
  const { look: first = again } = source
  const readPage = async (before: string, limit: number) => {
    const isFirst = before === start
    const range = { before, from: '', slot: null, limit: limit + 1 }
    const { user, keys, notes, events } = await readRows(source, isFirst ? first : again, range)
    const page = toPage(events, limit)
    const lines: Line[] = [
      ...(isFirst ? [describeUser(source, user)] : []),
      ...(await describeKeys(source, keys)),
      ...notes.map(describeNote),
      ...page.events.map((row) => Object.assign({ type: 'event' } as const, describeEvent(row))),
    ]
    return { lines, next: page.next }
  }
  const next = yield* inPages(readPage, start, most)
  yield [{ type: 'end', next_cursor: next }]
}

/** Reads the user and the next events, and with the newest ones also the keys and the notes: one round trip. */
async function readRows({ userId, requireUser }: Source, read: Read, range: EventRange) {
  const once = [selectExportedKeys(userId), ...selectNotes(userId)] as const
  const more = range.before === LATEST ? once : ([] as const)
  const events = selectEvents(userId, range)
  const [users, found, keys, ...noted] = await read([selectExportedUser(userId), events, ...more])
  const [user] = users.results
  if (user === undefined) requireUser()
  return {
    user,
    keys: keys?.results ?? [],
    notes: noted.flatMap(({ results }) => results),
    events: found.results,
  }
}

function selectNotes(userId: string) {
  return deletionHooks(true).flatMap((hook) => hook.noted(userId))
}

function describeUser({ userId }: Source, user: ExportedUser | undefined): Line {
  const exported_at = new Date().toISOString()
  return {
    type: 'user',
    user_id: readOwner(userId).id,
    exported_at,
    ...(user && { created_at: user.createdAt, identity: user.identity }),
  }
}

async function describeKeys({ open }: Source, rows: readonly ExportedKey[]): Promise<Line[]> {
  const opened = open === null ? [] : await Promise.all(rows.map(open))
  const keys = new Map(opened.map((key) => [key.row.provider, key]))
  return rows.map((row) => {
    const { provider } = row
    return describeExportedKey(row, keys.get(provider) ?? null, namesOfSame(keys, provider))
  })
}

function describeNote({ provider, savedAt: saved_at, keyIdentity }: Note): Line {
  const key = keyIdentity !== null && { key_identity: keyIdentity }
  return { type: 'import', provider, saved_at, ...key }
}
