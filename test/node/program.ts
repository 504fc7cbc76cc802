/** Programs that tests start. Each is a process group, so that nothing of it is left when it is disposed of. */

import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'

/** How long a program may take to end when it is asked to. */
const GRACE_MS = 10_000

/** How a program ended. `code` is null if a signal ended it. */
export interface Ended {
  code: number | null
  stdout: string
  stderr: string
}

/** A program that runs, or that has ended. */
export interface Program extends AsyncDisposable {
  /** The lines of both outputs so far. */
  printed: () => string
  /** Waits for a line with `awaited`. @throws Error with what it printed if it ends before */
  waitFor: (awaited: string) => Promise<void>
  /** Sends it a signal, and not to what it has started. */
  signal: (signal: NodeJS.Signals) => void
  /** Waits until it has ended. */
  exited: () => Promise<unknown>
  /** Waits until it has ended, and kills what it has left. */
  ended: () => Promise<Ended>
}

const running = new Set<number>()
process.once('exit', () => running.forEach(killGroup))

/** Starts a program. Its standard input is `input`. */
export function startProgram(
  [command = '', ...args]: readonly string[],
  { input = '', ...options }: { cwd?: string; env?: NodeJS.ProcessEnv; input?: string } = {},
): Program {
  const child = spawn(command, args, { ...options, detached: true })
  const { pid = 0 } = child
  running.add(pid)
  child.stdin.on('error', () => {}).end(input)
  const texts = { stdout: '', stderr: '' }
  const lines: string[] = []
  const watchers = new Set<() => void>()
  const notify = () => watchers.forEach((watch) => watch())
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => (texts[name] += text))
    createInterface({ input: child[name] }).on('line', (line) => {
      lines.push(line)
      notify()
    })
  }
  const exit = new Promise<void>((resolve, reject) =>
    child.once('exit', () => resolve()).once('error', reject),
  )
  const close = new Promise((resolve) => child.once('close', resolve))
  close.then(notify, () => {})
  exit.catch(() => {})
  const printed = () => lines.join('\n')
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null

  async function waitFor(awaited: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const watch = () => {
      if (lines.some((line) => line.includes(awaited))) resolve()
      else if (hasEnded()) reject(new Error(`It has ended:\n${printed()}`))
    }
    watchers.add(watch)
    watch()
    await promise.finally(() => watchers.delete(watch))
  }

  /** Kills the whole group, and waits until both outputs are read. */
  async function finish(): Promise<void> {
    killGroup(pid)
    running.delete(pid)
    await close
  }

  return {
    printed,
    waitFor,
    signal: (signal) => void child.kill(signal),
    exited: async () => exit,
    ended: async () => {
      await exit
      await finish()
      return { code: child.exitCode, ...texts }
    },
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM')
      await Promise.race([exit, sleep(GRACE_MS, undefined, { ref: false })])
      await finish()
    },
  }
}

function killGroup(pid: number): void {
  if (pid === 0) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // Nothing of it is left.
  }
}
