/** Measures the start of the Worker and of a bare one, and weighs the bundle. */

import { gzipSync } from 'node:zlib'
import { build, type BuildOptions } from 'esbuild'
import { median } from './http/report.ts'
import { startOnce, type Start } from './http/workers.ts'

const ROUNDS = 7

/** Prints the medians of alternating starts, and the weights in the bundle. */
export async function benchStart(): Promise<void> {
  const starts: Record<'vault' | 'hello', Start[]> = { vault: [], hello: [] }
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const worker of ['hello', 'vault'] as const) {
      // oxlint-disable-next-line no-await-in-loop -- measured one after the other
      starts[worker].push(await startOnce(worker))
    }
  }
  const of = (worker: 'vault' | 'hello', figure: keyof Start) =>
    median(starts[worker].map((start) => start[figure]))
  const compare = (figure: keyof Start, perMs = 1) =>
    `vault ${(of('vault', figure) / perMs).toFixed(1)} ms, bare Worker ${(of('hello', figure) / perMs).toFixed(1)} ms`
  console.log(
    `first answer after the runtime is up: ${compare('ms')}, so ${(of('vault', 'ms') / of('hello', 'ms')).toFixed(2)} times as long; ` +
      `CPU of it: ${compare('cpu', 1_000)}; CPU until then: ${compare('cpuInAll', 1_000)} (median of ${ROUNDS})`,
  )
  console.table(await weighBundle())
}

/** A package or a room of `src/`: a folder, or a file beside them. */
interface Weight {
  part: string
  /** Its bytes in the minified bundle. */
  minified: number
  /** How many bytes less the gzipped bundle has without it. */
  gzipped: number
}

/** Weighs the bundle by package and room. The heaviest is first. */
async function weighBundle(): Promise<Weight[]> {
  const { metafile } = await bundle({ minify: true, metafile: true })
  const bytes = new Map<string, number>()
  for (const { inputs } of Object.values(metafile?.outputs ?? {})) {
    for (const [path, { bytesInOutput }] of Object.entries(inputs)) {
      bytes.set(partOf(path), (bytes.get(partOf(path)) ?? 0) + bytesInOutput)
    }
  }
  // With its line ends, the bundle has a comment with the path before each module.
  const lines = await bundle({ minifyIdentifiers: true, minifySyntax: true })
  const modules = (lines.outputFiles?.[0]?.text ?? '')
    .replaceAll(/^ +/gm, '')
    .split(/^\/\/ (?=(?:src|node_modules)\/)/m)
    .map((module) => ({ part: partOf(module), code: module.slice(module.indexOf('\n')) }))
  const weigh = (kept: typeof modules) => gzipSync(kept.map(({ code }) => code).join('')).length
  const whole = weigh(modules)
  return Array.from(bytes, ([part, minified]) => ({
    part,
    minified,
    gzipped: whole - weigh(modules.filter((module) => module.part !== part)),
  })).toSorted((one, other) => other.gzipped - one.gzipped)
}

/** Bundles as wrangler does. */
async function bundle(options: BuildOptions) {
  return build({
    entryPoints: ['src/index.ts'],
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2024',
    conditions: ['workerd', 'worker', 'browser'],
    external: ['cloudflare:workers'],
    ...options,
  })
}

/** The package or room of a path. */
function partOf(path: string): string {
  const [part = '', name] = /^(?:node_modules\/((?:@[^/]+\/)?[^/]+)|src\/[^/\s]+)/.exec(path) ?? []
  return name ?? part
}
