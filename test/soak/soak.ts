/** Puts mixed traffic on the local vault for some time, and watches its memory. */

import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startVaultProcess, type VaultProcess } from '../kill/vault-process.ts'
import { inspect, type Inspector } from '../../scripts/lib/inspector.ts'
import { listen, stop } from '../../scripts/lib/local-server.ts'
import { countObjects, measureHeap, type Objects } from './heap.ts'
import { sendLoad, type Tallies } from './load.ts'
import { SCOPE } from './traffic.ts'

const CHUNKS = 8
const JOB_PAUSE_MS = 1_000
const SECOND_MS = 1_000
/** The memory at a mark is the median of so many samples, one per second. */
const SAMPLES = 10
/** The second of the first mark. */
const MARK = 60
/** The heap is measured at the first mark, and then after each so many seconds. */
const HEAP_EVERY = 60
/** A snapshot takes memory that the allocator keeps, so the first one is taken so many seconds before the first mark. */
const SNAPSHOT_AHEAD = 15
const OWNERS_PER_CONNECTION = 4

/** What to put on the vault. */
export interface SoakOptions {
  seconds: number
  connections: number
  /** The most requests in a second. */
  perSecond?: number
  /** How many owners there are, each with a key from the start. Without it, there are a few, which the load adds. */
  owners?: number | undefined
  seed: number
  /** Whether a Worker without the vault gets the load. */
  isBare?: boolean
  /** Whether the garbage is collected each minute, to measure the heap. */
  measuresHeap?: boolean
  /** Is told each second how many have passed. */
  onSecond: (passed: number) => void
}

/** The result of a run. */
export interface SoakResult {
  tallies: Tallies
  /** In MB: after the first minute, and at the end. Undefined for a load that is too short. */
  memory: { first: number; last: number } | undefined
  /** The memory in MB, once per second. */
  samples: readonly number[]
  /** What the heap held in MB, at the first mark and each minute after it. */
  heaps: readonly number[]
  /** The objects in the heap by their constructor, before the first mark and at the end. */
  objects: readonly Map<string, Objects>[]
  jobs: number
}

/** Another seed makes other requests. The timing differs in every run. */
export async function soak(options: SoakOptions): Promise<SoakResult> {
  const directory = mkdtempSync(join(tmpdir(), 'vault-soak-'))
  const provider = createServer((request, response) => {
    if (request.method === 'POST') request.resume().once('end', () => void stream(response))
    else response.end('{"data": []}')
  })
  const origin = `http://127.0.0.1:${await listen(provider)}`
  try {
    const secret = randomBytes(32).toString('hex')
    const bindings = bindingsOf(secret, origin)
    const vault = await startVaultProcess({
      directory,
      bindings,
      isNew: true,
      jobPauseMs: JOB_PAUSE_MS,
      isInspected: options.measuresHeap ?? false,
      owners: options.owners ?? 0,
      ...(options.isBare && { entry: 'test/soak/bare-worker.ts' }),
    })
    try {
      return await run(vault, secret, options)
    } finally {
      await vault.kill()
    }
  } finally {
    await stop(provider)
    rmSync(directory, { recursive: true })
  }
}

/** An expired key is deleted by the next run of the job. */
function bindingsOf(secret: string, origin: string): Record<string, string> {
  return {
    API_KEY_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
    JWT_SECRET_KEY: secret,
    AUTO_CREATE_USERS: 'true',
    CORS_ORIGINS: 'http://localhost',
    EXPIRED_KEPT_DAYS: '0',
    RELAY_SCOPE: SCOPE,
    USE_FRESH_SECONDS: '10',
    VERIFY_ON_SAVE: 'false',
    PROVIDERS: JSON.stringify({ openai: { origin } }),
  }
}

/** Sends chunks, each in a turn of the event loop of its own. */
async function stream(response: ServerResponse): Promise<void> {
  response.writeHead(200, { 'Content-Type': 'text/event-stream' })
  for (let chunk = 0; chunk < CHUNKS; chunk += 1) {
    response.write(`data: {"choices": [{"delta": {"content": "${chunk}"}}]}\n\n`)
    await sleep(1)
  }
  response.end('data: [DONE]\n\n')
}

async function run(
  vault: VaultProcess,
  secret: string,
  { seconds, onSecond, owners, perSecond = Infinity, ...options }: SoakOptions,
): Promise<SoakResult> {
  const { connections, seed } = options
  const inspector = options.measuresHeap ? await inspect(vault.inspectorUrl, 'vault') : null
  const endsAt = performance.now() + seconds * SECOND_MS
  const samples: number[] = []
  const goesOn = () => performance.now() < endsAt
  const timer = setInterval(() => {
    // The last snapshot takes memory.
    if (!goesOn()) return
    samples.push(vault.memory())
    onSecond(samples.length)
  }, SECOND_MS)
  try {
    const [tallies, { heaps, objects }] = await Promise.all([
      sendLoad({
        url: vault.url,
        secret,
        connections,
        owners: owners ?? connections * OWNERS_PER_CONNECTION,
        isSeeded: owners !== undefined,
        perSecond,
        seed,
        goesOn,
      }),
      watchHeap(inspector, endsAt),
    ])
    return { tallies, memory: compareMemory(samples), samples, heaps, objects, jobs: vault.jobs() }
  } finally {
    clearInterval(timer)
    inspector?.close()
  }
}

/** Measures the heap at the first mark and after it, while the load goes on. */
async function watchHeap(
  inspector: Inspector | null,
  endsAt: number,
): Promise<Pick<SoakResult, 'heaps' | 'objects'>> {
  const [heaps, objects]: [number[], Map<string, Objects>[]] = [[], []]
  if (inspector === null) return { heaps, objects }
  let next = performance.now() + (MARK + SAMPLES / 2) * SECOND_MS
  if (next < endsAt) {
    await sleep((MARK - SNAPSHOT_AHEAD) * SECOND_MS)
    objects.push(await countObjects(inspector))
  }
  while (next < endsAt) {
    await sleep(next - performance.now())
    heaps.push((await measureHeap(inspector)) / 1e6)
    next += HEAP_EVERY * SECOND_MS
  }
  await sleep(endsAt - performance.now())
  objects.push(await countObjects(inspector))
  return { heaps, objects }
}

/** The memory of one moment rises and falls with the collector, so each mark is a median. */
function compareMemory(samples: readonly number[]): SoakResult['memory'] {
  if (samples.length < MARK + SAMPLES) return undefined
  return {
    first: medianOf(samples.slice(MARK - SAMPLES / 2, MARK + SAMPLES / 2)),
    last: medianOf(samples.slice(-SAMPLES)),
  }
}

/** The number in the middle. */
export function medianOf(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0
}
