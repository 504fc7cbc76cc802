/** Where a provider's URLs lead on the vault: those below the provider lead through the relay, and others nowhere. */

import { moveUrl } from '../providers/base-url.ts'

/** A place at the provider, and the same place on the vault. */
export interface Passage {
  /** The provider's origin, or the user's base URL. It has no slash at its end. */
  base: string
  /** The URL that was asked, below `base`. A relative reference begins there. */
  target: string
  /** What `base` is for the client: `https://vault.example.com/relay/openai`. */
  root: string
}

/**
 * A URL in a text: with its scheme, or from the two slashes on. `https:host` and `\\host` are URLs to a browser too, and a
 * host may begin with any character, such as a quotation mark.
 */
const URLS =
  /(?<![a-z])(?:https?|wss?):\S[^\s"'(),;<>|]*|(?<=^|[^!-~]|["'(,;<=[`{|])[/\\]{2}\S[^\s"'(),;<>|]*/gi

/** A second URL in the first one. */
const NESTED = /.(?:https?|wss?):/i

/**
 * The address on the vault that `reference` has, which is a URL at the provider or relative to the request's. A
 * relative one becomes a path. Returns null for everything that is not below the provider.
 */
export function relayUrl(reference: string, { base, target, root }: Passage): string | null {
  // Alone first: `https:host` is a URL, but after a base it would be a path.
  const whole = URL.parse(reference)
  const to = whole ?? URL.parse(reference, target)
  if (to === null) return null
  if (/^wss?:$/.test(to.protocol)) return moveUrl(to, toSocket(base), toSocket(root))
  const there = moveUrl(to, base, root)
  return whole === null ? (there?.slice(new URL(root).origin.length) ?? null) : there
}

/** The same address for WebSockets. */
function toSocket(url: string): string {
  return url.replace(/^http/, 'ws')
}

/** A reference that leads elsewhere, complete: nobody takes it for a path on the vault. */
export function completeUrl(reference: string, { target }: Passage): string {
  return (URL.canParse(reference) ? null : URL.parse(reference, target)?.href) ?? reference
}

/** The text with each URL replaced by its address on the vault. Returns null if one of them leads elsewhere. */
export function relayText(text: string, passage: Passage): string | null {
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
