import { chmodSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readTokenFile } from '../../../scripts/import/token-file.ts'
import { enterFolder } from '../run-script.ts'

let folder: ReturnType<typeof enterFolder>
beforeAll(() => {
  folder = enterFolder()
})
afterAll(() => folder.leave())

function write(content: string, mode: number): void {
  writeFileSync('token', content)
  chmodSync('token', mode)
}

it.for([0o600, 0o400])('a token file with the mode %o is read', async (mode) => {
  write('\nabc.def.ghi \n', mode)
  expect(await readTokenFile('token')).toBe('abc.def.ghi')
})

it.for([0o640, 0o604, 0o620, 0o666])('a token file with the mode %o is refused', async (mode) => {
  write('abc.def.ghi', mode)
  await expect(readTokenFile('token')).rejects.toThrow('chmod 600 token')
})

it.for(['', ' \n', 'abc def', 'abc\ndef', 'abc\u00e9'])(
  'a token file with %j is refused',
  async (content) => {
    write(content, 0o600)
    const error = await readTokenFile('token').catch((fault: Error) => fault)
    expect(error).toMatchObject({ message: expect.stringContaining('must have one access token') })
    expect(String(error)).not.toContain('abc')
  },
)

it.for([
  ['absent', 'cannot be read: ENOENT'],
  ['.', 'is a folder'],
] as const)('a token file %s is refused', async ([file, message]) => {
  await expect(readTokenFile(file)).rejects.toThrow(message)
})
