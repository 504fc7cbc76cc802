/** The project's own wrangler, run on the Node that runs this. */

import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { promisify } from 'node:util'

const BIN = 'node_modules/wrangler/bin/wrangler.js'

/** Starts `wrangler ...args`: its output is piped here, its input is this terminal's. */
export function startWrangler(...args: string[]): ChildProcess {
  return spawn(process.execPath, [BIN, ...args], { stdio: ['inherit', 'pipe', 'inherit'] })
}

/**
 * Runs `wrangler ...args` to its end.
 *
 * @returns what it printed to standard output
 * @throws Error with all that it printed, where it fails
 */
export async function runWrangler(...args: string[]): Promise<string> {
  const run = promisify(execFile)(process.execPath, [BIN, ...args])
  const { stdout } = await run.catch((failure: { stdout: string; stderr: string }) => {
    const printed = failure.stdout + failure.stderr
    throw new Error(`wrangler ${args.slice(0, 2).join(' ')} failed:\n${printed}`)
  })
  return stdout
}

/** Which D1: the deployed one, or the local one. */
export interface Where {
  remote: boolean
}

/**
 * Runs SQL statements on D1, separated by `;`.
 *
 * @returns the rows of each statement, in order
 */
export async function queryD1(sql: string, { remote }: Where): Promise<Row[][]> {
  const where = remote ? '--remote' : '--local'
  const printed = await runWrangler('d1', 'execute', 'DB', where, '--json', '--command', sql)
  const answers: { results: Row[] }[] = JSON.parse(printed)
  return answers.map(({ results }) => results)
}

/** A row of a D1 result, by column name. */
export type Row = Record<string, string | number | null>

/** `text` as an SQL expression; `wrangler d1 execute` has no bound parameters. */
export function sqlText(text: string): string {
  return `CAST(x'${Buffer.from(text).toString('hex')}' AS TEXT)`
}
