/** The forms of variables that several rooms parse. An error says what the value must be, and never the value. */

import * as z from 'zod/mini'
import { isConfidentialUrl } from './confidential-url.ts'

/** The forms of variables by their names. */
type Forms = Readonly<Record<string, z.ZodMiniType>>

/** What the variables hold, by their names. There may be none. */
export type Values<Table extends Forms> = keyof Table extends never
  ? object
  : z.output<z.ZodMiniObject<Table>>

/** Records a fault of a variable, or of several variables together. */
export type Refuse<Name> = (name: Name, message: string) => void

type CamelCase<Name extends string> = Name extends `${infer Head}_${infer Tail}`
  ? `${Lowercase<Head>}${Capitalize<CamelCase<Tail>>}`
  : Lowercase<Name>

/** What the variables hold, by their names in camelCase: `EVENTS_KEPT_DAYS` is `eventsKeptDays`. */
export type SettingsOf<Table extends Forms> = {
  [Name in keyof Table & string as CamelCase<Name>]: z.output<Table[Name]>
}

export function settingsOf<Table extends Forms>(table: Table, env: Values<Table>): SettingsOf<Table>
export function settingsOf(table: Forms, env: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(Object.keys(table).map((name) => [camelCase(name), env[name]]))
}

function camelCase(name: string): string {
  return name.toLowerCase().replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase())
}

/** The form of a variable that is `missing` if it is not set. */
export function withDefault<Form extends z.ZodMiniType>(form: Form, missing: z.output<Form>) {
  return z.pipe(
    z.optional(form),
    z.transform((value): z.output<Form> => value ?? missing),
  )
}

/** The form of a variable that is null if it is not set. */
export function orNull<Form extends z.ZodMiniType>(form: Form) {
  return z.pipe(
    z.optional(form),
    z.transform((value) => value ?? null),
  )
}

/** A text that is compared exactly. */
export const exactText = z
  .string('must be a string')
  .check(z.refine((text) => text === text.trim(), 'has white space around it'))

export const confidentialUrl = z
  .string('must be a string')
  .check(
    z.refine(
      isConfidentialUrl,
      'must be an https: URL without a password; http: is only for localhost',
    ),
  )

export function wholeNumber(accepts: (text: string) => boolean, fault: string) {
  return z.pipe(z.string('must be a string').check(z.refine(accepts, fault)), z.transform(Number))
}

/** Each item of a comma-separated list is one of `item`. */
export function listOf<Item extends z.ZodMiniType<unknown, string>>(
  item: Item,
  fault = 'must be a string',
) {
  return z.pipe(
    z.pipe(
      z.string(fault),
      z.transform((text) => splitList(text)),
    ),
    z.array(item),
  )
}

export const flag = z.pipe(
  z.enum(['true', 'false'], 'must be "true" or "false"'),
  z.transform((text) => text === 'true'),
)

/** A binding that has `method`. `fault` names its section of the configuration. */
export function bindingWith<Binding>(method: string, fault: string) {
  return z.custom<Binding>(
    (binding) => typeof binding === 'object' && binding !== null && method in binding,
    fault,
  )
}

/** The items of a comma-separated list. It is empty if `text` is not a string. */
export function splitList(text: unknown): string[] {
  return typeof text === 'string' ? text.split(',').map((item) => item.trim()) : []
}

/** A table with these values under any names. `z.record` weighs more. */
export function tableOf<Value extends z.core.SomeType>(value: Value, error?: string) {
  return z.catchall(z.object({}, error), value)
}

/** The errors of a value that is not a table, or that has an unknown field. */
export const isTableOf = {
  error: (issue: { code: string; keys?: string[] }) =>
    issue.code === 'unrecognized_keys'
      ? `has an unknown field ${String(issue.keys)}`
      : 'must be a table',
}
