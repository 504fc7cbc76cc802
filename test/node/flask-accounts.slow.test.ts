/** The Flask example manages its users in a real Worker, with tokens that it signs itself. */

import { createServer } from 'node:http'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { listen, stop } from '../../scripts/lib/local-server.ts'
import { isInstalled, PYTHON } from '../installed.ts'
import { startDirectVault } from './direct-vault.ts'
import { mintFlaskTokens } from './flask.ts'
import { startProgram, type Program } from './program.ts'

const KEY = `sk-account-${crypto.randomUUID()}`
const SERVERS = { MANAGE_CLIENTS: 'flask-app', MANAGE_SCOPE: 'vault' }
const canRun = isInstalled('flask_jwt_extended') && isInstalled('requests')

let vault: Awaited<ReturnType<typeof startDirectVault>>
let backend: Awaited<ReturnType<typeof startBackend>>

beforeAll(async () => {
  if (!canRun) return
  vault = await startDirectVault(SERVERS)
  backend = await startBackend(vault.url, vault.secret)
})
afterAll(async () => {
  if (!canRun) return
  await backend.program[Symbol.asyncDispose]()
  await vault.close()
})

/** The example as an operator starts it. The user `helper` is of its staff. */
async function startBackend(
  url: string,
  secret: string,
): Promise<{ program: Program; url: string }> {
  const server = createServer()
  const port = String(await listen(server))
  await stop(server)
  const env = {
    PATH: process.env['PATH'],
    PYTHONDONTWRITEBYTECODE: '1',
    VAULT_URL: url.replace(/\/$/, ''),
    JWT_SECRET_KEY: secret,
    STAFF: 'helper',
  }
  const command = [PYTHON, '-m', 'flask', '--app', 'examples/flask/app.py', 'run', '--port', port]
  const program = startProgram(command, { env })
  await program.waitFor('Running on')
  return { program, url: `http://localhost:${port}` }
}

/** Asks a server, with a token. */
async function ask(url: string, token: string, method = 'GET', body?: object) {
  const answer = await fetch(url, {
    method,
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
  })
  return { status: answer.status, text: await answer.text() }
}

/** A token of the backend for one of its users. */
function tokenFor(identity: string): string {
  const [minted] = mintFlaskTokens([{ secret: vault.secret, identity }])
  return minted?.access ?? ''
}

interface Account {
  id: string
  access_token: string
}

/** Signs a user up, who then saves a key for OpenAI in the vault. */
async function someAccount(): Promise<Account & { own: string }> {
  const answer = await ask(`${backend.url}/accounts`, '', 'POST')
  expect(answer.status).toBe(201)
  const account: Account = JSON.parse(answer.text)
  const own = `${vault.url}api/users/${account.id}`
  const saved = await ask(`${own}/api-keys/openai`, account.access_token, 'PUT', { api_key: KEY })
  expect(saved.status).toBe(200)
  return { ...account, own }
}

it.runIf(canRun)(
  'examples/flask adds a user, shows support the slot, pauses the key, and the user sees that',
  async () => {
    const { id, access_token, own } = await someAccount()
    const helper = tokenFor('helper')
    const shown = await ask(`${backend.url}/support/users/${id}/keys`, helper)
    expect([shown.status, JSON.parse(shown.text)]).toMatchObject([
      200,
      { keys: [{ provider: 'openai', api_key_preview: 'sk-accou...', has_api_key: true }] },
    ])
    const paused = await ask(`${backend.url}/support/users/${id}/keys/openai/pause`, helper, 'POST')
    expect(JSON.parse(paused.text)).toMatchObject({ paused_at: expect.any(String) })
    const slot = await ask(`${own}/api-keys/openai`, access_token)
    expect(JSON.parse(slot.text)).toMatchObject({ paused_at: expect.any(String) })
    const { events } = JSON.parse((await ask(`${own}/api-key-events`, access_token)).text)
    const by = { by: 'operator', caller: 'server:flask-app' }
    expect(events).toMatchObject([
      { ...by, event: 'paused', provider: 'openai' },
      { ...by, event: 'viewed', provider: '*' },
      { by: 'owner', event: 'saved', provider: 'openai' },
    ])
    expect(shown.text + paused.text).not.toContain(KEY)
  },
)

it.runIf(canRun)('examples/flask removes the user with the account, also twice', async () => {
  const { id, access_token, own } = await someAccount()
  const remove = async () => ask(`${backend.url}/account`, access_token, 'DELETE')
  expect([(await remove()).status, (await remove()).status]).toEqual([204, 204])
  const slot = await ask(`${own}/api-keys/openai`, access_token)
  expect([slot.status, JSON.parse(slot.text)]).toMatchObject([404, { code: 'user_not_found' }])
  const shown = await ask(`${backend.url}/support/users/${id}/keys`, tokenFor('helper'))
  expect([shown.status, JSON.parse(shown.text)]).toMatchObject([404, { code: 'user_not_found' }])
})

it.runIf(canRun)(
  'examples/flask lets a user export everything about them, but no key',
  async () => {
    const { id, access_token } = await someAccount()
    const path = `${backend.url}/account/export`
    const { status, text } = await ask(path, access_token)
    const lines: unknown[] = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect([status, lines]).toMatchObject([
      200,
      [
        { type: 'user', user_id: id },
        { type: 'key', provider: 'openai', api_key_preview: 'sk-accou...' },
        { type: 'event', event: 'saved', by: 'owner' },
        { type: 'end', next_cursor: null },
      ],
    ])
    expect(text).not.toContain(KEY)
    const odd = await ask(`${path}?cursor=odd`, access_token)
    expect([odd.status, JSON.parse(odd.text)]).toMatchObject([400, { code: 'invalid_query' }])
    await ask(`${backend.url}/account`, access_token, 'DELETE')
    const gone = await ask(path, access_token)
    expect([gone.status, JSON.parse(gone.text)]).toMatchObject([404, { code: 'user_not_found' }])
  },
)

it.runIf(canRun)(
  'examples/flask lets nobody but its staff look, and the vault neither',
  async () => {
    const { id, own } = await someAccount()
    const other = await someAccount()
    const path = `${backend.url}/support/users/${id}/keys`
    expect((await ask(path, other.access_token)).status).toBe(403)
    expect((await ask(`${path}/openai/pause`, other.access_token, 'POST')).status).toBe(403)
    const refused = await ask(`${own}/api-keys`, other.access_token)
    expect([refused.status, JSON.parse(refused.text)]).toMatchObject([
      403,
      { code: 'not_your_own' },
    ])
  },
)

it.runIf(canRun)('examples/flask signs nobody out if the vault refuses the backend', async () => {
  const without = await startDirectVault({})
  const lonely = await startBackend(without.url, without.secret)
  try {
    const answer = await ask(`${lonely.url}/accounts`, '', 'POST')
    expect([answer.status, JSON.parse(answer.text)]).toMatchObject([502, { code: 'vault_failed' }])
  } finally {
    await lonely.program[Symbol.asyncDispose]()
    await without.close()
  }
})

it.runIf(canRun)('no key and no token is in a log of the vault or of examples/flask', async () => {
  const { access_token } = await someAccount()
  const logged = `${vault.logs().join('\n')}\n${backend.program.printed()}`
  expect(logged).toContain('server:flask-app')
  for (const secret of [KEY, access_token, 'eyJ']) expect(logged).not.toContain(secret)
})
