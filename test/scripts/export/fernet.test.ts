import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { makeToken, readFernetKey } from '../../../scripts/export/fernet.ts'
import { importFernetKey, openFernet, readFernetTime } from '../../../src/import/fernet.ts'
import { enterFolder } from '../run-script.ts'

let folder: ReturnType<typeof enterFolder>
beforeEach(() => {
  folder = enterFolder()
})
afterEach(() => folder.leave())

it.for(['', 'k', 'sk-proj-0123456', 'sk-proj-01234567', 'é'.repeat(100)])(
  'a token of "%s" opens with its key, and has its time in whole seconds',
  async (text) => {
    const key = randomBytes(32)
    const token = makeToken(key, new Date('2026-01-02T03:04:05.999Z'), text)
    expect(await openFernet([await importFernetKey(key)], token)).toBe(text)
    expect(await openFernet([await importFernetKey(randomBytes(32))], token)).toBeNull()
    expect(readFernetTime(token)?.toISOString()).toBe('2026-01-02T03:04:05.000Z')
    expect(token).toMatch(/^gAAAA[\w-]+={0,2}$/)
    expect(token.length % 4).toBe(0)
  },
)

it('two tokens of the same text differ', () => {
  const key = randomBytes(32)
  const make = () => makeToken(key, new Date(0), 'sk-test')
  expect(make()).not.toBe(make())
})

it('a key is read from its file, with or without a line break', () => {
  const key = randomBytes(32)
  const text = `${key.toString('base64url')}=`
  for (const content of [text, `${text}\n`, `${text}\r\n`]) {
    writeFileSync('fernet.key', content)
    expect(readFernetKey('fernet.key').equals(key)).toBe(true)
  }
})

const TWO = [randomBytes(32), randomBytes(32)].map((key) => key.toString('base64')).join(',')

it.for(['sk-secret-0123456789', '', TWO])('a file with "%s" is refused, and not shown', (text) => {
  writeFileSync('fernet.key', text)
  const read = () => readFernetKey('fernet.key')
  expect(read).toThrow('fernet.key does not have one Fernet key')
  expect(read).not.toThrow(/sk-secret/)
})
