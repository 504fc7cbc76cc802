/** The providers whose keys are stored: where a key may go, how it is sent, how a bad one is told. */

import * as z from 'zod/mini'
import { isConfidentialUrl } from '../shared/confidential-url.ts'
import { BUILT_IN } from './built-in.ts'

/** The slot of the plain route; no provider is behind it. */
export const DEFAULT_SLOT = 'default'

const text = z.string('is no text').check(z.minLength(1, 'is empty'))

/** Names that the runtime or the connection sets. */
const RESERVED =
  /^(?:host|content-length|connection|transfer-encoding|upgrade|te|trailer|keep-alive)$/i

const headerName = text.check(
  z.regex(/^[\w-]+$/, 'is no header name'),
  z.refine((name) => !RESERVED.test(name), 'is not a header that can be set'),
)

/** What is said of a table that is none, or has a field that there is not. */
const isTableOf = {
  error: (issue: { code: string; keys?: string[] }) =>
    issue.code === 'unrecognized_keys'
      ? `has an unknown field ${String(issue.keys)}`
      : 'is no table',
}

const status = z
  .int('must be a status from 400 to 499')
  .check(
    z.minimum(400, 'must be a status from 400 to 499'),
    z.maximum(499, 'must be a status from 400 to 499'),
  )

/**
 * An answer by which a provider says, beyond doubt, that a key is bad: the status, and a word that
 * the body holds besides, where the status alone can mean something else.
 */
const refusal = z.strictObject({ status, word: z.optional(text) }, isTableOf)

const PROBE = 'must be a path, such as /v1/models, or an https: URL'

const provider = z.strictObject(
  {
    label: text,
    /** Where a key of this provider may be sent, and nowhere else. */
    origin: text.check(
      z.refine(isConfidentialOrigin, 'must be an https: origin; http: is for localhost alone'),
    ),
    /** The header that carries the key, and what stands before it there (RFC 9110 §11.4). */
    header: headerName,
    scheme: z.optional(text.check(z.regex(/^[\w-]+$/, 'is no scheme'))),
    /** Headers that a request gets where it lacks them. */
    headers: z.optional(
      z.record(headerName, text.check(z.regex(/^[ -~]+$/, 'is no header value'))),
    ),
    /** A query parameter that carries a key as well: a caller's own is dropped. */
    parameter: z.optional(text),
    /** A cheap read that a bad key does not get: a path, or a URL where another host answers it. */
    probe: z.string(PROBE).check(z.refine(isProbe, PROBE)),
    /** None: this provider never says it beyond doubt. */
    refusals: z.array(refusal, 'must be a list, such as [{ status = 401 }]'),
    /** Where a user gets a key. */
    key_page: z.optional(text.check(z.regex(/^https:\/\//, 'must be an https: URL'))),
    /** What its keys begin with, by which a page names a key that was meant for another provider. */
    key_prefixes: z.optional(z.array(text, 'must be a list, such as ["sk-"]')),
  },
  isTableOf,
)

/** A provider, built in or of `PROVIDERS`. */
export type Provider = z.output<typeof provider>

const NAME = /^[a-z][a-z0-9-]{0,39}$/

const added = z
  .record(z.string(), provider, 'is no table of providers')
  .check(
    z.refine(
      (table) => Object.keys(table).every((name) => NAME.test(name) && name !== DEFAULT_SLOT),
      'has a name that is none: lower-case letters, digits and hyphens, and not "default"',
    ),
  )

/** `PROVIDERS`: a table, or its JSON. A built-in one is replaced field by field. */
export const providers = z.pipe(
  z.pipe(z.transform(addToBuiltIn), added),
  z.transform((table): ReadonlyMap<string, Provider> => new Map(Object.entries(table))),
)

function addToBuiltIn(table: unknown): unknown {
  const given = typeof table === 'string' ? parseTable(table) : (table ?? {})
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return null
  const fields = Object.entries(given).map(([name, value]: [string, unknown]) => {
    const known = Object.hasOwn(BUILT_IN, name) ? BUILT_IN[name] : undefined
    return [name, isTable(value) ? { ...known, ...value } : value]
  })
  return { ...BUILT_IN, ...Object.fromEntries(fields) }
}

function parseTable(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return null
  }
}

function isTable(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isProbe(probe: string): boolean {
  const base = 'https://provider.test'
  const isPath = probe.startsWith('/') && URL.parse(probe, base)?.origin === base
  return isPath || isConfidentialUrl(probe)
}

function isConfidentialOrigin(origin: string): boolean {
  return isConfidentialUrl(origin) && URL.parse(origin)?.origin === origin
}
