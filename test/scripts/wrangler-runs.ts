/** Takes the place of Wrangler, which takes seconds to start. */

import { vi } from 'vitest'
import { runScript, type Ended } from './run-script.ts'

/** Runs a command whose Wrangler prints `printed`, and ends with each of `codes` in turn. @returns also what Wrangler was asked to do */
export async function runWithWrangler(
  command: readonly string[],
  codes: readonly number[],
  printed = '',
): Promise<Ended & { asked: string[] }> {
  const asked: string[] = []
  const left = [...codes]
  const runOnTerminal = async (...args: string[]) => {
    asked.push(args.join(' '))
    return left.shift()
  }
  const runWrangler = async (...args: string[]) => {
    if ((await runOnTerminal(...args)) !== 0) throw new Error('wrangler failed')
    return printed
  }
  vi.doMock('../../scripts/lib/wrangler.ts', () => ({
    CONFIG: 'wrangler.toml',
    runOnTerminal,
    runWrangler,
  }))
  vi.resetModules()
  return { ...(await runScript(command)), asked }
}
