/** Whether the lines on the console are ones that the schema of log lines has. */

import { lineSchemas } from '../src/log-lines.ts'

const SCHEMAS = new Map<unknown, ReturnType<typeof lineSchemas>[number]>(
  lineSchemas().map((schema) => [schema.shape.event.def.values[0], schema]),
)

/** Of the example Worker in `examples/webhooks/`, which writes its own lines. */
const OTHERS: ReadonlySet<unknown> = new Set([
  'webhook_failed',
  'webhook_gone',
  'webhook_malformed',
])

const faults: string[] = []

/** What is wrong with a line; null if the schema has it, or if it is not a line of the vault. */
export function nameLineFault(text: string): string | null {
  const line = parseJson(text)
  if (!(line instanceof Object && 'event' in line) || OTHERS.has(line.event)) return null
  const schema = SCHEMAS.get(line.event)
  if (schema === undefined) return `${text}: unknown event`
  const { error } = schema.safeParse(line)
  return error === undefined ? null : `${text}: ${JSON.stringify(error.issues)}`
}

/** Checks lines that a process wrote. @throws Error if the schema does not have one of them */
export function requireLines(texts: readonly string[]): void {
  const wrong = texts.flatMap((text) => nameLineFault(text) ?? [])
  if (wrong.length > 0) throw new Error(`Not in src/log-lines.ts: ${wrong.join(', ')}`)
}

/** Remembers what is wrong with a line that was written to the console. */
export function noteLine(args: readonly unknown[]): void {
  const fault = nameLineFault(args.join(' '))
  if (fault !== null) faults.push(fault)
}

/** The faults since the last call. */
export function takeFaults(): string[] {
  return faults.splice(0)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
