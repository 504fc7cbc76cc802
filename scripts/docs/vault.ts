/** Starts the Worker for the examples of the documents, with its own database and a stand-in for its providers. */

import { readFileSync } from 'node:fs'
import { convertV4MiniflareOptions, Miniflare, Response as FetchResponse } from 'miniflare'
import { applyMigrations } from '../lib/migrations.ts'
import { inSeconds, signToken } from '../lib/token.ts'
import { bundleWorker, COMPATIBILITY_DATE } from '../lib/worker-bundle.ts'

const NAME = 'user-key-vault'
const SECRET = 'a secret of the examples, which signs their tokens alone'

const VARS = {
  API_KEY_ENCRYPTION_KEY: Buffer.alloc(32, 1).toString('base64'),
  JWT_SECRET_KEY: SECRET,
  JWT_TEAM_CLAIM: 'org_id',
  JWT_TEAM_ADMIN: 'org_role=admin',
  MANAGE_SCOPE: 'vault',
  MANAGE_CLIENTS: 'flask-app',
  RELAY_SCOPE: 'relay',
}

const SERVER_SCOPES = 'vault:users vault:support vault:save vault:export'

/** Whose tokens the requests bring, by the variable of the shell that has the token. */
const CLAIMS = {
  TOKEN: { sub: 'demo', scope: 'relay', client_id: 'chat' },
  ADMIN_TOKEN: { sub: 'demo', org_id: 'acme', org_role: 'admin' },
  MEMBER_TOKEN: { sub: 'jane', org_id: 'acme' },
  SERVER_TOKEN: { sub: 'flask-app', client_id: 'flask-app', scope: SERVER_SCOPES },
} as const

export type TokenName = keyof typeof CLAIMS

export interface ExampleVault {
  url: string
  tokens: Record<TokenName, string>
  /** Waits until a use is recorded, which the vault does after its answer. @throws Error after 10 s */
  waitForUse: () => Promise<void>
  close: () => Promise<void>
}

/** Starts the Worker. */
export async function startExampleVault(): Promise<ExampleVault> {
  const config = readFileSync('wrangler.toml', 'utf8')
  const limiters = Array.from(config.matchAll(/^name = "(.*_LIMITER)"$/gm), ([, name = '']) => name)
  const simple = { limit: 1_000, period: 60 as const }
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      workers: [
        {
          name: NAME,
          modules: true,
          script: await bundleWorker('src/index.ts'),
          compatibilityDate: COMPATIBILITY_DATE,
          d1Databases: { DB: 'vault' },
          ratelimits: Object.fromEntries(
            limiters.map((name, index) => [name, { namespace_id: String(index + 1), simple }]),
          ),
          bindings: VARS,
          outboundService: answerAsProvider,
          unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }],
        },
      ],
      handleStructuredLogs: () => undefined,
    }),
  )
  await miniflare.ready
  const db = await miniflare.getD1Database('DB', NAME)
  await applyMigrations(db)
  return {
    url: (await miniflare.unsafeGetDirectURL(NAME)).origin,
    tokens: await signTokens(),
    waitForUse: async () => waitForUse(db),
    close: async () => miniflare.dispose(),
  }
}

async function waitForUse(db: Pick<D1Database, 'prepare'>): Promise<void> {
  const found = db.prepare(`SELECT 1 FROM api_key_events, api_keys
    WHERE event = 'used' AND last_used_at IS NOT NULL`)
  const until = Date.now() + 10_000
  while (Date.now() < until) {
    // oxlint-disable-next-line no-await-in-loop -- until it is there
    if ((await found.first()) !== null) return
  }
  throw new Error('The vault has recorded no use')
}

async function signTokens(): Promise<Record<TokenName, string>> {
  const sign = async (name: TokenName) => signToken({ iat: inSeconds(0), ...CLAIMS[name] }, SECRET)
  return {
    TOKEN: await sign('TOKEN'),
    ADMIN_TOKEN: await sign('ADMIN_TOKEN'),
    MEMBER_TOKEN: await sign('MEMBER_TOKEN'),
    SERVER_TOKEN: await sign('SERVER_TOKEN'),
  }
}

/** Accepts each key but those with `bad` in them, as OpenAI says it. */
function answerAsProvider(request: { headers: { get: (name: string) => string | null } }) {
  if (request.headers.get('authorization')?.includes('bad') !== true) {
    return FetchResponse.json({ object: 'list', data: [{ id: 'gpt-5', object: 'model' }] })
  }
  const error = { message: 'Incorrect API key provided', code: 'invalid_api_key' }
  return FetchResponse.json({ error }, { status: 401 })
}
