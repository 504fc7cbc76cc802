import { expect, it } from 'vitest'
import { runScript } from '../run-script.ts'
import { useImports } from './imports.ts'

const { fernet, database, importUsers, countOf } = useImports()
const [ONE, TWO] = fernet.users
if (!ONE || !TWO) throw new Error('There are too few rows')

const finish = async (...args: string[]) =>
  runScript(['import/command', '--finish', '--yes', ...args], database().db)
const remove = async (id: string) => runScript(['users', 'remove', id, '--yes'], database().db)
const haveKeyring = async (keyring: string) =>
  database().query(
    `INSERT OR REPLACE INTO rewrap (id, keyring, revision, counts, started_at, moved_at)
     VALUES (1, '${keyring}', 1, '{}', '2026', '2026')`,
  )
const memory = async () => [await countOf('imported_keys'), await countOf('removed_users')]

it('the end of the imports forgets which keys came, and who was removed', async () => {
  await importUsers([ONE, TWO])
  await remove(ONE.id)
  expect(await memory()).toEqual([1, 1])
  await haveKeyring('0123456789ab')
  const { code, stdout } = await finish()
  expect(code).toBe(0)
  expect(stdout).toContain('Forgotten: 1 imported or deleted keys, 1 removed users.')
  expect(stdout).toContain('Do not import an older file any more')
  expect(await memory()).toEqual([0, 0])
  expect(await countOf('api_keys')).toBe(1)
  expect((await finish()).stdout).toBe('There is nothing to forget.\n')
})

it('the end of the imports leaves nothing that the removal of an imported user adds to', async () => {
  await importUsers([ONE])
  await haveKeyring('0123456789ab')
  await finish()
  await remove(ONE.id)
  expect(await memory()).toEqual([0, 0])
})

it('the end of the imports is refused while the vault has LEGACY_FERNET_KEY', async () => {
  await importUsers([ONE])
  await haveKeyring('0123456789ab,fernet:abcdefabcdef')
  const local = await finish()
  expect([local.code, local.stdout]).toEqual([1, ''])
  expect(local.stderr).toContain('Nothing was forgotten: the vault has LEGACY_FERNET_KEY')
  expect(local.stderr).toContain('take it out of .dev.vars.')
  const remote = await finish('--remote')
  expect(remote.stderr).toContain('npx wrangler secret delete LEGACY_FERNET_KEY')
  expect(await memory()).toEqual([1, 0])
})

it('the end of the imports forgets more rows than one statement does', async () => {
  await database().query(
    `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
     INSERT INTO imported_keys (user_id, provider, saved_at) SELECT 'user-' || i, 'openai', '' FROM n`,
  )
  expect((await finish()).stdout).toContain('Forgotten: 20,000 imported or deleted keys')
  expect(await memory()).toEqual([0, 0])
})

it('the end of the imports takes no file', async () => {
  const { code, stderr } = await finish('users.csv')
  expect(code).toBe(2)
  expect(stderr).toContain('error: --finish takes no FILE')
})

it.for([
  ['leaves an HMAC', 'has LEGACY_FERNET_KEY', '0123456789ab,fernet:abcdefabcdef', 1],
  ['leaves nothing', 'does not have LEGACY_FERNET_KEY', '0123456789ab', 0],
] as const)('the removal of a user %s if the vault %s', async ([, , keyring, count]) => {
  await haveKeyring(keyring)
  await runScript(['users', 'add', 'ann'], database().db)
  await remove('ann')
  expect(await memory()).toEqual([0, count])
})
