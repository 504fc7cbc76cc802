/** `npm run import -- --plain`, started for real, against the Worker. `test/scripts/import/` has what it reads and reports. */

import { chmodSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { inSeconds, signToken } from '../../scripts/lib/token.ts'
import type { Dev } from './checkout.ts'
import { startImport } from './imported.ts'
import { startProgram, type Program } from './program.ts'

const { path, startWorker, migrate, query, storedKeys, secrets } = startImport()

const COUNT = 500
const users = Array.from({ length: COUNT }, (_, index) => ({
  id: `user ${index} é`,
  key: `sk-test-${index}-${'x'.repeat(40)}`,
}))
const keysOf = (some: typeof users) => new Map(some.map(({ id, key }) => [id, key]))
/** Enough for a signal to come in the middle. */
const few = users.slice(0, 200)

let worker: Dev

beforeAll(async () => {
  await migrate()
  worker = await startWorker('MANAGE_CLIENTS:mover', 'MANAGE_SCOPE:vault')
})
afterAll(async () => worker[Symbol.asyncDispose]())
beforeEach(async () => {
  query('DELETE FROM users')
  await writeToken({ scope: 'vault:save vault:users' })
})

async function writeToken(claims: { scope: string; exp?: number; azp?: string }): Promise<void> {
  const token = await signToken({ sub: 'mover', azp: 'mover', ...claims }, secrets.JWT_SECRET_KEY)
  writeFileSync(path('token'), `${token}\n`)
  chmodSync(path('token'), 0o600)
}

function start(some: typeof users, ...options: string[]): Program {
  const input = `id,key\n${some.map(({ id, key }) => `${id},${key}\n`).join('')}`
  const where = ['--plain', '--url', worker.url, '--token-file', 'token']
  const command = [process.execPath, 'scripts/import/command.ts', ...where, ...options]
  return startProgram(command, { cwd: path('.'), input })
}

/** Runs the command to its end. No key may be in what it prints. */
async function run(some: typeof users, ...options: string[]) {
  await using program = start(some, ...options)
  const ended = await program.ended()
  expect(ended.stdout + ended.stderr).not.toMatch(/sk-|x{8}/)
  return ended
}

const reportOf = (...counts: number[]) =>
  new RegExp(
    ['Read', 'Users added', 'Keys saved', 'Already there', 'Refused', 'Failed', 'Without a key']
      .map((name, index) => `${name} +${counts[index] ?? 0}`)
      .join('\\n'),
  )

const countStored = () => Number(query('SELECT count(*) AS rows FROM api_keys')[0]?.['rows'])

it('npm run import -- --plain saves each key once, and a second run leaves all of them alone', async () => {
  const first = await run(users, '--add-users')
  const stderr = `Sends the keys to the vault at ${worker.url}.\n`
  expect(first).toMatchObject({ code: 0, stderr })
  expect(first.stdout).toMatch(reportOf(COUNT, COUNT, COUNT))
  expect(await storedKeys()).toEqual(keysOf(users))
  const rows = query('SELECT DISTINCT saved_by FROM api_keys')
  expect(rows).toEqual([{ saved_by: 'operator' }])
  const second = await run(users, '--add-users')
  expect(second).toMatchObject({ code: 0, stderr })
  expect(second.stdout).toMatch(reportOf(COUNT, 0, 0, COUNT))
  expect(second.stdout).toContain(`lines 2–${COUNT + 1} had a key already`)
  expect(await storedKeys()).toEqual(keysOf(users))
  expect(worker.printed()).not.toMatch(/sk-test|x{8}/)
})

it('an import from a pipe that is killed can be run again', async () => {
  {
    await using killed = start(few, '--add-users')
    while (countStored() < 30) await sleep(5)
    killed.signal('SIGKILL')
    await killed.exited()
  }
  const before = countStored()
  expect(before).toBeLessThan(few.length)
  const { code, stdout } = await run(few, '--add-users')
  const there = countStored() - Number(/Keys saved +(\d+)/.exec(stdout)?.[1])
  expect(code).toBe(0)
  // A request that was on its way may have been done after the kill.
  expect(there).toBeGreaterThanOrEqual(before)
  expect(stdout).toMatch(new RegExp(`^Already there +${there}$`, 'm'))
  expect(await storedKeys()).toEqual(keysOf(few))
})

it('an import from a pipe that is interrupted says which lines are done', async () => {
  await using program = start(few, '--add-users')
  while (countStored() < 30) await sleep(5)
  program.signal('SIGINT')
  const { code, stdout, stderr } = await program.ended()
  const [, line] = /Every line before line (\d+) is done/.exec(stderr) ?? []
  expect(code).toBe(1)
  expect(stderr).toContain('The import was interrupted.')
  expect(Number(line)).toBeLessThan(few.length)
  expect(stdout).toMatch(new RegExp(`^Keys saved +${countStored()}$`, 'm'))
  const stored = await storedKeys()
  const done = few.slice(0, Number(line) - 2)
  expect(done.filter(({ id }) => !stored.has(id))).toEqual([])
})

it('users that the vault does not know are refused, and none is added', async () => {
  const { code, stdout } = await run(few)
  expect(code).toBe(1)
  expect(stdout).toMatch(reportOf(few.length, 0, 0, 0, few.length))
  expect(stdout).toContain(
    `lines 2–${few.length + 1}: each has a user that the vault does not know`,
  )
  expect(query('SELECT count(*) AS rows FROM users')).toEqual([{ rows: 0 }])
})

it.for([
  ['with another scope', { scope: 'vault:users' }, 'has the scope vault:save'],
  ['of another client', { scope: 'vault:save', azp: 'page' }, 'not one that MANAGE_CLIENTS lists'],
  ['that may not add users', { scope: 'vault:save' }, 'has the scope vault:users'],
  ['that has expired', { scope: 'vault:save', exp: inSeconds(-100) }, 'The token has expired.'],
] as const)('a token %s ends the import before a key is sent', async ([, claims, message]) => {
  await writeToken(claims)
  const { code, stdout, stderr } = await run(few, '--add-users')
  expect([code, stdout]).toEqual([1, ''])
  expect(stderr).toContain(message)
  expect(countStored()).toBe(0)
})
