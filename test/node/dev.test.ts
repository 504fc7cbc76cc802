import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'

const APPLY_SCHEMA = ['d1', 'execute', 'DB', '--local', '--file', 'schema.sql']

let checkout: string

beforeAll(() => {
  checkout = mkdtempSync(join(tmpdir(), 'user-key-vault-'))
  for (const path of ['package.json', 'schema.sql', 'scripts', 'src']) {
    cpSync(path, join(checkout, path), { recursive: true })
  }
  const config = readFileSync('wrangler.toml', 'utf8')
    .replaceAll(/^(JWT_\w+) = .*/gm, '$1 = ""')
    .replace(/^required = .*/m, 'required = ["API_KEY_ENCRYPTION_KEY", "JWT_SECRET_KEY"]')
  writeFileSync(join(checkout, 'wrangler.toml'), config)
  symlinkSync(join(process.cwd(), 'node_modules'), join(checkout, 'node_modules'))
})
afterAll(() => rmSync(checkout, { recursive: true }))

interface Dev {
  curls: string[]
  printed: () => string
  stop: () => Promise<void>
}

/** Starts `npm run dev` on a free port and waits for the line that holds `awaited`. */
async function startDev(args: string[] = [], awaited = '-X DELETE'): Promise<Dev> {
  const command = ['scripts/dev.ts', '--port', '0', ...args]
  const dev = spawn(process.execPath, command, { cwd: checkout, stdio: ['ignore', 'pipe', 'pipe'] })
  const exited = once(dev, 'exit')
  onTestFinished(() => void dev.kill('SIGTERM'))
  const lines: string[] = []
  createInterface({ input: dev.stderr }).on('line', (line) => lines.push(line))
  for await (const line of createInterface({ input: dev.stdout })) {
    lines.push(line)
    if (line.includes(awaited)) break
  }
  dev.stdout.on('data', (chunk) => lines.push(String(chunk)))
  return {
    curls: lines.filter((line) => line.startsWith('curl ')),
    printed: () => lines.join('\n'),
    stop: async () => {
      dev.kill('SIGTERM')
      await exited
    },
  }
}

async function run(command: string, ...args: string[]): Promise<string> {
  return (await promisify(execFile)(command, args, { cwd: checkout })).stdout
}

const paste = async (line = ''): Promise<unknown> => JSON.parse(await run('sh', '-c', line))
const script = async (name: string, ...args: string[]) =>
  run(process.execPath, `scripts/${name}.ts`, ...args)

describe('npm run dev', () => {
  it('prints lines that save, preview and delete a key, which a restart keeps', async () => {
    const first = await startDev()
    const secrets = readFileSync(join(checkout, '.dev.vars'), 'utf8')
    expect(statSync(join(checkout, '.dev.vars')).mode & 0o777).toBe(0o600)
    expect(await paste(first.curls[0])).toMatchObject({
      message: 'API key updated successfully',
      user_id: 'demo',
      user: { has_api_key: true, api_key_preview: 'sk-demo-...' },
    })
    const preview = await paste(first.curls[1])
    expect(preview).toMatchObject({ has_api_key: true, api_key_preview: 'sk-demo-...' })
    await first.stop()

    const second = await startDev()
    expect(readFileSync(join(checkout, '.dev.vars'), 'utf8')).toBe(secrets)
    expect(await paste(second.curls[1])).toEqual(preview)
    expect(await paste(second.curls[2])).toMatchObject({ user: { has_api_key: false } })
    expect(await paste(second.curls[1])).toEqual({ has_api_key: false })
    await second.stop()
  })

  it('says so instead where the Worker refuses', async () => {
    const refused = await startDev(['--var', 'AUTO_CREATE_USERS:maybe'], "refuses the demo user's")
    await refused.stop()
    expect(refused.printed()).toContain('AUTO_CREATE_USERS must be')
    expect(refused.printed()).toContain('"code":"server_misconfigured"')
    expect(refused.curls).toEqual([])
  })
})

describe('npm run users and npm run token', () => {
  it('add, list and remove a user, by an id of any characters', async () => {
    await run(process.execPath, 'node_modules/wrangler/bin/wrangler.js', ...APPLY_SCHEMA)
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
  ])('say how they are used: %j', async ([name = '', ...args]) => {
    await expect(script(name, ...args)).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`Usage: npm run ${name} -- `),
    })
  })
})
