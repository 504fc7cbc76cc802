/** Takes the place of Wrangler, which takes seconds to start. */

import { vi } from 'vitest'
import { runScript, type Ended } from './run-script.ts'

/** Runs a command whose Wrangler ends with each of `codes` in turn. @returns also what Wrangler was asked to do */
export async function runWithWrangler(
  command: readonly string[],
  codes: readonly number[],
): Promise<Ended & { asked: string[] }> {
  const asked: string[] = []
  const left = [...codes]
  const runOnTerminal = async (...args: string[]) => {
    asked.push(args.join(' '))
    return left.shift()
  }
  vi.doMock('../../scripts/lib/wrangler.ts', () => ({ runOnTerminal }))
  vi.resetModules()
  return { ...(await runScript(command)), asked }
}
