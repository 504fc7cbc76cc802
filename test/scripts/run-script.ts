/** Runs the commands in the process of the test, since starting one of their own takes seconds. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { vi } from 'vitest'
// oxlint-disable-next-line import/no-unassigned-import -- it starts in the folder in which it was loaded, if that is still there
import 'esbuild'
import type { Where } from '../../scripts/lib/database.ts'

/** What a command printed, and how it ended. */
export interface Ended {
  code: number
  stdout: string
  stderr: string
}

const SCRIPTS = join(import.meta.dirname, '../../scripts')

let runs = 0

/** Runs `npm run NAME -- ARGS`. A command that opens a database gets `db`, local or not. */
export async function runScript(
  [name = '', ...args]: readonly string[],
  db?: D1Database,
): Promise<Ended> {
  const withDatabase = async (
    _: Where,
    work: (opened: D1Database | undefined, name: string) => unknown,
  ) => work(db, 'the database')
  vi.doMock('../../scripts/lib/database.ts', () => ({ withDatabase }))
  const { argv, env } = process
  const listeners = process.listeners('SIGINT')
  const printed = { stdout: '', stderr: '' }
  const print = (to: keyof typeof printed) => (text: unknown) =>
    void (printed[to] += `${String(text)}\n`)
  const spies = [
    vi.spyOn(console, 'log').mockImplementation(print('stdout')),
    vi.spyOn(console, 'error').mockImplementation(print('stderr')),
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
      printed.stdout += String(text)
      return true
    }),
    // The tests have their files in a folder of their own.
    vi.spyOn(process, 'chdir').mockImplementation(() => {}),
  ]
  try {
    runs += 1
    process.argv = [process.execPath, name, ...args]
    process.env = { ...env }
    // A module runs once, and with another query it is another module.
    const script = `${join(SCRIPTS, name)}.ts?run=${runs}`
    await import(/* @vite-ignore */ script)
    return { code: Number(process.exitCode ?? 0), ...printed }
  } finally {
    process.argv = argv
    process.env = env
    process.exitCode = undefined
    process.removeAllListeners('SIGINT')
    for (const listener of listeners) process.on('SIGINT', listener)
    for (const spy of spies) spy.mockRestore()
  }
}

/** Makes a folder for the files that a command reads, and works in it. `leave` goes back, and removes it. */
export function enterFolder(): { leave: () => void } {
  const directory = mkdtempSync(join(tmpdir(), 'user-key-vault-'))
  const before = process.cwd()
  process.chdir(directory)
  vi.stubEnv('INIT_CWD', directory)
  return {
    leave: () => {
      process.chdir(before)
      vi.stubEnv('INIT_CWD', undefined)
      rmSync(directory, { recursive: true })
    },
  }
}
