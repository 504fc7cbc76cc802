/** A removed user leaves no id and no key: in no table, not in the second store, not in the queue, and in one line of the log. */

import { runInDurableObject } from 'cloudflare:test'
import { beforeEach, expect, it } from 'vitest'
import { importRows } from '../../src/import/imported-keys.ts'
import { runJobs } from '../../src/jobs.ts'
import { beginPass, readPass, savePass } from '../../src/keys/rewrap-pass.ts'
import { copyDeletions } from '../../src/keys/gone.ts'
import { deleteSlot, setLimits } from '../../src/keys/slots.ts'
import { deleteUser, removeUser } from '../../src/keys/users.ts'
import { openService } from '../../src/service.ts'
import { bindTo } from '../binding/callers.ts'
import { emptyVault, env } from '../isolate.ts'
import { call, mintToken, ownerOf, recordLogs, someEncryptionKey } from '../support.ts'
import { backUp, goodKey, rowsOf, someVault } from './restoration.ts'

beforeEach(emptyVault)

const quoted = (name: unknown) => `"${String(name)}"`

/** The columns of all tables of D1 that have `word` in a row. */
async function searchD1(word: string): Promise<string[]> {
  const columns = await rowsOf<{ tab: string; col: string }>(
    `SELECT t.name AS tab, c.name AS col FROM sqlite_schema AS t, pragma_table_info(t.name) AS c
     WHERE t.type = 'table' AND t.name NOT GLOB '_cf_*' ORDER BY t.name, c.cid`,
  )
  const has = columns.map(({ tab, col }) =>
    env.DB.prepare(
      `SELECT count(*) AS rows FROM ${quoted(tab)} WHERE instr(CAST(${quoted(col)} AS TEXT), ?1) > 0`,
    ).bind(word),
  )
  const found = await env.DB.batch<{ rows: number }>(has)
  return columns
    .filter((_, index) => (found[index]?.results[0]?.rows ?? 0) > 0)
    .map(({ tab, col }) => `${tab}.${col}`)
}

/** All that the second store holds, as one text. */
async function readStore(): Promise<string> {
  const store = env.DELETIONS.getByName('deletions')
  return runInDurableObject(store, async (_, { storage }) => {
    const tables = storage.sql
      .exec("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT GLOB '_cf_*'")
      .toArray()
    const rows = tables.map(({ name }) =>
      storage.sql.exec(`SELECT * FROM ${quoted(name)}`).toArray(),
    )
    return JSON.stringify([rows, [...(await storage.list())]])
  })
}

/** A vault that expects imported rows, with a queue. */
function someImportingVault() {
  const sent: unknown[] = []
  const sendBatch = async (messages: unknown[]) => void sent.push(...messages)
  const vault: Env = {
    ...env,
    LEGACY_FERNET_KEY: someEncryptionKey(),
    EVENTS_QUEUE: Object.assign(Object.create(null), { send: null, sendBatch }),
  }
  return { vault, sent }
}

/** A user of whom every table has something, and after whose row a pass of the rewrap job is. */
async function someKnown(vault: Env) {
  const userId = `zoë+${crypto.randomUUID()}@example.com`
  const apiKey = goodKey()
  const service = await openService(vault)
  await importRows(env.DB, [{ userId, provider: 'acme', savedAt: '2026-01-01', token: 'gAAAA' }])
  await copyDeletions(service)
  const { save, use } = someVault()
  await save(userId, apiKey)
  const owner = await ownerOf(userId, vault)
  await setLimits(owner, 'openai', { maxUses: { count: 5, per: 'month' }, condition: null })
  await deleteSlot(owner, 'default')
  await use(userId)
  await beginPass(service)
  await passUser(userId, vault)
  return { userId, apiKey }
}

/** Moves the pass of the rewrap job to after a row of the user. */
async function passUser(userId: string, vault: Env): Promise<void> {
  const pass = await readPass(await openService(vault))
  if (pass === null) throw new Error('There is no pass')
  await savePass(env.DB, { ...pass, last: { userId, provider: 'openai' } }, false)
}

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
  const { vault, sent } = someImportingVault()
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
  const { vault } = someImportingVault()
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
