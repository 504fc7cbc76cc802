import { env } from '../isolate.ts'
import { expect, it } from 'vitest'
import { run } from '../../src/store/d1.ts'
import { noteExported, selectKeysAfter } from '../../src/store/exported-keys.ts'
import { putKey, someKeyUser } from '../support.ts'

/** Users in the order of their ids, with a key each. */
async function someKeyUsers(count: number): Promise<string[]> {
  const users: string[] = []
  for (let index = 0; index < count; index += 1) {
    // oxlint-disable-next-line no-await-in-loop -- they are saved one after the other
    users.push(await someKeyUser('sk-0123456789'))
  }
  return users.toSorted()
}

async function rowsAfter(userId: string, limit: number) {
  return (await run(env.DB, selectKeysAfter(userId, limit))).results
}

it('a page has all keys of its users, and the next one begins after the last', async () => {
  const [first = '', second, third] = await someKeyUsers(3)
  await putKey(first, 'sk-plain-0123456789')
  const page = await rowsAfter('', 2)
  expect(page.map(({ userId, provider }) => [userId, provider])).toEqual([
    [first, 'default'],
    [first, 'openai'],
    [second, 'openai'],
  ])
  expect((await rowsAfter(second ?? '', 2)).map(({ userId }) => userId)).toEqual([third])
  expect(await rowsAfter(third ?? '', 2)).toEqual([])
})

it.for(['', 'request', 'expiry', 'operator', 'restore'])(
  'a key with a tombstone of the cause "%s" is gone',
  async (cause) => {
    const userId = await someKeyUser('sk-0123456789')
    const read = async () => (await rowsAfter('', 100)).find((row) => row.userId === userId)
    const before = await read()
    expect(before).toMatchObject({ isGone: 0 })
    const insert = 'INSERT INTO gone_keys (cause, identity) VALUES (?1, ?2)'
    await env.DB.prepare(insert)
      .bind(cause, before?.identity ?? '')
      .run()
    expect(await read()).toMatchObject({ isGone: 1 })
  },
)

it('an export is noted for each key that still is the one that was read', async () => {
  const [kept = '', replaced = '', deleted = ''] = await someKeyUsers(3)
  const read = await rowsAfter('', 100)
  const rows = read.filter(({ userId }) => [kept, replaced, deleted].includes(userId))
  const replace = "UPDATE api_keys SET identity = 'another' WHERE user_id = ?1"
  await env.DB.prepare(replace).bind(replaced).run()
  await env.DB.prepare('DELETE FROM api_keys WHERE user_id = ?1').bind(deleted).run()
  const { results } = await run(env.DB, noteExported(rows))
  expect(results).toMatchObject([
    { userId: kept, provider: 'openai', event: 'exported', actor: 'operator', caller: null },
  ])
})
