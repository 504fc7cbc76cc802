/** The body of a PUT. Its errors say exactly what is wrong, and quote no character of the key. */

import type { HonoRequest } from 'hono'
import { createMiddleware } from 'hono/factory'
import * as z from 'zod/mini'
import { VaultError } from '../errors.ts'
import type { ErrorCode } from '../shared/error-code.ts'
import { isJsonObject } from '../shared/json.ts'
import { nameKeyFault } from '../shared/key-text.ts'

const MAX_BODY_BYTES = 16 * 1024

const apiKey = z
  .string({ error: ({ input }) => `api_key is ${nameType(input)}, not a string.` })
  .check(z.trim(), ({ value, issues }) => {
    const message = nameKeyFault(value, 'api_key')
    if (message !== null) issues.push({ code: 'custom', message, input: value })
  })

const FUTURE = 'expires_at must be a time in the future, such as 2027-01-31T12:00:00Z, or null.'

/** ISO 8601 with a time zone, as UTC in milliseconds. */
const expiresAt = z
  .pipe(
    z.iso.datetime({ offset: true, error: FUTURE }),
    z.transform((text) => new Date(text).toISOString()),
  )
  .check(z.refine((text) => Date.parse(text) > Date.now(), FUTURE))

export const keyBody = z.object({ api_key: apiKey, expires_at: z.nullish(expiresAt) })

export const slotBody = z.object({
  api_key: apiKey,
  expires_at: z.nullish(expiresAt),
  base_url: z.optional(
    z.string({ error: ({ input }) => `base_url is ${nameType(input)}, not a string.` }),
  ),
})

/**
 * Requires the JSON body `{"api_key": <a key>}`, and trims the key. A body over 16 KiB is a 413, any
 * other fault is a 400.
 */
export const requireKey = requireBody<KeyBody>(keyBody)

/** Like {@link requireKey}, with an optional `base_url` beside the key. */
export const requireSlotKey = requireBody<SlotBody>(slotBody)

/** The type of `c.req.valid('json')`. Hono's typed client uses it too. */
interface KeyBody {
  api_key: string
  /** ISO 8601 with a time zone; it is UTC when it has been read. */
  expires_at?: string | null | undefined
}

interface SlotBody extends KeyBody {
  base_url?: string | undefined
}

function requireBody<Body extends KeyBody>(schema: z.ZodMiniType<Body>) {
  type Input = { in: { json: Body }; out: { json: Body } }
  return createMiddleware<object, string, Input>(async (c, next) => {
    const text = await readBody(c.req)
    if (text === '') throw refuseBody(undefined)
    requireJson(c.req.header('Content-Type'))
    const body = parseJson(text)
    const parsed = schema.safeParse(body)
    if (!parsed.success) throw refuseBody(body, parsed.error.issues[0])
    c.req.addValidatedData('json', parsed.data)
    await next()
  })
}

/** @throws VaultError `content_type_not_json` */
function requireJson(contentType = ''): void {
  const mediaType = contentType.split(';')[0]?.trim() ?? ''
  if (/^application\/([\w.-]+\+)?json$/i.test(mediaType)) return
  const detail = `${nameMediaType(mediaType)}; send Content-Type: application/json.`
  throw new VaultError('content_type_not_json', { detail })
}

/**
 * The body as text. It counts the bytes, since a caller over a binding can send any Content-Length.
 *
 * @throws VaultError `body_too_large`, or `invalid_json` if the body ends early
 */
async function readBody(request: HonoRequest): Promise<string> {
  // If another app's middleware has read the body, Hono still has it.
  if (request.raw.bodyUsed) return requireSize(await request.text())
  const length = request.header('Content-Length')
  if (Number(length) > MAX_BODY_BYTES) throw tooLarge()
  const declared = length === undefined ? Infinity : Number(length)
  const reader = request.raw.body?.getReader()
  if (reader === undefined) return ''
  try {
    return await readText(reader, declared)
  } catch (error) {
    if (error instanceof VaultError) throw error
    throw new VaultError('invalid_json', { detail: 'The body is incomplete.' })
  }
}

/** Reads the whole body. It stops after as many bytes as are declared: to look for more costs a turn of the event loop. */
async function readText(reader: ReadableStreamDefaultReader<Uint8Array>, declared: number) {
  const decoder = new TextDecoder()
  let [text, bytes] = ['', 0]
  do {
    // oxlint-disable-next-line no-await-in-loop -- one chunk after the other
    const { done, value } = await reader.read()
    if (done) break
    bytes += value.byteLength
    if (bytes > MAX_BODY_BYTES) throw tooLarge()
    text += decoder.decode(value, { stream: true })
  } while (bytes !== declared)
  return text + decoder.decode()
}

function requireSize(text: string): string {
  if (new TextEncoder().encode(text).length > MAX_BODY_BYTES) throw tooLarge()
  return text
}

function tooLarge(): VaultError {
  return new VaultError('body_too_large', { detail: `The limit is ${MAX_BODY_BYTES} bytes.` })
}

/** Drops the error of JSON.parse, which quotes the body. @throws VaultError `invalid_json` */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new VaultError('invalid_json', { detail: nameSyntaxFault(text) })
  }
}

/** The code of a fault in another field than `api_key`. */
const CODES: Partial<Record<string, ErrorCode>> = {
  base_url: 'base_url_invalid',
  expires_at: 'expires_at_invalid',
}

function refuseBody(body: unknown, issue?: z.core.$ZodIssue): VaultError {
  if (isJsonObject(body) && Object.hasOwn(body, 'api_key')) {
    const code = CODES[String(issue?.path[0])] ?? 'api_key_invalid'
    return new VaultError(code, issue === undefined ? {} : { detail: issue.message })
  }
  const came = isJsonObject(body) ? nameFields(Object.keys(body)) : `The body is ${nameType(body)}.`
  return new VaultError('api_key_missing', { detail: `${came} Send {"api_key": "…"}.` })
}

/** Whether an answer may repeat a name. One with a digit or a key's prefix may be a misplaced key. */
function isNamable(name: string): boolean {
  return /^[a-z/._+-]{1,40}$/i.test(name) && !/\b[a-z]k[-_]/i.test(name)
}

function nameMediaType(mediaType: string): string {
  if (mediaType === '') return 'The Content-Type is missing'
  return isNamable(mediaType)
    ? `The Content-Type is ${mediaType}`
    : 'The Content-Type is not supported'
}

function nameSyntaxFault(text: string): string {
  return text === '[object Object]'
    ? 'The body is the text of a JavaScript object: pass the object through JSON.stringify.'
    : 'The body is not JSON: check its quotes, commas and braces.'
}

function nameFields(fields: string[]): string {
  const named = fields.filter(isNamable).slice(0, 10)
  const others = fields.length - named.length
  const parts = named.map((field) => `"${field}"`)
  if (others > 0) parts.push(`${others} more`)
  return parts.length > 0 ? `Fields received: ${parts.join(', ')}.` : 'The body is {}.'
}

function nameType(value: unknown): string {
  if (value === undefined) return 'empty'
  if (value === null) return 'null'
  if (typeof value === 'string') return 'a string'
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}
