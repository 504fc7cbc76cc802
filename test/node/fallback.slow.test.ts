/** Each reason to fall back or not to, by each way in and with each kind of body: whose key the provider saw, and what onKey gets. */

import { afterAll, beforeAll, expect, it } from 'vitest'
import { inSeconds } from '../../scripts/lib/token.ts'
import { relayFetch, type FallbackReason } from '../../src/callers/fetch.ts'
import { bundleWorker } from '../../scripts/lib/worker-bundle.ts'
import { describeCaller, startDirectVault } from './direct-vault.ts'
import { APP_KEY, BODIES, LENGTHS, send, type Body, type Told } from './fallback-cases.ts'
import type { Call } from './fallback-worker.ts'
import { startPatientProxy } from './patient-proxy.ts'
import { startPayingProvider } from './paying-provider.ts'

type Way = 'vaultFetch' | 'relayFetch' | 'relayFetch in a Worker'

interface Reason {
  status: number
  /** The vault's code; null if the provider answers. */
  code: string | null
  falls?: FallbackReason
  isOutOfCredit?: boolean
  /** What the trail has, besides saves. */
  events?: string[]
  ways?: readonly Way[]
  provider?: string
  /** Where the request goes instead of the provider. */
  url?: string
  /** Of the token, and the copy of the vault that gets it. */
  claims?: Record<string, unknown>
  copy?: string
}

const RELAY: readonly Way[] = ['relayFetch', 'relayFetch in a Worker']
const BINDING: readonly Way[] = ['vaultFetch']

/** By the user, whose key tells the provider what to answer. `keyless` and `nobody` have no key. */
const REASONS: Record<string, Reason> = {
  good: { status: 200, code: null, events: ['used'] },
  keyless: { status: 404, code: 'no_api_key', falls: 'no_api_key', events: [] },
  nobody: { status: 404, code: 'user_not_found', falls: 'user_not_found' },
  credit: {
    status: 429,
    code: null,
    falls: 'out_of_credit',
    isOutOfCredit: true,
    events: ['out_of_credit', 'used'],
  },
  busy: { status: 429, code: null, events: ['used'] },
  payment: { status: 402, code: null, events: ['used'] },
  wrong: { status: 401, code: null, events: ['rejected_in_use', 'used'] },
  broken: { status: 500, code: null, events: ['used'] },
  forged: { status: 404, code: null, events: ['used'] },
  expired: { status: 410, code: 'api_key_expired', events: ['use_refused'] },
  paused: { status: 403, code: 'api_key_paused', events: ['use_refused'] },
  private: { status: 403, code: 'caller_not_allowed', events: ['use_refused'] },
  limited: { status: 429, code: 'limit_reached', events: ['limit_reached'] },
  damaged: { status: 500, code: 'api_key_unreadable', events: ['unreadable'] },
  'down there': { status: 502, code: 'provider_unreachable', provider: 'mistral' },
  unknown: { status: 404, code: 'unknown_provider', provider: 'nope' },
  elsewhere: {
    status: 403,
    code: 'origin_not_allowed',
    ways: BINDING,
    url: 'https://elsewhere.test',
  },
  ungranted: { status: 403, code: 'provider_not_granted', ways: BINDING, provider: 'groq' },
  ended: { status: 401, code: 'token_expired', ways: RELAY, claims: { exp: inSeconds(-60) } },
  refreshing: { status: 401, code: 'token_invalid', ways: RELAY, claims: { type: 'refresh' } },
  unscoped: { status: 403, code: 'scope_missing', ways: RELAY, claims: { scope: 'openid' } },
  'not there': { status: 404, code: 'not_found', ways: RELAY, copy: 'off' },
  'not granted': { status: 403, code: 'provider_not_granted', ways: RELAY, copy: 'other' },
  hurried: { status: 429, code: 'rate_limited', ways: RELAY, copy: 'hurried' },
  misconfigured: { status: 500, code: 'server_misconfigured', ways: RELAY, copy: 'misconfigured' },
}

const DOWN = 'http://127.0.0.1:9'
const SAVED = Object.keys(REASONS).filter((user) => !['keyless', 'nobody'].includes(user))
const keyOf = (user: string) => `sk-${user.replaceAll(' ', '-')}-0123456789`

let provider: Awaited<ReturnType<typeof startPayingProvider>>
let vault: Awaited<ReturnType<typeof startDirectVault>>
let caller: string
/** The vault, and its copies, as the relay's clients reach them. */
const proxies = new Map<string | undefined, Awaited<ReturnType<typeof startPatientProxy>>>()

beforeAll(async () => {
  provider = await startPayingProvider()
  const script = await bundleWorker('test/node/fallback-worker.ts')
  const worker = describeCaller(script, provider.url, ['openai', 'mistral', 'nope'])
  const PROVIDERS = JSON.stringify({ openai: { origin: provider.url }, mistral: { origin: DOWN } })
  const copies = {
    off: { RELAY_SCOPE: '' },
    other: { RELAY_PROVIDERS: 'mistral' },
    hurried: {},
    misconfigured: { PROVIDERS: '{' },
  }
  vault = await startDirectVault({ PROVIDERS }, { others: [worker], copies, limited: ['hurried'] })
  caller = await vault.urlOf('caller')
  proxies.set(undefined, await startPatientProxy(vault.url))
  for (const name of Object.keys(copies)) {
    proxies.set(name, await startPatientProxy(await vault.urlOf(name)))
  }
  await seedUsers()
}, 120_000)
afterAll(async () => {
  await Promise.all([...proxies.values()].map(async (proxy) => proxy.close()))
  await vault.close()
  await provider.close()
})

/** Adds the users with their keys, and makes some keys unusable. */
async function seedUsers(): Promise<void> {
  await vault.sql(
    `INSERT INTO users (id) VALUES ('keyless'), ${SAVED.map((id) => `('${id}')`).join()}`,
  )
  for (const user of SAVED) {
    for (const slot of ['openai', 'mistral']) {
      const { status } = await ask(user, `/api-keys/${slot}`, 'PUT', { api_key: keyOf(user) })
      expect(status).toBe(200)
    }
  }
  const change = async (id: string, set: string) =>
    vault.sql(`UPDATE api_keys SET ${set} WHERE user_id = '${id}'`)
  await change('expired', "expires_at = '2020-01-01T00:00:00.000Z'")
  await change('paused', "paused_at = '2020-01-01T00:00:00.000Z'")
  await change('private', `callers = '["binding:another"]'`)
  await change('limited', "max_uses = 0, max_uses_per = 'day'")
  await vault.sql(`UPDATE api_keys SET encrypted_api_key =
    (SELECT encrypted_api_key FROM api_keys WHERE user_id = 'good' AND provider = 'openai') WHERE user_id = 'damaged'`)
}

/** Asks the vault as the owner. */
async function ask(user: string, path: string, method = 'GET', body?: object) {
  const token = await vault.tokenOf({ sub: user })
  const answer = await fetch(new URL(`/api/users/${encodeURIComponent(user)}${path}`, vault.url), {
    method,
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
  })
  return { status: answer.status, text: await answer.text() }
}

/** Sends one request of the matrix. */
async function run(way: Way, user: string, body: Body): Promise<Told> {
  const { provider: slot = 'openai', url = null, claims, copy } = REASONS[user] ?? {}
  const token = await vault.tokenOf({ sub: user, ...claims })
  // The proxy opens no WebSockets.
  const direct = copy === undefined ? vault.url : await vault.urlOf(copy)
  const relay = { vault: body === 'websocket' ? direct : (proxies.get(copy)?.url ?? ''), token }
  if (way === 'relayFetch') {
    const options = { ...relay, provider: slot, fallback: { apiKey: APP_KEY } }
    const at = url ?? (slot === 'mistral' ? DOWN : provider.url)
    return send((onKey) => relayFetch({ ...options, onKey }), at, body)
  }
  const at = url ?? (slot === 'mistral' ? DOWN : null)
  const call: Call = {
    userId: user,
    provider: slot,
    url: at,
    body,
    relay: way === 'vaultFetch' ? null : relay,
  }
  const answer = await fetch(caller, { method: 'POST', body: JSON.stringify(call) })
  if (!answer.ok) throw new Error(await answer.text())
  return answer.json()
}

/** What the application is to see, and the keys that the provider is to see. */
function expected(way: Way, user: string, body: Body): { told: Told; keys: string[] } {
  const {
    status,
    code,
    falls,
    isOutOfCredit = false,
    provider: slot = 'openai',
  } = REASONS[user] ?? {
    status: 0,
    code: null,
  }
  const own = code === null ? [keyOf(user)] : []
  const isRepeated = falls !== undefined && LENGTHS[body] <= 1024 * 1024 && body !== 'websocket'
  if (isRepeated) {
    const uses = [{ source: 'application', slot, reason: falls } as const]
    return {
      told: { status: 200, vault: { 'x-vault-key': 'application' }, uses },
      keys: [...own, APP_KEY],
    }
  }
  if (code !== null) {
    // An SDK would send a request again after a 500.
    const shown = way === 'vaultFetch' && status === 500 ? 424 : status
    return { told: { status: shown, vault: { 'x-vault-error': code }, uses: [] }, keys: [] }
  }
  const condition = isOutOfCredit && { 'x-vault-condition': 'out_of_credit' }
  const told = { 'x-vault-key': 'own', 'x-vault-slot': slot, ...condition }
  const shown = status === 200 && body === 'websocket' ? 101 : status
  return {
    told: { status: shown, vault: told, uses: [{ source: 'own', slot, reason: null }] },
    keys: own,
  }
}

const WAYS: readonly Way[] = ['vaultFetch', ...RELAY]

const CASES = WAYS.flatMap((way) => {
  const users = Object.entries(REASONS).filter(([, { ways = WAYS }]) => ways.includes(way))
  // Node's `fetch` opens no WebSockets.
  const bodies = BODIES.filter((body) => body !== 'websocket' || way !== 'relayFetch')
  return users.flatMap(([user]) => bodies.map((body): [Way, string, Body] => [way, user, body]))
})

it.for(CASES)('%s says whose key a request used: %s, body %s', async ([way, user, body]) => {
  provider.taken()
  const { told, keys } = expected(way, user, body)
  expect(await run(way, user, body)).toEqual(told)
  const seen = provider.taken()
  expect(seen.map(({ key }) => key)).toEqual(keys)
  expect(seen.map(({ length }) => length)).toEqual(keys.map(() => LENGTHS[body]))
  expect(seen.flatMap(({ leaked }) => leaked)).toEqual([])
  const isDeclared = !body.endsWith('streamed') && LENGTHS[body] > 0
  const declared = seen.map((one) => isDeclared && one.declared)
  expect(declared).toEqual(keys.map(() => isDeclared && String(LENGTHS[body])))
})

it.for(Object.entries(REASONS).filter(([, { events }]) => events !== undefined))(
  'the trail has what the vault did for the user %s, and no fallback',
  async ([user, { events = [], isOutOfCredit }]) => {
    const kinds = async () => {
      const { text } = await ask(user, '/api-key-events?limit=200')
      const answer: { events: { event: string; provider: string }[] } = JSON.parse(text)
      const own = answer.events.filter(({ event }) => event !== 'saved')
      return [...new Set(own.map(({ event }) => event))].toSorted()
    }
    // Sums of uses may come after the answers.
    await expect.poll(kinds).toEqual(events)
    const { text } = await ask(user, '/api-keys/openai')
    expect(JSON.parse(text).condition).toBe(isOutOfCredit === true ? 'out_of_credit' : undefined)
  },
)

it('no key is in a log, and the vault never saw the application’s', () => {
  const logged = vault.logs().join('\n')
  expect(logged).not.toContain(APP_KEY)
  expect(SAVED.filter((user) => logged.includes(keyOf(user)))).toEqual([])
})
