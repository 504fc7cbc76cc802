/** A removed user leaves no id and no key: in no table, not in the second store, not in the queue, and in one line of the log. */

import { beforeEach, expect, it } from 'vitest'
import { runJobs } from '../../src/jobs.ts'
import { copyDeletions } from '../../src/keys/gone.ts'
import { deleteUser, removeUser } from '../../src/keys/users.ts'
import { openService } from '../../src/service.ts'
import { teamOwner } from '../../src/shared/owner.ts'
import { run } from '../../src/store/d1.ts'
import { LATEST, selectEvents } from '../../src/store/events.ts'
import { columnsWith, readCells, readStore, watchedVault } from '../all-stored.ts'
import { bindTo } from '../binding/callers.ts'
import { emptyVault, env } from '../isolate.ts'
import { call, mintToken, recordLogs, someUser } from '../support.ts'
import { passUser, someKnown } from './known-user.ts'
import { backUp, keysOf, rowsOf, userIdentityOf } from './restoration.ts'

beforeEach(emptyVault)

const searchD1 = async (word: string) => columnsWith(await readCells(), word)

const KNOWN = [
  'api_key_events.user_id',
  'api_keys.user_id',
  'imported_keys.user_id',
  'rewrap.after_user_id',
  'users.id',
]

type Remove = (userId: string, vault: Env) => Promise<unknown>

const REMOVALS: [how: string, lines: string[], remove: Remove][] = [
  ['over a binding', ['binding_call'], async (userId, vault) => bindTo(vault).deleteUser(userId)],
  [
    'over HTTP',
    [],
    async (userId, vault) => {
      const claims = { sub: 'service', scope: 'vault:users', client_id: 'flask-app' }
      const token = await mintToken(claims)
      const path = `/api/users/${encodeURIComponent(userId)}`
      expect((await call('DELETE', path, { token, env: vault })).status).toBe(200)
    },
  ],
  [
    'with the command',
    [],
    async (userId) => deleteUser(env.DB, userId, { cause: 'operator', isImporting: true }),
  ],
  [
    'by the job, after a restore',
    [],
    async (userId, vault) => {
      const restore = await backUp()
      const service = await openService(vault)
      await removeUser(service, userId)
      await copyDeletions(service)
      await restore()
      await passUser(userId, vault)
      expect(await searchD1(userId)).toEqual(KNOWN)
      await copyDeletions(service)
    },
  ],
]

it.for(REMOVALS)('a user who is removed %s leaves an HMAC and no id', async ([, lines, remove]) => {
  const { vault, messages: sent } = watchedVault()
  const { userId, apiKey } = await someKnown(vault)
  expect(await searchD1(userId)).toEqual(KNOWN)
  sent.length = 0
  const logs = recordLogs()
  await remove(userId, vault)
  expect(await searchD1(userId)).toEqual([])
  await runJobs(vault)
  await runJobs(vault)
  expect(await rowsOf('SELECT * FROM users')).toEqual([])
  const left = await Promise.all([userId, apiKey].map(searchD1))
  expect(left).toEqual([[], []])
  expect(await rowsOf('SELECT * FROM removed_users')).toHaveLength(1)
  const elsewhere = [await readStore(), JSON.stringify(sent)]
  expect(elsewhere.filter((text) => text.includes(userId) || text.includes(apiKey))).toEqual([])
  const naming = logs.events().filter((line) => JSON.stringify(line).includes(userId))
  expect(naming.map(({ event }) => event)).toEqual(lines)
  expect(logs.text()).not.toContain(apiKey)
})

it('the second store holds the random ids of what is gone, and nothing else', async () => {
  const { vault } = watchedVault()
  const { userId } = await someKnown(vault)
  const sql = 'SELECT identity FROM users UNION ALL SELECT identity FROM api_keys ORDER BY 1'
  const identities = (await rowsOf(sql)).map(({ identity }) => identity)
  await removeUser(await openService(vault), userId)
  await copyDeletions(await openService(vault))
  const [[gone], kept] = JSON.parse(await readStore())
  expect(gone.map(({ identity }: { identity: string }) => identity).toSorted()).toEqual(identities)
  expect(gone.map(Object.keys)).toEqual(identities.map(() => ['number', 'identity']))
  expect(kept).toEqual([])
})

it('a member who is removed is a random id in the rows of a team, whose key stays', async () => {
  recordLogs()
  const { vault } = watchedVault()
  const { userId } = await someKnown(vault)
  const team = await someUser(teamOwner('acme'))
  await rowsOf(
    "INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id) VALUES (?1, 'openai', 'x', 'a')",
    team,
  )
  const identity = await userIdentityOf(userId)
  await rowsOf("INSERT INTO member_uses VALUES (?1, 'openai', ?2, '2026', 1, '')", team, identity)
  await rowsOf(
    `INSERT INTO api_key_events (day, user_id, id, provider, event, actor, member)
     VALUES ('2026-01-01', ?1, '2026-01-01', 'openai', 'saved', 'owner', ?2)`,
    team,
    identity,
  )
  const range = { before: LATEST, from: '', slot: null, limit: 9 }
  const readMembers = async () =>
    (await run(env.DB, selectEvents(team, range))).results.map(({ member }) => member)
  expect(await readMembers()).toEqual([userId])
  await removeUser(await openService(vault), userId)
  expect(await readMembers()).toEqual([null])
  expect(await searchD1(userId)).toEqual([])
  expect(await searchD1(identity)).toEqual([
    'api_key_events.member',
    'gone_keys.identity',
    'member_uses.member',
  ])
  expect(await keysOf(team)).toEqual([{ provider: 'openai' }])
})
