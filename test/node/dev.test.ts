import { readFileSync, statSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { makeCheckout } from './checkout.ts'

const { path, startDev, paste, script, wrangler } = makeCheckout()

describe('npm run dev', () => {
  it('prints lines that save, preview and delete a key, which a restart keeps', async () => {
    const first = await startDev()
    const secrets = readFileSync(path('.dev.vars'), 'utf8')
    expect(statSync(path('.dev.vars')).mode & 0o777).toBe(0o600)
    expect(await paste(first.curls[0])).toMatchObject({
      message: 'API key updated successfully',
      user_id: 'demo',
      user: { has_api_key: true, api_key_preview: 'sk-demo-...' },
    })
    const preview = await paste(first.curls[1])
    expect(preview).toMatchObject({ has_api_key: true, api_key_preview: 'sk-demo-...' })
    await first.stop()

    const second = await startDev()
    expect(readFileSync(path('.dev.vars'), 'utf8')).toBe(secrets)
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
