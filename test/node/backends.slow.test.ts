/** Backends that use keys through the relay: the examples, and Python’s HTTP libraries. */

import { createServer } from 'node:http'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { listen, stop } from '../../scripts/lib/local-server.ts'
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

/** A provider that refuses every key with `status`, and a vault before it. */
async function startRefusing(status: number) {
  const refusing = createServer((_, response) => {
    response.writeHead(status, { 'Content-Type': 'application/json' })
    response.end('{"error": {"message": "Incorrect API key provided"}}')
  })
  const PROVIDERS = JSON.stringify({
    openai: { origin: `http://127.0.0.1:${await listen(refusing)}` },
  })
  const before = await startDirectVault({ PROVIDERS })
  await before.save('openai', KEY)
  return {
    ...before,
    [Symbol.asyncDispose]: async () => {
      await before.close()
      refusing.closeAllConnections()
      await stop(refusing)
    },
  }
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

it('examples/node-server streams a completion, and passes on why the vault refuses', async () => {
  const port = await freePort()
  const command = [process.execPath, 'examples/node-server/server.ts']
  await using server = startBackend(command, { PORT: port })
  await server.waitFor('POST http')
  const answer = await chat(port, vault.token, [{ role: 'user', content: 'Hello' }])
  expect([answer.status, await answer.text()]).toEqual([200, 'Hello'])
  const refused = await chat(port, await vault.tokenOf({ scope: '' }), [])
  expect([refused.status, refused.headers.get('X-Vault-Error')]).toEqual([403, 'scope_missing'])
  expect(await refused.json()).toMatchObject({ code: 'scope_missing' })
  const signedOut = await chat(port, 'no token', [])
  expect([signedOut.status, await signedOut.json()]).toMatchObject([401, { code: 'token_invalid' }])
})

it.for([401, 403])(
  'examples/node-server does not sign a user out for OpenAI’s %i',
  async (status) => {
    await using refusing = await startRefusing(status)
    const port = await freePort()
    const command = [process.execPath, 'examples/node-server/server.ts']
    const VAULT_URL = refusing.url.replace(/\/$/, '')
    await using server = startBackend(command, { PORT: port, VAULT_URL })
    await server.waitFor('POST http')
    const answer = await chat(port, refusing.token, [])
    expect([answer.status, answer.headers.get('X-Vault-Error')]).toEqual([502, null])
    expect(await answer.json()).toEqual({
      error: 'OpenAI refused the API key',
      code: 'provider_refused',
    })
  },
)

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
    const port = await freePort()
    const command = [PYTHON, '-m', 'flask', '--app', 'examples/flask/app.py', 'run', '--port', port]
    const env = { JWT_SECRET_KEY: vault.secret, PYTHONDONTWRITEBYTECODE: '1' }
    await using server = startBackend(command, env)
    await server.waitFor('Running on')
    const answer = await chat(port, tokens?.access ?? '', { messages: [] })
    expect(answer.status).toBe(200)
    expect(answer.headers.get('Content-Type')).toBe('text/event-stream')
    expect(await answer.text()).toMatch(
      /^data: .*"Hel".*\n\ndata: .*"lo".*\n\ndata: \[DONE\]\n\n$/s,
    )
  },
)

it.runIf(hasFlask && hasRequests)(
  'examples/flask says whether the vault refuses or the provider, and signs nobody out for the provider',
  async () => {
    await using refusing = await startRefusing(401)
    const [own] = mintFlaskTokens([{ secret: refusing.secret, identity: 'user' }])
    const [stranger] = mintFlaskTokens([{ secret: refusing.secret, identity: 'nobody' }])
    const port = await freePort()
    const command = [PYTHON, '-m', 'flask', '--app', 'examples/flask/app.py', 'run', '--port', port]
    const VAULT_URL = refusing.url.replace(/\/$/, '')
    const env = { JWT_SECRET_KEY: refusing.secret, VAULT_URL, PYTHONDONTWRITEBYTECODE: '1' }
    await using server = startBackend(command, env)
    await server.waitFor('Running on')
    const answer = await chat(port, own?.access ?? '', { messages: [] })
    expect([answer.status, answer.headers.get('X-Vault-Error')]).toEqual([502, null])
    expect(await answer.json()).toMatchObject({ code: 'provider_refused' })
    const refused = await chat(port, stranger?.access ?? '', { messages: [] })
    expect([refused.status, refused.headers.get('X-Vault-Error')]).toEqual([404, 'user_not_found'])
    expect(await refused.json()).toMatchObject({ code: 'user_not_found' })
  },
)

it('no token reaches the provider, and no key is in a log', async () => {
  const headers = { Authorization: `Bearer ${vault.token}` }
  expect((await fetch(`${vault.url}relay/openai/v1/models`, { headers })).status).toBe(200)
  expect(provider.seen.length).toBeGreaterThan(0)
  expect(JSON.stringify(provider.seen)).not.toMatch(/Bearer ey/)
  expect(vault.logs().filter((line) => line.includes(KEY))).toEqual([])
})
