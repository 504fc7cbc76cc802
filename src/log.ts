/** Writes one JSON line per event to the console, which Workers Logs reads. */

import { VaultError } from './errors.ts'
import type { LogEvent, LogFields, LoggedError, LogLevel } from './log-lines.ts'

/** Writes `event` with the `fields` of its schema. Never pass a key, a token, a body or a query. */
export function log<Event extends LogEvent>(
  level: LogLevel<Event>,
  event: Event,
  fields: LogFields<Event>,
): void {
  const line = JSON.stringify({ level, event, ...fields })
  if (level === 'error') console.error(line)
  else if (level === 'warn') console.warn(line)
  else console.log(line)
}

/** The events of work that nobody waits for, and that failed. */
type Failure =
  | 'rewrap_failed'
  | 'expiry_failed'
  | 'trail_not_trimmed'
  | 'recheck_failed'
  | 'deletions_not_copied'
  | 'socket_not_checked'
  | 'use_not_recorded'
  | 'key_not_read_anew'
  | 'uses_not_recorded'

/** Writes why work failed that nobody waits for. */
export function logFailure(event: Failure, error: unknown): void {
  const { code, cause = error } = VaultError.from(error)
  log('error', event, { code, error: errorFields(cause) })
}

/** The name and the message of an error, for one field of a log line. A URL in it may hold anything. */
export function nameCause(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  return `${error.name}: ${error.message.replaceAll(/\S+:\/\/\S*/g, '<URL>')}`
}

/** An error as JSON: name, message, stack, and its causes in the same form. */
export function errorFields(error: unknown): LoggedError {
  if (!(error instanceof Error)) return { message: String(error) }
  const { name, message, stack, cause } = error
  return { name, message, stack, ...(cause !== undefined && { cause: errorFields(cause) }) }
}
