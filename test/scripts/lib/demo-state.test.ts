import { expect, it } from 'vitest'
import type { DemoKey } from '../../../scripts/lib/demo-keys.ts'
import { bringAbout, inDays } from '../../../scripts/lib/demo-state.ts'
import { runBatch } from '../../../src/store/d1.ts'
import { useDatabase } from '../database.ts'

const database = useDatabase()

/** A row as the vault leaves it, and what becomes of it. */
async function bring(changes: Partial<DemoKey>) {
  const key = { slot: 'openai', state: 'any', apiKey: 'made-up', ...changes }
  await database.query(
    "INSERT INTO users (id) VALUES ('demo')",
    `INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id, max_uses, max_uses_per, expires_at)
     VALUES ('demo', 'openai', 'v1', 'k', 5, 'month', '2100-01-01'), ('demo', 'groq', 'v1', 'k', NULL, NULL, NULL)`,
    `INSERT INTO api_key_events (day, user_id, id, provider, event, actor)
     VALUES ('2020-11-25', 'demo', 'a', 'openai', 'saved', 'owner'), ('2020-11-25', 'demo', 'b', 'groq', 'saved', 'owner')`,
  )
  const others = "SELECT * FROM api_keys WHERE provider = 'groq'"
  const before = await database.query(others)
  await runBatch(database.db, bringAbout('demo', key))
  expect(await database.query(others)).toEqual(before)
  const [row] = await database.query("SELECT * FROM api_keys WHERE provider = 'openai'")
  return { row, events: await database.query('SELECT * FROM api_key_events ORDER BY day, id') }
}

it('sets what a provider has said of the key, and when it was saved and used', async () => {
  const { row, events } = await bring({
    status: 'rejected',
    savedDaysAgo: 40,
    usedDaysAgo: 2,
    exhaustedDaysAgo: 1,
    uses: 5,
  })
  const daysAgo = (days: number) => expect.stringMatching(`^${inDays(-days).slice(0, 10)}T`)
  expect(row).toMatchObject({
    status: 'rejected',
    updated_at: daysAgo(40),
    last_used_at: daysAgo(2),
    exhausted_at: daysAgo(1),
    uses: 5,
    uses_in: inDays(0).slice(0, 7),
    expires_at: '2100-01-01',
    expiry_noted: 0,
  })
  expect(events.map(({ id }) => id)).toEqual(['a', 'b'])
})

it('lets a key expire, as the job does', async () => {
  const { row } = await bring({ expiresIn: -3 })
  expect(row).toMatchObject({ status: 'unverified', last_used_at: null, expiry_noted: 1 })
  expect(String(row?.['expires_at']) < inDays(-2)).toBe(true)
})

it('lets the trail tell the history of the key, in order and not in the future', async () => {
  const caller = 'binding:chat'
  const { events } = await bring({
    history: [
      { daysAgo: 1, event: 'verified', verdict: 'accepted' },
      { daysAgo: 0, event: 'rejected_in_use', by: 'caller', caller, reason: 'revoked' },
      { daysAgo: 0, event: 'used', caller, count: 41 },
    ],
  })
  const own = events.filter(({ provider }) => provider === 'openai')
  expect(own).toMatchObject([
    { event: 'verified', actor: 'owner', verdict: 'accepted', hours: null },
    { event: 'rejected_in_use', actor: 'caller', caller, reason: 'revoked', hours: null },
    { event: 'used', actor: 'caller', caller, id: `["used",null,"openai","${caller}"]` },
  ])
  const [verified, rejected, used] = own
  expect(String(verified?.['id']) < String(rejected?.['id'])).toBe(true)
  const [[hour, counted] = []] = Object.entries(JSON.parse(String(used?.['hours'])))
  expect(counted).toEqual([41, 0, expect.any(String), expect.any(String)])
  const [, , first] = Object(counted)
  const at = `${String(used?.['day'])}T${hour}:${first}Z`
  expect(at > String(rejected?.['id']).slice(0, 24) && at < inDays(0)).toBe(true)
  expect(events.map(({ id }) => id)).toContain('b')
})
