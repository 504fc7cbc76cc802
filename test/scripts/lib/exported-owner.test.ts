/** What an operator sees of a user: the lines of an export, and a description. */

import { expect, it } from 'vitest'
import { exportedRow, exportLine } from '../../../src/shared/answers.ts'
import { MAX_EXPORTED } from '../../../src/keys/trail.ts'
import { useDatabase } from '../database.ts'
import { runScript } from '../run-script.ts'

const database = useDatabase()

const users = async (...args: string[]) => runScript(['users', ...args], database.db)

/** A user with two keys, one of them with limits, and what an import has noted. */
async function addUser() {
  await database.query(
    "INSERT INTO users (id, created_at) VALUES ('ann', '2026-10-01T08:00:00.000Z')",
    `INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id, updated_at)
     VALUES ('ann', 'acme', 'v1.a.SEALED', 'fernet', '2026-10-02T08:00:00.000Z')`,
    `INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id, fingerprint, status, updated_at, saved_by,
       last_used_at, last_verified_at, expires_at, paused_at, callers, max_uses, max_uses_per, uses, uses_in)
     VALUES ('ann', 'openai', 'v1.a.SEALED', '0123456789ab', 'FINGERPRINT', 'active', '2026-10-03T08:00:00.000Z',
       'operator', '2026-10-04T08:00:00.000Z', '2026-10-05T08:00:00.000Z', '2026-10-06T08:00:00.000Z',
       '2026-10-07T08:00:00.000Z', '["binding:chat"]', 5, 'day', 3, '2026-10-04')`,
    "INSERT INTO imported_keys (user_id, provider, saved_at) VALUES ('ann', 'acme', '2026-10-02T08:00:00.000Z')",
  )
}

async function addEvents(count: number) {
  await database.query(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})
     INSERT INTO api_key_events (day, user_id, id, provider, event, actor, caller)
     SELECT '2026-10-03', 'ann', '2026-10-03T08:00:00.000Z.' || printf('%05d', i), 'openai', 'viewed', 'caller', 'binding:' || i
     FROM n`,
  )
}

async function readExport() {
  const { code, stdout, stderr } = await users('export', 'ann')
  const lines: unknown[] = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  return { code, stdout, stderr, lines }
}

it('exports a user as the route does, without what is inside the sealed keys', async () => {
  await addUser()
  await addEvents(1)
  const { code, stdout, stderr, lines } = await readExport()
  expect([code, stderr]).toEqual([0, expect.stringContaining('The keys are not opened')])
  const [user, acme, openai, ...rest] = lines
  for (const line of [user, ...rest]) expect(exportLine.parse(line)).toEqual(line)
  for (const line of [acme, openai]) expect(exportedRow.parse(line)).toEqual(line)
  expect(lines).toMatchObject([
    { type: 'user', user_id: 'ann', created_at: '2026-10-01T08:00:00.000Z' },
    { type: 'key', provider: 'acme', key_id: 'fernet', has_fingerprint: false },
    { type: 'key', provider: 'openai', uses: 3, uses_in: '2026-10-04', has_fingerprint: true },
    { type: 'import', provider: 'acme', saved_at: '2026-10-02T08:00:00.000Z' },
    { type: 'event', event: 'viewed', caller: 'binding:1' },
    { type: 'end', next_cursor: null },
  ])
  expect(stdout).not.toMatch(/SEALED|FINGERPRINT|has_api_key|preview/)
})

it('exports more events than an answer of the route has in one part', async () => {
  await addUser()
  await addEvents(MAX_EXPORTED + 1)
  const { lines } = await readExport()
  expect(lines).toHaveLength(MAX_EXPORTED + 6)
  expect(lines.at(-1)).toEqual({ type: 'end', next_cursor: null })
})

it('exports what the rows of teams say about a user, each with its team', async () => {
  await addUser()
  await database.query(
    "UPDATE users SET identity = 'random'",
    "INSERT INTO users (id) VALUES ('team:acme')",
    `INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id) VALUES ('team:acme', 'openai', 'x', 'a')`,
    `INSERT INTO member_uses VALUES ('team:acme', 'openai', 'random', '2026-10-04', 2, 'mark')`,
    `INSERT INTO member_uses VALUES ('team:acme', 'openai', 'other', '2026-10-04', 3, 'mark')`,
    ...['random', 'other'].map(
      (member) => `INSERT INTO api_key_events (day, user_id, id, provider, event, actor, member)
        VALUES ('2026-10-03', 'team:acme', '2026-10-03T08:00:00.000Z.${member}', 'openai', 'saved', 'owner', '${member}')`,
    ),
  )
  const { lines } = await readExport()
  expect(lines.slice(-3)).toMatchObject([
    { type: 'member_uses', team_id: 'acme', provider: 'openai', uses: 2, uses_in: '2026-10-04' },
    {
      type: 'member_event',
      team_id: 'acme',
      id: '2026-10-03T08:00:00.000Z.random',
      event: 'saved',
    },
    { type: 'end', next_cursor: null },
  ])
  expect(lines).toHaveLength(7)
})

it('shows the keys of a user with their limits, and the newest events', async () => {
  await addUser()
  await addEvents(21)
  const { code, stdout } = await users('show', 'ann')
  const [head, events = ''] = stdout.split('Events\n')
  expect([code, head]).toEqual([
    0,
    `"ann"  added 2026-10-01T08:00:00.000Z

Keys
  acme  unverified; saved 2026-10-02T08:00:00.000Z; last used never; last checked never; encryption key fernet
  openai  active; saved 2026-10-03T08:00:00.000Z by operator; last used 2026-10-04T08:00:00.000Z; last checked 2026-10-05T08:00:00.000Z; expires 2026-10-06T08:00:00.000Z; paused 2026-10-07T08:00:00.000Z; only for binding:chat; 0 of 5 uses this day; encryption key 0123456789ab

Noted by imports
  acme  keys up to 2026-10-02T08:00:00.000Z

`,
  ])
  const shown = events.trimEnd().split('\n')
  expect([shown.length, shown[0], shown.at(-1)]).toEqual([
    21,
    '  2026-10-03T08:00:00.000Z  openai  viewed  by caller "binding:21"',
    '  Older ones: npm run -s users -- export ID',
  ])
})

it('shows what explains a complaint: sums by their last time, and what the provider answered', async () => {
  await addUser()
  const columns = 'INSERT INTO api_key_events (day, user_id, id, provider, event, actor'
  await database.query(
    `${columns}, code, hours) VALUES ('2026-10-03', 'ann', '[]', 'openai', 'use_refused', 'caller', 'api_key_paused',
       '{"08": [7, 0, "01:00.000", "02:00.000"]}')`,
    `${columns}, caller, hours) VALUES ('2026-10-03', 'ann', '[1]', 'openai', 'used', 'caller', 'relay:chat',
       '{"07": [9, 4, "01:00.000", "59:00.000"]}')`,
    `${columns}, reason, provider_status, request_id) VALUES ('2026-10-03', 'ann', '2026-10-03T08:01:30.000Z.a', 'openai',
       'rejected_in_use', 'caller', 'revoked', 401, 'abc')`,
  )
  const { stdout } = await users('show', 'ann')
  expect(stdout.split('Events\n')[1]).toBe(
    `  2026-10-03T08:02:00.000Z  openai  use_refused  by caller  7 times from 2026-10-03T08:01:00.000Z  api_key_paused
  2026-10-03T08:01:30.000Z  openai  rejected_in_use  by caller  revoked  status 401  request abc
  2026-10-03T07:59:00.000Z  openai  used  by caller "relay:chat"  9 times from 2026-10-03T07:01:00.000Z  4 failed
`,
  )
})

it('shows that a user has nothing', async () => {
  await users('add', 'ann')
  const { stdout } = await users('show', 'ann')
  expect(stdout).toMatch(
    /^"ann" {2}added 20\S+\n\nKeys\n {2}none\n\nNoted by imports\n {2}none\n\nEvents\n {2}none\n$/,
  )
})

it.for(['show', 'export'])('says that there is no such user: %s', async (command) => {
  expect(await users(command, 'nobody')).toEqual({
    code: 1,
    stdout: '',
    stderr: 'There is no user nobody\n',
  })
})
