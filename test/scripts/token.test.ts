import { writeFileSync } from 'node:fs'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { enterFolder, runScript } from './run-script.ts'

let folder: ReturnType<typeof enterFolder>
beforeEach(() => {
  folder = enterFolder()
})
afterEach(() => folder.leave())

it('prints an access token of the user, with the scope and the client', async () => {
  writeFileSync('.dev.vars', `JWT_SECRET_KEY=${'a'.repeat(64)}`)
  const { code, stdout } = await runScript(['token', 'ann', '--scope', 'relay', '--client', 'app'])
  const [, payload = ''] = stdout.trim().split('.')
  expect(code).toBe(0)
  expect(JSON.parse(Buffer.from(payload, 'base64url').toString())).toMatchObject({
    sub: 'ann',
    scope: 'relay',
    client_id: 'app',
    type: 'access',
    exp: expect.any(Number),
  })
})

it.for<[args: string[], claims: object]>([
  [['--team', 'acme'], { org_id: 'acme' }],
  [['--team', 'acme', '--admin'], { org_id: 'acme', org_role: 'admin' }],
  [[], {}],
])('prints a token of a team for the arguments %j', async ([args, claims]) => {
  writeFileSync('.dev.vars', `JWT_SECRET_KEY=${'a'.repeat(64)}`)
  const { stdout } = await runScript(['token', 'ann', ...args])
  const [, payload = ''] = stdout.trim().split('.')
  const { org_id, org_role } = JSON.parse(Buffer.from(payload, 'base64url').toString())
  expect({ org_id, org_role }).toEqual({ org_id: undefined, org_role: undefined, ...claims })
})

it('says where the secret is missing', async () => {
  expect(await runScript(['token', 'ann'])).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringMatching(/^\.dev\.vars has no JWT_SECRET_KEY to sign a token with\./),
  })
})

it.for([[[]], [['a', 'b']], [['a', '--admin']]])(
  'prints its usage for the arguments %j',
  async ([args = []]) => {
    const { code, stderr } = await runScript(['token', ...args])
    expect(code).toBe(2)
    expect(stderr).toMatch(/^Usage: npm run token --/m)
  },
)
