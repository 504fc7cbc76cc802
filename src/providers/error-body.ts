/** Reads the body of an error of a provider, and hides the key in it. */

import { inTime } from '../shared/deadline.ts'
import { previewKey } from '../shared/key-text.ts'
import { keySearch } from './key-search.ts'

/** How long the vault waits for a body that it reads. */
export const READ_TIMEOUT_MS = 5_000
const MAX_BYTES = 256 * 1024

/** Types whose bodies are not text. A body may be text if its type is missing, unknown, or one of several. */
const NOT_TEXT =
  /^(?:(?:audio|font|image|video)\/(?!svg\b)[\w.+-]+|application\/(?:gzip|octet-stream|pdf|(?:x-)?protobuf|zip))\s*(?:;[^,]*)?$/i

/** The codings that the runtime decodes when it reads a body. It compares their names exactly. */
const DECODED = /^(?:identity|gzip|br)?$/

/** What describes the bytes of a body as they came (RFC 9110 §8, RFC 9530, RFC 9421). A 416 still needs its Content-Range. */
const OF_THE_BYTES = [
  'accept-ranges',
  'content-digest',
  'content-encoding',
  'content-length',
  'content-md5',
  'digest',
  'etag',
  'repr-digest',
  'signature',
  'signature-input',
]

/** A body as far as it came. */
export interface ReadBody {
  bytes: Uint8Array
  /** Whether the rest is missing. */
  isCut: boolean
}

/** Whether the vault reads this answer before it passes it on: a client error or a server error, in text or JSON. */
export function isErrorText({ status, body, headers }: Response): boolean {
  return status >= 400 && body !== null && !NOT_TEXT.test(headers.get('Content-Type') ?? '')
}

/** Reads the body of an error. It is empty if its coding is one that nobody asked for and the runtime does not decode. */
export async function readErrorBody({ body, headers }: Response): Promise<ReadBody> {
  if (body === null) return { bytes: new Uint8Array(), isCut: false }
  if (DECODED.test(headers.get('Content-Encoding') ?? '')) return readStart(body, MAX_BYTES)
  void body.cancel().catch(() => null)
  return { bytes: new Uint8Array(), isCut: true }
}

/**
 * Reads up to `max` bytes of a body within the time limit: otherwise a body that stalls, or is compressed and unpacks to
 * nothing, would be read for ever. It never throws. If the body breaks off, it returns what came before that.
 */
export async function readStart(body: ReadableStream<Uint8Array>, max: number): Promise<ReadBody> {
  const reader = body.getReader()
  const chunks: Uint8Array[] = []
  let isCut = true
  try {
    isCut = !(await inTime(readInto(chunks, reader, max), READ_TIMEOUT_MS))
  } catch {
    // What came is enough.
  }
  // The rest is not needed. Cancelling fails for a body that broke off, and may never end for a stalled one.
  if (isCut) void reader.cancel().catch(() => null)
  return { bytes: join(chunks, max), isCut }
}

/** Reads until there are `max` bytes. @returns whether that is the whole body */
async function readInto(
  chunks: Uint8Array[],
  reader: ReadableStreamDefaultReader<Uint8Array>,
  max: number,
): Promise<boolean> {
  let length = 0
  while (length <= max) {
    // oxlint-disable-next-line no-await-in-loop -- one chunk after the other
    const { done, value } = await reader.read()
    if (done) return true
    chunks.push(value)
    length += value.byteLength
  }
  return false
}

function join(chunks: readonly Uint8Array[], max: number): Uint8Array {
  const length = chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0)
  const bytes = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.byteLength
  }
  return bytes.subarray(0, max)
}

/**
 * The body with the key's preview instead of the key. If the body is cut, a beginning of the key at its end is removed too.
 * All other bytes stay, in whatever character set they are.
 */
export function hideKey({ bytes, isCut }: ReadBody, apiKey: string): Uint8Array {
  // One character for each byte, so that positions are the same.
  const text = new TextDecoder('latin1').decode(bytes)
  const preview = new TextEncoder().encode(JSON.stringify(previewKey(apiKey)).slice(1, -1))
  const parts: Uint8Array[] = []
  let from = 0
  for (const { start, end } of keySearch(apiKey)(text, isCut)) {
    parts.push(bytes.subarray(from, start))
    if (!isCut || end < bytes.length) parts.push(preview)
    from = end
  }
  return from === 0 ? bytes : join([...parts, bytes.subarray(from)], Infinity)
}

/** The bytes of a reason for which a close of a WebSocket has room (RFC 6455 §5.5). */
const MAX_REASON = 123

/**
 * The reason of a close as `hideKey` makes it, since Gemini puts the text of its error there. One that nearly fills its
 * frame may be cut. https://github.com/yagudaev/voiceclaw/pull/155
 */
export function hideKeyInReason(reason: string, apiKey: string): string {
  const bytes = new TextEncoder().encode(reason)
  const hidden = hideKey({ bytes, isCut: bytes.length > MAX_REASON - 4 }, apiKey)
  // A preview may be longer than its key. As a stream, the decoder leaves out half a character.
  return new TextDecoder().decode(hidden.subarray(0, MAX_REASON), { stream: true })
}

/** Removes the headers that are not true of a body any more that was read. */
export function dropByteHeaders(headers: Headers): void {
  for (const name of OF_THE_BYTES) headers.delete(name)
}
