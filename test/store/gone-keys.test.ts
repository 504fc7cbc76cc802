/** Each way in which a key goes notes it in D1 with its version, until the second store has it. */

import { emptyVault, env } from '../isolate.ts'
import { beforeEach, describe, expect, it } from 'vitest'
import { assignKey } from '../../src/keys/assign.ts'
import { deleteExpiredKeys } from '../../src/keys/expiry.ts'
import { removeUser } from '../../src/keys/users.ts'
import { openService } from '../../src/service.ts'
import { run, runBatch } from '../../src/store/d1.ts'
import { countGone, forgetGone, selectGone, toGoneKeys } from '../../src/store/gone-keys.ts'
import {
  noteImportedGone,
  toImportedKeys,
  upsertImportedKeys,
} from '../../src/store/imported-keys.ts'
import {
  goneOf,
  goodKey,
  rowsOf,
  someCopiedOwner,
  someOwner,
  someVault,
  versionOf,
} from '../keys/restoration.ts'
import { ownerOf } from '../support.ts'

async function expire(userId: string) {
  await rowsOf("UPDATE api_keys SET expires_at = '2001-01-01' WHERE user_id = ?1", userId)
  await deleteExpiredKeys(await openService(env))
}

async function importLater(userId: string) {
  const savedAt = new Date(Date.now() + 1_000).toISOString()
  const keys = toImportedKeys([{ userId, provider: 'openai', savedAt, token: 'gAAAA' }])
  await runBatch(env.DB, [noteImportedGone(keys), upsertImportedKeys(keys)])
}

it.for<[how: string, go: (userId: string) => Promise<unknown>]>([
  ['a deletion', async (userId) => someVault().remove(userId)],
  ['a save', async (userId) => someVault().save(userId, goodKey())],
  ['an expiry', expire],
  ['an import', importLater],
])('%s notes the key that goes, with its version', async ([, go]) => {
  const { userId } = await someCopiedOwner()
  const version = await versionOf(userId)
  await go(userId)
  expect(await goneOf(userId)).toEqual([{ provider: 'openai', version }])
})

it('the removal of a user notes the user and each key', async () => {
  const { userId } = await someCopiedOwner()
  const version = await versionOf(userId)
  await removeUser(await openService(env), userId)
  expect(await goneOf(userId)).toEqual([
    { provider: '', version: '' },
    { provider: 'openai', version },
  ])
})

it('a save notes the key in the slot that DEFAULT_PROVIDER replaces', async () => {
  const { userId } = await someOwner('default')
  await someVault().runJob()
  const version = await versionOf(userId)
  await someVault({ DEFAULT_PROVIDER: 'openai' }).save(userId, goodKey())
  expect(await goneOf(userId)).toEqual([{ provider: 'default', version }])
})

it('a deletion of another slot notes nothing', async () => {
  const { userId } = await someCopiedOwner()
  await someVault().remove(userId, 'acme')
  expect(await goneOf(userId)).toEqual([])
})

it('an assignment to a provider notes nothing: the key stays', async () => {
  const { userId } = await someOwner('default')
  await someVault().runJob()
  await assignKey(await ownerOf(userId), 'openai', false)
  expect(await goneOf(userId)).toEqual([])
})

describe('an empty vault', () => {
  beforeEach(emptyVault)

  it('notes nothing while its job has never run', async () => {
    const { userId } = await someOwner()
    await someVault().save(userId, goodKey())
    await someVault().remove(userId)
    expect(await goneOf(userId)).toEqual([])
  })

  it('counts, lists and forgets the keys that are noted, the oldest first', async () => {
    const key = (goneAt: string) => ({ userId: 'a', provider: 'openai', version: 'v', goneAt })
    const [last, first, second] = [key('3'), key('1'), key('2')]
    await rowsOf(
      `INSERT INTO gone_keys (user_id, provider, version, gone_at)
       SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?1)`,
      toGoneKeys([last, first, second]),
    )
    const read = async () => (await run(env.DB, selectGone(2))).results
    expect(await read()).toEqual([first, second])
    const names = ['userId', 'provider', 'version', 'goneAt']
    const others = names.map((name) => Object.assign(key('2'), { [name]: 'other' }))
    await run(env.DB, forgetGone(toGoneKeys([first, ...others])))
    expect(await read()).toEqual([second, last])
    expect((await run(env.DB, countGone())).results).toEqual([{ count: 2 }])
  })
})
