/** Everything that the database says about a user, for an operator: as the lines of the route, or in words. */

import { once } from 'node:events'
import { exportLines, type Line, type Source } from '../../src/keys/user-export.ts'
import type { EventAnswer, ExportedRow } from '../../src/shared/answers.ts'
import { npmCommand } from './advice.ts'
import type { Where } from './database.ts'

/** How many events a description has. */
const SHOWN = 20

/** A command has no encryption key. */
function sourceOf(db: D1Database, userId: string): Source {
  const requireUser = () => {
    throw new Error(`There is no user ${userId}`)
  }
  return { db, userId, open: null, requireUser }
}

/**
 * Prints the export in one part. If D1 fails, it has no end.
 *
 * @throws Error if there is no such user
 */
export async function printExport(db: D1Database, userId: string): Promise<void> {
  for await (const lines of exportLines(sourceOf(db, userId), { most: Infinity })) {
    const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('')
    if (!process.stdout.write(text)) await once(process.stdout, 'drain')
  }
}

/** The user, the keys, what imports noted and the newest events, in words. @throws as {@link printExport} */
export async function describeUser(db: D1Database, userId: string, where: Where): Promise<string> {
  const { value: lines } = await exportLines(sourceOf(db, userId), { most: 1 }).next()
  const { keys, imports, events, createdAt } = sortLines(lines ?? [])
  const more = npmCommand('-s users -- export ID', where)
  return [
    `${JSON.stringify(userId)}  added ${createdAt}`,
    ...section('Keys', keys.map(describeKey)),
    ...section(
      'Noted by imports',
      imports.map(({ provider, saved_at }) => `${provider}  keys up to ${saved_at ?? 'any time'}`),
    ),
    ...section('Events', events.slice(0, SHOWN).map(describeEvent)),
    ...(events.length > SHOWN ? [`  Older ones: ${more}`] : []),
  ].join('\n')
}

/** The lines of a part by their types. */
function sortLines(lines: readonly Line[]) {
  const user = lines.find((line) => line.type === 'user')
  return {
    createdAt: user?.created_at ?? '',
    keys: lines.filter((line) => line.type === 'key'),
    imports: lines.filter((line) => line.type === 'import'),
    events: lines.filter((line) => line.type === 'event'),
  }
}

function section(title: string, lines: readonly string[]): string[] {
  return ['', title, ...(lines.length === 0 ? ['none'] : lines).map((line) => `  ${line}`)]
}

function describeKey(key: ExportedRow): string {
  const { provider, callers, max_uses: max } = key
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
    `encryption key ${key.key_id}`,
  ]
  return `${provider}  ${facts.filter((fact) => fact !== false).join('; ')}`
}

function describeEvent(event: EventAnswer): string {
  const { at, provider, by, caller, count, code } = event
  const who = caller === undefined ? by : `${by} ${JSON.stringify(caller)}`
  const more = [count !== undefined && `${count} times`, code].filter(Boolean)
  return [at, provider, event.event, `by ${who}`, ...more].join('  ')
}
