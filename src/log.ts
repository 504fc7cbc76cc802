/** Writes one JSON line per event to the console, which Workers Logs reads. */

/** Writes `event` with `fields` (snake_case). Never pass a key, a token, a body or a query. */
export function log(
  level: 'info' | 'warn' | 'error',
  event: string,
  fields: Record<string, unknown>,
): void {
  const line = JSON.stringify({ level, event, ...fields })
  if (level === 'error') console.error(line)
  else if (level === 'warn') console.warn(line)
  else console.log(line)
}

/** The name and the message of an error, for one field of a log line. A URL in it may hold anything. */
export function nameCause(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  return `${error.name}: ${error.message.replaceAll(/\S+:\/\/\S*/g, '<URL>')}`
}

/** An error as JSON: name, message, stack, and its causes in the same form. */
export function errorFields(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: String(error) }
  const { name, message, stack, cause } = error
  return { name, message, stack, ...(cause !== undefined && { cause: errorFields(cause) }) }
}
