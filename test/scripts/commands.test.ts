/** Each command of package.json as a program of its own, started in a folder that is not the checkout. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, it } from 'vitest'

const { scripts }: { scripts: Record<string, string> } = JSON.parse(
  readFileSync('package.json', 'utf8'),
)

/** The commands that are programs of this project, with their files. */
const COMMANDS = Object.entries(scripts).flatMap(([name, command]): [string, string][] => {
  const [, file] = /^node (\S+\.ts)$/.exec(command) ?? []
  return file === undefined ? [] : [[name, resolve(file)]]
})

async function help(file: string) {
  const child = spawn(process.execPath, [file, '--help'], { cwd: tmpdir() })
  const ended = Promise.all([once(child, 'close'), text(child.stdout), text(child.stderr)])
  const [[code], stdout, stderr] = await ended
  return { code, stdout, stderr }
}

it.concurrent.for(COMMANDS)('npm run %s -- --help prints how it is used', async ([name, file]) => {
  const { code, stdout, stderr } = await help(file)
  expect([code, stderr]).toEqual([0, ''])
  expect(stdout.startsWith(`Usage: npm run ${name} -- `)).toBe(true)
})
