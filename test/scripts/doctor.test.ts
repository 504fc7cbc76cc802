/** `npm run doctor`, in this process: what it says of a configuration, a database and a vault. */

import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { listen, stop } from '../../scripts/lib/local-server.ts'
import { signToken } from '../../scripts/lib/token.ts'
import { rowsUnder } from '../markdown.ts'
import { useDatabase } from './database.ts'
import { enterFolder, runScript } from './run-script.ts'

const database = useDatabase()
const CONFIG = readFileSync('wrangler.toml', 'utf8')
const [, PAGE = ''] = readFileSync('docs/commands.md', 'utf8').split('## What is wrong')
const ENCRYPTION_KEY = randomBytes(32).toString('base64')
const SECRET = randomBytes(32).toString('hex')
const SECRETS = `API_KEY_ENCRYPTION_KEY=${ENCRYPTION_KEY}\nJWT_SECRET_KEY=${SECRET}\n`
/** Nothing listens there. */
const NOWHERE = 'http://127.0.0.1:1'

let folder: ReturnType<typeof enterFolder>
beforeEach(() => {
  folder = enterFolder()
  writeFileSync('wrangler.toml', CONFIG)
  writeFileSync('.dev.vars', SECRETS)
})
afterEach(() => folder.leave())

interface Shown {
  check: string
  state: string
  why: string
  fix: string | null
}

/** What the doctor finds. It shows no secret. */
async function examine(...args: string[]) {
  const options = args.includes('--url') ? args : ['--url', NOWHERE, ...args]
  const { code, stdout, stderr } = await runScript(['doctor', '--json', ...options], database.db)
  expect(stdout + stderr).not.toContain(SECRET)
  expect(stdout + stderr).not.toContain(ENCRYPTION_KEY)
  const { ok, checks }: { ok: boolean; checks: Shown[] } = JSON.parse(stdout)
  expect(code).toBe(ok ? 0 : 1)
  const of = (name: string) => checks.filter(({ check }) => check === name)
  return { ok, checks, of, stderr }
}

const setVar = (name: string, value: string) =>
  writeFileSync(
    'wrangler.toml',
    readFileSync('wrangler.toml', 'utf8').replace(
      new RegExp(`^${name} = .*`, 'm'),
      `${name} = '''${value}'''`,
    ),
  )

/** A server for the time of a test. */
async function startServer(answer: RequestListener) {
  const server = createServer(answer)
  const url = `http://127.0.0.1:${await listen(server)}`
  return { url, [Symbol.asyncDispose]: async () => stop(server) }
}

/** A healthy vault that has one slot, and what it was asked. */
async function startVault(saved = 201) {
  const calls: string[] = []
  const server = await startServer(({ method, url }, response) => {
    if (url !== '/api/health') calls.push(`${method} ${url}`)
    response.statusCode = method === 'PUT' ? saved : 200
    response.end(
      JSON.stringify(saved < 400 ? { status: 'ok' } : { status: 'ok', code: 'user_not_found' }),
    )
  })
  return Object.assign(server, { calls })
}

it('a vault that lacks nothing is well, and a save leaves nothing in the database', async () => {
  await using vault = await startVault()
  const tables = await database.query(
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT GLOB '_cf_*'",
  )
  const dump = async () =>
    Promise.all(tables.map(async ({ name }) => database.query(`SELECT * FROM "${String(name)}"`)))
  const before = await dump()
  const { ok, of } = await examine('--url', vault.url)
  expect(ok).toBe(true)
  expect(await dump()).toEqual(before)
  expect(of('Test save')).toMatchObject([{ state: 'ok' }])
  expect(of('Running vault')).toMatchObject([{ state: 'ok', why: `${vault.url} is healthy.` }])
  expect(vault.calls).toEqual([])
})

it('the doctor says in a line for each check what it found, and in one more what to do', async () => {
  writeFileSync('.dev.vars', `JWT_SECRET_KEY=${SECRET}`)
  const { code, stdout } = await runScript(['doctor', '--url', NOWHERE], database.db)
  expect(code).toBe(1)
  const [first, second, third] = stdout.split('\n')
  expect(first).toMatch(/^wrong {8}Configuration {4}API_KEY_ENCRYPTION_KEY is not set; /)
  expect(second).toBe(`${''.padEnd(30)}This adds it to .dev.vars: npm run dev`)
  expect(third).toBe('not checked  Limiters         The configuration is wrong.')
  expect(stdout).toContain(
    'Something is wrong: see the lines above. wrangler.toml and .dev.vars were read.',
  )
})

it.for<[what: string, change: () => void, why: string, fix: string]>([
  [
    'a short secret',
    () => writeFileSync('.dev.vars', SECRETS.replace(SECRET, 'short')),
    'JWT_SECRET_KEY is under 32 bytes',
    'Set JWT_SECRET_KEY in .dev.vars.',
  ],
  [
    'an encryption key that is not base64',
    () => writeFileSync('.dev.vars', SECRETS.replace(ENCRYPTION_KEY, 'c2hvcnQ=')),
    'API_KEY_ENCRYPTION_KEY, item 1, is not 32 random bytes in base64',
    'Set API_KEY_ENCRYPTION_KEY in .dev.vars.',
  ],
  [
    'no D1 binding',
    () => writeFileSync('wrangler.toml', CONFIG.replace(/^\[\[d1_databases\]\]\n.*\n.*\n/m, '')),
    'DB must be a D1 binding',
    'See DB in docs/configuration.md.',
  ],
  [
    'a wrong name in the file',
    () => writeFileSync('wrangler.toml', CONFIG.replace('MANAGE_SCOPE =', 'MANAGE_SCOP =')),
    'The vault has no variable MANAGE_SCOP.',
    'Rename it in wrangler.toml: MANAGE_SCOPE',
  ],
  [
    'a wrong name among the secrets',
    () => writeFileSync('.dev.vars', `${SECRETS}JWT_SCOPES=a`),
    'The vault has no variable JWT_SCOPES.',
    'Rename it in .dev.vars: JWT_SCOPE',
  ],
  [
    'a name like no other',
    () => writeFileSync('.dev.vars', `${SECRETS}SOMETHING_ELSE=a`),
    'The vault has no variable SOMETHING_ELSE.',
    'Remove it from .dev.vars.',
  ],
  [
    'a secret that the Worker does not get',
    () => writeFileSync('.dev.vars', `${SECRETS}PROVIDERS={}`),
    'The Worker does not get PROVIDERS of .dev.vars.',
    'Add it to [secrets] required in wrangler.toml.',
  ],
  [
    'an origin without https:',
    () => setVar('CORS_ORIGINS', 'app.example.com'),
    'CORS_ORIGINS, item 1, is not an exact origin',
    'Set CORS_ORIGINS in [vars] of wrangler.toml, or in .dev.vars.',
  ],
  [
    'true without quotation marks',
    () =>
      writeFileSync(
        'wrangler.toml',
        CONFIG.replace(/^AUTO_CREATE_USERS = .*/m, 'AUTO_CREATE_USERS = true'),
      ),
    'AUTO_CREATE_USERS must be "true" or "false"',
    'Set AUTO_CREATE_USERS in [vars] of wrangler.toml, or in .dev.vars.',
  ],
  [
    'a provider, as a table, with a wrong label',
    () =>
      writeFileSync(
        'wrangler.toml',
        `${CONFIG}\n[vars.PROVIDERS.acme]\nlabel = 7\norigin = 'https://api.acme.test'\nheader = 'x-key'\nrefusals = [{ status = 401 }]\n`,
      ),
    'PROVIDERS, "acme", label',
    'Set PROVIDERS in [vars] of wrangler.toml, or in .dev.vars.',
  ],
  [
    'half of a pair',
    () => setVar('OIDC_ISSUER', 'https://id.example.com'),
    'OIDC_ISSUER and OIDC_CLIENT_ID are required together',
    'Set OIDC_CLIENT_ID in [vars] of wrangler.toml, or in .dev.vars.',
  ],
  [
    'a variable without the one that it needs',
    () => setVar('RELAY_PROVIDERS', 'openai'),
    'RELAY_PROVIDERS needs RELAY_SCOPE',
    'Set RELAY_SCOPE in [vars] of wrangler.toml, or in .dev.vars.',
  ],
])('a configuration with %s is wrong', async ([, change, why, fix]) => {
  change()
  const { ok, of } = await examine()
  expect(ok).toBe(false)
  expect(of('Configuration')).toEqual([
    { check: 'Configuration', state: 'wrong', why: expect.stringContaining(why), fix },
  ])
})

it('a limiter that is missing is wrong', async () => {
  const limiter = /^\[\[ratelimits\]\]\nname = "PROBE_LIMITER"\n.*\n.*\n/m
  writeFileSync('wrangler.toml', CONFIG.replace(limiter, ''))
  const { of } = await examine()
  expect(of('Configuration')).toMatchObject([{ state: 'ok' }])
  expect(of('Limiters')).toMatchObject([
    { state: 'wrong', why: expect.stringContaining('PROBE_LIMITER') },
  ])
})

it('a configuration that starts no jobs is wrong', async () => {
  writeFileSync('wrangler.toml', CONFIG.replace(/^crons = .*/m, 'crons = []'))
  const { of } = await examine()
  expect(of('Jobs')).toMatchObject([
    { state: 'wrong', fix: 'Set crons = ["* * * * *"] in [triggers] of wrangler.toml.' },
  ])
})

it('docs/commands.md shows and lists each check in its order', async () => {
  const { checks } = await examine()
  const names = [...new Set(checks.map(({ check }) => check))]
  const shown = PAGE.matchAll(/^(?:ok|wrong|not checked) {2,}([A-Z].*?) {2,}/gm)
  expect(Array.from(shown, ([, name]) => name)).toEqual(names)
  expect(rowsUnder(`## Checks\n${PAGE}`, '## Checks').map(([name]) => name)).toEqual(names)
})

it('stored keys whose encryption key is missing are wrong', async () => {
  await database.query(
    "INSERT INTO users (id) VALUES ('ann')",
    `INSERT INTO api_keys (user_id, encrypted_api_key, key_id)
      VALUES ('ann', 'v1.0123456789ab.AAAA', '0123456789ab')`,
  )
  const { of } = await examine()
  expect(of('Stored keys')).toMatchObject([
    {
      state: 'wrong',
      why: expect.stringContaining('sealed under 0123456789ab'),
      fix: 'npm run keys -- plan',
    },
  ])
})

it.for<[what: string, answer: RequestListener, state: string, why: string]>([
  ['is HTML', (_, response) => response.end('<h1>'), 'wrong', 'is not valid JSON'],
  ['is empty', (_, response) => response.end('{"keys":[]}'), 'wrong', 'has no key that verifies'],
  ['is a 404', (_, response) => response.writeHead(404).end(), 'wrong', 'answered with status 404'],
  [
    'has a key that cannot be used',
    (_, response) => response.end(JSON.stringify({ keys: [GOOD, { kty: 'oct', kid: 'bad' }] })),
    'wrong',
    'has 1 key that verifies tokens. Not used: bad (symmetric)',
  ],
  [
    'has a key',
    (_, response) => response.end(JSON.stringify({ keys: [GOOD] })),
    'ok',
    'has 1 key that verifies tokens.',
  ],
])('a key set that %s is found so', async ([, answer, state, why]) => {
  await using server = await startServer(answer)
  setVar('JWT_JWKS_URL', server.url)
  setVar('JWT_ISSUER', 'https://id.example.com')
  setVar('JWT_AUDIENCE', 'vault')
  const { of } = await examine()
  expect(of('Token keys')).toMatchObject([{ state, why: expect.stringContaining(why) }])
})

/** RFC 8037, appendix A.2 */
const GOOD = {
  kty: 'OKP',
  crv: 'Ed25519',
  kid: 'good',
  x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo',
}

it('a key set that nobody can reach is wrong, and so is an issuer', async () => {
  setVar('JWT_JWKS_URL', `${NOWHERE}/jwks`)
  setVar('JWT_ISSUER', NOWHERE)
  setVar('JWT_AUDIENCE', 'vault')
  setVar('OIDC_ISSUER', NOWHERE)
  setVar('OIDC_CLIENT_ID', 'page')
  const { of } = await examine()
  expect(of('Token keys')).toMatchObject([
    { state: 'wrong', why: expect.stringMatching(/^http:\/\/127\.0\.0\.1:1\/jwks: fetch failed/) },
  ])
  expect(of('Sign-in')).toMatchObject([{ state: 'wrong' }])
})

it('the endpoint for the sign-in is found in the metadata of the issuer', async () => {
  await using server = await startServer((_, response) => {
    response.end(JSON.stringify({ issuer: server.url, token_endpoint: `${server.url}/token` }))
  })
  setVar('OIDC_ISSUER', server.url)
  setVar('OIDC_CLIENT_ID', 'page')
  const { of } = await examine()
  expect(of('Sign-in')).toMatchObject([{ state: 'ok', why: expect.stringContaining('127.0.0.1') }])
})

it.for<[body: string, why: string, fix: string]>([
  [
    '{"code": "unhealthy"}',
    '/api/health answered 503 unhealthy.',
    'Its terminal says why: the one of npm run dev',
  ],
  ['<h1>', '/api/health answered 503, as no vault does.', 'Check the URL.'],
])('a server that answers with %s is not a healthy vault', async ([body, why, fix]) => {
  await using server = await startServer((_, response) => response.writeHead(503).end(body))
  const { of } = await examine('--url', server.url)
  expect(of('Running vault')).toMatchObject([{ state: 'wrong', why: `${server.url}${why}`, fix }])
})

async function writeToken(): Promise<void> {
  writeFileSync('token', await signToken({ sub: 'ann/1' }, SECRET), { mode: 0o600 })
}

it('a made-up key is saved with the token, and deleted', async () => {
  await writeToken()
  await using vault = await startVault()
  const { ok, of, stderr } = await examine('--url', vault.url, '--token-file', 'token')
  expect(ok).toBe(true)
  expect(stderr).toBe(`Saves a made-up key for the user ann/1 at ${vault.url}, and deletes it.\n`)
  const slot = '/api/users/ann%2F1/api-keys/openai:doctor'
  expect(vault.calls).toEqual([`PUT ${slot}?verify=false`, `GET ${slot}`, `DELETE ${slot}`])
  expect(of('Test save')).toHaveLength(2)
})

it.for<[status: number, state: string, why: string]>([
  [412, 'not checked', 'The slot openai:doctor of ann/1 has a key, and stays as it is.'],
  [404, 'wrong', 'The vault refused the save: 404 user_not_found.'],
])('a save that ends with %i changes nothing', async ([status, state, why]) => {
  await writeToken()
  await using vault = await startVault(status)
  const { of } = await examine('--url', vault.url, '--token-file', 'token')
  expect(of('Test save').at(-1)).toMatchObject({ state, why })
  expect(vault.calls).toHaveLength(1)
})

it('the doctor asks before it saves in a vault that is elsewhere', async () => {
  await writeToken()
  const args = ['--url', 'https://vault.example.com', '--token-file', 'token']
  const { code, stdout, stderr } = await runScript(['doctor', ...args], database.db)
  expect([code, stdout]).toEqual([1, ''])
  expect(stderr).toContain('Add --yes if that is right.')
})

it('the keys of a deployed vault are those that its job found', async () => {
  await database.query(
    "INSERT INTO users (id) VALUES ('ann')",
    `INSERT INTO api_keys (user_id, encrypted_api_key, key_id, updated_at)
      VALUES ('ann', 'v1.lost.AAAA', 'lost', '2025-12-31T00:00:00.000Z')`,
    `INSERT OR REPLACE INTO rewrap (id, keyring, revision, counts, started_at, moved_at)
      VALUES (1, 'here', 1, '{}', '2026-01-01T10:00:00.000Z', '2026-01-01T10:00:01.000Z')`,
  )
  const { of } = await examine('--remote')
  expect(of('Configuration')).toMatchObject([
    { state: 'not checked', why: expect.stringContaining('npx wrangler login') },
  ])
  expect(of('Stored keys')).toMatchObject([
    {
      state: 'wrong',
      why: expect.stringContaining('sealed under lost'),
      fix: 'npm run keys -- plan --remote',
    },
  ])
  expect(of('Test save')).toMatchObject([{ state: 'not checked' }])
})
