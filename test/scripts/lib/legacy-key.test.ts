import { randomBytes } from 'node:crypto'
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest'
import { writeFileSync } from 'node:fs'
import { nameTokenFault, NOT_OPENED, readLegacyKeys } from '../../../scripts/lib/legacy-key.ts'
import { recordedFernetRows } from '../../node/fernet.ts'
import { enterFolder } from '../run-script.ts'

const fernet = recordedFernetRows()
const OTHER = randomBytes(32).toString('base64url').concat('=')
const LOCAL = { remote: false }

let folder: ReturnType<typeof enterFolder>
beforeAll(() => {
  folder = enterFolder()
  writeFileSync('.dev.vars', `LEGACY_FERNET_KEY=${fernet.key}`)
})
afterAll(() => folder.leave())
afterEach(() => vi.unstubAllEnvs())

it('takes the key of the environment, and that of .dev.vars only for the local database', async () => {
  expect((await readLegacyKeys(LOCAL))?.size).toBe(1)
  expect(await readLegacyKeys({ remote: true })).toBeNull()
  vi.stubEnv('LEGACY_FERNET_KEY', `${OTHER}, ${fernet.key},${OTHER}`)
  expect((await readLegacyKeys({ remote: true }))?.size).toBe(2)
  vi.stubEnv('LEGACY_FERNET_KEY', '')
  expect(await readLegacyKeys(LOCAL)).toBeNull()
})

it('finds nothing wrong with a token that a key opens, or with a user without a key', async () => {
  const keys = (await readLegacyKeys(LOCAL)) ?? new Map()
  const [user] = fernet.users
  const imported = { userId: 'ann', provider: 'default', savedAt: '' }
  expect(await nameTokenFault(keys, { ...imported, token: user?.token ?? '' })).toBeNull()
  expect(await nameTokenFault(keys, { ...imported, token: null })).toBeNull()
  expect(await nameTokenFault(new Map(), { ...imported, token: user?.token ?? '' })).toBe(
    NOT_OPENED,
  )
})
