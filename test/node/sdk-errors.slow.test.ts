/** What an application sees of each refusal, by SDK. The expressions of docs/sdk-errors.md read the errors. */

import { readFileSync } from 'node:fs'
import { createOpenAI } from '@ai-sdk/openai'
import { generateText } from 'ai'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { inSeconds } from '../../scripts/lib/token.ts'
import type { RelayErrorAnswer } from '../../src/shared/answers.ts'
import { CODES, type ErrorCode } from '../../src/shared/error-code.ts'
import { isInstalled } from '../installed.ts'
import { startDirectVault } from './direct-vault.ts'
import { see, seeInPython, type Call, type Seen } from './sdk-errors.ts'
import { startSdkServer } from './sdk-server.ts'

const KEY = `sk-errors-${crypto.randomUUID()}`

/** The slot of each SDK, and what follows it in the base URL. */
const SDKS: Record<string, [slot: string, path: string]> = {
  openai: ['openai', '/v1'],
  '@anthropic-ai/sdk': ['anthropic', ''],
  '@google/genai': ['gemini', ''],
  'openai, Python': ['openai', '/v1'],
  'anthropic, Python': ['anthropic', ''],
  'google-genai, Python': ['gemini', ''],
}
const hasPython = isInstalled('python_sdks')
const names = Object.keys(SDKS).filter((name) => hasPython || !name.endsWith('Python'))

const COLUMNS = ['class', 'status', 'code', 'detail', 'type', 'header'] as const

/** The row of an SDK on the page. */
function shownBy(name: string): Record<(typeof COLUMNS)[number], string> {
  const [, title, language = ''] = /^([^,]+)(.*)$/.exec(name) ?? []
  const page = readFileSync('docs/sdk-errors.md', 'utf8').split('\n')
  const row = page.find((line) => line.startsWith(`| \`${title}\`${language} | `)) ?? ''
  const cells = row.split(' | ').slice(1)
  const [shown = '', ...rest] = cells.map((cell) => /`([^`]+)`/.exec(cell)?.[1] ?? 'null')
  const [status = '', code = '', detail = '', type = '', header = ''] = rest
  return { class: shown, status, code, detail, type, header }
}

/** A token, and the Worker that is called, if it is not the vault. */
interface Sent {
  claims?: Record<string, unknown>
  copy?: string
}

const of = (sub: string): Sent => ({ claims: { sub } })

/** How each code comes about, and what it means to the user. */
const REFUSALS: readonly [code: ErrorCode, meaning: string, sent: Sent][] = [
  ['token_expired', 'sign_in_again', { claims: { exp: inSeconds(-60) } }],
  ['token_invalid', 'sign_in_again', { claims: { type: 'refresh' } }],
  ['no_api_key', 'no_key', of('keyless')],
  ['user_not_found', 'no_key', of('nobody')],
  ['api_key_expired', 'no_key', of('expired')],
  ['api_key_paused', 'paused', of('paused')],
  ['limit_reached', 'limit_reached', of('limited')],
  ['caller_not_allowed', 'vault_refused', of('private')],
  ['api_key_unreadable', 'vault_refused', of('damaged')],
  ['scope_missing', 'vault_refused', { claims: { scope: 'openid' } }],
  ['provider_not_granted', 'vault_refused', { copy: 'other' }],
  ['not_found', 'vault_refused', { copy: 'off' }],
  ['rate_limited', 'vault_refused', { copy: 'busy' }],
  ['provider_unreachable', 'vault_refused', { copy: 'down' }],
  ['server_misconfigured', 'vault_refused', { copy: 'broken' }],
]

/** What the provider says, by its model. */
const ANSWERS: readonly [model: string, meaning: string][] = [
  ['wrong-key', 'key_refused'],
  ['suspended', 'provider_error'],
  ['error', 'provider_error'],
]

let provider: Awaited<ReturnType<typeof startSdkServer>>
let vault: Awaited<ReturnType<typeof startDirectVault>>
/** What each SDK shows of each refusal and answer. */
const seen = new Map<string, Seen>()
/** What the vault says more of each refusal. */
const details = new Map<ErrorCode, string | undefined>()

const providersAt = (origin: string) => {
  const stub = { origin }
  return JSON.stringify({ openai: stub, anthropic: stub, gemini: stub })
}

beforeAll(async () => {
  provider = await startSdkServer()
  const copies = {
    other: { RELAY_PROVIDERS: 'mistral' },
    off: { RELAY_SCOPE: '' },
    busy: {},
    down: { PROVIDERS: providersAt('http://127.0.0.1:9') },
    broken: { PROVIDERS: '{' },
  }
  const PROVIDERS = providersAt(provider.url)
  vault = await startDirectVault({ PROVIDERS }, { copies, limited: ['busy'] })
  await seedUsers()
  const calls = await Promise.all(names.flatMap(callsOf))
  const inPython = calls.filter(({ id }) => id.includes('Python'))
  const others = calls.filter((call) => !inPython.includes(call))
  const results = await Promise.all([
    ...others.map(see),
    inPython.length === 0 ? [] : seeInPython(inPython),
  ])
  for (const result of results.flat()) seen.set(result.id, result)
  for (const [code, , sent] of REFUSALS) details.set(code, await detailOf(sent))
}, 240_000)
afterAll(async () => {
  await vault.close()
  await provider.close()
})

/** Adds users with a key in each slot that something keeps from being used. */
async function seedUsers(): Promise<void> {
  const slots = ['openai', 'anthropic', 'gemini']
  for (const slot of slots) await vault.save(slot, KEY)
  const copied = ['expired', 'paused', 'limited', 'capped', 'private', 'damaged']
  const users = ['keyless', ...copied].map((id) => `('${id}')`)
  await vault.sql(`INSERT INTO users (id) VALUES ${users.join()}`)
  // The keys are sealed for another user, so that none of them opens.
  for (const id of copied) {
    await vault.sql(`INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id, status)
      SELECT '${id}', provider, encrypted_api_key, key_id, status FROM api_keys WHERE user_id = 'user'`)
  }
  const change = async (id: string, set: string) =>
    vault.sql(`UPDATE api_keys SET ${set} WHERE user_id = '${id}'`)
  await change('expired', "expires_at = '2020-01-01T00:00:00.000Z'")
  await change('paused', "paused_at = '2020-01-01T00:00:00.000Z'")
  for (const id of ['limited', 'capped']) await change(id, "max_uses = 0, max_uses_per = 'day'")
  await change('private', `callers = '["binding:chat"]'`)
}

/** The calls of an SDK. One that may succeed later is not tried again here. */
function callsOf(name: string): Promise<Call>[] {
  const { class: _, ...shows } = shownBy(name)
  const [sdk = ''] = name.split(',')
  const call = async (why: string, model: string, sent: Sent, retries: number) => ({
    id: `${name}: ${why}`,
    sdk,
    base: (await addressOf(sent)) + (SDKS[name] ?? []).join(''),
    token: await vault.tokenOf(sent.claims ?? {}),
    model,
    retries,
    shows: why === model ? { status: shows.status, header: shows.header } : shows,
  })
  const refused = REFUSALS.map(async ([code, , sent]) =>
    call(code, 'good', sent, isFinal(code) ? 2 : 0),
  )
  return [...refused, ...ANSWERS.map(async ([model]) => call(model, model, {}, 2))]
}

const isFinal = (code: ErrorCode) => ['next_period', undefined].includes(CODES[code].retry)

const addressOf = async ({ copy }: Sent) =>
  `${copy === undefined ? vault.url : await vault.urlOf(copy)}relay/`

async function detailOf(sent: Sent): Promise<string | undefined> {
  const headers = { Authorization: `Bearer ${await vault.tokenOf(sent.claims ?? {})}` }
  const told = await fetch(`${await addressOf(sent)}openai/v1/models`, { headers })
  const { error }: RelayErrorAnswer = await told.json()
  return error.detail
}

/** The name of the class that an SDK throws for a status. */
function classOf(name: string, status: number): string {
  const { class: base } = shownBy(name)
  if (name === '@google/genai') return base
  if (name.startsWith('google-genai')) return status >= 500 ? 'ServerError' : 'ClientError'
  const known: Record<number, string> = {
    400: 'BadRequestError',
    401: 'AuthenticationError',
    403: 'PermissionDeniedError',
    404: 'NotFoundError',
    429: 'RateLimitError',
  }
  return known[status] ?? (status >= 500 ? 'InternalServerError' : base)
}

const refusals = names.flatMap((name) =>
  REFUSALS.map(([code, meaning]) => [name, code, meaning] as const),
)

it.for(refusals)('%s shows the code %s and its detail', ([name, code, meaning]) => {
  const id = `${name}: ${code}`
  const shown = seen.get(id)
  const { status } = CODES[code]
  expect({ ...shown, text: '', detail: shown?.['detail'] ?? undefined }).toEqual({
    id,
    class: classOf(name, status),
    meaning,
    status,
    code,
    detail: details.get(code),
    type: 'vault_error',
    header: name === '@google/genai' ? null : code,
    text: '',
  })
  expect(shown?.text).toContain(`The key vault refused (${code})`)
})

const answered = names.flatMap((name) =>
  ANSWERS.map(([model, meaning]) => [name, model, meaning] as const),
)

it.for(answered)('%s shows the provider’s answer to %s as %s', ([name, model, meaning]) => {
  const shown = seen.get(`${name}: ${model}`)
  expect(shown).toMatchObject({ meaning, header: null })
  expect(shown?.['status']).toBeLessThan(404)
  expect(shown?.text).not.toContain('vault')
})

it('the AI SDK shows the header, also after it has tried again', async () => {
  const apiKey = await vault.tokenOf({ sub: 'capped' })
  const model = createOpenAI({ baseURL: `${vault.url}relay/openai/v1`, apiKey }).chat('good')
  const answer = { statusCode: 429, responseHeaders: { 'x-vault-error': 'limit_reached' } }
  const failed = async (maxRetries: number) => generateText({ model, prompt: 'Hi', maxRetries })
  await expect(failed(0)).rejects.toMatchObject({ name: 'AI_APICallError', ...answer })
  await expect(failed(1)).rejects.toMatchObject({ name: 'AI_RetryError', lastError: answer })
})

it('some refusals have a detail', () => {
  expect(details.get('scope_missing')).toContain('RELAY_SCOPE')
})

it('no SDK of a provider asks again after a refusal', async () => {
  const refused = () =>
    vault.logs().flatMap((line) => {
      const { event, code, user_id }: Record<string, unknown> = JSON.parse(line)
      const isTheirs = event === 'request' && user_id !== 'capped'
      return isTheirs && typeof code === 'string' ? [code] : []
    })
  const asked = REFUSALS.flatMap(([code]) => ['the test', ...names].map(() => code))
  await expect.poll(() => refused().length).toBeGreaterThanOrEqual(asked.length)
  expect(refused().toSorted()).toEqual(asked.toSorted())
})
