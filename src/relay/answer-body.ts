/** The bodies of relayed answers: the URLs that a client requests next lead through the relay. */

import { askedPath, callersUrl, type Passage } from '../providers/base-url.ts'
import { dropByteHeaders, readStart } from '../providers/error-body.ts'
import { isBelow, type Provider } from '../providers/provider.ts'

/** A longer JSON answer passes as it is. In bytes. */
const MAX_LENGTH = 1024 * 1024

/** A string with the colon after it if it is a name, or the end of an object or a list (RFC 8259 §2). */
const TOKEN = /("[^"\\]*(?:\\.[^"\\]*)*")(\s*:)?|[{}[\]]/g

/** The answer, with the URLs in the provider's `url_fields` replaced. If there are none, the answer streams. */
export async function relayBody(
  answer: Response,
  provider: Provider,
  passage: Passage,
): Promise<Response> {
  const fields = urlFields(provider, passage)
  const { status, headers, body } = answer
  // SDKs also parse `text/json`, and a type that was sent twice.
  const isJson = /[/+]json\s*(?:[,;]|$)/i.test(headers.get('Content-Type') ?? '')
  const isPart = status === 206
  if (fields.length === 0 || body === null || !isJson || isPart || isLong(headers)) return answer
  const [kept, read] = body.tee()
  const json = await readJson(read)
  const relayed = json === null ? null : relayUrls(json, fields, passage)
  if (relayed === null || relayed === json) return new Response(kept, { status, headers })
  await kept.cancel()
  const others = new Headers(headers)
  dropByteHeaders(others)
  return new Response(relayed, { status, headers: others })
}

/** The fields of answers to the path that was asked. Many servers take several slashes for one. */
function urlFields({ url_fields = {} }: Provider, passage: Passage): string[] {
  const path = askedPath(passage).replaceAll(/\/{2,}/g, '/')
  return Object.entries(url_fields).flatMap(([prefix, fields]) =>
    isBelow(path, prefix) ? fields : [],
  )
}

function isLong(headers: Headers): boolean {
  return Number(headers.get('Content-Length') ?? 0) > MAX_LENGTH
}

/** Null if the body is too long or too slow, if it breaks off, or if it is not JSON. */
async function readJson(body: ReadableStream<Uint8Array>): Promise<string | null> {
  const { bytes, isCut } = await readStart(body, MAX_LENGTH)
  if (isCut) return null
  try {
    // As clients read it: without a byte order mark, and with U+FFFD for bytes that are not UTF-8.
    const json = new TextDecoder().decode(bytes)
    JSON.parse(json)
    return json
  } catch {
    return null
  }
}

/**
 * Replaces the absolute URLs in `fields` that lead to the provider, in the text: every other byte stays, and with
 * it a number that JavaScript cannot hold.
 */
export function relayUrls(json: string, fields: readonly string[], passage: Passage): string {
  /** The path of the value that comes next; null if no field begins so. */
  let next: string | null = ''
  /** The paths of the open objects and lists, and of what they are in. */
  const open: (string | null)[] = []
  return json.replaceAll(TOKEN, (token: string, text: string | undefined, colon?: string) => {
    const inside = open.at(-1) ?? null
    if (text === undefined) {
      if (token === '{' || token === '[') open.push(next)
      else next = open.pop() ?? null
      return token
    }
    if (colon !== undefined) {
      next = inside === null ? null : follow(inside, String(JSON.parse(text)), fields)
      return token
    }
    if (next === null || !fields.includes(next)) return token
    const url = String(JSON.parse(text))
    const there = URL.canParse(url) ? callersUrl(url, passage) : null
    return there === null ? token : JSON.stringify(there)
  })
}

/** The path of a name in an object; null if no field begins so. */
function follow(path: string, name: string, fields: readonly string[]): string | null {
  const longer = path === '' ? name : `${path}.${name}`
  return fields.some((field) => `${field}.`.startsWith(`${longer}.`)) ? longer : null
}
