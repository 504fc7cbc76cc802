import { expect, it } from 'vitest'
import { copyBody, MAX_LENGTH } from '../../src/callers/body-copy.ts'

/** A stream of chunks of these lengths, and how far it was read. Each chunk has bytes of its own. */
function streamOf(lengths: Iterable<number>, end: 'closes' | 'breaks off' | 'waits' = 'closes') {
  const state = { chunks: 0, isCancelled: false }
  const chunks = lengths[Symbol.iterator]()
  const body = new ReadableStream<Uint8Array>(
    {
      pull: (controller) => {
        const next = chunks.next()
        if (next.done !== true) {
          state.chunks += 1
          return controller.enqueue(new Uint8Array(next.value).fill(state.chunks))
        }
        if (end === 'closes') controller.close()
        if (end === 'breaks off') controller.error(new Error('broken off'))
      },
      cancel: () => void (state.isCancelled = true),
    },
    { highWaterMark: 0 },
  )
  return { body, state }
}

const repeated = (length: number, count: number) => Array.from({ length: count }, () => length)

it.for<[name: string, lengths: number[]]>([
  ['is empty', []],
  ['has one byte', [1]],
  ['comes in chunks of all lengths', [0, 1, 16_384, 7, 100_000, 0, 400_000]],
  ['comes in tiny chunks', repeated(30, 2_000)],
  ['is as long as it may be', repeated(MAX_LENGTH / 8, 8)],
])('copies a body that %s', async ([, lengths]) => {
  const bytes = await copyBody(streamOf(lengths).body).whole
  const chunks = lengths.map((length, before) => new Uint8Array(length).fill(before + 1))
  const text = (all: Uint8Array | null) => new TextDecoder('latin1').decode(all ?? undefined)
  expect(text(bytes) === text(await new Blob(chunks).bytes())).toBe(true)
})

it('gives up a body that is one byte too long, and ends it', async () => {
  const { body, state } = streamOf([MAX_LENGTH, 1, 1, 1])
  expect(await copyBody(body).whole).toBe(null)
  expect(state).toEqual({ chunks: 2, isCancelled: true })
})

it('gives up a body that breaks off', async () => {
  expect(await copyBody(streamOf([10], 'breaks off').body).whole).toBe(null)
})

it('ends when nobody wants the copy any more', async () => {
  const { body, state } = streamOf([10], 'waits')
  const copy = copyBody(body)
  copy.drop()
  await copy.whole
  expect(state.isCancelled).toBe(true)
  copy.drop()
})
