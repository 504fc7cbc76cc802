/** Bundles Workers of this repository, to run them without Wrangler, which takes longer to load. */

import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { build } from 'esbuild'

const CONFIG = readFileSync(resolve(import.meta.dirname, '../../wrangler.toml'), 'utf8')
/** That of the deployed Worker. */
export const [, COMPATIBILITY_DATE = ''] = /^compatibility_date = "(.+)"$/m.exec(CONFIG) ?? []

/** Bundles a Worker. The modules `inject` run before it. @returns an ES module */
export async function bundleWorker(entry: string, inject: string[] = []): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [entry],
    inject,
    bundle: true,
    write: false,
    format: 'esm',
    external: ['cloudflare:workers', 'node:*'],
    conditions: ['workerd', 'browser'],
  })
  return outputFiles[0]?.text ?? ''
}
