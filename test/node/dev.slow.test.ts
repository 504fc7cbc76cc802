/** `npm run dev`, started for real. The rules of what it prints are in `test/scripts/lib/`. */

import { appendFileSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { beforeAll, expect, it, onTestFinished } from 'vitest'
import { listen, stop } from '../../scripts/lib/local-server.ts'
import { makeCheckout, type Dev } from './checkout.ts'

const { path, startDev, start, paste, script } = makeCheckout()
/** Another one, whose `npm run dev` runs while the tests do. */
const other = makeCheckout()
/** Secrets of which one is missing, one is hidden from the Worker, and one is wrong, and a variable for Cloudflare alone. */
const GIVEN = [
  `API_KEY_ENCRYPTION_KEY=${Buffer.alloc(32, 7).toString('base64')}`,
  `LEGACY_FERNET_KEY=${'A'.repeat(43)}=`,
  'DELETIONS_JURISDICTION=eu',
  'AUTO_CREATE_USERS=maybe',
].join('\n')
/** What it printed, and its secrets, before the wrong one was put right. */
let refused: { printed: string; secrets: string }
let shared: Dev

/** Some of what `--demo` brings about. */
const DEMO_STATES = [
  { provider: 'openai:work', status: 'active', max_uses: { count: 100, per: 'day', used: 37 } },
  { provider: 'anthropic', status: 'rejected' },
  { provider: 'openrouter', condition: 'out_of_credit' },
  { provider: 'xai', status: 'rejected', paused_at: expect.any(String) },
  { provider: 'together', same_key_in: ['perplexity'] },
].map((state) => expect.objectContaining(state))

const RELOAD = { timeout: 30_000, interval: 250 }
const REQUEST_LINE = /"route":"[^"]*","status":\d+|(?<=info\] )[A-Z]+ \/\S*/g

beforeAll(async () => {
  const file = other.path('.dev.vars')
  writeFileSync(file, GIVEN)
  shared = await other.startDev([], "refuses the demo user's")
  await shared.waitFor('AUTO_CREATE_USERS must be')
  refused = { printed: shared.printed(), secrets: readFileSync(file, 'utf8') }
  writeFileSync(file, refused.secrets.replace('AUTO_CREATE_USERS=maybe', ''))
  await shared.waitFor('User Key Vault is ready.')
}, 120_000)

/** A port of localhost that nothing listens on. */
async function findFreePort(): Promise<number> {
  const server = createServer()
  const port = await listen(server)
  await stop(server)
  return port
}

async function isUp({ url }: Dev): Promise<boolean> {
  return fetch(`${url}/api/health`).then(
    () => true,
    () => false,
  )
}

it('npm run dev uses its port, prints lines that save, preview and delete a key, stops on a signal, and keeps keys', async () => {
  const port = String(await findFreePort())
  await using first = await start(['npm', 'run', 'dev', '--', '--port', port], '-X DELETE')
  const secrets = readFileSync(path('.dev.vars'), 'utf8')
  expect(first.url).toBe(`http://localhost:${port}`)
  const tokens = first.printed().match(/eyJ[\w.-]+/g)
  expect(tokens).toEqual([tokens?.[0], tokens?.[0]])
  expect(statSync(path('.dev.vars')).mode & 0o777).toBe(0o600)
  expect(await paste(first.curls[0])).toMatchObject({
    message: 'API key updated successfully',
    user_id: 'demo',
    user: { has_api_key: true, api_key_preview: 'sk-demo-...' },
  })
  const preview = await paste(first.curls[1])
  expect(preview).toMatchObject({ has_api_key: true, api_key_preview: 'sk-demo-...' })
  await first.stop('SIGTERM')
  await expect.poll(async () => isUp(first), { timeout: 10_000 }).toBe(false)

  await using second = await startDev(['--demo'], 'and stay as they are: default')
  expect(second.printed()).toContain('openai:work  another key of the provider')
  const demo = await paste(second.curls[1]?.replace('api-key ', 'api-keys '))
  expect(demo).toMatchObject({ api_keys: expect.arrayContaining(DEMO_STATES) })
  expect(readFileSync(path('.dev.vars'), 'utf8')).toBe(secrets)
  expect(await paste(second.curls[1])).toEqual(preview)
  expect(await paste(second.curls[2])).toMatchObject({ user: { has_api_key: false } })
  expect(await paste(second.curls[1])).toEqual({ has_api_key: false })
  await second.stop('SIGINT')
  await expect.poll(async () => isUp(second), { timeout: 10_000 }).toBe(false)
})

it('npm run dev makes a secret that is missing, and reports one that the Worker does not get', () => {
  expect(refused.printed).toContain('Added to .dev.vars: JWT_SECRET_KEY')
  expect(refused.printed).toContain('The Worker does not get LEGACY_FERNET_KEY of .dev.vars.')
  expect(refused.secrets).toMatch(/^JWT_SECRET_KEY=[0-9a-f]{64}$/m)
  expect(refused.secrets).toContain(`${GIVEN}\n`)
})

it('npm run dev says why the Worker refuses the demo user, and greets once it does not', () => {
  expect(refused.printed).toContain('"code":"server_misconfigured"')
  expect(refused.printed).not.toContain('curl ')
  expect(shared.curls).toHaveLength(3)
})

it('npm run dev ignores a jurisdiction, and says so once', () => {
  const [, ...rest] = shared.printed().split('DELETIONS_JURISDICTION is ignored')
  expect(rest).toHaveLength(1)
  expect(shared.printed()).not.toContain('DELETIONS_JURISDICTION is unknown')
})

it('npm run dev prints one line per request, and no warning that nobody runs the job', async () => {
  await expect.poll(shared.printed).toContain('"route":"/api/users/:userId/api-key"')
  const before = shared.printed().length
  const paths = ['/', '/page.js', '/api/health', '/api/health?x', '/nothing', '/index.html']
  for (const name of paths) {
    // oxlint-disable-next-line no-await-in-loop -- in order, to compare them
    await fetch(`${shared.url}${name}`, { redirect: 'manual' })
  }
  const requests = () => shared.printed().slice(before).match(REQUEST_LINE)
  await expect.poll(requests).toContain('GET /index.html')
  expect(requests()).toEqual([
    '"route":"/*","status":200',
    'GET /page.js',
    '"route":"/api/health","status":200',
    '"route":"/api/health","status":200',
    '"route":"/*","status":404',
    'GET /index.html',
  ])
  expect(shared.printed()).not.toMatch(/WARNING|wrangler:warn/)
})

it('the Workers of a checkout keep apart from those of other checkouts', async () => {
  const registry = other.path('.wrangler/registry')
  expect(readdirSync(registry)).toEqual(['user-key-vault'])
  await expect.poll(shared.printed).toContain(`WRANGLER_REGISTRY_PATH='${registry}' npx`)
})

it('the link that npm run dev prints signs the demo user in', async () => {
  const [page, token = ''] = shared.link.split('/#token=')
  expect(page).toBe(shared.url)
  const [, claims = ''] = token.split('.')
  expect(JSON.parse(Buffer.from(claims, 'base64url').toString())).toMatchObject({ sub: 'demo' })
})

it('the Worker reloads when .dev.vars changes', async () => {
  const headers = { Origin: 'http://localhost:5173' }
  const allowed = async () =>
    (await fetch(`${shared.url}/api/health`, { headers })).headers.get(
      'Access-Control-Allow-Origin',
    )
  expect(await allowed()).toBeNull()
  appendFileSync(other.path('.dev.vars'), 'CORS_ORIGINS=http://localhost:5173\n')
  await expect.poll(allowed, RELOAD).toBe('http://localhost:5173')
  expect(shared.printed()).toContain('.dev.vars has changed. The Worker reloads with it.')
})

it.for(['dev', 'example'])('npm run %s ends at once if its port is in use', async (name) => {
  const server = createServer()
  onTestFinished(async () => stop(server))
  const port = await listen(server)
  await expect(script(name, '--port', String(port))).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringMatching(new RegExp(`^Port ${port} is in use\\. `)),
    stdout: '',
  })
})

it('npm run users and npm run token work beside npm run dev', async () => {
  const id = `o'neil|"é"; DROP TABLE users`
  expect(await other.script('users', 'add', id)).toBe(`Added ${id}\n`)
  expect(await other.script('users', 'list')).toContain(JSON.stringify(id))
  const token = (await other.script('token', id)).trim()
  const url = `${shared.url}/api/users/${encodeURIComponent(id)}/api-key`
  const answer = await fetch(url, { headers: { Authorization: `Bearer ${token}` } })
  expect(await answer.json()).toEqual({ has_api_key: false })
  await expect(other.script('users')).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringContaining('Usage: npm run users -- '),
  })
})
