/** Laps of the recheck job over many keys. */

import { expect, it } from 'vitest'
import { KEYS_PER_PROVIDER, KEYS_PER_RUN } from '../../src/keys/recheck.ts'
import { env } from '../isolate.ts'
import { recordLogs, someEncryptionKey } from '../support.ts'
import { answerProbes, daysAgo, recheck, recheckingVault, storeIdle } from './idle-keys.ts'
import { runJob } from './sealed-rows.ts'

const NAMES = ['one', 'two', 'three', 'prepaid'] as const

/** 1,000 keys of 250 users, under three encryption keys. Two in five of them are not idle. */
async function storeMany(encryptionKeys: readonly string[]): Promise<string[]> {
  const keys = Array.from({ length: 1_000 }, (_item, index) => ({
    text: `${NAMES[index % 4] ?? 'one'}-${index}`,
    userId: `user-${Math.floor(index / 4)}`,
    provider: NAMES[index % 4] ?? 'one',
    savedAt: daysAgo(index % 5 < 3 ? 31 : 29),
  }))
  const parts = encryptionKeys.map(
    (key, part) => [key, keys.filter((_, at) => at % 3 === part)] as const,
  )
  for (const [API_KEY_ENCRYPTION_KEY, part] of parts) {
    // oxlint-disable-next-line no-await-in-loop -- one database
    await storeIdle(part, { ...env, API_KEY_ENCRYPTION_KEY })
  }
  return keys.filter((_, index) => index % 5 < 3).map(({ text }) => text)
}

const hasEnded = async () =>
  (await env.DB.prepare('SELECT ended_at FROM recheck').first('ended_at')) !== null

it('a lap checks each of 600 idle keys among 1,000 once, while they are sealed again', async () => {
  recordLogs()
  const encryptionKeys = [someEncryptionKey(), someEncryptionKey(), someEncryptionKey()]
  const idle = await storeMany(encryptionKeys)
  const keyring = { API_KEY_ENCRYPTION_KEY: encryptionKeys.join(), REWRAP_ROWS_PER_RUN: '40' }
  const vault = recheckingVault(keyring)
  const asked = answerProbes()
  const runs: string[][] = []
  while (!(await hasEnded()) && runs.length < 1_000) {
    const before = asked.length
    // oxlint-disable-next-line no-await-in-loop -- each run goes on where the last ones ended
    await Promise.all([recheck(vault), runJob(vault)])
    runs.push(asked.slice(before))
  }
  expect(asked.toSorted()).toEqual(idle.toSorted())
  const bursts = runs.flatMap((keys) =>
    NAMES.map((name) => keys.filter((key) => key.startsWith(`${name}-`)).length),
  )
  expect(Math.max(...bursts)).toBe(KEYS_PER_PROVIDER)
  expect(Math.max(...runs.map(({ length }) => length))).toBeLessThanOrEqual(KEYS_PER_RUN)
  await recheck(vault)
  expect(asked).toHaveLength(idle.length)
}, 120_000)
