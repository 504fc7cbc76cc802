/** Runs a Worker in workerd without a proxy before it, so that it sees its clients' connections. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { build } from 'esbuild'
import { onTestFinished } from 'vitest'

const config = (compatibilityDate: string) => `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = (
      modules = [(name = "worker.js", esModule = embed "worker.js")],
      compatibilityDate = "${compatibilityDate}",
    )),
    (name = "internet", network = (allow = ["public", "private"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);`

/** Bundles and serves the TypeScript `script`, whose imports resolve from this folder. @returns its URL */
export async function startWorkerd(script: string): Promise<URL> {
  const directory = mkdtempSync(join(tmpdir(), 'workerd-'))
  await build({
    stdin: { contents: script, resolveDir: import.meta.dirname, loader: 'ts' },
    bundle: true,
    format: 'esm',
    external: ['cloudflare:workers'],
    outfile: join(directory, 'worker.js'),
  })
  writeFileSync(join(directory, 'config.capnp'), config('2026-08-03'))
  const binary = createRequire(import.meta.url).resolve('workerd/bin/workerd')
  const args = ['serve', join(directory, 'config.capnp'), '--control-fd=3']
  const workerd = spawn(binary, args, { stdio: ['ignore', 'ignore', 'inherit', 'pipe'] })
  onTestFinished(async () => {
    workerd.kill()
    await once(workerd, 'exit')
    rmSync(directory, { recursive: true })
  })
  const [, , , events] = workerd.stdio
  if (!events || !('read' in events)) throw new Error('workerd was started without a control pipe')
  for await (const line of createInterface({ input: events })) {
    const { event, port } = JSON.parse(line)
    if (event === 'listen') return new URL(`http://127.0.0.1:${port}`)
  }
  throw new Error('workerd did not start')
}
