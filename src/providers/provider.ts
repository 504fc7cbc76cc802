/** The description of a provider: where its keys go, how they are sent, and which answers refuse a key. */

import * as z from 'zod/mini'
import { isConfidentialUrl } from '../shared/confidential-url.ts'
import { isTableOf, tableOf } from '../shared/variable.ts'
import { answerPattern, refusalPattern } from './answer-pattern.ts'
import { isReserved, matchesCredential, neverPasses } from './header-names.ts'

const text = z.string('must be a string').check(z.refine((given) => given !== '', 'is empty'))

const headerName = text.check(
  z.regex(/^[\w-]+$/, 'is not a header name'),
  z.refine((name) => !isReserved(name), 'is not a header that can be set'),
)

const headerPattern = text.check(
  z.regex(/^[\w-]+\*?$/, 'must be a header name, or the beginning of one followed by *'),
)

const requestPattern = headerPattern.check(
  z.refine((pattern) => !isReserved(pattern), 'is not a header that can be set'),
  z.refine(
    (pattern) => !matchesCredential(pattern),
    'would let the credentials or the user id of a caller pass',
  ),
)

const responsePattern = headerPattern.check(
  z.refine(
    (pattern) => !neverPasses(pattern.toLowerCase()),
    'would let a header pass that a browser applies to the vault',
  ),
)

/** A host with an optional port, or `*.` and a domain of at least two labels. */
const HOST = /^(?:\*\.(?=[^.:]+\.))?[a-z0-9-]+(?:\.[a-z0-9-]+)*(?::\d{1,5})?$/

const scheme = text.check(z.regex(/^[\w-]+$/, 'is not a scheme'))

/** A part of a provider's paths that takes the key in another header. */
const path = z.strictObject(
  {
    /** The path itself, and what is below it. */
    prefix: text.check(
      z.refine(isPathPrefix, 'is not the beginning of a path, such as /v1/openai/'),
    ),
    header: headerName,
    scheme: z.optional(scheme),
  },
  isTableOf,
)

const page = text.check(z.regex(/^https:\/\//, 'must be an https: URL'))

const PROBE = 'must be a path, such as /v1/models, or an https: URL'

/** By the beginning of a path: the fields of JSON answers there, such as `data.next_url`. Lists are passed through. */
const urlFields = tableOf(
  z.array(
    z.string('must be a string').check(z.regex(/^[^.]+(?:\.[^.]+)*$/, 'is not a field')),
    'must be a list, such as ["data.next_url"]',
  ),
  'must be a table, such as { "/v1/batches" = ["results_url"] }',
).check(
  z.refine(
    (entries) => Object.keys(entries).every((name) => name === '/' || isPathPrefix(name)),
    'has a name that is not the beginning of a path, such as /v1/batches',
  ),
)

const fields = z.strictObject(
  {
    label: text,
    /** The only origin that a key of this provider is sent to. */
    origin: z.optional(
      text.check(
        z.refine(isConfidentialOrigin, 'must be an https: origin; http: is only for localhost'),
      ),
    ),
    /** Used instead of `origin`: the allowed hosts of a user's base URL. `*.` stands for one label. */
    hosts: z.optional(
      z
        .array(
          text.check(z.refine(isHost, 'is not a host, such as api.example.com or *.example.com')),
          'must be a list, such as ["*.openai.azure.com"]',
        )
        .check(z.refine((list) => list.length > 0, 'is empty')),
    ),
    /** The header that carries the key, and the scheme before the key (RFC 9110 §11.4). */
    header: headerName,
    scheme: z.optional(scheme),
    /** Where parts of its paths take the key instead. The first one that fits counts. */
    paths: z.optional(z.array(path, 'must be a list of tables')),
    /**
     * The beginning of the WebSocket subprotocol in which a browser sends its credential, since it cannot set a header.
     * The provider takes a key there too.
     */
    subprotocol: z.optional(text.check(z.refine(isToken, 'is not the beginning of a subprotocol'))),
    /** Headers that are added to a request if it lacks them. One for credentials replaces the caller's. */
    headers: z.optional(
      tableOf(text.check(z.regex(/^[ -~]+$/, 'is not a header value')), 'must be a table').check(
        z.refine(
          (entries) => Object.keys(entries).every((name) => headerName.safeParse(name).success),
          'has a name that is not that of a header that can be set',
        ),
      ),
    ),
    /** A query parameter that can carry a key too. It is removed from a caller's request. */
    parameter: z.optional(text),
    /** More headers that a caller may send, as names or as `prefix-*`. */
    request_headers: z.optional(z.array(requestPattern, 'must be a list, such as ["acme-*"]')),
    /** More headers of an answer that pass the relay, as names or as `prefix-*`. */
    response_headers: z.optional(z.array(responsePattern, 'must be a list, such as ["acme-*"]')),
    /** The URLs in JSON answers that a client requests. The relay makes those of the provider lead through it. */
    url_fields: z.optional(urlFields),
    /**
     * A cheap read that needs a valid key: a path, or a URL on another host. Without a probe, keys are saved
     * unverified.
     */
    probe: z.optional(z.string(PROBE).check(z.refine(isProbe, PROBE))),
    /**
     * The answers that only bad keys get. Empty if no answer of this provider proves that a key is bad. One with the status
     * 200 counts only for the probe.
     */
    refusals: z.array(refusalPattern, 'must be a list, such as [{ status = 401 }]'),
    /**
     * The answers that say that the key's account has no credit left. An answer about one large request does not belong
     * here, and neither does one that ends by itself after some time.
     */
    exhausted: z.optional(z.array(answerPattern, 'must be a list, such as [{ status = 402 }]')),
    /** Whether the probe's answer shows if there is credit. A list of models does not. */
    probe_shows_credit: z.optional(z.boolean('must be true or false')),
    /** The page where a user gets a key. */
    key_page: z.optional(page),
    /** The page where a user adds credit. */
    billing_page: z.optional(page),
    /** The beginnings of its keys. The page uses them to notice a key of another provider. */
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
    'has hosts, so its probe must be a path',
  ),
  z.refine(
    ({ hosts, exhausted }) => hosts === undefined || exhausted === undefined,
    'has hosts, so exhausted must be left out: a user may own the server',
  ),
)

/** A provider, either built in or from `PROVIDERS`. */
export type Provider = z.output<typeof provider>

/** What {@link atPath} has made of each provider, by the prefix. What is known of a provider is kept with the object. */
const atPrefix = new WeakMap<Provider, Map<string, Provider>>()

/** The provider with the header and the scheme of this path of a URL as its own. `paths` then has the others. */
export function atPath(described: Provider, pathname: string): Provider {
  const place = described.paths?.find(({ prefix }) => isBelow(pathname, prefix))
  if (place === undefined) return described
  const made = atPrefix.get(described) ?? new Map<string, Provider>()
  atPrefix.set(described, made)
  const known = made.get(place.prefix) ?? atPlace(described, place)
  made.set(place.prefix, known)
  return known
}

function atPlace(described: Provider, place: z.output<typeof path>): Provider {
  const { header, scheme: before, paths = [] } = described
  const others = [...paths, { prefix: '/', header, scheme: before }]
  return { ...described, header: place.header, scheme: place.scheme, paths: others }
}

/** Each place where requests to the provider may have a key, its own first. */
export function keyPlaces({ header, scheme: own, paths = [] }: Provider) {
  return [{ header, scheme: own }, ...paths]
}

/** Decodes what means the same without percent-encoding (RFC 3986 §6.2.2.2). Parsing the URL has removed each `..`. */
function decodeUnreserved(pathname: string): string {
  return pathname.replaceAll(/%[2-7][\dA-F]/gi, (encoded) => {
    const character = String.fromCharCode(Number.parseInt(encoded.slice(1), 16))
    return /[\w.~-]/.test(character) ? character : encoded
  })
}

/** Whether `pathname` is `prefix`, or below it. */
export function isBelow(pathname: string, prefix: string): boolean {
  const asked = decodeUnreserved(pathname)
  return asked === prefix || asked.startsWith(prefix.endsWith('/') ? prefix : `${prefix}/`)
}

/** Whether the prefix is written as in the path of a URL: both are compared as text. No segment begins with a dot. */
function isPathPrefix(prefix: string): boolean {
  return /^(?:\/[\w~:@-][\w.~:@-]*)+\/?$/.test(prefix)
}

/** RFC 9110 §5.6.2. A subprotocol is one (RFC 6455 §4.1). */
export function isToken(name: string): boolean {
  return /^[\w!#$%&'*+.^`|~-]+$/.test(name)
}

function isProbe(probe: string): boolean {
  const base = 'https://provider.test'
  const isPath = probe.startsWith('/') && URL.parse(probe, base)?.origin === base
  return isPath || isConfidentialUrl(probe)
}

/** Whether the host is written as in a URL: both are compared as text. */
function isHost(host: string): boolean {
  const example = host.replace('*', 'any')
  return HOST.test(host) && URL.parse(`https://${example}`)?.host === example
}

function isConfidentialOrigin(origin: string): boolean {
  return isConfidentialUrl(origin) && URL.parse(origin)?.origin === origin
}
