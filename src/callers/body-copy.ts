/** Copies a body while it is sent, so that it can be sent a second time. */

/** In bytes. A longer body is not copied. */
export const MAX_LENGTH = 1024 * 1024

const FIRST_LENGTH = 16 * 1024

export interface BodyCopy {
  /** The whole body, once it has come; null if it is too long or breaks off. It never rejects. */
  whole: Promise<Uint8Array<ArrayBuffer> | null>
  /** Ends the copying. */
  drop: () => void
}

/** Begins to copy the body. Nobody else may read this stream. */
export function copyBody(body: ReadableStream<Uint8Array>): BodyCopy {
  const reader = body.getReader()
  const drop = (): void => void reader.cancel().catch(() => null)
  return { whole: readWhole(reader, drop).catch(() => null), drop }
}

async function readWhole(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  drop: () => void,
): Promise<Uint8Array<ArrayBuffer> | null> {
  // One buffer, because a list of tiny chunks would take many times the length of the body.
  let bytes = new Uint8Array(FIRST_LENGTH)
  let length = 0
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- one chunk after the other
    const { done, value } = await reader.read()
    if (done) return bytes.subarray(0, length)
    const end = length + value.byteLength
    if (end > MAX_LENGTH) {
      drop()
      return null
    }
    if (end > bytes.length) bytes = longer(bytes, end)
    bytes.set(value, length)
    length = end
  }
}

function longer(bytes: Uint8Array, least: number): Uint8Array<ArrayBuffer> {
  const more = new Uint8Array(Math.min(MAX_LENGTH, 2 * least))
  more.set(bytes)
  return more
}
