import { randomBytes } from 'node:crypto'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { createKeyring } from '../../src/crypto/keyring.ts'
import { sealKey } from '../../src/crypto/seal.ts'
import { planNext } from '../../scripts/lib/key-plan.ts'
import type { KidStatus, RotationStatus } from '../../scripts/lib/key-status.ts'
import { makeCheckout } from './checkout.ts'
import { someFernetRows } from './fernet.ts'

const SECRETS = ['API_KEY_ENCRYPTION_KEY', 'JWT_SECRET_KEY', 'LEGACY_FERNET_KEY']
const { path, startDev, run, script, wrangler, query } = makeCheckout(SECRETS)

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

describe('npm run keys', () => {
  beforeAll(async () => {
    await wrangler('d1', 'migrations', 'apply', 'DB', '--local')
  })

  it('new writes a key that the Worker accepts to a pipe, and kid prints its kid', async () => {
    const piped = await run('sh', '-c', 'node scripts/keys.ts new | node scripts/keys.ts kid')
    expect(piped).toMatch(/^\w{12}\n$/)
    const [{ stdout: key }, { stdout: other }] = [await keys('new'), await keys('new')]
    expect(other).not.toBe(key)
    expect(key).toMatch(/^\S{44}$/)
    expect(await kidOf(Buffer.from(key, 'base64'))).toMatch(/^\w{12}$/)
  })

  it('new --out writes a key to a new file that only its owner can read, and prints only the kid', async () => {
    const { stdout } = await keys('new', '--out', 'key.txt')
    const key = readFileSync(path('key.txt'), 'utf8')
    expect(stdout).toBe(`kid  ${await kidOf(Buffer.from(key, 'base64'))}\n`)
    expect(statSync(path('key.txt')).mode & 0o777).toBe(0o600)
    expect((await keys('new', '--out', 'key.txt')).code).toBe(1)
    expect(readFileSync(path('key.txt'), 'utf8')).toBe(key)
  })

  it('kid reads a list in either alphabet, and refuses anything else without showing it', async () => {
    const list = `${NEW.toString('base64')}, ${OLD.toString('base64url')}=\n`
    writeFileSync(path('list.txt'), list)
    expect(await run('sh', '-c', 'node scripts/keys.ts kid < list.txt')).toBe(
      `${newKid}\n${oldKid}\n`,
    )
    writeFileSync(path('list.txt'), `${list.trim()},sk-secret`)
    const refused = run('sh', '-c', 'node scripts/keys.ts kid < list.txt')
    await expect(refused).rejects.toMatchObject({
      stdout: '',
      stderr: 'Item 3 is not a key: 32 bytes in base64, 44 characters\n',
    })
  })

  it('fails and says that the keyring is unknown before the Worker’s job has run', async () => {
    expect(await keys('status')).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('The keyring is unknown'),
    })
  })

  it('status and plan print what is stored under which key, and the next step', async () => {
    const [user] = fernet.users
    query(
      [
        await insertKeys(NEW, 3),
        await insertKeys(OLD, 1_200),
        await insertKeys(LOST, 2),
        // The job follows the order of user ids. These ids come after the others, which begin with a kid in hex.
        `INSERT INTO users (id) VALUES ('legacy-1'), ('legacy-2');
         INSERT INTO api_keys (user_id, encrypted_api_key, key_id)
         VALUES ('legacy-1', '${user?.token}', 'fernet'), ('legacy-2', 'gAAAAAdamaged', 'fernet');`,
      ].join('\n'),
    )
    expect((await keys('check')).stdout).toContain('Its first run begins a pass')
    writeSecrets(NEW, OLD)
    const dev = await startDev(['--var', 'REWRAP_ROWS_PER_RUN:400'])
    await dev.runJob()
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
      /Rewrap {2}█+░+ 33 % 400 of 1,207 rows, [\d,]+ a second, .* left\n$/,
    )
    expect(JSON.parse((await keys('plan', '--json')).stdout)).toMatchObject({
      step: 'put_back',
      key_ids: [lostKid],
    })

    for (let runs = 0; runs < 4; runs += 1) await dev.runJob()
    await dev.stop()
    const finished = await keys('status', '--json', '--watch')
    expect(finished.code).toBe(1)
    expect(JSON.parse(finished.stdout)).toEqual({
      keyring: { seals: newKid, opens: [oldKid], fernet: [expect.stringMatching(/^\w{12}$/)] },
      rows: 1_207,
      key_ids: [
        status(newKid, 1_204, 'in_use'),
        status(lostKid, 2, 'settled', { in_keyring: false, unopenable: 2 }),
        status('fernet', 1, 'settled', { version: 'fernet', unopenable: 1 }),
        status(oldKid, 0, 'unused', { version: '' }),
      ],
      missing: [lostKid, 'fernet'],
      rewrap: {
        rows: 1_207,
        done: 1_204,
        unopenable: 3,
        rows_per_second: expect.any(Number),
        seconds_left: 0,
        started_at: expect.stringMatching(/^20/),
        moved_at: expect.stringMatching(/^20/),
        finished_at: expect.stringMatching(/^20/),
        asked_at: null,
      },
    })
    writeFileSync(
      path('count.ts'),
      `import { withDatabase } from './scripts/lib/database.ts'
      import { readStatus } from './scripts/lib/key-status.ts'
      const pages: number[] = []
      const count = async (db: D1Database) => readStatus(db, (n) => pages.push(n), 500)
      const { rows, key_ids } = await withDatabase({ remote: false }, count)
      console.log(JSON.stringify([pages, rows, key_ids]))`,
    )
    const paged = await run(process.execPath, 'count.ts')
    expect(JSON.parse(paged)).toEqual([[500, 1_000], 1_207, JSON.parse(finished.stdout).key_ids])
    const { stdout } = await keys('status')
    expect(stdout).toContain('MISSING: the keyring lacks its key')
    expect(stdout).toContain('1 do not open')
    expect(stdout).toMatch(/Rewrap {2}finished 20.*: 1,204 rows opened, 3 did not\n$/)

    query(`DELETE FROM api_keys WHERE key_id IN ('${lostKid}', 'fernet')`)
    expect(await keys('plan')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^Based on the keyring .*\nThe rows under/),
    })
    const again = await startDev(['--var', 'REWRAP_ROWS_PER_RUN:5000'])
    await keys('check')
    expect((await keys('status')).stdout).toMatch(/did not; another pass will follow\n$/)
    for (let runs = 0; runs < 2; runs += 1) await again.runJob()
    expect(JSON.parse((await keys('plan', '--json')).stdout)).toMatchObject({
      step: 'drop',
      key_ids: [oldKid],
    })

    const providers = () => query('SELECT DISTINCT provider FROM api_keys')
    expect(providers()).toEqual([{ provider: 'default' }])
    expect((await keys('assign', 'No Name')).code).toBe(2)
    expect((await keys('assign', 'openai')).stdout).toContain('moves the keys of the plain route')
    for (let runs = 0; runs < 2; runs += 1) await again.runJob()
    expect(providers()).toEqual([{ provider: 'openai' }])
  })
})

function status(
  key_id: string | undefined,
  rows: number,
  state: KidStatus['state'],
  changes: Partial<KidStatus> = {},
): KidStatus {
  const usual = { version: 'v1', in_keyring: true, unopenable: 0 }
  return { key_id: key_id ?? '', rows, state, ...usual, ...changes }
}

describe('the plan of a rotation', () => {
  const moment = '2026-01-01T00:00:00.000Z'
  const pass = { rows: 0, done: 0, unopenable: 0, rows_per_second: 0, seconds_left: 0 }
  const times = { started_at: moment, moved_at: moment, finished_at: moment, asked_at: null }
  const rewrap = { ...pass, ...times }
  const keyring = (seals: string, opens: string[] = [], legacy: string[] = []) => ({
    seals,
    opens,
    fernet: legacy,
  })
  const inUse = (kid: string) => status(kid, 9, 'in_use')
  const gone = (kid: string) => status(kid, 0, 'unused')

  it.for<[expected: string, keyIds: string[], status: Partial<RotationStatus>]>([
    ['run_the_job', [], { keyring: null, rewrap: null }],
    ['nothing', [], { keyring: keyring('a'), key_ids: [inUse('a')] }],
    ['nothing', [], { keyring: keyring('a'), key_ids: [] }],
    ['move_first', ['b'], { keyring: keyring('a', ['b']), key_ids: [inUse('a')] }],
    ['rewrap', ['a'], { keyring: keyring('b', ['a']), key_ids: [inUse('a'), inUse('b')] }],
    [
      'rewrap',
      ['a'],
      { keyring: keyring('b', ['a']), key_ids: [status('a', 0, 'in_use'), inUse('b')] },
    ],
    [
      'check',
      ['a'],
      { keyring: keyring('b', ['a']), key_ids: [status('a', 0, 'settled'), inUse('b')] },
    ],
    [
      'check',
      ['lost'],
      { keyring: keyring('b'), key_ids: [status('lost', 0, 'settled'), inUse('b')] },
    ],
    [
      'check',
      ['a'],
      { keyring: keyring('b', ['a']), key_ids: [status('a', 3, 'unused'), inUse('b')] },
    ],
    ['nothing', [], { keyring: keyring('b'), key_ids: [status('b', 0, 'settled')] }],
    [
      'rewrap',
      ['a'],
      {
        keyring: keyring('b', ['a']),
        key_ids: [status('a', 0, 'settled'), inUse('b')],
        rewrap: { ...rewrap, finished_at: null },
      },
    ],
    ['drop', ['a'], { keyring: keyring('b', ['a']), key_ids: [gone('a'), inUse('b')] }],
    ['put_back', ['a'], { keyring: keyring('b'), missing: ['a'] }],
    [
      'replace_unopenable',
      ['a'],
      {
        keyring: keyring('b', ['a']),
        key_ids: [status('a', 2, 'settled', { unopenable: 2 }), inUse('b')],
      },
    ],
    [
      'rewrap',
      ['a', 'fernet'],
      {
        keyring: keyring('b', ['a'], ['f']),
        key_ids: [status('a', 2, 'settled', { unopenable: 2 }), inUse('fernet'), inUse('b')],
      },
    ],
    ['drop_fernet', ['fernet'], { keyring: keyring('b', [], ['f']), key_ids: [gone('fernet')] }],
  ])('gives the step %s for %j', ([expected, keyIds, changes]) => {
    const whole = { keyring: null, rows: 0, key_ids: [], missing: [], rewrap, ...changes }
    for (const remote of [true, false]) {
      const { step, key_ids, text } = planNext(whole, { remote })
      expect([step, key_ids]).toEqual([expected, keyIds])
      expect(text).not.toMatch(/undefined|\$\{/)
    }
  })

  it.for<[step: string, value: string, key_ids: KidStatus[]]>([
    ['nothing', 'the key of b, a comma, the new one', [inUse('b')]],
    ['move_first', 'the keys of a,b', [inUse('b')]],
    ['drop', 'the key of b', [gone('a'), inUse('b')]],
  ])('gives the new value of the secret in the step %s: %s', ([step, value, key_ids]) => {
    const opens = step === 'nothing' ? [] : ['a']
    const whole = { keyring: keyring('b', opens), rows: 0, key_ids, missing: [], rewrap }
    const remote = planNext(whole, { remote: true })
    expect(remote.step).toBe(step)
    expect(remote.text).toContain(`secret put API_KEY_ENCRYPTION_KEY   # ${value}`)
    const local = planNext(whole, { remote: false })
    expect(local.text).toContain(`in .dev.vars: API_KEY_ENCRYPTION_KEY=${value};`)
  })
})
