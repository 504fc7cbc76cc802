/** The move from a Flask backend and back: the real commands, a real Worker, and Python on the other side. */

import { randomBytes } from 'node:crypto'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { signToken } from '../../scripts/lib/token.ts'
import { isInstalled } from '../installed.ts'
import { makeCheckout } from './checkout.ts'
import { oldBackend, type SavedKey } from './old-backend.ts'

const SECRETS = ['API_KEY_ENCRYPTION_KEY', 'JWT_SECRET_KEY', 'LEGACY_FERNET_KEY']
const { path, run, script, startWorker, migrate, query } = makeCheckout(SECRETS)
const [FERNET, LOST] = [someFernetKey(), someFernetKey()]
const JWT_SECRET_KEY = randomBytes(32).toString('hex')
const backend = oldBackend(path('backend.db'))

/** A time before the move, in seconds. */
const BEFORE = 1_700_000_000
const idOf = (index: number) => `user ${index}, "it's"`
const idsOf = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => idOf(from + index))

const ALL = idsOf(0, 500)
const UNOPENABLE = new Set(idsOf(490, 500))
/** Their users are gone, or have no key any more. */
const [GONE_USERS, GONE_KEYS] = [idsOf(100, 110), idsOf(200, 210)]
const SAVED_AGAIN = idsOf(300, 305)
/** The key of the first one is deleted in the Flask backend. */
const SAVED_HERE = idsOf(400, 403)
const [EXPIRED = ''] = idsOf(480, 481)

function someFernetKey(): string {
  return `${randomBytes(32).toString('base64url')}=`
}

/** Runs a command. @returns its exit code, and the counts that it prints, by name */
async function count(...command: [name: string, ...args: string[]]) {
  const { code, stdout } = await script(...command).then(
    (printed) => ({ code: 0, stdout: printed }),
    (failed: { code: number; stdout: string }) => failed,
  )
  const lines = stdout.matchAll(/^([A-Z][a-z ]+?) +([\d,]+)$/gm)
  const counts = Array.from(lines, ([, name = '', rows = '']) => [
    name,
    Number(rows.replace(',', '')),
  ])
  return { code, stdout, counts: Object.fromEntries(counts) }
}

const importFile = async (file: string, ...args: string[]) => count('import/command', file, ...args)

const rowsOf = (rest: string) => Number(query(`SELECT count(*) AS rows FROM ${rest}`)[0]?.['rows'])
const storedKeys = () => rowsOf('api_keys')

/** Saves a key here over HTTP. */
async function saveHere(url: string, id: string): Promise<number> {
  const token = await signToken({ sub: id }, JWT_SECRET_KEY)
  const { status } = await fetch(`${url}/api/users/${encodeURIComponent(id)}/api-key`, {
    method: 'PUT',
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ api_key: `sk-here-${id.length}-0123456789` }),
  })
  return status
}

const keyOf = (id: string) => {
  if (SAVED_HERE.includes(id)) return `sk-here-${id.length}-0123456789`
  return `sk-${SAVED_AGAIN.includes(id) ? 'again' : 'first'}-${ALL.indexOf(id)}`
}

const firstKeys = (ids: readonly string[]): SavedKey[] =>
  ids.map((id) => [id, `sk-first-${ALL.indexOf(id)}`, BEFORE + ALL.indexOf(id)])

it.runIf(isInstalled('cryptography'))(
  '500 users move here and back, without ten keys that do not open and twenty that were deleted',
  async () => {
    const secrets = {
      API_KEY_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
      JWT_SECRET_KEY,
      LEGACY_FERNET_KEY: FERNET,
    }
    const lines = Object.entries(secrets).map(([name, value]) => `${name}=${value}\n`)
    writeFileSync(path('.dev.vars'), lines.join(''))
    await migrate()

    // The first export, while the Flask backend is in use.
    backend.save(FERNET, firstKeys(ALL.filter((id) => !UNOPENABLE.has(id))))
    backend.save(LOST, firstKeys([...UNOPENABLE]))
    backend.exportTo(path('first.csv'))
    expect(await importFile('first.csv')).toMatchObject({
      code: 1,
      counts: {
        Read: 500,
        'Users added': 500,
        'Keys added': 500,
        'Already there': 0,
        Refused: 0,
        'Not usable': 10,
      },
    })

    await using worker = await startWorker('REWRAP_ROWS_PER_RUN:1000')
    for (let runs = 0; runs < 2; runs += 1) await worker.runJob()
    expect(rowsOf("api_keys WHERE key_id = 'fernet'")).toBe(10)

    // Meanwhile users change keys there, and some already here.
    backend.remove([...GONE_KEYS, SAVED_HERE[0] ?? ''], GONE_USERS)
    const again = BEFORE + 1_000
    backend.save(
      FERNET,
      SAVED_AGAIN.map((id) => [id, `sk-again-${ALL.indexOf(id)}`, again]),
    )
    for (const id of SAVED_HERE) expect(await saveHere(worker.url, id)).toBe(200)
    backend.exportTo(path('second.csv'))

    // A second file that is cut, in a line and between two.
    const second = readFileSync(path('second.csv'), 'utf8')
    for (const [end, why] of [
      [second.length - 40, 'its end may be missing'],
      [second.indexOf('\n', second.length / 2) + 1, 'which is more than 2 %'],
    ] as const) {
      writeFileSync(path('cut.csv'), second.slice(0, end))
      const cut = await importFile('cut.csv', '--remove-missing', '--yes')
      expect(cut).toMatchObject({ code: 1, counts: { Removed: 0 } })
      expect(cut.stdout).toContain(`Nothing was removed. The file `)
      expect(cut.stdout).toContain(why)
      expect(storedKeys()).toBe(500)
    }

    // The whole second file.
    const refused = await importFile('second.csv', '--remove-missing', '--yes')
    expect(refused.counts).toMatchObject({ Read: 490, Missing: 20, Removed: 0 })
    expect(refused.stdout).toContain('add --remove-up-to 20.')
    const tombstones = rowsOf('gone_keys')
    const removed = await importFile(
      'second.csv',
      '--remove-missing',
      '--yes',
      '--remove-up-to',
      '20',
    )
    expect(removed.counts).toMatchObject({ Missing: 20, Removed: 20, 'Not usable': 10 })
    expect(storedKeys()).toBe(480)
    expect(rowsOf('gone_keys')).toBe(tombstones + 20)
    expect(rowsOf("api_key_events WHERE event = 'deleted' AND actor = 'import'")).toBe(20)
    const third = await importFile('second.csv', '--remove-missing', '--yes')
    expect(third.counts).toMatchObject({ 'Keys added': 0, Removed: 0 })
    expect(third.stdout).not.toContain('Missing')

    // The way back.
    for (let runs = 0; runs < 2; runs += 1) await worker.runJob()
    query(
      `UPDATE api_keys SET expires_at = '2026-01-01T00:00:00.000Z'
       WHERE user_id = '${EXPIRED.replaceAll("'", "''")}'`,
    )
    writeFileSync(path('fernet.key'), FERNET)
    const args = ['--fernet-key-file', 'fernet.key', '--out', 'back.csv', '--yes']
    const exported = await count('keys', 'export', ...args)
    expect(exported).toMatchObject({
      code: 1,
      counts: {
        Written: 469,
        Expired: 1,
        Gone: 0,
        Unreadable: 10,
        Changed: 0,
        'Other slots': 0,
      },
    })
    expect(statSync(path('back.csv')).mode & 0o777).toBe(0o600)
    expect(rowsOf("api_key_events WHERE event = 'exported'")).toBe(469)

    // Python opens every key that was written.
    expect(backend.load(path('back.csv'))).toBe('')
    const left = new Set([...GONE_USERS, ...GONE_KEYS, ...UNOPENABLE, EXPIRED])
    const kept = ALL.filter((id) => !left.has(id))
    expect(backend.open(FERNET)).toEqual(Object.fromEntries(kept.map((id) => [id, keyOf(id)])))

    // So does the import, into an empty vault.
    await worker.stop()
    await run('rm', '-r', '.wrangler')
    await migrate()
    expect(await importFile('back.csv')).toMatchObject({
      code: 0,
      counts: { Read: 469, 'Keys added': 469, Refused: 0, 'Not usable': 0 },
    })
  },
)
