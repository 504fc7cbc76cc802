import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { GoogleGenAI } from '@google/genai'
import OpenAI, { toFile } from 'openai'
import { OpenAIRealtimeWS } from 'openai/realtime/ws'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { inSeconds } from '../../scripts/lib/token.ts'
import { relayFetch } from '../../src/callers/fetch.ts'
import { startDirectVault } from './direct-vault.ts'
import { CALLERS, runCall, type Access, type Kind, type Outcome } from './sdk-scenarios.ts'
import { EXHAUSTED, FILE, PAYING_KEY, startSdkServer, type Seen } from './sdk-server.ts'
import { startTls } from './tls-proxy.ts'

const KEY = `sk-sdk-${crypto.randomUUID()}`
let provider: Awaited<ReturnType<typeof startSdkServer>>
let vault: Awaited<ReturnType<typeof startDirectVault>>
let access: Access

beforeAll(async () => {
  provider = await startSdkServer()
  const stub = { origin: provider.url, exhausted: EXHAUSTED }
  const providers = { openai: stub, anthropic: stub, gemini: stub, deepseek: stub }
  vault = await startDirectVault({ PROVIDERS: JSON.stringify(providers) })
  for (const slot of Object.keys(providers)) await vault.save(slot, KEY)
  await vault.sql("INSERT INTO users (id) VALUES ('keyless')")
  access = accessWith(vault.token)
})
afterAll(async () => {
  await vault.close()
  await provider.close()
})

const accessWith = (apiKey: string): Access => ({
  base: (name) => `${vault.url}relay/${name}`,
  apiKey,
  fetch: () => fetch,
  release: () => provider.release(),
})

const names = Object.keys(CALLERS)
/** What callers of the relay were shown. */
const shown: string[] = []

const ROUTES = {
  /** Shows that the server and the SDKs understand each other. */
  directly: () => ({ ...accessWith(KEY), base: () => provider.url }),
  'through the relay': () => access,
}
type Route = keyof typeof ROUTES
const routes: readonly Route[] = ['directly', 'through the relay']
const calls = names.flatMap((name) => routes.map((route): [string, Route] => [name, route]))

async function run([name, route]: [string, Route], model: string, kind: Kind): Promise<Outcome> {
  const outcome = await runCall(ROUTES[route](), { name, model, kind })
  if (route === 'through the relay') shown.push(JSON.stringify(outcome))
  return outcome
}

const KINDS: readonly Kind[] = ['whole', 'stream']
const callsOfBothKinds = calls.flatMap(([name, route]) =>
  KINDS.map((kind): [string, Route, Kind] => [name, route, kind]),
)

it.for(calls)('%s %s gets the text', async (call) => {
  const outcome = await run(call, 'good', 'whole')
  expect(outcome).toMatchObject({ text: 'Hello', attempts: 1 })
  // The provider echoes the key, which only the vault takes out.
  expect(outcome.shown.includes(KEY)).toBe(call[1] === 'directly')
})

it.for(calls)(
  '%s %s gets the start of a stream before the provider sends the rest',
  async (call) => {
    const outcome = await run(call, 'step', 'step')
    expect(outcome).toMatchObject({ text: 'Hello', parts: 2, attempts: 1 })
    expect(outcome.error).toBeUndefined()
  },
)

it.for(callsOfBothKinds)(
  '%s %s shows the error of the provider: %s',
  async ([name, route, kind]) => {
    const { error, attempts } = await run([name, route], 'error', kind)
    expect(error).toMatchObject({ status: 400, message: expect.stringContaining('Bad model') })
    expect(attempts).toBe(1)
  },
)

it.for(callsOfBothKinds)(
  '%s %s shows the preview of a key that the provider repeats in an error: %s',
  async ([name, route, kind]) => {
    const { error, shown: told } = await run([name, route], 'suspended', kind)
    const key = route === 'directly' ? KEY : `${KEY.slice(0, 8)}...`
    const message = expect.stringContaining(`Consumer 'api_key:${key}' has been suspended`)
    expect(error).toMatchObject({ status: 403, message })
    expect(told.includes(KEY)).toBe(route === 'directly')
  },
)

it.for(callsOfBothKinds)('%s %s waits for a slow first byte: %s', async ([name, route, kind]) => {
  const begun = provider.next('begun')
  const outcome = run([name, route], 'slow', kind)
  await begun
  provider.release()
  expect(await outcome).toMatchObject({ text: 'Hello', attempts: 1 })
})

it.for(calls)('%s %s fails if the provider breaks off a stream', async (call) => {
  const { text, error } = await run(call, 'torn', 'stream')
  expect('Hello'.startsWith(text)).toBe(true)
  expect(error).toBeDefined()
})

it.for(calls)('%s %s ends the request at the provider when it leaves a stream', async (call) => {
  const gone = provider.next('gone')
  const { text } = await run(call, 'hang', 'leave')
  expect([text, await gone]).toEqual(['Hel', []])
})

type Refusal = [code: string, status: number, claims: Record<string, unknown>]
const refusals: Refusal[] = [
  ['no_api_key', 404, { sub: 'keyless' }],
  ['user_not_found', 404, { sub: 'nobody' }],
  ['scope_missing', 403, { scope: 'openid' }],
  ['token_expired', 401, { exp: inSeconds(-60) }],
]
const refused = names.flatMap((name) =>
  refusals.map(([code, status, claims]): [string, ...Refusal] => [name, code, status, claims]),
)

it.for(refused)(
  '%s has the vault’s code %s in its error, and asks once',
  async ([name, code, status, claims]) => {
    const token = await vault.tokenOf(claims)
    for (const kind of KINDS) {
      const outcome = await runCall(accessWith(token), { name, model: 'good', kind })
      expect(outcome).toMatchObject({ attempts: 1, text: '', error: { status } })
      expect(outcome.shown).toContain(code)
      expect(outcome.shown).not.toContain(token)
    }
  },
)

// Google's SDK does not try again unless it is told to.
it.for(calls.filter(([name]) => name !== '@google/genai'))(
  '%s %s tries again when the provider was busy',
  async (call) => {
    expect(await run(call, 'busy', 'whole')).toMatchObject({ text: 'Hello', attempts: 2 })
  },
)

const lastSeen = (): Seen => {
  const seen = provider.seen.at(-1)
  if (seen === undefined) throw new Error('The provider saw nothing')
  return seen
}

/** The SDKs keep the base URL of the provider. */
const accessFor = (token: string): Access => ({
  base: () => provider.url,
  apiKey: 'in the vault',
  fetch: (name) =>
    relayFetch({ vault: vault.url, token, provider: name, fallback: { apiKey: PAYING_KEY } }),
  release: () => provider.release(),
})

const whoseKey = names.flatMap((name) =>
  KINDS.flatMap((kind): [string, Kind, string, string, string][] => [
    [name, kind, 'good', 'user', 'own'],
    [name, kind, 'good', 'keyless', 'application'],
    [name, kind, 'credit', 'user', 'application'],
  ]),
)

it.for(whoseKey)(
  '%s gets the text through relayFetch: %s, %s of %s, with the key: %s',
  async ([name, kind, model, sub, source]) => {
    const token = await vault.tokenOf({ sub })
    const outcome = await runCall(accessFor(token), { name, model, kind })
    expect(outcome).toMatchObject({ text: 'Hello', attempts: 1 })
    expect(outcome.shown).toContain(`"x-vault-key","${source}"`)
    const { headers } = lastSeen()
    const keys = [headers['authorization'], headers['x-api-key'], headers['x-goog-api-key']]
    const key = source === 'own' ? KEY : PAYING_KEY
    expect(keys.filter(Boolean).map((one) => String(one).replace('Bearer ', ''))).toEqual([key])
  },
)

it('openai uploads a file through relayFetch', async () => {
  const { base, apiKey, fetch: fetchOf } = accessFor(vault.token)
  const client = new OpenAI({ baseURL: `${base('openai')}/v1`, apiKey, fetch: fetchOf('openai') })
  const file = await toFile(readFileSync('LICENSE'), 'LICENSE')
  expect(await client.files.create({ file, purpose: 'user_data' })).toMatchObject({ id: 'file-1' })
  expect(lastSeen().body).toContain('MIT License')
  expect(lastSeen().headers['content-length']).toMatch(/^\d+$/)
})

it('openai uploads a file through the relay', async () => {
  const client = new OpenAI({ baseURL: `${vault.url}relay/openai/v1`, apiKey: vault.token })
  const file = await toFile(readFileSync('LICENSE'), 'LICENSE')
  const { id } = await client.files.create({ file, purpose: 'user_data' })
  expect(id).toBe('file-1')
  expect(lastSeen().body).toContain('MIT License')
  expect(lastSeen().headers['content-type']).toMatch(/^multipart\/form-data; boundary=/)
})

it('openai gets the id of the provider’s request, and a file as it is, through the relay', async () => {
  const client = new OpenAI({ baseURL: `${vault.url}relay/openai/v1`, apiKey: vault.token })
  const page = await client.models.list().withResponse()
  expect(page.data.data).toMatchObject([{ id: 'good' }])
  expect(page.request_id).toBe('req-1')
  const file = await client.files.content('file-1')
  expect(Buffer.from(await file.arrayBuffer())).toEqual(FILE)
})

it('openai cannot open a WebSocket through the relay without a key', async () => {
  const secure = await startTls(vault.url)
  onTestFinished(secure.close)
  const token = await vault.tokenOf({ sub: 'keyless' })
  const client = new OpenAI({ baseURL: `${secure.url}/relay/openai/v1`, apiKey: token })
  const options = { rejectUnauthorized: false }
  const realtime = await OpenAIRealtimeWS.create(client, { model: 'good', options })
  const { message } = await new Promise<Error>((resolve) => realtime.on('error', resolve))
  expect(message).toContain('404')
})

it('openai speaks over a WebSocket (Realtime) through the relay', async () => {
  const secure = await startTls(vault.url)
  onTestFinished(secure.close)
  const client = new OpenAI({ baseURL: `${secure.url}/relay/openai/v1`, apiKey: vault.token })
  const options = { rejectUnauthorized: false }
  const realtime = await OpenAIRealtimeWS.create(client, { model: 'good', options })
  const received: string[] = []
  const { promise: done, resolve, reject } = Promise.withResolvers<void>()
  realtime.on('error', reject)
  realtime.on('event', ({ type }) => {
    received.push(type)
    if (type === 'session.created') realtime.send({ type: 'response.create' })
    else resolve()
  })
  await done
  realtime.close()
  expect(received).toEqual(['session.created', 'response.done'])
  expect(lastSeen().url).toBe('/v1/realtime?model=good')
  expect(lastSeen().headers['authorization']).toBe(`Bearer ${KEY}`)
})

it('@google/genai speaks over a WebSocket (Live) through the relay, with the token in a header', async () => {
  const headers = { 'x-goog-api-key': vault.token }
  const baseUrl = `${vault.url}relay/gemini`
  const client = new GoogleGenAI({ apiKey: 'in-the-vault', httpOptions: { baseUrl, headers } })
  const { promise: answered, resolve, reject } = Promise.withResolvers<string | undefined>()
  const session = await client.live.connect({
    model: 'good',
    callbacks: {
      onmessage: ({ serverContent }) => {
        const text = serverContent?.modelTurn?.parts?.[0]?.text
        if (text !== undefined) resolve(text)
      },
      onerror: ({ message }) => reject(new Error(message)),
      onclose: ({ reason }) => reject(new Error(reason)),
    },
  })
  session.sendClientContent({ turns: 'Say hello' })
  expect(await answered).toBe('Hello')
  session.close()
  // The vault has removed the query, in which the SDK sends its own key.
  expect(lastSeen().url).toMatch(/^\/ws\/google\.ai\.[\w.]+\.BidiGenerateContent$/)
  expect(lastSeen().headers['x-goog-api-key']).toBe(KEY)
})

it('ws opens Gemini’s Live API through the relay with the token in a header, and not in the query', async () => {
  const live = 'ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent'
  const url = `${vault.url}relay/gemini/${live}`.replace('http', 'ws')
  const socket = new WebSocket(url, { headers: { 'x-goog-api-key': vault.token } })
  await once(socket, 'open')
  socket.terminate()
  expect(lastSeen().headers['x-goog-api-key']).toBe(KEY)
  const before = provider.seen.length
  const [error] = await once(new WebSocket(`${url}?key=${vault.token}`), 'error')
  expect(String(error)).toContain('401')
  expect(provider.seen.length).toBe(before)
})

it('the provider sees the key and no token, and neither is in an answer, an error or a log', async () => {
  for (const name of names) await run([name, 'through the relay'], 'good', 'whole')
  const secrets = provider.seen.map(({ headers }) =>
    [headers['authorization'], headers['x-api-key'], headers['x-goog-api-key']].filter(Boolean),
  )
  const isKeyAlone = ([one, ...more]: unknown[]) =>
    [KEY, PAYING_KEY].some((key) => String(one).includes(key)) && more.length === 0
  expect(secrets.length).toBeGreaterThanOrEqual(names.length)
  expect(secrets.every(isKeyAlone)).toBe(true)
  expect(JSON.stringify(provider.seen)).not.toContain(vault.token)
  const told = [...shown, ...vault.logs()]
  const leaked = told.filter((line) => line.includes(KEY) || line.includes(vault.token))
  expect(leaked).toEqual([])
})
