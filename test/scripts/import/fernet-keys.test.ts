import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { afterEach, expect, it, vi } from 'vitest'
import { nameTokenFault, NOT_OPENED, readFernetKeys } from '../../../scripts/import/fernet-keys.ts'
import { makeFernet } from '../../import/make-fernet.ts'
import { useImports } from './imports.ts'
import type { Ended } from '../run-script.ts'

const { fernet, importText, importUsers, countOf } = useImports()
const [ONE] = fernet.users
if (!ONE) throw new Error('There are too few rows')
const stranger = () => randomBytes(32).toString('base64url').concat('=')
const LOCAL = { remote: false }

afterEach(() => vi.unstubAllEnvs())

it('takes the key of the environment, and that of .dev.vars only for the local database', async () => {
  expect((await readFernetKeys(LOCAL))?.names.length).toBe(1)
  expect(await readFernetKeys({ remote: true })).toBeNull()
  const other = stranger()
  vi.stubEnv('LEGACY_FERNET_KEY', `${other}, ${fernet.key},${other}`)
  expect((await readFernetKeys({ remote: true }))?.names.length).toBe(2)
  vi.stubEnv('LEGACY_FERNET_KEY', '')
  expect(await readFernetKeys(LOCAL)).toBeNull()
})

it('finds nothing wrong with a token that a key opens, or with a user without a key', async () => {
  const none = { kid: 'fernet', names: [], open: async () => null }
  const keys = (await readFernetKeys(LOCAL)) ?? none
  const imported = { userId: 'ann', provider: 'default', savedAt: '' }
  expect(await nameTokenFault(keys, { ...imported, token: ONE.token })).toBeNull()
  expect(await nameTokenFault(keys, { ...imported, token: null })).toBeNull()
  expect(await nameTokenFault(none, { ...imported, token: ONE.token })).toBe(NOT_OPENED)
})

/** Imports three users, with the key in the environment alone. */
async function importWith(key: string): Promise<Ended> {
  writeFileSync('.dev.vars', '')
  vi.stubEnv('LEGACY_FERNET_KEY', key)
  return importUsers(fernet.users.slice(0, 3))
}

it('an import that opens none of the first keys writes nothing', async () => {
  const { code, stdout, stderr } = await importWith(stranger())
  expect([code, stdout]).toEqual([1, ''])
  expect(stderr).toMatch(/^LEGACY_FERNET_KEY opens none of the first keys \(3 tried\)/)
  expect(await countOf('users')).toBe(0)
})

it('an import that opens no key writes nothing, even if many users have no key', async () => {
  writeFileSync('.dev.vars', `LEGACY_FERNET_KEY=${stranger()}`)
  const keyless = Array.from({ length: 1_500 }, (_, index) => `u${index},`)
  const lines = ['id,encrypted_api_key', ...keyless, `v,${ONE.token}`]
  const { code, stderr } = await importText('late.csv', lines.join('\n'))
  expect(code).toBe(1)
  expect(stderr).toContain('opens none of the first keys (1 tried)')
  expect(await countOf('users')).toBe(0)
})

it.for(['sk-secret', fernet.key.slice(0, -1)])(
  'a malformed LEGACY_FERNET_KEY is refused and not shown: %s',
  async (key) => {
    expect(await importWith(key)).toEqual({
      code: 1,
      stdout: '',
      stderr: 'LEGACY_FERNET_KEY is not a Fernet key: 32 bytes in base64url, 44 characters\n',
    })
  },
)

it('an import that has no LEGACY_FERNET_KEY says that no key was checked', async () => {
  const { code, stdout } = await importWith('')
  expect(code).toBe(0)
  expect(stdout).toContain('No key was checked, because LEGACY_FERNET_KEY is not set in .dev.vars.')
  expect(await countOf('api_keys')).toBe(3)
})

it('each key that LEGACY_FERNET_KEY does not open, or that is not an API key, is reported by its line', async () => {
  const key = Buffer.from(fernet.key, 'base64url')
  const encrypt = async (text: string, by: Uint8Array = key) =>
    makeFernet(by, new Uint8Array(16), 1_700_000_000, new TextEncoder().encode(text))
  const given = [
    ONE.token,
    await encrypt('sk-other', randomBytes(32)),
    await encrypt(''),
    await encrypt('"sk-quoted"'),
    await encrypt(`${await encrypt('sk-twice')}\n`),
  ]
  const lines = given.map((token, index) => `u${index},${token}`)
  const content = ['id,encrypted_api_key', ...lines].join('\n')
  const { code, stdout } = await importText('mixed.csv', content)
  expect(code).toBe(1)
  expect(stdout.split('\n').slice(5)).toEqual([
    'Not usable               3',
    '  line 3 has a key that LEGACY_FERNET_KEY does not open',
    '  line 4 has a key whose decrypted text is empty',
    '  line 5 has a key whose decrypted text comes with quotes: send the key alone',
    '--json lists the users of these lines.',
    '',
  ])
  expect(await countOf('api_keys')).toBe(5)
})
