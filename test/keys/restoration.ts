/** A vault whose D1 somebody restores, although keys have been deleted since. */

import { env } from '../isolate.ts'
import { useKey } from '../../src/binding/methods.ts'
import { VaultError } from '../../src/errors.ts'
import { assignKey } from '../../src/keys/assign.ts'
import { copyDeletions } from '../../src/keys/gone.ts'
import { saveSlot } from '../../src/keys/save.ts'
import { deleteSlot } from '../../src/keys/slots.ts'
import type { KeyUser } from '../../src/keys/take.ts'
import { revealKey } from '../../src/keys/use.ts'
import { removeUser } from '../../src/keys/users.ts'
import { verifySlot } from '../../src/keys/verify.ts'
import { openService } from '../../src/service.ts'
import { ownerOf, PROVIDER, slotOf, someUser } from '../support.ts'

/** A key that the provider accepts, and that no other test uses. */
export const goodKey = () => `sk-good-${crypto.randomUUID()}`

/** A binding DELETIONS that does `work` at each question. */
export function deletionsThat(work: () => unknown) {
  const getByName = (name: string) => {
    work()
    return env.DELETIONS.getByName(name)
  }
  return Object.assign(Object.create(env.DELETIONS), { getByName })
}

/** A second store that fails. */
export function failingDeletions() {
  return deletionsThat(() => {
    throw new Error('Network connection lost')
  })
}

/**
 * A binding DELETIONS of a runtime that has jurisdictions. `asked` has the place of each question: a jurisdiction, or
 * `outside`.
 */
export function deletionsInPlaces() {
  const asked: string[] = []
  const at = (place: string, suffix = '') => ({
    getByName: (name: string) => {
      asked.push(place)
      return env.DELETIONS.getByName(name + suffix)
    },
  })
  const jurisdiction = (place: string) => at(place, ` in ${place}`)
  return { DELETIONS: { ...at('outside'), jurisdiction }, asked }
}

/** What a vault in an isolate of its own can do. `calls` counts the questions to the second store. */
export function someVault(changes: object = {}) {
  let calls = 0
  const DELETIONS = deletionsThat(() => (calls += 1))
  const vault: Env = { ...env, DELETIONS, ...changes }
  const userOf = async (userId: string): Promise<KeyUser> => ({
    ...(await ownerOf(userId, vault)),
    by: { kind: 'caller', name: 'binding:chat' },
    waitUntil: () => undefined,
  })
  return {
    calls: () => calls,
    save: async (userId: string, apiKey: string, provider = 'openai') =>
      saveSlot(await ownerOf(userId, vault), provider, { apiKey, verify: false }),
    remove: async (userId: string, provider = 'openai') =>
      deleteSlot(await ownerOf(userId, vault), provider),
    runJob: async () => copyDeletions(await openService(vault)),
    reveal: async (userId: string, provider = 'openai') => {
      const user = await userOf(userId)
      return revealKey(user, slotOf(user, provider))
    },
    check: async (userId: string) =>
      (await verifySlot(await ownerOf(userId, vault), 'openai')).verdict,
    /** Sends a request with the key: the status of the provider, or the code of the refusal. */
    use: async (userId: string) => {
      const user = await userOf(userId)
      const request = new Request(`${PROVIDER}/v1/models`)
      const used = await useKey(user, slotOf(user, 'openai'), request).catch((error: unknown) =>
        VaultError.from(error),
      )
      if (used instanceof VaultError) return used.code
      const { response } = used
      await response.text()
      return response.status
    },
  }
}

/** A user with a key in a slot. */
export async function someOwner(slot = 'openai') {
  const [userId, apiKey] = [await someUser(), goodKey()]
  await someVault().save(userId, apiKey, slot)
  return { userId, apiKey }
}

/** A user with a key for OpenAI, after a run of the job. */
export async function someCopiedOwner() {
  const owner = await someOwner()
  await someVault().runJob()
  return owner
}

export const rowsOf = async <T = Record<string, unknown>>(sql: string, ...values: unknown[]) => {
  const statement = env.DB.prepare(sql).bind(...values)
  return (await statement.all<T>()).results
}

const TABLES = [
  'users',
  'api_keys',
  'member_uses',
  'api_key_events',
  'imported_keys',
  'removed_users',
  'import_secret',
  'gone_keys',
  'heartbeat',
]

/** Remembers the whole database. @returns a function that restores it */
export async function backUp(): Promise<() => Promise<void>> {
  const read = TABLES.map((table) => env.DB.prepare(`SELECT * FROM ${table}`))
  const backup = (await env.DB.batch<Record<string, unknown>>(read)).map(({ results }) => results)
  const empty = TABLES.toReversed().map((table) => env.DB.prepare(`DELETE FROM ${table}`))
  const fill = TABLES.flatMap((table, index) => {
    const rows = backup[index] ?? []
    if (rows[0] === undefined) return []
    const names = Object.keys(rows[0])
    const values = names.map((name) => `value ->> '${name}'`)
    const sql = `INSERT INTO ${table} (${names.join()}) SELECT ${values.join()} FROM json_each(?1)`
    return env.DB.prepare(sql).bind(JSON.stringify(rows))
  })
  return async () => void (await env.DB.batch([...empty, ...fill]))
}

/** Sets back D1's heartbeat, as if the job had not run for some time. */
export const age = async (minutes: number) =>
  env.DB.prepare('UPDATE heartbeat SET at = ?1')
    .bind(new Date(Date.now() - minutes * 60_000).toISOString())
    .run()

export const heartbeat = async () =>
  (await rowsOf<{ at: string; copied: number }>('SELECT at, copied FROM heartbeat'))[0]

/** The slots of the user that have a key. */
export const keysOf = async (userId: string) =>
  rowsOf('SELECT provider FROM api_keys WHERE user_id = ?1', userId)

/** The random ids of the user's keys, by slot. */
export const identitiesOf = async (userId: string) => {
  const sql = 'SELECT identity FROM api_keys WHERE user_id = ?1 ORDER BY provider'
  return (await rowsOf<{ identity: string }>(sql, userId)).map(({ identity }) => identity)
}

/** The random id of the user. */
export const userIdentityOf = async (userId: string) => {
  const [user] = await rowsOf<{ identity: string }>(
    'SELECT identity FROM users WHERE id = ?1',
    userId,
  )
  return user?.identity ?? ''
}

/** The causes of the tombstones in D1 of keys or users with these random ids. */
export const causesOf = async (...identities: string[]) => {
  const sql = `SELECT cause FROM gone_keys WHERE identity IN (SELECT value FROM json_each(?1))`
  const rows = await rowsOf<{ cause: string }>(sql, JSON.stringify(identities))
  return rows.map(({ cause }) => cause)
}

/** Writes tombstones into D1, as the vault or as somebody else. */
export const bury = async (identities: readonly string[], cause = 'request') =>
  rowsOf(
    'INSERT INTO gone_keys (cause, identity) SELECT ?1, value FROM json_each(?2)',
    cause,
    JSON.stringify(identities),
  )

/**
 * Users whose keys are deleted, replaced, removed, moved and deleted, and kept after a backup of `minutes` ago,
 * which is restored.
 */
export async function someRestored(minutes = 10) {
  const vault = someVault()
  const [deleted, replaced, removed, assigned, kept] = await Promise.all([
    someOwner(),
    someOwner(),
    someOwner(),
    someOwner('default'),
    someOwner(),
  ])
  await vault.runJob()
  await age(minutes)
  const restore = await backUp()
  await vault.runJob()
  await Promise.all([
    vault.remove(deleted.userId),
    vault.save(replaced.userId, goodKey()),
    removeUser(await openService(env), removed.userId),
    assignKey(await ownerOf(assigned.userId), 'openai', false).then(async () =>
      vault.remove(assigned.userId),
    ),
  ])
  await vault.runJob()
  await restore()
  return { deleted, replaced, removed, assigned, kept }
}
