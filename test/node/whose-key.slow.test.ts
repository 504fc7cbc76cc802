/** The examples that tell a user whose key has paid: a server with the SDKs of OpenAI and Anthropic, and a transport of Python’s httpx. */

import { createServer } from 'node:http'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { listen, stop } from '../../scripts/lib/local-server.ts'
import { isInstalled, PYTHON, PYTHON_PATH } from '../installed.ts'
import { startDirectVault } from './direct-vault.ts'
import { startPayingProvider } from './paying-provider.ts'
import { startProgram, type Program } from './program.ts'

const APP_KEY = 'sk-of-the-application-0123456789'
const USERS = ['good', 'credit', 'busy', 'paused']
const keyOf = (user: string) => `sk-${user}-0123456789`
const hasHttpx = isInstalled('httpx')
const hasSdks = isInstalled('python_sdks')

let provider: Awaited<ReturnType<typeof startPayingProvider>>
let vault: Awaited<ReturnType<typeof startDirectVault>>
let server: Program
let port: string

beforeAll(async () => {
  provider = await startPayingProvider()
  const exhausted = [{ status: 429, field: 'error.code', value: 'insufficient_quota' }]
  const stub = { origin: provider.url, exhausted }
  vault = await startDirectVault({ PROVIDERS: JSON.stringify({ openai: stub, anthropic: stub }) })
  await vault.sql(
    `INSERT INTO users (id) VALUES ('keyless'), ${USERS.map((id) => `('${id}')`).join()}`,
  )
  for (const user of USERS) {
    const Authorization = `Bearer ${await vault.tokenOf({ sub: user })}`
    for (const slot of ['openai', 'anthropic']) {
      await fetch(`${vault.url}api/users/${user}/api-keys/${slot}`, {
        method: 'PUT',
        headers: { Authorization, 'Content-Type': 'application/json' },
        body: JSON.stringify({ api_key: keyOf(user) }),
      })
    }
  }
  await vault.sql(
    "UPDATE api_keys SET paused_at = '2020-01-01T00:00:00.000Z' WHERE user_id = 'paused'",
  )
  const free = createServer()
  port = String(await listen(free))
  await stop(free)
  server = startProgram([process.execPath, 'examples/whose-key/server.ts'], {
    env: {
      PATH: process.env['PATH'],
      PORT: port,
      VAULT_URL: vault.url,
      OPENAI_API_KEY: APP_KEY,
      OPENAI_BASE_URL: `${provider.url}/v1`,
      ANTHROPIC_API_KEY: APP_KEY,
      ANTHROPIC_BASE_URL: provider.url,
    },
  })
  await server.waitFor('POST http')
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await vault.close()
  await provider.close()
})

const SLOTS = ['openai', 'anthropic']
const of = <Row extends unknown[]>(rows: Row[]) =>
  SLOTS.flatMap((slot) => rows.map((row): [string, ...Row] => [slot, ...row]))

/** By the user: the answer, and the keys that the provider sees. */
const ANSWERS: [user: string, status: number, answer: object, keys: string[]][] = [
  ['good', 200, { text: 'Hello', paid_by: 'Paid with your own key' }, [keyOf('good')]],
  [
    'keyless',
    200,
    { text: 'Hello', paid_by: 'Paid by us, because you have not saved a key' },
    [APP_KEY],
  ],
  [
    'nobody',
    200,
    { text: 'Hello', paid_by: 'Paid by us, because you have not saved a key' },
    [APP_KEY],
  ],
  [
    'credit',
    200,
    { text: 'Hello', paid_by: 'Paid by us, because your key has no credit left' },
    [keyOf('credit'), APP_KEY],
  ],
  [
    'paused',
    502,
    { error: expect.stringContaining('The key vault refused (api_key_paused)'), paid_by: null },
    [],
  ],
]

it.for(of(ANSWERS))(
  'examples/whose-key says who has paid: %s, %s',
  async ([slot, sub, status, answer, keys]) => {
    provider.taken()
    const headers = { Authorization: `Bearer ${await vault.tokenOf({ sub })}` }
    const url = `http://localhost:${port}/${slot}`
    const answered = await fetch(url, { method: 'POST', headers, body: 'Say hello' })
    expect([answered.status, await answered.json()]).toEqual([status, answer])
    const seen = provider.taken()
    expect(seen.map(({ key }) => key)).toEqual(keys)
    expect(seen.flatMap(({ leaked }) => leaked)).toEqual([])
  },
)

/** What `whose_key.py` prints of a request. */
interface Told {
  status: number
  vault: Record<string, string>
  uses: [source: string, slot: string, reason: string | null][]
}

/** Runs a request with httpx or an SDK of Python. */
async function runPython(call: Record<string, unknown>, path?: string): Promise<Told> {
  const PYTHONPATH = ['examples/httpx', ...(path === undefined ? [] : [path])].join(':')
  await using program = startProgram([PYTHON, 'test/node/whose_key.py'], {
    env: { PYTHONPATH, PYTHONDONTWRITEBYTECODE: '1' },
    input: JSON.stringify({ vault: vault.url, origin: provider.url, api_key: APP_KEY, ...call }),
  })
  const { code, stdout, stderr } = await program.ended()
  if (code !== 0) throw new Error(stderr)
  return JSON.parse(stdout)
}

const REFUSED = { 'x-vault-error': 'no_api_key' }
const PAID_BY_US = { 'x-vault-key': 'application' }
const OWN = { 'x-vault-key': 'own', 'x-vault-slot': 'openai' }
const NO_CREDIT = { ...OWN, 'x-vault-condition': 'out_of_credit' }

type Case = [sub: string, body: string, status: number, vault: object, reason: string | null]

const CASES: Case[] = [
  ['good', 'none', 200, OWN, null],
  ['good', 'small', 200, OWN, null],
  ['good', 'form', 200, OWN, null],
  ['good', 'large', 200, OWN, null],
  ['good', 'streamed', 200, OWN, null],
  ['busy', 'small', 429, OWN, null],
  ['keyless', 'none', 200, PAID_BY_US, 'no_api_key'],
  ['keyless', 'small', 200, PAID_BY_US, 'no_api_key'],
  ['keyless', 'form', 200, PAID_BY_US, 'no_api_key'],
  ['keyless', 'longest', 200, PAID_BY_US, 'no_api_key'],
  ['keyless', 'large', 404, REFUSED, null],
  ['keyless', 'streamed', 404, REFUSED, null],
  ['keyless', 'elsewhere', 404, REFUSED, null],
  ['keyless', 'no key', 404, REFUSED, null],
  ['nobody', 'small', 200, PAID_BY_US, 'user_not_found'],
  ['credit', 'none', 200, PAID_BY_US, 'out_of_credit'],
  ['credit', 'small', 200, PAID_BY_US, 'out_of_credit'],
  ['credit', 'large', 429, NO_CREDIT, null],
  ['paused', 'small', 403, { 'x-vault-error': 'api_key_paused' }, null],
]

/** The asynchronous transport has the same parts, so a few cases show that it puts them together. */
const KINDS: [kind: string, users: string[]][] = [
  ['Client', [...USERS, 'keyless', 'nobody']],
  ['AsyncClient', ['keyless', 'credit']],
]
const CLIENT_CASES = KINDS.flatMap(([kind, users]) =>
  CASES.filter(([sub]) => users.includes(sub)).map((one) => ({ kind, one })),
)

it.runIf(hasHttpx).for(CLIENT_CASES)(
  'httpx.$kind says whose key a request used: $one',
  async ({ kind, one: [sub, body, status, vaults, reason] }) => {
    provider.taken()
    const told = await runPython({ kind, body, token: await vault.tokenOf({ sub }) })
    const ours = [['application', 'openai', reason]]
    const uses =
      reason !== null
        ? ours
        : vaults === REFUSED || sub === 'paused'
          ? []
          : [['own', 'openai', null]]
    expect(told).toEqual({ status, vault: vaults, uses })
    const seen = provider.taken()
    expect(seen.map(({ key }) => key)).toEqual([
      ...(['good', 'busy', 'credit'].includes(sub) ? [keyOf(sub)] : []),
      ...(reason === null ? [] : [APP_KEY]),
    ])
    expect(new Set(seen.map(({ length }) => length)).size).toBeLessThanOrEqual(1)
    expect(seen.flatMap(({ leaked }) => leaked)).toEqual([])
  },
)

const REASONS: Record<string, string> = { keyless: 'no_api_key', credit: 'out_of_credit' }

const SDK_CASES = ['openai', 'anthropic', 'AsyncOpenAI'].flatMap(
  (sdk): [string, string, string, string[]][] => [
    [sdk, 'good', 'own', [keyOf('good')]],
    [sdk, 'keyless', 'application', [APP_KEY]],
    [sdk, 'credit', 'application', [keyOf('credit'), APP_KEY]],
  ],
)

it.runIf(hasSdks).for(SDK_CASES)(
  'the SDK %s of Python gets the text: %s, paid by the key: %s',
  async ([sdk, sub, source, keys]) => {
    provider.taken()
    const told = await runPython({ sdk, token: await vault.tokenOf({ sub }) }, PYTHON_PATH)
    expect(told).toMatchObject({
      text: 'Hello',
      uses: [[source, sdk === 'anthropic' ? 'anthropic' : 'openai', REASONS[sub] ?? null]],
    })
    expect(provider.taken().map(({ key }) => key)).toEqual(keys)
  },
)

it('no key is in a log of the vault or of examples/whose-key', () => {
  const logged = `${vault.logs().join('\n')}\n${server.printed()}`
  for (const key of [APP_KEY, ...USERS.map(keyOf)]) expect(logged).not.toContain(key)
})
