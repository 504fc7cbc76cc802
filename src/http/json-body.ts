/** Reads a JSON body. Its errors say exactly what is wrong, and quote nothing of the body. */

import type { HonoRequest } from 'hono'
import { VaultError } from '../errors.ts'
import { inTime } from '../shared/deadline.ts'

const MAX_BODY_BYTES = 16 * 1024
/** For the whole body. A client that sends it byte by byte gets no more time. */
const DEADLINE_S = 10

const decoder = new TextDecoder()

/**
 * The parsed body; undefined for an empty one.
 *
 * @throws VaultError `body_too_large`, `body_too_slow`, `content_type_not_json`, `invalid_json`
 */
export async function readJson(request: HonoRequest): Promise<unknown> {
  const text = await readBody(request)
  if (text === '') return undefined
  requireJson(request.header('Content-Type'))
  return parseJson(text)
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
 * @throws VaultError `body_too_large`, `body_too_slow`, or `invalid_json` if the body ends early
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
    return await inTime(readText(reader, declared), DEADLINE_S * 1_000, tooSlow)
  } catch (error) {
    // The rest is not needed. Cancelling fails for a body that broke off, and may never end for a stalled one.
    void reader.cancel(error).catch(() => null)
    if (error instanceof VaultError) throw error
    throw new VaultError('invalid_json', { detail: 'The body is incomplete.' })
  }
}

/**
 * Reads the whole body. It stops after the declared number of bytes, because looking for more costs a turn of the event
 * loop.
 */
async function readText(reader: ReadableStreamDefaultReader<Uint8Array>, declared: number) {
  const first = await reader.read()
  if (first.done) return ''
  if (first.value.byteLength > MAX_BODY_BYTES) throw tooLarge()
  // Most bodies come in one piece.
  if (first.value.byteLength === declared) return decoder.decode(first.value)
  return readRest(reader, first.value, declared)
}

async function readRest(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  first: Uint8Array,
  declared: number,
) {
  const parts = new TextDecoder()
  let [text, bytes] = [parts.decode(first, { stream: true }), first.byteLength]
  do {
    // oxlint-disable-next-line no-await-in-loop -- one chunk after the other
    const { done, value } = await reader.read()
    if (done) break
    bytes += value.byteLength
    if (bytes > MAX_BODY_BYTES) throw tooLarge()
    text += parts.decode(value, { stream: true })
  } while (bytes !== declared)
  return text + parts.decode()
}

function requireSize(text: string): string {
  if (new TextEncoder().encode(text).length > MAX_BODY_BYTES) throw tooLarge()
  return text
}

function tooLarge(): VaultError {
  return new VaultError('body_too_large', { detail: `The limit is ${MAX_BODY_BYTES} bytes.` })
}

function tooSlow(): VaultError {
  const detail = `The whole body must arrive within ${DEADLINE_S} seconds.`
  return new VaultError('body_too_slow', { detail })
}

/** Drops the error of JSON.parse, which quotes the body. @throws VaultError `invalid_json` */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new VaultError('invalid_json', { detail: nameSyntaxFault(text) })
  }
}

/** Whether an answer may repeat a name. One with a digit or a key's prefix may be a misplaced key. */
export function isNamable(name: string): boolean {
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

export function nameType(value: unknown): string {
  if (value === undefined) return 'empty'
  if (value === null) return 'null'
  if (typeof value === 'string') return 'a string'
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}
