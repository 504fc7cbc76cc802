/** The end of a long-running command, however its user ends it. */

import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'

const CHECK_EVERY_MS = 250
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Calls `stop` once, when this process gets a signal to end, or when the `npm run` that started it has ended. */
export function onStop(stop: () => void): void {
  let asked = false
  const stopOnce = () => {
    if (!asked) stop()
    asked = true
  }
  for (const signal of SIGNALS) process.on(signal, stopOnce)
  if (process.env['npm_lifecycle_event'] === undefined) return
  // npm passes a signal on to the shell between, and not every shell passes it on to this process.
  const parent = process.ppid
  setInterval(() => process.ppid !== parent && stopOnce(), CHECK_EVERY_MS).unref()
}

/** Does work that looks now and then whether it has to stop. Meanwhile a signal does not end the process. */
export async function untilStopped<T>(work: (isStopped: () => boolean) => Promise<T>): Promise<T> {
  let stopped = false
  const stop = () => {
    stopped = true
  }
  const others = SIGNALS.map((signal) => ({ signal, listeners: process.listeners(signal) }))
  for (const signal of SIGNALS) process.removeAllListeners(signal).on(signal, stop)
  try {
    return await work(() => stopped)
  } finally {
    for (const { signal, listeners } of others) {
      process.off(signal, stop)
      for (const listener of listeners) process.on(signal, listener)
    }
  }
}

/** Asks `child` to end, and waits until it has. */
export async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  await exited
}
