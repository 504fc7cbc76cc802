/** The headers of a relayed answer. None can change how a browser treats the vault, or lead a client away with its token. */

import { callersUrl, type Passage } from '../providers/base-url.ts'
import { headerMatcher, neverPasses } from '../providers/header-names.ts'
import type { Provider } from '../providers/provider.ts'
import { SECURITY_HEADERS } from '../security-headers.ts'
import { CONDITION_HEADER, ERROR_HEADER, KEY_HEADER, SLOT_HEADER } from '../shared/vault-headers.ts'

/** Their value is one URL, which may be relative (RFC 9110 §10.2.2 and §8.7, and Azure's long-running operations). */
const REFERENCE = /^(?:(?:content-|operation-)?location|azure-asyncoperation)$/

/**
 * What passes from every provider: on the representation, its ranges and conditions, and when to try again. The SDKs of
 * OpenAI, Anthropic and Google, and the AI SDK, read `retry-after-ms`.
 */
const PASSING =
  /^(?:x-.*|accept-ranges|content-(?:disposition|encoding|language|length|range|type)|etag|last-modified|link|retry-after(?:-ms)?|vary)$/

/** A part of a Link header (RFC 8288 §3). A comma in a URL or in quotes does not end it. */
const LINK = /(?:<[^<>]*>|"[^"]*"|[^,])+/g

/**
 * A URL in a text: with its scheme, or from the two slashes on. `https:host` and `\\host` are URLs to a browser too, and a
 * host may begin with any character, such as a quotation mark.
 */
const URLS =
  /(?<![a-z])(?:https?|wss?):\S[^\s"'(),;<>|]*|(?<=^|[^!-~]|["'(,;<=[`{|])[/\\]{2}\S[^\s"'(),;<>|]*/gi

/** Every URL has one of these. */
const MAY_LEAD = /[:/\\]/

/** A second URL in the first one, after a character that does not end that. */
const NESTED = /.(?:https?|wss?):|[=[`{][/\\]{2}/i

/** A longer Link header moves as it is. */
const MAX_LINK_LENGTH = 8_192

/** A provider's document must not run as one of the vault's. */
const OWN = Object.entries({
  ...SECURITY_HEADERS,
  'Cache-Control': 'no-store',
  'Content-Security-Policy': `sandbox; ${SECURITY_HEADERS['Content-Security-Policy']}`,
})

/** What the vault needs to know in addition to the provider's headers. */
interface Context {
  provider: Provider
  status: number
  /** The origin of the page that called, if it may call. */
  allowedOrigin: string | null
  requestId: string
  passage: Passage
}

/**
 * The vault's own headers, whose values are kept: a provider's header with a URL could move to one of these names. Only a
 * refusal of the vault has the first.
 */
const OF_THE_USE = [ERROR_HEADER, KEY_HEADER, SLOT_HEADER, CONDITION_HEADER]

/**
 * Leaves the headers that pass, and adds the vault's own. A URL that leads elsewhere moves to `X-Vault-` and the header's
 * name.
 */
export function relayHeaders(headers: Headers, context: Context): void {
  const { allowedOrigin, requestId, passage } = context
  const ofTheUse = OF_THE_USE.map((name) => [name, headers.get(name)] as const)
  const received = Array.from(headers)
  const passing = received.filter(([name]) => passes(name, context))
  if (passing.length < received.length) {
    const names = new Set(passing.map(([name]) => name))
    for (const [name] of received) if (!names.has(name)) headers.delete(name)
  }
  for (const [name, value] of passing) {
    const { kept, moved } = leadHome(name, value, passage)
    if (kept === null) headers.delete(name)
    else if (kept !== value) headers.set(name, kept)
    if (moved !== null) headers.append(`X-Vault-${name}`, moved)
  }
  for (const [name, own] of ofTheUse) {
    if (own === null) headers.delete(name)
    else headers.set(name, own)
  }
  for (const [name, value] of OWN) headers.set(name, value)
  headers.append('Vary', 'Origin')
  if (allowedOrigin !== null) {
    headers.set('Access-Control-Allow-Origin', allowedOrigin)
    headers.set('Access-Control-Allow-Credentials', 'true')
  }
  headers.set('X-Vault-Request-Id', requestId)
  // With credentials, a browser takes `*` for the name of a header: https://fetch.spec.whatwg.org/#cors-protocol-and-credentials
  if (allowedOrigin !== null)
    headers.set('Access-Control-Expose-Headers', [...headers.keys()].join())
}

function passes(name: string, { provider, status }: Context): boolean {
  if (name === 'sec-websocket-protocol') return status === 101
  const isKnown = PASSING.test(name) || REFERENCE.test(name)
  return (isKnown || isOwn(provider, name)) && !neverPasses(name)
}

const matchers = new WeakMap<readonly string[], (name: string) => boolean>()

/** Whether the provider's description lets the header of its answers pass. */
function isOwn({ response_headers: patterns }: Provider, name: string): boolean {
  if (patterns === undefined) return false
  const matches = matchers.get(patterns) ?? headerMatcher(patterns)
  matchers.set(patterns, matches)
  return matches(name)
}

/** A header's value with URLs that lead through the relay, and what would lead elsewhere. Null stands for nothing. */
interface Led {
  kept: string | null
  moved: string | null
}

function leadHome(name: string, value: string, passage: Passage): Led {
  if (REFERENCE.test(name)) return leadReference(value, passage)
  if (name === 'link') return leadLinks(value, passage)
  const kept = relayText(value, passage)
  return { kept, moved: kept === null ? value : null }
}

function leadReference(reference: string, passage: Passage): Led {
  const kept = relayUrl(reference, passage)
  return { kept, moved: kept === null ? completeUrl(reference, passage) : null }
}

/** A Link header may have several targets, and some may lead elsewhere. */
function leadLinks(value: string, passage: Passage): Led {
  if (value.length > MAX_LINK_LENGTH) return { kept: null, moved: value }
  const kept: string[] = []
  const moved: string[] = []
  for (const link of value.match(LINK) ?? []) {
    const [, target, parameters = ''] = /^\s*<([^<>]*)>(.*)$/.exec(link) ?? []
    if (target === undefined) {
      moved.push(link.trim())
      continue
    }
    const to = relayUrl(target, passage)
    const rest = relayText(parameters, passage)
    if (to !== null && rest !== null) kept.push(`<${to}>${rest}`)
    else moved.push(`<${completeUrl(target, passage)}>${parameters}`)
  }
  return { kept: joinLinks(kept), moved: joinLinks(moved) }
}

function joinLinks(links: string[]): string | null {
  return links.length === 0 ? null : links.join(', ')
}

/** The address on the vault that a reference has; null if it leads elsewhere. A relative one becomes a path. */
export function relayUrl(reference: string, passage: Passage): string | null {
  const there = callersUrl(reference, passage)
  if (there === null || URL.canParse(reference)) return there
  return there.slice(new URL(passage.root).origin.length)
}

/** A reference that leads elsewhere, complete: nobody takes it for a path on the vault. */
export function completeUrl(reference: string, { target }: Passage): string {
  return (URL.canParse(reference) ? null : URL.parse(reference, target)?.href) ?? reference
}

/** The text with each URL replaced by its address on the vault. Returns null if one of them leads elsewhere. */
export function relayText(text: string, passage: Passage): string | null {
  if (!MAY_LEAD.test(text)) return text
  let isChanged = false
  let leadsElsewhere = false
  // URL parsers ignore these characters, so `ht\ttps://host` is a URL.
  const relayed = text.replaceAll(/[\t\n\r]/g, '').replaceAll(URLS, (url) => {
    const there = leadsElsewhere || NESTED.test(url) ? null : relayUrl(url, passage)
    isChanged = true
    leadsElsewhere = there === null
    return there ?? url
  })
  if (leadsElsewhere) return null
  return isChanged ? relayed : text
}
