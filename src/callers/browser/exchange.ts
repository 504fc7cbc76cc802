/** One request to the vault, and its answer. A 401 is tried once more with a new token; any other failure is a Problem. */

import { MAX_LABEL } from '../../shared/label.ts'
import type { AnswerOf, BodyOf, BrowserOperation, MethodOf, PathOf } from '../../shared/routes.ts'
import { splitSlot } from '../../shared/slot.ts'
import type { GetToken } from './get-token.ts'
import { Problem, readProblem, type ProblemCode } from './problem.ts'

/** A user or a team, and the vault with their keys. */
export interface Access {
  baseUrl: string
  /** As paths name them. */
  kind: 'users' | 'teams'
  id: string
  getToken: GetToken
}

/** What a request needs, and what ends it. */
export interface Call {
  access: Access
  signal: AbortSignal
}

/** The path of an operation after the user or the team, with the name of a slot in it, and its query. */
export type PathTo<Id extends BrowserOperation> =
  PathOf<Id> extends `/api/${string}/:${'userId' | 'teamId'}${infer Path}`
    ? `${Named<Path>}${'' | `?${string}`}`
    : never

type Named<Path extends string> = Path extends `${infer Start}:provider${infer End}`
  ? `${Start}${string}${End}`
  : Path

/** What is sent. */
export interface Sent<Id extends BrowserOperation> {
  method: Uppercase<MethodOf<Id>>
  body?: BodyOf<Id>
  /** The entity tag that the slot must still have. Null: it must be empty. Undefined: whatever is in it. */
  etag?: string | null | undefined
}

/** A slot, by its name such as `openai`, or `openai:work` with a label. */
export interface NamedSlot {
  name: string
  /** How keys begin that could be in the label by mistake. */
  keyPrefixes: readonly string[]
}

/** The path of a slot. It never has a key, since paths are logged: a label that looks like one is refused here. */
export function pathOf({ name, keyPrefixes }: NamedSlot) {
  const { label } = splitSlot(name)
  const isKey = keyPrefixes.some((prefix) =>
    // A label may be pasted with a quote or white space before it.
    label?.replace(/^["'\s\u200B]+/, '').startsWith(prefix),
  )
  if (isKey || Array.from(label ?? '').length > MAX_LABEL) throw new Problem('label_invalid')
  return `/api-keys/${encodeURIComponent(name)}` as const
}

/** Returns the body of a 200. `path` begins after the user or the team. */
export async function request<Id extends BrowserOperation>(
  call: Call,
  path: PathTo<Id>,
  sent: Sent<Id>,
): Promise<AnswerOf<Id>> {
  const response = await send<Id>(call, path, sent)
  return response.json().catch(() => {
    throw new Problem(call.signal.aborted ? 'no_answer' : 'not_an_answer')
  })
}

/** Returns the lines of a 200 in NDJSON. */
export async function requestLines<Id extends BrowserOperation>(
  call: Call,
  path: PathTo<Id>,
  sent: Sent<Id>,
): Promise<string> {
  const response = await send<Id>(call, path, sent)
  const text = await response.text().catch(() => {
    throw new Problem(nameSilence(call.signal))
  })
  // Each line has an end. A proxy may cut the last one off.
  if (/^[^{]|[^\n]$/.test(text)) throw new Problem('not_an_answer')
  return text
}

/** Returns a 200. */
async function send<Id extends BrowserOperation>(
  { access, signal }: Call,
  path: PathTo<Id>,
  { method, body, etag }: Sent<Id>,
): Promise<Response> {
  const { baseUrl, kind, id, getToken } = access
  const url = `${baseUrl.replace(/\/$/, '')}/api/${kind}/${encodeURIComponent(id)}${path}`
  const type = body && { 'Content-Type': 'application/json' }
  const seen = etag === null ? { 'If-None-Match': '*' } : etag && { 'If-Match': etag }
  const ask = async (refused?: Response): Promise<Response> => {
    const token = await takeToken(getToken, refused !== undefined)
    if (token === null) {
      const code = nameSilence(signal, 'token_missing')
      // The application has no second token.
      if (refused && code === 'token_missing') return refused
      throw new Problem(code)
    }
    return fetch(url, {
      method,
      headers: { ...type, ...seen, Authorization: `Bearer ${token}` },
      body: body ? JSON.stringify(body) : null,
      signal,
      // Only the token says who asks. A redirect would pass on the token, or a key.
      credentials: 'omit',
      redirect: 'error',
      cache: 'no-store',
    }).catch(() => {
      throw new Problem(nameSilence(signal))
    })
  }
  const first = await ask()
  const response = first.status === 401 ? await ask(first) : first
  if (!response.ok) throw await readProblem(response)
  return response
}

/** Null if the application throws. */
async function takeToken(getToken: GetToken, refresh: boolean): Promise<string | null> {
  try {
    return await getToken({ refresh })
  } catch (error) {
    // For whoever builds the application. Its cause is left out: it may hold a token.
    console.error(String(error))
    return null
  }
}

/** The code for a request that got no answer, or only a part of it. */
export function nameSilence(
  signal: AbortSignal,
  otherwise: ProblemCode = 'unreachable',
): ProblemCode {
  if (signal.aborted) return 'no_answer'
  // Node.js does not say whether it is online.
  const { onLine }: Partial<Navigator> = globalThis.navigator ?? {}
  return (onLine ?? true) ? otherwise : 'offline'
}
