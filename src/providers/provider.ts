/** What a provider is: where its keys may go, how they are sent, and which answers refuse one. */

import * as z from 'zod/mini'
import { isConfidentialUrl } from '../shared/confidential-url.ts'

const text = z.string('must be a string').check(z.minLength(1, 'is empty'))

/** Names that the runtime or the connection sets. */
const RESERVED =
  /^(?:host|content-length|connection|transfer-encoding|upgrade|te|trailer|keep-alive)$/i

const headerName = text.check(
  z.regex(/^[\w-]+$/, 'is not a header name'),
  z.refine((name) => !RESERVED.test(name), 'is not a header that can be set'),
)

/** Headers that carry a caller's own credentials. No pattern may match one. */
const CREDENTIALS = [
  'api-key',
  'authorization',
  'cookie',
  'ocp-apim-subscription-key',
  'proxy-authorization',
  'x-amz-security-token',
  'x-api-key',
  'x-auth-token',
  'x-goog-api-key',
]

const headerPattern = text.check(
  z.regex(/^[\w-]+\*?$/, 'is not a header name, or the beginning of one and *'),
  z.refine((pattern) => !RESERVED.test(pattern), 'is not a header that can be set'),
  z.refine(
    (pattern) => !CREDENTIALS.some((name) => matchesHeader(pattern, name)),
    'would let credentials of the caller pass',
  ),
)

/** The errors of a value that is not a table, or that has an unknown field. */
const isTableOf = {
  error: (issue: { code: string; keys?: string[] }) =>
    issue.code === 'unrecognized_keys'
      ? `has an unknown field ${String(issue.keys)}`
      : 'must be a table',
}

const status = z
  .int('must be a status from 400 to 499')
  .check(
    z.minimum(400, 'must be a status from 400 to 499'),
    z.maximum(499, 'must be a status from 400 to 499'),
  )

/**
 * An answer that a provider gives to bad keys only: the status, and a word in the body if the status
 * alone can mean something else.
 */
const refusal = z.strictObject({ status, word: z.optional(text) }, isTableOf)

/** A host, with its port if that is not 443, or `*.` and a domain of two labels or more. */
const HOST = /^(?:\*\.(?=[^.:]+\.))?[a-z0-9-]+(?:\.[a-z0-9-]+)*(?::\d{1,5})?$/

const PROBE = 'must be a path, such as /v1/models, or an https: URL'

const fields = z.strictObject(
  {
    label: text,
    /** The only place that a key of this provider is sent to. */
    origin: z.optional(
      text.check(
        z.refine(isConfidentialOrigin, 'must be an https: origin; http: is for localhost alone'),
      ),
    ),
    /** Instead of `origin`: the hosts on which a user's own base URL may be. `*.` stands for one label. */
    hosts: z.optional(
      z
        .array(
          text.check(z.refine(isHost, 'is not a host, such as api.example.com or *.example.com')),
          'must be a list, such as ["*.openai.azure.com"]',
        )
        .check(z.minLength(1, 'is empty')),
    ),
    /** The header that carries the key, and what stands before it there (RFC 9110 §11.4). */
    header: headerName,
    scheme: z.optional(text.check(z.regex(/^[\w-]+$/, 'is not a scheme'))),
    /** Headers that a request gets where it lacks them. */
    headers: z.optional(
      z.record(headerName, text.check(z.regex(/^[ -~]+$/, 'is not a header value'))),
    ),
    /** A query parameter that carries a key as well: a caller's own is dropped. */
    parameter: z.optional(text),
    /** What a caller may send besides the usual headers: names, or `prefix-*`. */
    request_headers: z.optional(z.array(headerPattern, 'must be a list, such as ["acme-*"]')),
    /**
     * A cheap read that a bad key does not get: a path, or a URL if another host answers it. Without it,
     * keys are saved unverified.
     */
    probe: z.optional(z.string(PROBE).check(z.refine(isProbe, PROBE))),
    /** Empty if no answer of this provider proves that a key is bad. */
    refusals: z.array(refusal, 'must be a list, such as [{ status = 401 }]'),
    /** Where a user gets a key. */
    key_page: z.optional(text.check(z.regex(/^https:\/\//, 'must be an https: URL'))),
    /** What its keys begin with, by which a page names a key that was meant for another provider. */
    key_prefixes: z.optional(z.array(text, 'must be a list, such as ["sk-"]')),
  },
  isTableOf,
)

/** A provider as configuration gives it. */
export const provider = fields.check(
  z.refine(
    ({ origin, hosts }) => (origin === undefined) !== (hosts === undefined),
    'must have either an origin or hosts',
  ),
  z.refine(
    ({ hosts, probe }) => hosts === undefined || probe?.startsWith('https:') !== true,
    'must have a path as its probe, since it has hosts',
  ),
)

/** A provider, built in or of `PROVIDERS`. */
export type Provider = z.output<typeof provider>

/** Whether `name`, in lower case, is the header `pattern`, or begins with what stands before its `*`. */
export function matchesHeader(pattern: string, name: string): boolean {
  const wanted = pattern.toLowerCase()
  return wanted.endsWith('*') ? name.startsWith(wanted.slice(0, -1)) : name === wanted
}

function isProbe(probe: string): boolean {
  const base = 'https://provider.test'
  const isPath = probe.startsWith('/') && URL.parse(probe, base)?.origin === base
  return isPath || isConfidentialUrl(probe)
}

/** As a URL has it: a base URL is compared with it as text. */
function isHost(host: string): boolean {
  const example = host.replace('*', 'any')
  return HOST.test(host) && URL.parse(`https://${example}`)?.host === example
}

function isConfidentialOrigin(origin: string): boolean {
  return isConfidentialUrl(origin) && URL.parse(origin)?.origin === origin
}
