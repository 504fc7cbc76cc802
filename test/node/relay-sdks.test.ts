import { readFileSync } from 'node:fs'
import OpenAI, { toFile } from 'openai'
import { OpenAIRealtimeWS } from 'openai/realtime/ws'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { inSeconds } from '../../scripts/lib/token.ts'
import { startDirectVault } from './direct-vault.ts'
import { CALLERS, runCall, type Access, type Kind, type Outcome } from './sdk-scenarios.ts'
import { FILE, startSdkServer, type Seen } from './sdk-server.ts'
import { startTls } from './tls-proxy.ts'

const KEY = `sk-sdk-${crypto.randomUUID()}`
let provider: Awaited<ReturnType<typeof startSdkServer>>
let vault: Awaited<ReturnType<typeof startDirectVault>>
let access: Access

beforeAll(async () => {
  provider = await startSdkServer()
  const stub = { origin: provider.url }
  const providers = { openai: stub, anthropic: stub, gemini: stub }
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

describe.for(calls)('%s %s', (call) => {
  it('gets the text', async () => {
    const outcome = await run(call, 'good', 'whole')
    expect(outcome).toMatchObject({ text: 'Hello', attempts: 1 })
    // The provider echoes the key, which only the vault takes out.
    expect(outcome.shown.includes(KEY)).toBe(call[1] === 'directly')
  })

  it('gets the first part of a stream before the provider sends the rest', async () => {
    const outcome = await run(call, 'step', 'step')
    expect(outcome).toMatchObject({ text: 'Hello', parts: 2, attempts: 1 })
    expect(outcome.error).toBeUndefined()
  })

  it.for<Kind>(['whole', 'stream'])('shows the error of the provider: %s', async (kind) => {
    const { error, attempts } = await run(call, 'error', kind)
    expect(error).toMatchObject({ status: 400, message: expect.stringContaining('Bad model') })
    expect(attempts).toBe(1)
  })

  it.for<Kind>(['whole', 'stream'])('waits for a slow first byte: %s', async (kind) => {
    const begun = provider.next('begun')
    const outcome = run(call, 'slow', kind)
    await begun
    provider.release()
    expect(await outcome).toMatchObject({ text: 'Hello', attempts: 1 })
  })

  it('fails if the provider breaks off a stream', async () => {
    const { text, error } = await run(call, 'torn', 'stream')
    expect('Hello'.startsWith(text)).toBe(true)
    expect(error).toBeDefined()
  })

  it('ends the request at the provider when it leaves in the middle of a stream', async () => {
    const gone = provider.next('gone')
    const { text } = await run(call, 'hang', 'leave')
    expect([text, await gone]).toEqual(['Hel', []])
  })
})

const refusals: [code: string, claims: Record<string, unknown>, status: number][] = [
  ['no_api_key', { sub: 'keyless' }, 404],
  ['user_not_found', { sub: 'nobody' }, 404],
  ['scope_missing', { scope: 'openid' }, 403],
  ['token_expired', { exp: inSeconds(-60) }, 401],
]

describe.for(names)('%s, refused by the vault', (name) => {
  it.for(refusals)(
    'has the code in its error, and asks once: %s',
    async ([code, claims, status]) => {
      const token = await vault.tokenOf(claims)
      for (const kind of ['whole', 'stream'] as const) {
        const outcome = await runCall(accessWith(token), { name, model: 'good', kind })
        expect(outcome).toMatchObject({ attempts: 1, text: '', error: { status } })
        expect(outcome.shown).toContain(code)
        expect(outcome.shown).not.toContain(token)
      }
    },
  )
})

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

describe('openai through the relay', () => {
  it('uploads a file', async () => {
    const client = new OpenAI({ baseURL: `${vault.url}relay/openai/v1`, apiKey: vault.token })
    const file = await toFile(readFileSync('LICENSE'), 'LICENSE')
    const { id } = await client.files.create({ file, purpose: 'user_data' })
    expect(id).toBe('file-1')
    expect(lastSeen().body).toContain('MIT License')
    expect(lastSeen().headers['content-type']).toMatch(/^multipart\/form-data; boundary=/)
  })

  it('gets the id of the provider’s request, and a file as it is', async () => {
    const client = new OpenAI({ baseURL: `${vault.url}relay/openai/v1`, apiKey: vault.token })
    const page = await client.models.list().withResponse()
    expect(page.data.data).toMatchObject([{ id: 'good' }])
    expect(page.request_id).toBe('req-1')
    const file = await client.files.content('file-1')
    expect(Buffer.from(await file.arrayBuffer())).toEqual(FILE)
  })

  it('cannot open a WebSocket without a key', async () => {
    const secure = await startTls(vault.url)
    onTestFinished(secure.close)
    const token = await vault.tokenOf({ sub: 'keyless' })
    const client = new OpenAI({ baseURL: `${secure.url}/relay/openai/v1`, apiKey: token })
    const options = { rejectUnauthorized: false }
    const realtime = await OpenAIRealtimeWS.create(client, { model: 'good', options })
    const { message } = await new Promise<Error>((resolve) => realtime.on('error', resolve))
    expect(message).toContain('404')
  })

  it('speaks over a WebSocket (Realtime)', async () => {
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
})

it('the provider saw the key and no token, and neither is in an answer, an error or a log', () => {
  const secrets = provider.seen.map(({ headers }) =>
    [headers['authorization'], headers['x-api-key'], headers['x-goog-api-key']].filter(Boolean),
  )
  expect(secrets.length).toBeGreaterThan(names.length * 5)
  expect(secrets.every(([one, ...more]) => one?.includes(KEY) === true && more.length === 0)).toBe(
    true,
  )
  expect(JSON.stringify(provider.seen)).not.toContain(vault.token)
  const told = [...shown, ...vault.logs()]
  const leaked = told.filter((line) => line.includes(KEY) || line.includes(vault.token))
  expect(leaked).toEqual([])
})
