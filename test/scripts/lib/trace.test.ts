import { expect, it } from 'vitest'
import { describeElsewhere } from '../../../scripts/lib/trace.ts'
import { useDatabase } from '../database.ts'
import { runScript } from '../run-script.ts'

const database = useDatabase()

const users = async (...args: string[]) => runScript(['users', ...args], database.db)
const trace = async (id: string) => (await users('trace', id)).stdout

/** The rows that a trace counts, by table. */
const countsOf = (text: string) =>
  Object.fromEntries(
    Array.from(text.matchAll(/^ {2}([a-z_]+) +([\d,]+)\b/gm), ([, name, rows]) => [name, rows]),
  )

const NONE = {
  users: '0',
  api_keys: '0',
  member_uses: '0',
  api_key_events: '0',
  imported_keys: '0',
  removed_users: '0',
  rewrap: '0',
}
const NOTHING = 'Nothing in the database names this user.'

it('a trace counts the rows of a user who is there', async () => {
  await users('add', 'ann')
  await database.query(
    "INSERT INTO api_keys (user_id, encrypted_api_key, key_id) VALUES ('ann', 'x', 'a')",
  )
  const text = await trace('ann')
  expect(countsOf(text)).toEqual({ ...NONE, users: '1', api_keys: '1' })
  expect(text).toMatch(/^ {2}users +1 {2}until the user is removed$/m)
  expect(text).not.toContain(NOTHING)
})

it('a trace of a removed user finds the HMAC while an import is under way, and nothing once it is over', async () => {
  await users('add', 'ann')
  await users('remove', 'ann', '--yes')
  expect(countsOf(await trace('ann'))).toEqual({ ...NONE, removed_users: '1' })
  expect(countsOf(await trace('ben'))).toEqual(NONE)
  await runScript(['import/command', '--finish', '--yes'], database.db)
  const text = await trace('ann')
  expect(countsOf(text)).toEqual(NONE)
  expect(text).toContain(NOTHING)
})

it('a trace names each place outside the database, with the days until when', async () => {
  const text = describeElsewhere(Date.parse('2026-11-30T12:00:00Z')).join('\n')
  const places = Array.from(text.matchAll(/^ {2}([A-Z][\w ]*?) {2,}/gm), ([, name]) => name)
  expect(places).toEqual([
    'Second store',
    'D1 Time Travel',
    'Your backups',
    'Workers Logs',
    'Queue of events',
    'Analytics Engine',
  ])
  expect(text).toContain('Until 2026-12-30; on the Free plan until 2026-12-07.')
  expect(text).toContain('Until 2026-12-07; on the Free plan until 2026-12-03.')
  expect(await trace('ann')).toContain('Elsewhere, if the user was removed today:')
})

it('a trace changes nothing', async () => {
  const read = async () => database.query('SELECT * FROM users', 'SELECT * FROM removed_users')
  const before = await read()
  expect((await users('trace', 'ann')).code).toBe(0)
  expect(await read()).toEqual(before)
})
