/**
 * Four projects: `worker` runs in workerd with real bindings, `node` and `page` in Node.js, and `browser` drives a browser. Each
 * has a second one for its slow tests.
 */

import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { cloudflareTest } from '@cloudflare/vitest-pool-workers'
import { defineConfig } from 'vitest/config'
import { isInstalled, LeftOut } from './test/installed.ts'
import { limitersWith, NO_VARS } from './test/node/wrangler-names.ts'

/** Providers for the tests: OpenAI at `origin`, one that is down, one that is not built in, and one with `hosts`. */
function standIns(origin: string) {
  const acme = {
    label: 'Acme',
    origin,
    header: 'x-acme-key',
    headers: { 'x-acme-version': '1' },
    probe: '/v1/models',
    refusals: [],
  }
  const own = {
    label: 'Own',
    hosts: [new URL(origin).host],
    header: 'authorization',
    scheme: 'Bearer',
    probe: '/models',
    refusals: [{ status: 401, field: 'error.message', value: 'Incorrect API key provided: *' }],
  }
  return { openai: { origin }, mistral: { origin: 'http://127.0.0.1:9' }, acme, own }
}

/**
 * The Worker's `wrangler.toml` without `[secrets]`. The tests set the secrets, but Wrangler would warn that
 * they are missing.
 */
async function writeWorkerConfig(): Promise<string> {
  // Loading it takes a second. The other projects do not need it.
  const { unstable_readConfig: readConfig } = await import('wrangler')
  const { name, main, compatibility_date, assets, durable_objects, migrations } = readConfig({
    config: 'wrangler.toml',
  })
  const directory = resolve(assets?.directory ?? 'dist')
  const config = {
    name,
    main,
    compatibility_date,
    assets: { ...assets, directory },
    durable_objects,
    migrations,
  }
  const path = resolve('.wrangler/test/wrangler.json')
  mkdirSync(resolve('.wrangler/test'), { recursive: true })
  writeFileSync(path, JSON.stringify(config))
  return path
}

// The tests start commands that load Wrangler. With this, loading is faster from the second one on.
process.env['NODE_COMPILE_CACHE'] ??= resolve('node_modules/.cache/node')
// The commands that the tests start read the configuration of their own checkout.
delete process.env['VAULT_CONFIG']

const OUTSIDE = 'test/{node,scripts,kill,soak,mutate}/**/*'
/** The element and the client for browsers, in Node.js. */
const PAGE = 'test/{page/**/,callers/browser/**/,callers/browser}*'
const BROWSER = 'test/browser/**/*'

/** Tests in workerd. `npm run mutate` runs them too. */
export const worker = {
  plugins: [
    cloudflareTest(async ({ inject }) => ({
      wrangler: { configPath: await writeWorkerConfig() },
      // Otherwise workerd prints each exception that a test causes on purpose.
      verbose: false,
      miniflare: {
        // Vitest needs it. The Worker itself runs without it.
        compatibilityFlags: ['enable_nodejs_inspector_module'],
        bindings: {
          ...NO_VARS,
          RELAY_SCOPE: 'relay',
          MANAGE_CLIENTS: 'flask-app',
          MANAGE_SCOPE: 'vault',
          ALLOW_REVEAL: 'true',
          PROVIDERS: standIns(inject('provider')),
          API_KEY_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
          JWT_SECRET_KEY: randomBytes(32).toString('hex'),
        },
        d1Databases: { DB: 'db', EMPTY_DB: 'empty' },
        ratelimits: {
          ...limitersWith(1_000_000),
          TIGHT_RATE_LIMITER: { namespace_id: '0', simple: { limit: 2, period: 60 } },
        },
      },
    })),
  ],
  test: {
    // Files share a workerd: starting one takes longer than most files. `test/setup.ts` empties it for each.
    isolate: false,
    testTimeout: 30_000,
    hookTimeout: 30_000,
    restoreMocks: true,
    setupFiles: ['test/setup.ts'],
    globalSetup: ['test/node/global-setup.ts', 'test/node/fuzz-setup.ts'],
  },
}

/** Tests in Node.js: the product from outside, and the commands. */
const node = {
  test: {
    // Loading Wrangler takes longer than most files.
    isolate: false,
    globalSetup: ['test/node/fuzz-setup.ts'],
    testTimeout: 240_000,
    hookTimeout: 60_000,
  },
}

const browser = {
  test: {
    globalSetup: ['test/browser/global-setup.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
}

interface Project {
  plugins?: (typeof worker)['plugins']
  test: object
}

/** The quick tests of a folder, which `npm test` runs, and the slow ones, which `npm run test:slow` runs. */
function projectsOf(name: string, { test, ...rest }: Project, folder: string, exclude: string[]) {
  const [all, slow] = [`${folder}.test.ts`, `${folder}.slow.test.ts`]
  return [
    { ...rest, test: { ...test, name, include: [all], exclude: [...exclude, slow] } },
    { ...rest, test: { ...test, name: `${name}-slow`, include: [slow], exclude } },
  ]
}

/** `.ci/run` merges the reports of its runs into one summary. */
const { TEST_REPORT } = process.env
const report: ['blob', object][] =
  TEST_REPORT === undefined ? [] : [['blob', { outputFile: `.vitest/blob/${TEST_REPORT}.json` }]]

export default defineConfig({
  test: {
    silent: 'passed-only',
    reporters: ['default', new LeftOut(), ...report],
    // Much of a test's time is waiting for a process or a browser to start.
    maxWorkers: availableParallelism() + 1,
    projects: [
      ...projectsOf('worker', worker, 'test/**/*', [OUTSIDE, PAGE, BROWSER]),
      ...projectsOf('node', node, OUTSIDE, []),
      ...projectsOf('page', { test: {} }, PAGE, []),
      ...projectsOf('browser', browser, BROWSER, isInstalled('chromium') ? [] : [BROWSER]),
    ],
  },
})
