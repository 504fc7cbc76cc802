/** The forms of variables that several folders parse. An error says what the value must be, and never the value. */

import * as z from 'zod/mini'
import { isConfidentialUrl } from './confidential-url.ts'

/** A variable that need not be set. */
export interface Optional<Form extends z.ZodMiniType = z.ZodMiniType, Missing = unknown> {
  form: Form
  /** What it holds if it is not set. It is not checked. */
  missing: Missing
}

/** Variables by their names. A variable that must be set has only its form. */
type Table = Readonly<Record<string, z.ZodMiniType | Optional>>

type Held<Of> =
  Of extends Optional<infer Form, infer Missing> ? z.output<Form> | Missing : z.output<Of>

/** What the variables hold, by their names. */
export type Values<Of extends Table> = { [Name in keyof Of]: Held<Of[Name]> }

/** Records a fault of a variable, or of several variables together. */
export type Refuse<Name> = (name: Name, message: string) => void

type CamelCase<Name extends string> = Name extends `${infer Head}_${infer Tail}`
  ? `${Lowercase<Head>}${Capitalize<CamelCase<Tail>>}`
  : Lowercase<Name>

/** What the variables hold, by their names in camelCase: `EVENTS_KEPT_DAYS` is `eventsKeptDays`. */
export type SettingsOf<Of extends Table> = {
  [Name in keyof Of & string as CamelCase<Name>]: Held<Of[Name]>
}

/** Gets each issue of a variable. */
type Report = (name: string, issue: z.core.$ZodIssue) => void

/**
 * Returns what the variables hold; null if one is wrong. A variable that is not set is not checked, because the first
 * request waits for the checks.
 */
export function readVariables<Of extends Table>(
  table: Of,
  env: Readonly<Record<string, unknown>>,
  report: Report,
): Values<Of> | null
export function readVariables(
  table: Table,
  env: Readonly<Record<string, unknown>>,
  report: Report,
): object | null {
  let isRight = true
  const values = Object.entries(table).map(([name, variable]) => {
    const isOptional = 'missing' in variable
    if (isOptional && env[name] === undefined) return [name, variable.missing]
    const { success, data, error } = (isOptional ? variable.form : variable).safeParse(env[name])
    for (const issue of error?.issues ?? []) report(name, issue)
    isRight &&= success
    return [name, data]
  })
  return isRight ? Object.fromEntries(values) : null
}

export function settingsOf<Of extends Table>(table: Of, env: Values<Of>): SettingsOf<Of>
export function settingsOf(table: Table, env: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(Object.keys(table).map((name) => [camelCase(name), env[name]]))
}

function camelCase(name: string): string {
  return name.toLowerCase().replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase())
}

/** A variable that is `missing` if it is not set. */
export function withDefault<Form extends z.ZodMiniType>(
  form: Form,
  missing: z.output<Form>,
): Optional<Form, z.output<Form>> {
  return { form, missing }
}

/** A variable that is null if it is not set. */
export function orNull<Form extends z.ZodMiniType>(form: Form): Optional<Form, null> {
  return { form, missing: null }
}

/** A variable that is undefined if it is not set. */
export function optional<Form extends z.ZodMiniType>(form: Form): Optional<Form, undefined> {
  return { form, missing: undefined }
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
