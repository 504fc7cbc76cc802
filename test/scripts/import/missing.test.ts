/** `npm run import` with a newer file: which imported keys it lacks, and when `--remove-missing` removes them. */

import { writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { expect, it } from 'vitest'
import { makeFernet } from '../../import/make-fernet.ts'
import { useImports } from './imports.ts'
import { runScript } from '../run-script.ts'

const { fernet, database, importText, countOf } = useImports()
const fernetKey = Buffer.from(fernet.key, 'base64url')
const HEADER = 'id,encrypted_api_key'

/** A hundred users. The key of the first one is the newest. */
const ALL = await Promise.all(
  Array.from({ length: 100 }, async (_, index) => {
    const text = new TextEncoder().encode(`sk-test-${index}`)
    const token = await makeFernet(fernetKey, new Uint8Array(16), 1_700_000_099 - index, text)
    return `u${index},${token}`
  }),
)
const [THIRD = '', SECOND = '', OLDEST = ''] = ALL.slice(-3)
const without = (...lines: string[]) => ALL.filter((line) => !lines.includes(line))
const csv = (lines: readonly string[]) => [HEADER, ...lines, ''].join('\n')

const remove = async (content: string, ...args: string[]) =>
  importText('newer.csv', content, '--remove-missing', '--yes', ...args)

async function storedOf(...ids: string[]): Promise<unknown[]> {
  const rows = await database().query('SELECT user_id FROM api_keys')
  return rows.map((row) => row['user_id']).filter((id) => ids.includes(String(id)))
}

it('an import lists the keys of an earlier one that the file lacks, and removes none', async () => {
  await importText('all.csv', csv(ALL))
  const { code, stdout } = await importText('newer.csv', csv(without(OLDEST)))
  expect(code).toBe(1)
  expect(stdout).toMatch(/^Missing +1$/m)
  expect(stdout).toContain(
    'The file lacks 1 key of an earlier import:\n  "u99"  default\n' +
      'If the Flask backend has deleted them since, add --remove-missing.\n',
  )
  expect(await countOf('api_keys')).toBe(100)
})

it('an import that lacks nothing says nothing of missing keys', async () => {
  await importText('all.csv', csv(ALL))
  const { code, stdout } = await remove(csv(ALL))
  expect(code).toBe(0)
  expect(stdout).toMatch(/^Removed +0$/m)
  expect(stdout).not.toMatch(/missing|lacks/i)
})

it('--remove-missing removes a key whose user is gone, and one whose user has none any more', async () => {
  await importText('all.csv', csv(ALL))
  const { code, stdout } = await remove(csv([...without(OLDEST, SECOND), 'u98,']))
  expect(stdout).toMatch(/^Missing +2\nRemoved +2$/m)
  expect(code).toBe(0)
  expect(await storedOf('u97', 'u98', 'u99')).toEqual(['u97'])
  expect(await countOf('users')).toBe(100)
})

it('--remove-missing removes none if they are more than 2 %, until --remove-up-to allows it', async () => {
  await importText('all.csv', csv(ALL))
  const content = csv(without(OLDEST, SECOND, THIRD))
  const refused = await remove(content)
  expect(refused.code).toBe(1)
  expect(refused.stdout).toMatch(/^Missing +3\nRemoved +0$/m)
  expect(refused.stdout).toContain(
    'Nothing was removed. The file lacks 3 of 100 imported keys, which is more than 2 %. ' +
      'If it is whole, add --remove-up-to 3.\n',
  )
  expect((await remove(content, '--remove-up-to', '2')).stdout).toContain(
    'The file lacks 3 of 100 imported keys, which is more than --remove-up-to 2.\n',
  )
  expect(await countOf('api_keys')).toBe(100)
  expect((await remove(content, '--remove-up-to', '3')).stdout).toMatch(/^Removed +3$/m)
  expect(await countOf('api_keys')).toBe(97)
})

const CUT: [how: string, content: string, why: string][] = [
  ['between two lines', csv(ALL.slice(0, 50)), 'lacks 50 of 100 imported keys'],
  ['in a token', csv(ALL.slice(0, 98)) + SECOND.slice(0, 30), 'its end may be missing'],
  ['before a line break', csv(ALL.slice(0, 98)).slice(0, -1), 'its end may be missing'],
]

it.for(CUT)('--remove-missing removes nothing if the file is cut %s', async ([, content, why]) => {
  await importText('all.csv', csv(ALL))
  const { code, stdout } = await remove(content)
  expect(code).toBe(1)
  expect(stdout).toMatch(/^Removed +0$/m)
  expect(stdout).toMatch(new RegExp(`^Nothing was removed. .*${why}`, 'm'))
  expect(await countOf('api_keys')).toBe(100)
})

it('--remove-missing removes nothing if a line does not say whose it is', async () => {
  await importText('all.csv', csv(ALL))
  const lines = [...without(OLDEST), OLDEST.replace('u99', '')]
  const { stdout } = await remove(csv(lines))
  expect(stdout).toContain('Nothing was removed. Line 101 does not say whose key it has.')
  expect(await countOf('api_keys')).toBe(100)
})

it('--remove-missing spares the user of a line whose token is refused', async () => {
  await importText('all.csv', csv(ALL))
  const { stdout } = await remove(csv([...without(OLDEST, SECOND), OLDEST.slice(0, -4)]))
  expect(stdout).toMatch(/^Missing +1\nRemoved +1$/m)
  expect(await storedOf('u98', 'u99')).toEqual(['u99'])
})

it('--remove-missing spares keys that are newer than each key of the file', async () => {
  await importText('all.csv', csv(ALL))
  const { code, stdout } = await remove(csv(ALL.slice(2)))
  expect(code).toBe(1)
  expect(stdout).toMatch(/^Missing +2\nRemoved +0$/m)
  expect(stdout).toContain('since it may be an older file:\n  "u0"  default\n  "u1"  default\n')
  expect(await countOf('api_keys')).toBe(100)
})

it('--remove-missing counts keys that it spares among those that half a file lacks', async () => {
  await importText('all.csv', csv(ALL))
  // All but one of the missing keys are newer than each key of the file.
  const { stdout } = await remove(csv(ALL.slice(50, -1)))
  expect(stdout).toMatch(/^Missing +51\nRemoved +0$/m)
  expect(stdout).toContain('Nothing was removed. The file lacks 51 of 100 imported keys')
  expect(await countOf('api_keys')).toBe(100)
})

it('--remove-missing spares a key that was saved here since, and imported keys of other slots', async () => {
  await importText('all.csv', csv(ALL))
  await importText('two.csv', csv([OLDEST, SECOND]), '--provider', 'anthropic')
  await database().query("UPDATE api_keys SET identity = 'saved here' WHERE user_id = 'u98'")
  const { stdout } = await remove(csv(without(OLDEST, SECOND)))
  expect(stdout).toMatch(/^Missing +1\nRemoved +1$/m)
  const rows = await database().query(
    "SELECT user_id, provider FROM api_keys WHERE user_id IN ('u98', 'u99') ORDER BY 1, 2",
  )
  expect(rows.map((row) => Object.values(row))).toEqual([
    ['u98', 'anthropic'],
    ['u98', 'default'],
    ['u99', 'anthropic'],
  ])
})

it('--remove-missing takes a SQLite database and NDJSON as it takes CSV', async () => {
  await importText('all.csv', csv(ALL))
  const rows = without(OLDEST).map((line) => line.split(','))
  const objects = rows.map(([id, encrypted_api_key]) => JSON.stringify({ id, encrypted_api_key }))
  expect(
    (await importText('a.ndjson', objects.join('\n'), '--remove-missing', '--yes')).stdout,
  ).toContain('its end may be missing')
  {
    using file = new DatabaseSync('flask.db')
    file.exec('CREATE TABLE users (id TEXT, encrypted_api_key TEXT)')
    const insert = file.prepare('INSERT INTO users VALUES (?, ?)')
    for (const row of rows) insert.run(...row)
  }
  const { stdout } = await runScript(
    ['import/command', 'flask.db', '--remove-missing', '--yes'],
    database().db,
  )
  expect(stdout).toMatch(/^Removed +1$/m)
})

it('--json lists all missing keys, and says what was removed or why nothing was', async () => {
  await importText('all.csv', csv(ALL))
  const report = async (lines: string[], ...args: string[]) => {
    const { stdout } = await importText('newer.csv', csv(lines), '--json', ...args)
    return JSON.parse(stdout)
  }
  const missing = [{ user_id: 'u99', provider: 'default', saved_at: '2023-11-14T22:13:20.000Z' }]
  const listed = await report(without(OLDEST))
  expect(listed).toMatchObject({ missing })
  expect(listed).not.toHaveProperty('removed')
  expect(
    await report(without(OLDEST), '--remove-missing', '--yes', '--remove-up-to', '0'),
  ).toMatchObject({
    missing,
    removed: 0,
    not_removed: expect.stringContaining('more than --remove-up-to 0'),
  })
  expect(await report(without(OLDEST), '--remove-missing', '--yes')).toMatchObject({
    missing,
    removed: 1,
    not_removed: null,
  })
})

it.for([
  ['without --remove-missing', ['--remove-up-to', '3']],
  ['of no number', ['--remove-missing', '--remove-up-to', '-1']],
] as const)('--remove-up-to %s prints the usage', async ([, args]) => {
  writeFileSync('all.csv', csv(ALL))
  const { code, stderr } = await runScript(['import/command', 'all.csv', ...args], database().db)
  expect([code, stderr]).toEqual([2, expect.stringMatching(/^Usage: npm run import --/m)])
})
