import { readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { startMove } from './moving-in.ts'

const { path, startDev, script, wrangler, run, paste, query, fernet, csvOf, ...move } = startMove()
const { storedKeys, apiKeys, secrets } = move

describe('an export and the secrets', () => {
  it('restore all keys into an empty database', async () => {
    writeFileSync(path('users.csv'), csvOf(fernet.users))
    await wrangler('d1', 'migrations', 'apply', 'DB', '--local')
    const imported = script('import', 'users.csv')
    await expect(imported).rejects.toMatchObject({
      stdout: expect.stringMatching(/Not usable +1\n/),
    })
    const first = await startDev()
    expect(await paste(first.curls[0])).toMatchObject({ user_id: 'demo' })
    await first.runJob()
    await first.stop()
    const before = query('SELECT * FROM api_keys ORDER BY user_id')
    expect(before).toHaveLength(fernet.users.length + 1)

    await wrangler('d1', 'export', 'DB', '--local', '--output', 'backup.sql')
    await run('rm', '-rf', '.wrangler')
    await wrangler('d1', 'execute', 'DB', '--local', '--file', 'backup.sql')
    expect(query('SELECT * FROM api_keys ORDER BY user_id')).toEqual(before)
    const keys = await storedKeys()
    keys.delete('demo')
    expect(keys).toEqual(apiKeys)

    const second = await startDev()
    const health = await fetch(`${second.url}/api/health`)
    expect(health.status).toBe(200)
    expect(await paste(second.curls[1])).toMatchObject({
      has_api_key: true,
      api_key_preview: 'sk-demo-...',
    })
    const backup = readFileSync(path('backup.sql'), 'utf8')
    expect(Object.values(secrets).filter((secret) => backup.includes(secret))).toEqual([])
    await second.stop()
  })
})
