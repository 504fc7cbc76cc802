/**
 * Three projects: `worker` runs in workerd with real bindings, `node` drives the product from outside,
 * `browser` by its page.
 */

import { randomBytes } from 'node:crypto'
import { cloudflareTest } from '@cloudflare/vitest-pool-workers'
import { defineConfig } from 'vitest/config'
import { NO_VARS } from './test/node/start-vault.ts'

/** OpenAI's stand-in at `origin`, a provider that is down, and one that is not built in. */
function standIns(origin: string) {
  const acme = {
    label: 'Acme',
    origin,
    header: 'x-acme-key',
    headers: { 'x-acme-version': '1' },
    probe: '/v1/models',
    refusals: [],
  }
  return { openai: { origin }, mistral: { origin: 'http://127.0.0.1:9' }, acme }
}

export default defineConfig({
  test: {
    silent: 'passed-only',
    projects: [
      {
        plugins: [
          cloudflareTest(({ inject }) => ({
            wrangler: { configPath: './wrangler.toml' },
            miniflare: {
              bindings: {
                ...NO_VARS,
                PROVIDERS: standIns(inject('provider')),
                API_KEY_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
                JWT_SECRET_KEY: randomBytes(32).toString('hex'),
              },
              d1Databases: { DB: 'db', EMPTY_DB: 'empty' },
              ratelimits: {
                RATE_LIMITER: { namespace_id: '1', simple: { limit: 1_000_000, period: 60 } },
                TIGHT_RATE_LIMITER: { namespace_id: '2', simple: { limit: 2, period: 60 } },
              },
            },
          })),
        ],
        test: {
          name: 'worker',
          testTimeout: 30_000,
          restoreMocks: true,
          include: ['test/**/*.test.ts'],
          exclude: ['test/node/**', 'test/browser/**'],
          setupFiles: ['test/setup.ts'],
          globalSetup: ['test/node/global-setup.ts'],
        },
      },
      {
        test: { name: 'node', include: ['test/node/*.test.ts'], testTimeout: 120_000 },
      },
      {
        test: {
          name: 'browser',
          include: ['test/browser/*.test.ts'],
          globalSetup: ['test/browser/global-setup.ts'],
          testTimeout: 60_000,
        },
      },
    ],
  },
})
