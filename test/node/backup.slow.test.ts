/** What docs/backup.md says of an export: with the secrets, it is a backup. */

import { readFileSync, writeFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { signToken } from '../../scripts/lib/token.ts'
import { startImport } from './imported.ts'

const { path, startWorker, script, migrate, wrangler, run, query, fernet, ...move } = startImport()
const { csvOf, storedKeys, apiKeys, secrets } = move

it('an export and the secrets restore all keys into an empty database', async () => {
  writeFileSync(path('users.csv'), csvOf(fernet.users))
  await migrate()
  // One of the recorded keys is not an API key.
  const imported = script('import/command', 'users.csv')
  await expect(imported).rejects.toMatchObject({ stdout: expect.stringMatching(/Not usable +1\n/) })
  {
    await using worker = await startWorker()
    // The first run begins the pass.
    for (let runs = 0; runs < 2; runs += 1) await worker.runJob()
  }
  const before = query('SELECT * FROM api_keys ORDER BY user_id')
  expect(before).toHaveLength(fernet.users.length)
  expect(before.filter(({ key_id }) => key_id === 'fernet')).toEqual([])

  await wrangler('d1', 'export', 'DB', '--local', '--output', 'backup.sql')
  await run('rm', '-rf', '.wrangler')
  await wrangler('d1', 'execute', 'DB', '--local', '--file', 'backup.sql')
  expect(query('SELECT * FROM api_keys ORDER BY user_id')).toEqual(before)
  expect(await storedKeys()).toEqual(apiKeys)
  const backup = readFileSync(path('backup.sql'), 'utf8')
  expect(Object.values(secrets).filter((secret) => backup.includes(secret))).toEqual([])

  await using worker = await startWorker()
  expect((await fetch(`${worker.url}/api/health`)).status).toBe(200)
  const [{ id, apiKey } = { id: '', apiKey: '' }] = fernet.users
  const token = await signToken({ sub: id }, secrets.JWT_SECRET_KEY)
  const url = `${worker.url}/api/users/${encodeURIComponent(id)}/api-key`
  const answer = await fetch(url, { headers: { Authorization: `Bearer ${token}` } })
  expect(await answer.json()).toMatchObject({
    has_api_key: true,
    api_key_preview: `${apiKey.slice(0, 8)}...`,
  })
})
