/** Backends that use keys through the relay: the examples, and Python’s HTTP libraries. */

import { createServer } from 'node:http'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { listen, stop } from '../../scripts/lib/local-server.ts'
import { inSeconds } from '../../scripts/lib/token.ts'
import { isInstalled, PYTHON } from '../installed.ts'
import { startDirectVault } from './direct-vault.ts'
import { mintFlaskTokens, type FlaskTokens } from './flask.ts'
import { startProgram } from './program.ts'
import { startSdkServer } from './sdk-server.ts'

const KEY = `sk-backend-${crypto.randomUUID()}`
const hasFlask = isInstalled('flask_jwt_extended')
const hasRequests = isInstalled('requests')

let provider: Awaited<ReturnType<typeof startSdkServer>>
let vault: Awaited<ReturnType<typeof startDirectVault>>
let tokens: FlaskTokens | undefined

beforeAll(async () => {
  provider = await startSdkServer()
  const PROVIDERS = JSON.stringify({ openai: { origin: provider.url } })
  vault = await startDirectVault({ PROVIDERS })
  await vault.save('openai', KEY)
  if (!hasFlask) return
  ;[tokens] = mintFlaskTokens([{ secret: vault.secret, identity: 'user' }])
})
afterAll(async () => {
  await vault.close()
  await provider.close()
})

/** A vault before a provider that answers with the status in the key, and breaks a 200 off. It has a user for each thing that can go wrong. */
async function startRefusing() {
  const refusing = createServer(({ headers }, response) => {
    const [, status] = /sk-(\d+)/.exec(headers.authorization ?? '') ?? []
    const type = status === '200' ? 'text/event-stream' : 'application/json'
    const sent = { 'Content-Type': type, 'Retry-After-Ms': '1' }
    response.writeHead(Number(status), { ...sent, 'X-Vault-Error': 'token_expired' })
    if (status === '200') response.write('data: {"choices": []}\n\n', () => response.destroy())
    else response.end('{"error": {"message": "The provider says no"}}')
  })
  const origin = `http://127.0.0.1:${await listen(refusing)}`
  const before = await startDirectVault({ PROVIDERS: JSON.stringify({ openai: { origin } }) })
  await before.sql(`INSERT INTO users (id) VALUES ('keyless'), ('200'), ('401'), ('403'), ('429'),
    ('expired'), ('paused'), ('limited')`)
  for (const id of ['200', '401', '403', '429', 'expired', 'paused', 'limited']) {
    const Authorization = `Bearer ${await before.tokenOf({ sub: id })}`
    await fetch(`${before.url}api/users/${id}/api-keys/openai`, {
      method: 'PUT',
      headers: { Authorization, 'Content-Type': 'application/json' },
      body: JSON.stringify({ api_key: `sk-${id}-0123456789` }),
    })
  }
  const limit = async (id: string, set: string) =>
    before.sql(`UPDATE api_keys SET ${set} WHERE user_id = '${id}'`)
  await limit('expired', "expires_at = '2020-01-01T00:00:00.000Z'")
  await limit('paused', "paused_at = '2020-01-01T00:00:00.000Z'")
  await limit('limited', "max_uses = 0, max_uses_per = 'day'")
  return {
    ...before,
    [Symbol.asyncDispose]: async () => {
      await before.close()
      refusing.closeAllConnections()
      await stop(refusing)
    },
  }
}

/** What a backend answers to each user: its status, its code, and the vault's. */
const FAILURES: Record<string, [status: number, code: string, refusal: string | null]> = {
  '401': [502, 'key_refused', null],
  '403': [502, 'provider_error', null],
  '429': [502, 'provider_error', null],
  keyless: [404, 'no_key', 'no_api_key'],
  nobody: [404, 'no_key', 'user_not_found'],
  expired: [410, 'no_key', 'api_key_expired'],
  paused: [403, 'paused', 'api_key_paused'],
  limited: [429, 'limit_reached', 'limit_reached'],
}

/** Starts a program that knows the vault, with `env`. */
function startBackend(command: readonly string[], env: Record<string, string>) {
  const VAULT_URL = vault.url.replace(/\/$/, '')
  return startProgram(command, { env: { PATH: process.env['PATH'], VAULT_URL, ...env } })
}

async function freePort(): Promise<string> {
  const server = createServer()
  const port = await listen(server)
  await stop(server)
  return String(port)
}

const chat = async (port: string, token: string, body: unknown) =>
  fetch(`http://localhost:${port}/chat`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  })

/** Starts examples/node-server or examples/flask before a vault. */
async function startExample(name: 'node-server' | 'flask', { url, secret } = vault) {
  const port = await freePort()
  const flask = [PYTHON, '-m', 'flask', '--app', 'examples/flask/app.py', 'run', '--port', port]
  const command = name === 'flask' ? flask : [process.execPath, 'examples/node-server/server.ts']
  const VAULT_URL = url.replace(/\/$/, '')
  const env = { PORT: port, VAULT_URL, JWT_SECRET_KEY: secret, PYTHONDONTWRITEBYTECODE: '1' }
  const server = startBackend(command, env)
  await server.waitFor(name === 'flask' ? 'Running on' : 'POST http')
  return { port, [Symbol.asyncDispose]: async () => server[Symbol.asyncDispose]() }
}

/** What a backend answers to a chat that fails. */
async function failedChat(port: string, token: string) {
  const answer = await chat(port, token, {})
  const { code }: { code?: string } = await answer.json()
  return [answer.status, code, answer.headers.get('X-Vault-Error')]
}

/** What it answers to each user of `FAILURES`. */
async function failedChats(port: string, tokenOf: (userId: string) => Promise<string>) {
  const failed = Object.keys(FAILURES).map(async (userId) => [
    userId,
    await failedChat(port, await tokenOf(userId)),
  ])
  return Object.fromEntries(await Promise.all(failed))
}

it('examples/node-server streams a completion', async () => {
  await using server = await startExample('node-server')
  const answer = await chat(server.port, vault.token, [{ role: 'user', content: 'Hello' }])
  expect([answer.status, await answer.text()]).toEqual([200, 'Hello'])
})

it('examples/node-server tells what the user can do, and signs nobody out for the provider', async () => {
  await using refusing = await startRefusing()
  await using server = await startExample('node-server', refusing)
  const tokenOf = async (sub: string) => refusing.tokenOf({ sub })
  expect(await failedChats(server.port, tokenOf)).toEqual(FAILURES)
  const bad = [
    'no token',
    await refusing.tokenOf({ exp: inSeconds(-60) }),
    await refusing.tokenOf({ scope: '' }),
  ]
  const answers = await Promise.all(bad.map(async (token) => failedChat(server.port, token)))
  expect(answers).toEqual([
    [401, 'sign_in_again', 'token_invalid'],
    [401, 'sign_in_again', 'token_expired'],
    [403, 'vault_refused', 'scope_missing'],
  ])
})

it('examples/node-server survives a stream that breaks off', async () => {
  await using refusing = await startRefusing()
  await using server = await startExample('node-server', refusing)
  const broken = await chat(server.port, await refusing.tokenOf({ sub: '200' }), [])
  await expect(broken.text()).rejects.toThrow('terminated')
  const next = await failedChat(server.port, await refusing.tokenOf({ sub: 'paused' }))
  expect(next).toEqual(FAILURES['paused'])
})

it('examples/node-server says that nobody answers if the vault is down', async () => {
  await using server = await startExample('node-server', { ...vault, url: 'http://127.0.0.1:9/' })
  expect(await failedChat(server.port, vault.token)).toEqual([502, 'no_answer', null])
})

/** The lines that the client prints. It gets only the token, over its standard input. */
async function runClient(library: string, token = ''): Promise<string[]> {
  const url = `${vault.url}relay/openai/v1/chat/completions`
  const args = ['test/node/relay_client.py', library, url, `${provider.url}/release`]
  await using client = startProgram([PYTHON, ...args], { input: token })
  const { stdout } = await client.ended()
  return stdout.trimEnd().split('\n')
}

const LIBRARIES = hasRequests ? ['urllib', 'requests'] : ['urllib']

it.runIf(hasFlask).for(LIBRARIES)(
  'Python’s %s gets each event before the provider sends the next',
  async (library) => {
    expect(await runClient(library, tokens?.access)).toEqual([
      expect.stringMatching(/^data: .*"content":"Hel"/),
      expect.stringMatching(/^data: .*"content":"lo"/),
      'data: [DONE]',
    ])
  },
)

it.runIf(hasFlask).for(LIBRARIES)(
  'Python’s %s gets the reason if the vault refuses',
  async (library) => {
    const [line] = await runClient(library, tokens?.refresh)
    expect(line).toMatch(/^401 .*"code":"token_invalid"/)
  },
)

it.runIf(hasFlask && hasRequests)(
  'examples/flask streams a completion with a token that it signs itself',
  async () => {
    await using server = await startExample('flask')
    const answer = await chat(server.port, tokens?.access ?? '', { messages: [] })
    expect(answer.status).toBe(200)
    expect(answer.headers.get('Content-Type')).toBe('text/event-stream')
    expect(await answer.text()).toMatch(
      /^data: .*"Hel".*\n\ndata: .*"lo".*\n\ndata: \[DONE\]\n\n$/s,
    )
  },
)

it.runIf(hasFlask && hasRequests)(
  'examples/flask tells what the user can do, and signs nobody out for the provider',
  async () => {
    await using refusing = await startRefusing()
    await using server = await startExample('flask', refusing)
    const session = { jti: 'a', type: 'access', fresh: false }
    const tokenOf = async (sub: string) => refusing.tokenOf({ ...session, sub })
    expect(await failedChats(server.port, tokenOf)).toEqual(FAILURES)
    const ended = await refusing.tokenOf({ ...session, exp: inSeconds(-60) })
    expect(await failedChat(server.port, ended)).toEqual([401, undefined, null])
  },
)

it.runIf(hasFlask && hasRequests)(
  'examples/flask signs nobody out if the vault does not accept what it signs',
  async () => {
    const secret = 'another secret, of which the vault does not know'
    await using server = await startExample('flask', { ...vault, secret })
    const [own] = mintFlaskTokens([{ secret, identity: 'user' }])
    const answer = await failedChat(server.port, own?.access ?? '')
    expect(answer).toEqual([502, 'vault_refused', 'token_invalid'])
  },
)

it('no token reaches the provider, and no key is in a log', async () => {
  const headers = { Authorization: `Bearer ${vault.token}` }
  expect((await fetch(`${vault.url}relay/openai/v1/models`, { headers })).status).toBe(200)
  expect(provider.seen.length).toBeGreaterThan(0)
  expect(JSON.stringify(provider.seen)).not.toMatch(/Bearer ey/)
  expect(vault.logs().filter((line) => line.includes(KEY))).toEqual([])
})
