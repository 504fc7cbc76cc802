/** The project's own wrangler, run on the Node that runs this. */

import { execFile, spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { promisify } from 'node:util'

const BIN = 'node_modules/wrangler/bin/wrangler.js'

/** The configuration that the commands read: the operator's own file, or the one of the repository. */
export const CONFIG = process.env['VAULT_CONFIG'] || 'wrangler.toml'

/** Where the local Workers of this checkout find each other, and those of another checkout do not. */
export const REGISTRY = process.env['WRANGLER_REGISTRY_PATH'] ?? resolve('.wrangler/registry')

/** A Wrangler that runs, with its output piped here. */
export type Wrangler = ChildProcessByStdio<null, Readable, Readable>

/** Starts `wrangler dev ...args`, without its hot keys, its banner and its request to Cloudflare for a sample `request.cf`. */
export function startDevServer(args: string[], registry = REGISTRY): Wrangler {
  const command = withConfig(['dev', '--show-interactive-dev-session=false', ...args])
  const env = {
    CLOUDFLARE_CF_FETCH_ENABLED: 'false',
    WRANGLER_HIDE_BANNER: 'true',
    ...process.env,
    WRANGLER_REGISTRY_PATH: registry,
  }
  return spawn(process.execPath, command, { env, stdio: ['ignore', 'pipe', 'pipe'] })
}

/** Runs `wrangler ...args` to its end on this terminal. @returns its exit code */
export async function runOnTerminal(...args: string[]): Promise<number> {
  const [code] = await once(spawn(process.execPath, withConfig(args), { stdio: 'inherit' }), 'exit')
  return typeof code === 'number' ? code : 1
}

/**
 * Runs `wrangler ...args` to its end.
 *
 * @returns what it printed to standard output
 * @throws Error with all that it printed, if it fails
 */
export async function runWrangler(...args: string[]): Promise<string> {
  const run = promisify(execFile)(process.execPath, withConfig(args))
  const { stdout } = await run.catch((failure: { stdout: string; stderr: string }) => {
    const printed = failure.stdout + failure.stderr
    throw new Error(`wrangler ${args.slice(0, 3).join(' ')} failed:\n${printed}`)
  })
  return stdout
}

/** The address that a line of `wrangler dev` tells once the Worker is up; undefined for other lines. */
export function readUrl(line: string): string | undefined {
  return /Ready on (http\S+)/.exec(line)?.[1]
}

/** The command line, with {@link CONFIG} unless `args` name a configuration. */
function withConfig(args: string[]): string[] {
  return args.includes('--config') ? [BIN, ...args] : [BIN, ...args, '--config', CONFIG]
}
