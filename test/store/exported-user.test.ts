import { expect, it } from 'vitest'
import { run } from '../../src/store/d1.ts'
import { selectExportedKeys, selectExportedUser } from '../../src/store/exported-user.ts'
import { env } from '../isolate.ts'
import { putKey, someKeyUser, someUser } from '../support.ts'

it('a user who exists is one row, and another one is none', async () => {
  const { results } = await run(env.DB, selectExportedUser(await someUser()))
  expect(results).toEqual([
    {
      identity: expect.stringMatching(/^[0-9a-f]{32}$/),
      createdAt: expect.stringMatching(/^20.*Z$/),
    },
  ])
  expect((await run(env.DB, selectExportedUser('absent'))).results).toEqual([])
})

it('the keys of a user come by slot, and say which have a fingerprint', async () => {
  const userId = await someKeyUser('sk-of-20-or-more-characters')
  await putKey(userId, 'sk-short')
  await someKeyUser('sk-of-another-user-0123456789')
  const { results } = await run(env.DB, selectExportedKeys(userId))
  expect(results.map(({ provider, hasFingerprint }) => [provider, hasFingerprint])).toEqual([
    ['default', 0],
    ['openai', 1],
  ])
})
