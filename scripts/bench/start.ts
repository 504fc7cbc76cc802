/** Measures the start of the Worker and of a bare one, and the sizes in the bundle. */

import { build } from 'esbuild'
import { median } from './http/report.ts'
import { startOnce } from './http/workers.ts'

const ROUNDS = 7

/** Prints the medians of alternating starts, and the packages of the bundle. */
export async function benchStart(): Promise<void> {
  const times: Record<'vault' | 'hello', { ms: number; cpu: number }[]> = { vault: [], hello: [] }
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const worker of ['hello', 'vault'] as const) {
      // oxlint-disable-next-line no-await-in-loop -- measured one after the other
      times[worker].push(await startOnce(worker))
    }
  }
  const of = (worker: 'vault' | 'hello', figure: 'ms' | 'cpu') =>
    median(times[worker].map((time) => time[figure]))
  console.log(
    `first answer after the runtime is up: vault ${of('vault', 'ms').toFixed(1)} ms, bare Worker ${of('hello', 'ms').toFixed(1)} ms; ` +
      `CPU until then: ${(of('vault', 'cpu') / 1000).toFixed(0)} ms and ${(of('hello', 'cpu') / 1000).toFixed(0)} ms (median of ${ROUNDS})`,
  )
  console.table(await weighBundle())
}

/** Bytes of the minified bundle by package or folder of `src/`. */
async function weighBundle(): Promise<{ part: string; bytes: number }[]> {
  const { metafile } = await build({
    entryPoints: ['src/index.ts'],
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    format: 'esm',
    external: ['cloudflare:workers'],
  })
  const parts = new Map<string, number>()
  for (const { inputs } of Object.values(metafile.outputs)) {
    for (const [path, { bytesInOutput }] of Object.entries(inputs)) {
      const part =
        /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ??
        /^src\/[^/]+/.exec(path)?.[0] ??
        path
      parts.set(part, (parts.get(part) ?? 0) + bytesInOutput)
    }
  }
  return Array.from(parts, ([part, bytes]) => ({ part, bytes })).toSorted(
    (one, other) => other.bytes - one.bytes,
  )
}
