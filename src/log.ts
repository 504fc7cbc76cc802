/** One JSON line an event, to the console that Workers Logs reads. */

/** Writes `event` with `fields` (snake_case); never a key, a token, a body or a query among them. */
export function log(level: 'info' | 'error', event: string, fields: Record<string, unknown>): void {
  const line = JSON.stringify({ level, event, ...fields })
  if (level === 'error') console.error(line)
  else console.log(line)
}

/** An error as JSON can hold it: name, message, stack, and the same of its causes. */
export function errorFields(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: String(error) }
  const { name, message, stack, cause } = error
  return { name, message, stack, ...(cause !== undefined && { cause: errorFields(cause) }) }
}
