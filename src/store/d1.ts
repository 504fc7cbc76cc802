/** Runs SQL statements on D1, each call in one round trip. D1's errors become VaultErrors. */

import { VaultError } from '../errors.ts'
import { inTime } from '../shared/deadline.ts'
import type { ErrorCode } from '../shared/error-code.ts'
import { namesIn } from '../shared/json.ts'
import { MAX_KEYS } from '../shared/slot.ts'
import { markChanged } from './changes.ts'

/** A statement that returns rows of type `Row`, with a value for each `?1`, `?2`, … in it. */
export interface Statement<Row = never> {
  readonly sql: string
  readonly values: readonly (string | number | null)[]
  /**
   * The owner whose keys a use may find changed after it; null for nobody. If a statement that writes keys or owners leaves
   * it out, it is everybody.
   */
  readonly changes?: string | null | undefined
  /** Never set: it carries the type. */
  readonly row?: Row
}

/** The time by the clock of D1: ISO 8601 in UTC. */
export const NOW = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"

/** For statements that touch a few rows. */
const DEADLINE_MS = 10_000
/** For statements that touch many rows. D1 itself ends a statement after 30 s. */
export const BULK_DEADLINE_MS = 40_000

/** @throws VaultError `database_busy`, `server_misconfigured`, `changed_meanwhile`, `api_key_exists`, `too_many_keys`, `token_expired`, `rate_limited`; other errors of D1 as they are */
export async function run<Row>(
  db: D1Database,
  statement: Statement<Row>,
  deadlineMs = DEADLINE_MS,
): Promise<D1Result<Row>> {
  return named(db, [statement], { send: () => prepare(db, statement).all<Row>(), deadlineMs })
}

/** The results of a batch: one for each statement. */
export type BatchResults<Statements extends readonly Statement<unknown>[]> = {
  -readonly [Index in keyof Statements]: Statements[Index] extends Statement<infer Row>
    ? D1Result<Row>
    : never
}

/** Runs the statements in order, as one transaction. @throws as {@link run} */
export async function runBatch<const Statements extends readonly Statement<unknown>[]>(
  db: D1Database,
  statements: Statements,
  deadlineMs?: number,
): Promise<BatchResults<Statements>>
export async function runBatch(
  db: D1Database,
  statements: readonly Statement<unknown>[],
  deadlineMs = DEADLINE_MS,
): Promise<D1Result[]> {
  const send = () => db.batch(statements.map((statement) => prepare(db, statement)))
  return named(db, statements, { send, deadlineMs })
}

interface Sending<T> {
  send: () => Promise<T>
  deadlineMs: number
}

/**
 * Marks what the statements change, before and after: a failed statement may have been done all the same. If one ends after
 * its time, the change is marked once more.
 */
async function named<T>(
  db: D1Database,
  statements: readonly Statement<unknown>[],
  { send, deadlineMs }: Sending<T>,
): Promise<T> {
  const changing = statements.filter(isChange)
  const mark = () => changing.forEach(({ changes }) => markChanged(db, changes ?? undefined))
  mark()
  return inTime(send().finally(mark), deadlineMs).catch(throwNamed).finally(mark)
}

const WRITES = /\b(?:INSERT INTO|UPDATE(?: OR \w+)?|DELETE FROM) (?:api_keys|users)\b/

/** Whether a use may find another key after the statement. */
function isChange({ sql, changes }: Statement<unknown>): boolean {
  return changes !== null && WRITES.test(sql)
}

function prepare(db: D1Database, { sql, values }: Statement<unknown>): D1PreparedStatement {
  return db.prepare(sql).bind(...values)
}

/**
 * Errors that pass by themselves: https://developers.cloudflare.com/d1/observability/debug-d1/
 * D1 is built on Durable Objects, so it also throws their errors:
 * https://developers.cloudflare.com/durable-objects/observability/troubleshooting/
 */
const TRANSIENT = [
  /overloaded|too much load|too many concurrent storage operations/i,
  /to be reset|was reset|DB reset|object reset|D1_RESET_DO|no longer active/i,
  /Network connection lost|disconnected|transient/i,
  /internal error|Failed to parse body as JSON/i,
  /database is locked|SQLITE_BUSY/,
  /There was no answer within/,
]
/**
 * What Cloudflare says to retry: https://developers.cloudflare.com/d1/observability/debug-d1/#error-list
 * The work may have been done all the same. After too much load, time, memory or CPU, another attempt would only add
 * to the load.
 */
const RETRYABLE = [
  /reset because its code was updated/,
  /Internal error (?:while starting up|in) D1 DB storage caused object to be reset/,
  /Network connection lost/,
  /transient issue on remote node/,
  /client disconnected/,
]
/** Whether another attempt may succeed at once. */
export function isRetryable(error: unknown): boolean {
  if (!(error instanceof VaultError) || error.code !== 'database_busy') return false
  return RETRYABLE.some((pattern) => pattern.test(messageOf(error.cause)))
}

/** D1 refuses other requests until the export or import has ended. */
const LONG_RUNNING = /long-running (?:export|import)/
/** The free plan's limit. It is reset at midnight UTC. */
const DAILY_LIMIT = /daily row (?:read|write) limit/
const FULL = /Exceeded maximum (?:DB size|account storage)/

/** Why a statement fails on purpose, so that nothing of its transaction is done. */
export type Refusal =
  | 'changed'
  | 'slot_empty'
  | 'token_old'
  | 'slot_filled'
  | 'slot_taken'
  | 'label_taken'
  | 'too_many_keys'
  | 'not_moved'
  | 'too_many_events'
  | 'hmac_missing'

/** An SQL expression that fails, with the refusal in the message of D1's error. No other statement has a bad JSON path. */
export function refuse(refusal: Refusal): string {
  return `json_extract('{}', '${refusal}')`
}

/** Whether this is the message of a statement that failed with the refusal. */
export function isRefusal(message: string, refusal: Refusal): boolean {
  return message.includes('JSON path') && message.includes(`'${refusal}'`)
}

/** The most events of a user on a day, in UTC. After them, changes that can be noted without end are refused. */
export const MAX_EVENTS_A_DAY = 10_000

/** What is wrong with a change of a slot. */
const REFUSALS = {
  changed: ['changed_meanwhile', 'Another change came in between: read the slot again.'],
  slot_empty: ['changed_meanwhile', 'The slot has no API key.'],
  slot_filled: ['changed_meanwhile', 'The slot has an API key already.'],
  slot_taken: ['api_key_exists', 'Only the owner of a key can replace it.'],
  label_taken: ['api_key_exists', 'Another key has this label, maybe with other capital letters.'],
  token_old: [
    'token_expired',
    'An admin of the team has made older tokens invalid: get a new token.',
  ],
  too_many_keys: [
    'too_many_keys',
    `There can be at most ${MAX_KEYS} keys of one provider: delete one first.`,
  ],
} as const satisfies { [Reason in Refusal]?: readonly [ErrorCode, detail: string] }

/** Two keys of an owner would have one name, or names that differ only in case. */
const SAME_NAME = /UNIQUE constraint failed: api_keys\.user_id, api_keys\.(provider|folded)/

/** Whether a key of the plain route has to be moved to the slot first. */
export function isNotMoved(error: unknown): boolean {
  return isRefusal(messageOf(error), 'not_moved')
}

/** Whether a statement needs the HMAC of a user id under the secret of the database. */
export function isHmacMissing(error: unknown): boolean {
  return isRefusal(messageOf(error), 'hmac_missing')
}

function throwNamed(cause: unknown): never {
  const message = messageOf(cause)
  const [, column] = SAME_NAME.exec(message) ?? []
  if (column === 'provider') throw new VaultError('api_key_exists')
  const refused = namesIn(REFUSALS).find((one) => isRefusal(message, one))
  const refusal = column === 'folded' ? 'label_taken' : refused
  if (refusal !== undefined) {
    const [code, detail] = REFUSALS[refusal]
    throw new VaultError(code, { detail })
  }
  if (isRefusal(message, 'too_many_events')) {
    const detail = `A user can change keys at most ${MAX_EVENTS_A_DAY} times a day. Pausing and deleting still work.`
    throw new VaultError('rate_limited', { detail, retryAfter: secondsToMidnight(Date.now()) })
  }
  const fault = nameSchemaFault(message) ?? (FULL.test(message) ? 'The database is full' : null)
  if (fault !== null) {
    throw new VaultError('server_misconfigured', { cause: new Error(fault, { cause }) })
  }
  const retryAfter = retryAfterOf(message)
  if (retryAfter === null) throw cause
  throw new VaultError('database_busy', { cause, retryAfter })
}

/** The message of an error and of its cause. */
function messageOf(error: unknown): string {
  const [outer, inner] = error instanceof Error ? [error.message, error.cause] : [error, undefined]
  return [outer, inner instanceof Error ? inner.message : ''].join(' ')
}

/** The seconds after which another attempt may succeed; null if it never will. */
function retryAfterOf(message: string): number | null {
  if (DAILY_LIMIT.test(message)) return secondsToMidnight(Date.now())
  if (LONG_RUNNING.test(message)) return 10
  return TRANSIENT.some((pattern) => pattern.test(message)) ? 1 : null
}

function secondsToMidnight(epochMs: number): number {
  const dayMs = 24 * 60 * 60 * 1000
  return Math.ceil((dayMs - (epochMs % dayMs)) / 1000)
}

declare const process: { env: { NODE_ENV?: string } }

/** Wrangler replaces `process.env.NODE_ENV` in a build. A deployed Worker is a production build. */
const [SCHEMA_COMMAND, DELETIONS] =
  process.env.NODE_ENV === 'production'
    ? [
        'npm run schema -- --remote, with its VAULT_CONFIG',
        'npm run keys -- deletions --remote, with its VAULT_CONFIG',
      ]
    : ['npm run schema', 'npm run keys -- deletions']

/** The command that shows the deletions of this Worker's database. */
export const DELETIONS_COMMAND = DELETIONS

/** The tables that every database has since its first migration. */
const FIRST_TABLES = new Set<unknown>([
  'users',
  'api_keys',
  'member_uses',
  'api_key_events',
  'gone_keys',
  'heartbeat',
  'imported_keys',
  'import_secret',
  'removed_users',
  'rewrap',
  'recheck',
])

/** The fault of a database that lacks a migration of this version, and the fix. */
export const OLDER_DATABASE = `The database is older than this version: run ${SCHEMA_COMMAND}`

/** What is wrong with the database's schema, and the fix; null if the error is not about that. */
function nameSchemaFault(message: string): string | null {
  const [, table] = /no such table: (\w+)/.exec(message) ?? []
  if (FIRST_TABLES.has(table)) {
    return `The database has no tables: run ${SCHEMA_COMMAND}`
  }
  const isOlder = table !== undefined || /no such column|has no column named/.test(message)
  return isOlder ? OLDER_DATABASE : null
}

/** The latest migration that this version needs. */
export const LATEST_MIGRATION = '0001_tables.sql'

/** Returns one row if the database has the latest migration. */
export function selectLatestMigration(): Statement<object> {
  return { sql: 'SELECT 1 FROM d1_migrations WHERE name = ?1', values: [LATEST_MIGRATION] }
}
