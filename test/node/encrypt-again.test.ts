import { spawnSync } from 'node:child_process'
import { pbkdf2Sync, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { readRecord } from '../../scripts/import/record.ts'
import { importFernetKey, openFernet } from '../../src/import/fernet.ts'
import { makeFernet } from '../import/make-fernet.ts'
import { isInstalled, PYTHON } from '../installed.ts'

const SAVED_AT = '2024-05-06T07:08:09.000Z'
const [OLD_PASSWORD, ITERATIONS] = ['correct horse', 1_000]
const newKey = randomBytes(32)

/** The script of docs/flask-rows.md. */
const SCRIPT = /```python\n# python3 encrypt_again\.py.*?```/s
  .exec(readFileSync('docs/flask-rows.md', 'utf8'))?.[0]
  .replaceAll(/^```.*$/gm, '')

it.runIf(isInstalled('cryptography'))(
  'rows with a salt each are encrypted again under one key, and each token keeps its time',
  async () => {
    const apiKeys = ['sk-one', 'sk-two']
    const salted = apiKeys.map(async (apiKey, index) => saltedRow(`u${index}`, apiKey))
    const keyless = { id: 'u2', salt: null, encrypted_api_key: null }
    const rows = [...(await Promise.all(salted)), keyless]
    const { status, stdout, stderr } = spawnSync(PYTHON, ['-c', SCRIPT ?? ''], {
      input: rows.map((row) => JSON.stringify(row)).join('\n'),
      encoding: 'utf8',
      env: {
        LEGACY_FERNET_KEY: `${newKey.toString('base64url')}=`,
        OLD_PASSWORD,
        OLD_ITERATIONS: String(ITERATIONS),
      },
    })
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    const fields = { id: 'id', key: 'encrypted_api_key', provider: 'default', providerColumn: null }
    const lines = stdout.trim().split('\n')
    const read = lines.map((line) => readRecord(JSON.parse(line), fields))
    expect(read).toMatchObject([
      { userId: 'u0', savedAt: SAVED_AT },
      { userId: 'u1', savedAt: SAVED_AT },
      { userId: 'u2', token: null },
    ])
    const keys = [await importFernetKey(newKey)]
    const tokens = read.map((line) => ('token' in line ? line.token : null) ?? '')
    const opened = await Promise.all(tokens.map(async (token) => openFernet(keys, token)))
    expect(opened).toEqual([...apiKeys, null])
  },
)

/** A row of such a backend. */
async function saltedRow(id: string, apiKey: string) {
  const salt = randomBytes(16)
  const key = pbkdf2Sync(OLD_PASSWORD, salt, ITERATIONS, 32, 'sha256')
  const text = new TextEncoder().encode(apiKey)
  const token = await makeFernet(key, randomBytes(16), Date.parse(SAVED_AT) / 1000, text)
  return { id, salt: salt.toString('base64'), encrypted_api_key: token }
}
