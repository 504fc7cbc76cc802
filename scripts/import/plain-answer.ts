/** Reads the answers of a vault, and recognizes those of other servers. */

import { CODES, type ErrorCode } from '../../src/shared/error-code.ts'
import { isJsonObject, parseJson } from '../../src/shared/json.ts'

/** An answer as it came. */
export interface RawAnswer {
  status: number
  body: Record<string, unknown> | null
  /** Null if it is not a refusal of a vault. */
  code: ErrorCode | null
  /** In seconds; null if the answer does not say it. */
  retryAfter: number | null
}

export async function readAnswer(response: Response): Promise<RawAnswer> {
  const parsed = parseJson(await response.text())
  const body = isJsonObject(parsed) ? parsed : null
  const after = Number(response.headers.get('Retry-After') ?? Number.NaN)
  const retryAfter = Number.isFinite(after) && after >= 0 ? after : null
  return { status: response.status, body, code: readCode(response.status, body), retryAfter }
}

function readCode(status: number, body: RawAnswer['body']): ErrorCode | null {
  const code = body?.['code']
  return isCode(code) && CODES[code].status === status ? code : null
}

function isCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(CODES, code)
}

const FRESH = 'Put a fresh one into the token file, and run the import again.'
const NEEDS = `It must have a client of MANAGE_CLIENTS, and the scope of MANAGE_SCOPE for what it does, such as vault:save.
--add-users needs vault:users too.`

/**
 * The body of a 200, or the code of a refusal of this request.
 *
 * @throws Error if no other request can succeed either: the URL is not a vault's, or the token is refused. It shows nothing
 * of the body but why the token is refused.
 */
export function requireAnswer(
  raw: RawAnswer,
  url: string,
): { body: Record<string, unknown> } | { code: ErrorCode } {
  const { status, code, body } = raw
  // Each body of a vault has the user, after a change or a look.
  if (status === 200 && typeof body?.['user_id'] === 'string') return { body }
  if (status >= 300 && status < 400) {
    throw new Error(`${url} leads to another URL (${status}). If that one is the vault's, give it.`)
  }
  if (code === null) {
    throw new Error(`${url} answered ${status}, but not as a vault does. Is --url right?`)
  }
  if (code === 'not_found' || code === 'method_not_allowed') {
    throw new Error(`${url} has no such route. Are MANAGE_CLIENTS and MANAGE_SCOPE set there?`)
  }
  if (code === 'token_expired') throw new Error(`The token has expired. ${FRESH}`)
  if (status === 401 || status === 403) {
    const detail = typeof body?.['detail'] === 'string' ? ` ${body['detail']}` : ''
    throw new Error(`The vault refused the token (${code}).${detail}\n${NEEDS}`)
  }
  return { code }
}

/** A status, with its code if it is a vault's. */
export function nameStatus({ status, code }: Pick<RawAnswer, 'status' | 'code'>): string {
  return code === null ? String(status) : `${status} ${code}`
}

/** Why no answer came. The message of `fetch` only says that it failed. */
export function nameFault(error: unknown): string {
  const cause = error instanceof TypeError ? error.cause : error
  if (!(cause instanceof Error)) return 'no answer'
  return 'code' in cause ? String(cause.code) : cause.message
}
