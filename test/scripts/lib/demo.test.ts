import { writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { json } from 'node:stream/consumers'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { requireLocal, saveDemoKeys } from '../../../scripts/lib/demo.ts'
import { DEMO_KEYS } from '../../../scripts/lib/demo-keys.ts'
import { listen, stop } from '../../../scripts/lib/local-server.ts'
import { useDatabase } from '../database.ts'
import { enterFolder } from '../run-script.ts'

const database = useDatabase()
/** The databases that were opened. */
const opened: { remote: boolean }[] = []

vi.mock('../../../scripts/lib/database.ts', () => ({
  withDatabase: async (where: { remote: boolean }, work: (db: D1Database) => Promise<unknown>) => {
    opened.push(where)
    return work(database.db)
  },
}))

/** What the vault was asked, and with which status it refuses a `PATCH`. */
const asked: { line: string; body: Record<string, unknown> }[] = []
let refusal: number | null = null

/** Stands for the vault: it has rows without a key in them. */
async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method = '', url = '', headers } = request
  const body = Object(await json(request))
  asked.push({ line: `${method} ${url}`, body })
  const slot = decodeURIComponent(url.split('/').at(-1)?.split('?')[0] ?? '')
  const rows = await database.query(`SELECT 1 FROM api_keys WHERE provider = '${slot}'`)
  if (method === 'PATCH') return void response.writeHead(refusal ?? 200).end('{}')
  if (rows.length > 0 && headers['if-none-match'] === '*') return void response.writeHead(412).end()
  await database.query(
    `INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id) VALUES ('demo', '${slot}', 'v1', 'k')`,
  )
  response.end('{}')
}

const server = createServer((request, response) => {
  answer(request, response).catch((error: unknown) => response.destroy(new Error(String(error))))
})

let vault: { url: string; userId: string }
let folder: ReturnType<typeof enterFolder>
beforeAll(async () => {
  vault = { url: `http://127.0.0.1:${await listen(server)}`, userId: 'demo' }
  folder = enterFolder()
  writeFileSync('.dev.vars', `JWT_SECRET_KEY=${'a'.repeat(64)}\n`)
})
afterAll(async () => {
  folder.leave()
  await stop(server)
})
beforeEach(async () => {
  ;[asked.length, opened.length, refusal] = [0, 0, null]
  await database.query("INSERT INTO users (id) VALUES ('demo')")
})

const statuses = async () => database.query('SELECT provider, status FROM api_keys')

it('saves each demo key over HTTP without asking its provider, and sets its state in the local database', async () => {
  const said = await saveDemoKeys(vault)
  const puts = asked.filter(({ line }) => line.startsWith('PUT '))
  expect(puts.map(({ line }) => line)).toEqual(
    DEMO_KEYS.map(({ slot }) => `PUT /api/users/demo/api-keys/${slot}?verify=false`),
  )
  expect(puts.map(({ body }) => body['api_key'])).toEqual(DEMO_KEYS.map(({ apiKey }) => apiKey))
  expect(asked).toContainEqual({
    line: 'PATCH /api/users/demo/api-keys/deepseek',
    body: { paused: true },
  })
  expect(await statuses()).toContainEqual({ provider: 'anthropic', status: 'rejected' })
  expect(opened).toEqual([{ remote: false }])
  expect(said).toMatch(/^The user demo has these made-up keys/)
  expect(said).toContain('  anthropic    rejected by its provider')
})

it('leaves a key that is there as it is, and says so', async () => {
  await database.query(
    `INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id, status)
     VALUES ('demo', 'anthropic', 'v1', 'k', 'active')`,
  )
  const said = await saveDemoKeys(vault)
  expect(await statuses()).toContainEqual({ provider: 'anthropic', status: 'active' })
  expect(said).toContain('had a key, and stay as they are: anthropic\n')
})

it('a second time, it changes nothing', async () => {
  await saveDemoKeys(vault)
  const before = await database.query('SELECT * FROM api_keys')
  const events = await database.query('SELECT * FROM api_key_events')
  ;[asked.length, opened.length] = [0, 0]
  const said = await saveDemoKeys(vault)
  expect(asked.filter(({ line }) => line.startsWith('PATCH '))).toEqual([])
  expect(opened).toEqual([])
  expect(await database.query('SELECT * FROM api_keys')).toEqual(before)
  expect(await database.query('SELECT * FROM api_key_events')).toEqual(events)
  expect(said).not.toContain('made-up')
})

it('says with which status the vault refuses a key', async () => {
  refusal = 429
  await expect(saveDemoKeys(vault)).rejects.toThrow('The vault refused a demo key: 429 {}')
})

describe('the database of the demo', () => {
  it.for([
    ['--remote'],
    ['-r'],
    ['-lr'],
    ['--r'],
    ['--env', 'staging'],
    ['--env=staging'],
    ['-e', 'x'],
    ['-estaging'],
    ['--env-file', 'x'],
    ['-c', 'x.toml'],
    ['--cwd', '..'],
    ['--persist-to=x'],
    ['--persistTo', 'x'],
  ])('--demo is refused beside %j, which may use another database', (args) => {
    expect(() => requireLocal(args, [])).toThrow(`--demo does not work with ${args[0]}`)
  })

  it('--demo is refused if the binding is remote', () => {
    expect(() => requireLocal([], [{ remote: false }, { remote: true }])).toThrow('yours is remote')
  })

  it('--demo goes with other options', () => {
    const args = ['--port', '4000', '--var', 'A:--remote', '--ip=::1', '-l', '--routes', 'x']
    // `CLOUDFLARE_ENV` in `.env` may name an environment whose database is remote. Only Wrangler reads it.
    expect(requireLocal(args, [{}, { remote: false }])).toEqual([...args, '--local'])
  })
})
