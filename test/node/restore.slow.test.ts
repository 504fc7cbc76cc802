/** The rehearsal in docs/backup.md: an export is restored, after which keys were deleted, replaced and removed. */

import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { beforeAll, expect, it, onTestFinished } from 'vitest'
import { signToken } from '../../scripts/lib/token.ts'
import { makeCheckout } from './checkout.ts'
import { startProvider } from './provider-server.ts'

const { path, migrate, run, script, startWorker, wrangler, query } = makeCheckout()
const USERS = ['deleted', 'replaced', 'removed', 'kept']
const secret = randomBytes(32).toString('hex')
const keyOf = (userId: string) => `sk-good-of-${userId}`

beforeAll(() => {
  const secrets = {
    API_KEY_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
    JWT_SECRET_KEY: secret,
    RELAY_SCOPE: 'relay',
  }
  const lines = Object.entries(secrets).map(([name, value]) => `${name}=${value}`)
  writeFileSync(path('.dev.vars'), lines.join('\n'))
})

/** What `npm run keys -- status` prints, and its exit code. */
const status = async () =>
  run('sh', '-c', `${process.execPath} scripts/keys.ts status 2>&1; echo "exit $?"`)

/** Starts the Worker, and calls it for its users. */
async function startVault() {
  const worker = await startWorker()
  const { url, runJob } = worker
  const call = async (method: string, route: string, userId: string, body?: object) => {
    const token = await signToken({ sub: userId, scope: 'relay' }, secret)
    const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }
    const sent = body === undefined ? {} : { body: JSON.stringify(body) }
    return fetch(`${url}${route}`, { method, headers, ...sent })
  }
  const slotOf = (userId: string) => `/api/users/${userId}/api-keys/openai`
  const put = async (userId: string, api_key: string) =>
    (await call('PUT', `${slotOf(userId)}?verify=false`, userId, { api_key })).status
  const remove = async (userId: string) => (await call('DELETE', slotOf(userId), userId)).status
  /** What a use over the relay and a `GET` of the slot answer. */
  const answerOf = async (userId: string) => {
    const used = await call('GET', '/relay/openai/v1/models', userId)
    const shown: Record<string, unknown> = await (await call('GET', slotOf(userId), userId)).json()
    return [used.headers.get('X-Vault-Error') ?? used.status, shown['has_api_key'] ?? shown['code']]
  }
  const answers = async () => {
    const pairs = USERS.map(async (userId) => [userId, await answerOf(userId)] as const)
    return Object.fromEntries(await Promise.all(pairs))
  }
  const dispose = async () => worker[Symbol.asyncDispose]()
  return { put, remove, answers, runJob, [Symbol.asyncDispose]: dispose }
}

it('a restored export serves no key that was deleted or replaced since then', async () => {
  const provider = await startProvider()
  onTestFinished(async () => provider.close())
  const table = `[vars]\nPROVIDERS = { openai = { origin = "${provider.url}" } }`
  const config = readFileSync(path('wrangler.toml'), 'utf8').replace('[vars]', table)
  writeFileSync(path('wrangler.toml'), config)
  const sent = async () => {
    const requests = USERS.map(async (userId) => {
      const seen: unknown[] = await (await fetch(`${provider.url}/seen/${keyOf(userId)}`)).json()
      return [userId, seen.length] as const
    })
    return Object.fromEntries(await Promise.all(requests))
  }

  await migrate()
  query(USERS.map((userId) => `INSERT INTO users (id) VALUES ('${userId}')`).join(';'))
  {
    await using first = await startVault()
    for (const userId of USERS) expect(await first.put(userId, keyOf(userId))).toBe(200)
    await first.runJob()
  }
  // The export is of ten minutes ago.
  const at = new Date(Date.now() - 10 * 60_000).toISOString()
  query(`UPDATE heartbeat SET at = '${at}'`)
  await wrangler('d1', 'export', 'DB', '--local', '--output', 'backup.sql')

  {
    await using second = await startVault()
    await second.runJob()
    expect(await second.remove('deleted')).toBe(200)
    expect(await second.put('replaced', 'sk-good-new')).toBe(200)
    expect(await script('users', 'remove', 'removed', '--yes')).toContain('keys deleted: 1')
    expect(await status()).toContain('The second store does not know of 4 deletions yet.')
    await second.runJob()
  }
  expect(await status()).toMatch(/rows opened, 0 did not\nexit 0\n$/)
  expect(query('SELECT * FROM gone_keys')).toEqual([])

  await run('rm', '-rf', '.wrangler/state/v3/d1')
  await wrangler('d1', 'execute', 'DB', '--local', '--file', 'backup.sql')
  expect(query('SELECT user_id FROM api_keys')).toHaveLength(4)
  const restored = await status()
  expect(restored).toContain(`The database was restored, or the job has not run since ${at}.`)
  expect(restored).toMatch(/\nexit 1\n$/)
  await using third = await startVault()
  expect(await third.answers()).toEqual({
    deleted: ['no_api_key', true],
    replaced: ['no_api_key', true],
    removed: ['no_api_key', true],
    kept: [200, true],
  })
  await third.runJob()
  expect(await third.answers()).toEqual({
    deleted: ['no_api_key', false],
    replaced: ['no_api_key', false],
    removed: ['user_not_found', 'user_not_found'],
    kept: [200, true],
  })
  expect(await sent()).toEqual({ deleted: 0, replaced: 0, removed: 0, kept: 2 })
  expect(query('SELECT user_id FROM api_keys')).toEqual([{ user_id: 'kept' }])
})
