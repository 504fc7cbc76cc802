/** What a call through the vault costs over a direct one, side by side. */

import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import { createTestHarness } from 'wrangler'
import { listen } from '../lib/local-server.ts'
import { applyMigrations, type MigratedDatabase } from '../lib/migrations.ts'
import { signToken } from '../lib/token.ts'

const CALLS = 500
const WARM_UP = 50
const API_KEY = 'sk-bench-0123456789'

/** Prints the median of each, and their ratio. */
export async function benchCalls(): Promise<void> {
  const provider = createServer((_request, response) => response.end('{"data": []}'))
  const origin = `http://127.0.0.1:${await listen(provider)}`
  const secrets = {
    API_KEY_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
    JWT_SECRET_KEY: randomBytes(32).toString('hex'),
  }
  const harness = createTestHarness({
    workers: [
      {
        config: {
          name: 'caller',
          main: 'scripts/bench/caller-worker.ts',
          compatibility_date: '2026-08-03',
          services: [
            {
              binding: 'KEY_VAULT',
              service: 'user-key-vault',
              entrypoint: 'KeyVault',
              props: { caller: 'bench', grants: ['use'] },
            },
          ],
          vars: { ORIGIN: origin, API_KEY },
        },
      },
      {
        configPath: 'wrangler.toml',
        vars: { PROVIDERS: JSON.stringify({ openai: { origin } }) },
        secrets,
      },
    ],
  })
  await harness.listen()
  await saveKey(harness, secrets.JWT_SECRET_KEY)

  const times: Record<'/direct' | '/vault', number[]> = { '/direct': [], '/vault': [] }
  for (let call = -WARM_UP; call < CALLS; call += 1) {
    for (const path of ['/direct', '/vault'] as const) {
      const startedAt = performance.now()
      // oxlint-disable no-await-in-loop -- measured one after the other
      const response = await harness.fetch(path)
      await response.text()
      // oxlint-enable no-await-in-loop
      if (!response.ok) throw new Error(`${path} answered ${response.status}`)
      if (call >= 0) times[path].push(performance.now() - startedAt)
    }
  }
  const [direct, vault] = [median(times['/direct']), median(times['/vault'])]
  console.log(
    `median of ${CALLS} calls each: direct ${direct.toFixed(2)} ms, through the vault ` +
      `${vault.toFixed(2)} ms: ${(vault - direct).toFixed(2)} ms more, ratio ${(vault / direct).toFixed(2)}`,
  )
  await harness.close()
  provider.close()
}

async function saveKey(harness: ReturnType<typeof createTestHarness>, secret: string) {
  const worker = harness.getWorker<{ DB: MigratedDatabase }>('user-key-vault')
  const { DB } = await worker.getEnv()
  await applyMigrations(DB)
  await DB.prepare("INSERT INTO users (id) VALUES ('user')").run()
  const token = await signToken({ sub: 'user' }, secret)
  const saved = await worker.fetch('/api/users/user/api-keys/openai', {
    method: 'PUT',
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ api_key: API_KEY }),
  })
  if (!saved.ok) throw new Error(`The key was not saved: ${await saved.text()}`)
}

function median(times: number[]): number {
  const sorted = times.toSorted((one, other) => one - other)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}
