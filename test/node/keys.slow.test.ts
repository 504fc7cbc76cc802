/** `npm run keys` in a rotation by a real Worker. `test/scripts/keys.test.ts` has what it prints. */

import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import type { KidStatus } from '../../scripts/lib/key-status.ts'
import { createKeyring } from '../../src/crypto/keyring.ts'
import { sealKey } from '../../src/crypto/seal.ts'
import { makeCheckout } from './checkout.ts'
import { someFernetRows } from './fernet.ts'

const SECRETS = ['API_KEY_ENCRYPTION_KEY', 'JWT_SECRET_KEY', 'LEGACY_FERNET_KEY']
const { path, startWorker, migrate, run, script, query } = makeCheckout(SECRETS)

const fernet = someFernetRows()
const [NEW, OLD, LOST] = [randomBytes(32), randomBytes(32), randomBytes(32)]
const kidOf = async (key: Uint8Array) => (await createKeyring([key])).sealing.kid
const [newKid, oldKid, lostKid] = await Promise.all([NEW, OLD, LOST].map(kidOf))

interface Printed {
  code: number
  stdout: string
}

const keys = async (...args: string[]): Promise<Printed> =>
  script('keys', ...args).then(
    (stdout) => ({ code: 0, stdout }),
    (error: Printed) => error,
  )

/** The SQL that stores `count` keys, sealed under `key`. */
async function insertKeys(key: Uint8Array, count: number): Promise<string> {
  const keyring = await createKeyring([key])
  const rows = Array.from({ length: count }, async (_, index) => {
    const userId = `${keyring.sealing.kid}-${index}`
    const { sealed, kid } = await sealKey(keyring, { userId, provider: 'default' }, 'sk-test')
    return `INSERT INTO users (id) VALUES ('${userId}');
      INSERT INTO api_keys (user_id, encrypted_api_key, key_id) VALUES ('${userId}', '${sealed}', '${kid}');`
  })
  return (await Promise.all(rows)).join('\n')
}

function writeSecrets(...encryptionKeys: Buffer[]): void {
  const secrets = {
    API_KEY_ENCRYPTION_KEY: encryptionKeys.map((key) => key.toString('base64')).join(','),
    JWT_SECRET_KEY: randomBytes(32).toString('hex'),
    LEGACY_FERNET_KEY: fernet.key,
  }
  const lines = Object.entries(secrets).map(([name, value]) => `${name}=${value}`)
  writeFileSync(path('.dev.vars'), lines.join('\n'))
}

function status(
  key_id: string | undefined,
  rows: number,
  changes: Partial<KidStatus> = {},
): KidStatus {
  const usual = { version: 'v1', in_keyring: true, unopenable: 0, lost: 0 }
  const latest_saved_at: string = expect.any(String)
  return { key_id: key_id ?? '', rows, ...usual, latest_saved_at, ...changes }
}

it('npm run keys new writes a key to a pipe, and npm run keys kid prints its kid', async () => {
  const piped = await run('sh', '-c', 'node scripts/keys.ts new | node scripts/keys.ts kid')
  expect(piped).toMatch(/^\w{12}\n$/)
})

it('npm run keys shows a rotation, and asks for another pass', async () => {
  await migrate()
  const [user] = fernet.users
  query(
    [
      await insertKeys(NEW, 3),
      await insertKeys(OLD, 120),
      await insertKeys(LOST, 2),
      // The job follows the order of user ids. These ids come after the others, which begin with a kid in hex.
      `INSERT INTO users (id) VALUES ('imported-1'), ('imported-2');
       INSERT INTO api_keys (user_id, encrypted_api_key, key_id)
       VALUES ('imported-1', '${user?.token}', 'fernet'), ('imported-2', 'gAAAAAdamaged', 'fernet');`,
    ].join('\n'),
  )
  expect((await keys('check')).stdout).toContain('Its first run begins a pass')
  writeSecrets(NEW, OLD)
  {
    await using worker = await startWorker('REWRAP_ROWS_PER_RUN:40')
    // The first run begins the pass.
    for (let runs = 0; runs < 2; runs += 1) await worker.runJob()
    const running = await keys('status')
    expect(running.code).toBe(1)
    expect(running.stdout).toMatch(
      new RegExp(`^The Worker's keyring, as its job found it at 20.*
  ${newKid}  seals, and opens
  ${oldKid}  opens
  fernet        opens; LEGACY_FERNET_KEY [0-9a-f]{12}

Stored keys
  kid           version  rows`),
    )
    expect(running.stdout).toMatch(
      /Rewrap {2}█+░+ 31 % 40 of 127 rows, [\d,]+ a second, .* left\n$/,
    )
    for (let runs = 0; runs < 4; runs += 1) await worker.runJob()
  }
  const finished = await keys('status', '--json', '--watch')
  expect(finished.code).toBe(1)
  expect(JSON.parse(finished.stdout)).toMatchObject({
    keyring: { seals: newKid, opens: [oldKid], fernet: [expect.stringMatching(/^\w{12}$/)] },
    rows: 127,
    key_ids: [
      status(newKid, 124),
      status(lostKid, 2, { in_keyring: false, unopenable: 2 }),
      status('fernet', 1, { version: 'fernet', unopenable: 1, lost: 1 }),
      status(oldKid, 0, { version: '', latest_saved_at: null }),
    ],
    missing: [lostKid],
    rewrap: { done: 124, unopenable: 3, seconds_left: 0, asked_at: null },
    unopenable_keys: expect.arrayContaining([
      { user_id: 'imported-2', provider: 'default', key_id: 'fernet' },
    ]),
  })

  query(`DELETE FROM api_keys WHERE key_id IN ('${lostKid}', 'fernet')`)
  await using worker = await startWorker('REWRAP_ROWS_PER_RUN:5000')
  expect((await keys('check')).stdout).toContain('The job begins a pass at its next run.')
  for (let runs = 0; runs < 2; runs += 1) await worker.runJob()
  expect(JSON.parse((await keys('plan', '--json')).stdout)).toMatchObject({
    step: 'drop',
    key_ids: [oldKid],
  })
})

it('the job moves the plain route’s keys to the slot of DEFAULT_PROVIDER', async () => {
  const providers = () => query('SELECT DISTINCT provider FROM api_keys')
  expect(providers()).toEqual([{ provider: 'default' }])
  await using worker = await startWorker('REWRAP_ROWS_PER_RUN:5000', 'DEFAULT_PROVIDER:openai')
  for (let runs = 0; runs < 2; runs += 1) await worker.runJob()
  expect(providers()).toEqual([{ provider: 'openai' }])
})
