/** The end of a long-running command, however its user ends it. */

import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'

const CHECK_EVERY_MS = 250

/** Calls `stop` once, when this process gets a signal to end, or when the `npm run` that started it has ended. */
export function onStop(stop: () => void): void {
  let asked = false
  const stopOnce = () => {
    if (!asked) stop()
    asked = true
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stopOnce)
  if (process.env['npm_lifecycle_event'] === undefined) return
  // npm passes a signal on to the shell between, and not every shell passes it on to this process.
  const parent = process.ppid
  setInterval(() => process.ppid !== parent && stopOnce(), CHECK_EVERY_MS).unref()
}

/** Asks `child` to end, and waits until it has. */
export async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  await exited
}
