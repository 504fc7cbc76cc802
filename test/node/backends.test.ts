import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createInterface } from 'node:readline'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { listen, stop } from '../../scripts/lib/local-server.ts'
import { startDirectVault } from './direct-vault.ts'
import { mintFlaskTokens } from './flask.ts'
import { hasModule, PYTHON } from './python.ts'
import { startSdkServer } from './sdk-server.ts'

const KEY = `sk-backend-${crypto.randomUUID()}`
const mintedByFlask = mintFlaskTokens('user')
const running: ChildProcess[] = []
let provider: Awaited<ReturnType<typeof startSdkServer>>
let vault: Awaited<ReturnType<typeof startDirectVault>>

beforeAll(async () => {
  provider = await startSdkServer()
  vault = await startDirectVault({
    PROVIDERS: JSON.stringify({ openai: { origin: provider.url } }),
  })
  await vault.save('openai', KEY)
})
afterEach(() => {
  for (const child of running.splice(0)) child.kill()
})
afterAll(async () => {
  await vault.close()
  await provider.close()
})

/** Starts a program with `env`. It is stopped after the test. */
function start(command: string, args: string[], env: Record<string, string> = {}) {
  const stdio = ['ignore', 'pipe', 'pipe'] as const
  const child = spawn(command, args, {
    env: { PATH: process.env['PATH'], ...env },
    stdio: [...stdio],
  })
  running.push(child)
  return child
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

describe('examples/node-server', () => {
  it('streams a completion, and passes on why the vault refuses', async () => {
    const port = await freePort()
    const env = { VAULT_URL: vault.url.replace(/\/$/, ''), PORT: port }
    const child = start(process.execPath, ['examples/node-server/server.ts'], env)
    await once(child.stdout ?? child, 'data')
    const answer = await chat(port, vault.token, [{ role: 'user', content: 'Hello' }])
    expect([answer.status, await answer.text()]).toEqual([200, 'Hello'])
    const refused = await chat(port, await vault.tokenOf({ scope: '' }), [])
    expect(refused.status).toBe(403)
    expect(await refused.json()).toMatchObject({ code: 'scope_missing' })
  })
})

describe.runIf(mintedByFlask).for(['urllib', 'requests'])(
  'Python’s %s through the relay',
  (library) => {
    /** The lines that the client prints. It gets only the token, over its standard input. */
    const run = async (token: string): Promise<string[]> => {
      const url = `${vault.url}relay/openai/v1/chat/completions`
      const args = ['test/node/relay_client.py', library, url, `${provider.url}/release`]
      const child = spawn(PYTHON, args, { stdio: ['pipe', 'pipe', 'inherit'] })
      running.push(child)
      child.stdin.end(token)
      return Array.fromAsync(createInterface({ input: child.stdout }))
    }
    const isInstalled = library === 'urllib' || hasModule('requests')

    it.runIf(isInstalled)('gets each event before the provider sends the next', async () => {
      expect(await run(mintedByFlask?.(vault.secret).access ?? '')).toEqual([
        expect.stringMatching(/^data: .*"content":"Hel"/),
        expect.stringMatching(/^data: .*"content":"lo"/),
        'data: [DONE]',
      ])
    })

    it.runIf(isInstalled)('gets the reason if the vault refuses', async () => {
      const [line] = await run(mintedByFlask?.(vault.secret).refresh ?? '')
      expect(line).toMatch(/^401 .*"code":"token_invalid"/)
    })
  },
)

describe.runIf(mintedByFlask && hasModule('requests'))('examples/flask', () => {
  it('streams a completion with a token that it signs itself', async () => {
    const port = await freePort()
    const env = { VAULT_URL: vault.url.replace(/\/$/, ''), JWT_SECRET_KEY: vault.secret }
    const args = ['-m', 'flask', '--app', 'examples/flask/app.py', 'run', '--port', port]
    const child = start(PYTHON, args, { ...env, PYTHONDONTWRITEBYTECODE: '1' })
    await once(createInterface({ input: child.stderr }), 'line')
    const token = mintedByFlask?.(vault.secret).access ?? ''
    const answer = await chat(port, token, { messages: [] })
    expect(answer.status).toBe(200)
    expect(answer.headers.get('Content-Type')).toBe('text/event-stream')
    expect(await answer.text()).toMatch(
      /^data: .*"Hel".*\n\ndata: .*"lo".*\n\ndata: \[DONE\]\n\n$/s,
    )
  })
})

it('no token reached the provider, and no key is in a log', () => {
  expect(provider.seen.length).toBeGreaterThan(0)
  expect(JSON.stringify(provider.seen)).not.toMatch(/Bearer ey/)
  expect(vault.logs().filter((line) => line.includes(KEY))).toEqual([])
})
