import { appendFileSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { describe, expect, it, onTestFinished } from 'vitest'
import { listen, stop } from '../../scripts/lib/local-server.ts'
import { makeCheckout, type Dev } from './checkout.ts'

const { path, startDev, start, paste, script, wrangler } = makeCheckout()

const RELOAD = { timeout: 30_000, interval: 250 }
const REQUEST_LINE = /"route":"[^"]*","status":\d+|(?<=info\] )[A-Z]+ \/\S*/g

async function isUp({ url }: Dev): Promise<boolean> {
  return fetch(`${url}/api/health`).then(
    () => true,
    () => false,
  )
}

describe('npm run dev', () => {
  it('prints lines that save, preview and delete a key, which a restart keeps', async () => {
    const first = await startDev()
    const secrets = readFileSync(path('.dev.vars'), 'utf8')
    expect(first.printed().match(/eyJ[\w.-]+/g)).toHaveLength(1)
    expect(first.link).toMatch(/^http:\/\/localhost:\d{1,5}$/)
    expect(statSync(path('.dev.vars')).mode & 0o777).toBe(0o600)
    expect(await paste(first.curls[0])).toMatchObject({
      message: 'API key updated successfully',
      user_id: 'demo',
      user: { has_api_key: true, api_key_preview: 'sk-demo-...' },
    })
    const preview = await paste(first.curls[1])
    expect(preview).toMatchObject({ has_api_key: true, api_key_preview: 'sk-demo-...' })
    await first.stop()
    await expect.poll(async () => isUp(first)).toBe(false)

    const second = await startDev()
    expect(readFileSync(path('.dev.vars'), 'utf8')).toBe(secrets)
    expect(await paste(second.curls[1])).toEqual(preview)
    expect(await paste(second.curls[2])).toMatchObject({ user: { has_api_key: false } })
    expect(await paste(second.curls[1])).toEqual({ has_api_key: false })
    await second.stop()
  })

  it('says why the Worker refuses the demo user, and greets when it does no more', async () => {
    const rest = readFileSync(path('.dev.vars'), 'utf8')
    writeFileSync(path('.dev.vars'), `${rest}AUTO_CREATE_USERS=maybe\n`)
    const refused = await startDev([], "refuses the demo user's")
    expect(refused.curls).toEqual([])
    await expect.poll(refused.printed).toContain('AUTO_CREATE_USERS must be')
    expect(refused.printed()).toContain('"code":"server_misconfigured"')
    writeFileSync(path('.dev.vars'), rest)
    await expect.poll(refused.printed, RELOAD).toContain('User Key Vault is ready.')
    await refused.stop()
  })

  it('prints one line per request, and no warning that nobody runs the job', async () => {
    const dev = await startDev()
    await expect.poll(dev.printed).toContain('"route":"/api/users/:userId/api-key"')
    const before = dev.printed().length
    const paths = ['/', '/page.js', '/api/health', '/api/health?x', '/nothing', '/index.html']
    for (const name of paths) {
      // oxlint-disable-next-line no-await-in-loop -- in order, to compare them
      await fetch(`${dev.url}${name}`, { redirect: 'manual' })
    }
    const requests = () => dev.printed().slice(before).match(REQUEST_LINE)
    await expect.poll(requests).toContain('GET /index.html')
    expect(requests()).toEqual([
      '"route":"/*","status":200',
      'GET /page.js',
      '"route":"/api/health","status":200',
      '"route":"/api/health","status":200',
      '"route":"/*","status":404',
      'GET /index.html',
    ])
    expect(dev.printed()).not.toMatch(/WARNING|wrangler:warn/)
    await dev.stop()
  })

  it('keeps its Workers apart from those of other checkouts', async () => {
    const dev = await startDev()
    const registry = path('.wrangler/registry')
    expect(readdirSync(registry)).toEqual(['user-key-vault'])
    await expect.poll(dev.printed).toContain(`WRANGLER_REGISTRY_PATH='${registry}' npx`)
    await dev.stop()
  })

  it('adds a secret that .dev.vars lacks, and reports one that the Worker does not get', async () => {
    const lines = readFileSync(path('.dev.vars'), 'utf8').trim().split('\n')
    const kept = lines.filter((line) => !line.startsWith('JWT_SECRET_KEY='))
    writeFileSync(path('.dev.vars'), [...kept, `LEGACY_FERNET_KEY=${'A'.repeat(43)}=`].join('\n'))
    const dev = await startDev()
    expect(await paste(dev.curls[1])).toEqual({ has_api_key: false })
    expect(dev.printed()).toContain('Added to .dev.vars: JWT_SECRET_KEY')
    expect(dev.printed()).toContain('The Worker does not get LEGACY_FERNET_KEY of .dev.vars.')
    expect(readFileSync(path('.dev.vars'), 'utf8')).toContain(`${kept.join('\n')}\n`)
    await dev.stop()
  })

  it('reloads the Worker when .dev.vars changes', async () => {
    const dev = await startDev()
    const headers = { Origin: 'http://localhost:5173' }
    const allowed = async () =>
      (await fetch(`${dev.url}/api/health`, { headers })).headers.get('Access-Control-Allow-Origin')
    expect(await allowed()).toBeNull()
    appendFileSync(path('.dev.vars'), 'CORS_ORIGINS=http://localhost:5173\n')
    await expect.poll(allowed, RELOAD).toBe('http://localhost:5173')
    expect(dev.printed()).toContain('.dev.vars has changed. The Worker reloads with it.')
    await dev.stop()
  })

  it.for([
    ['npm', 'SIGTERM'],
    ['node', 'SIGINT'],
  ] as const)('stops the Worker when %s gets %s', async ([name, signal]) => {
    const commands = {
      npm: ['npm', 'run', 'dev', '--', '--port', '0'],
      node: [process.execPath, 'scripts/dev.ts', '--port', '0'],
    }
    const dev = await start(commands[name], '-X DELETE')
    expect(await isUp(dev)).toBe(true)
    await dev.stop(signal)
    await expect.poll(async () => isUp(dev), { timeout: 5_000 }).toBe(false)
  })

  it.for(['dev', 'example'])('says in one sentence that the port of %s is in use', async (name) => {
    const server = createServer()
    onTestFinished(async () => stop(server))
    const port = await listen(server)
    const other = expect.stringMatching(
      new RegExp(`^Port ${port} is in use\\. .*:\nnpm run ${name} -- --port \\d+\n$`),
    )
    const failed = { code: 1, stderr: other, stdout: '' }
    await expect(script(name, '--port', String(port))).rejects.toMatchObject(failed)
  })

  it.for([['x'], ['65536'], ['-1']])('refuses a port that cannot be: %j', async ([port = '']) => {
    await expect(script('dev', `--port=${port}`)).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`--port ${port}: must be a number from 0 to 65535`),
    })
  })
})

describe('the commands beside it', () => {
  it('add, list and remove a user, by an id of any characters', async () => {
    await wrangler('d1', 'migrations', 'apply', 'DB', '--local')
    const id = `o'neil|"é"; DROP TABLE users`
    expect(await script('users', 'add', id)).toContain(`Added ${id}`)
    expect(await script('users', 'add', id)).toContain(`${id} is there already`)
    expect(await script('users', 'list')).toContain(JSON.stringify(id))
    const [, payload = ''] = (await script('token', id)).split('.')
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString())
    expect(claims).toMatchObject({ sub: id, type: 'access', exp: expect.any(Number) })
    expect(await script('users', 'remove', id)).toContain(`Removed ${id}; keys deleted: 0`)
    expect(await script('users', 'list')).not.toContain("o'neil")
    await expect(script('users', 'remove', id)).rejects.toThrow(`There is no user ${id}`)
  })

  it.for([
    ['users'],
    ['users', 'add'],
    ['users', 'list', 'x'],
    ['users', 'ad', 'x'],
    ['users', 'list', '--help'],
    ['token'],
    ['token', '--help'],
    ['token', 'a', 'b'],
    ['keys'],
    ['keys', 'status', 'x'],
    ['keys', 'plan', '--help'],
    ['import'],
    ['import', 'a', 'b'],
  ])('say how they are used: %j', async ([name = '', ...args]) => {
    await expect(script(name, ...args)).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`Usage: npm run ${name} -- `),
    })
  })
})
