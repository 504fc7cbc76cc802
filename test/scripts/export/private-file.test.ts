import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createPrivateFile, requireFreePath } from '../../../scripts/export/private-file.ts'
import { enterFolder } from '../run-script.ts'

let folder: ReturnType<typeof enterFolder>
beforeEach(() => {
  folder = enterFolder()
})
afterEach(() => folder.leave())

it('a new file has what was written, for its owner alone', async () => {
  const path = requireFreePath('keys.csv')
  const file = await createPrivateFile(path)
  expect(statSync('keys.csv').mode & 0o777).toBe(0o600)
  await file.write('one\n')
  await file.write('two\n')
  await file.keep()
  expect(readFileSync('keys.csv', 'utf8')).toBe('one\ntwo\n')
})

it('nothing is left of a file that is discarded, before or after its end', async () => {
  const file = await createPrivateFile(requireFreePath('keys.csv'))
  await file.write('one\n')
  await file.discard()
  expect(existsSync('keys.csv')).toBe(false)
  const ended = await createPrivateFile(requireFreePath('keys.csv'))
  await ended.keep()
  await ended.discard()
  expect(existsSync('keys.csv')).toBe(false)
})

it('a file that exists is never overwritten, nor one that a link names', async () => {
  writeFileSync('keys.csv', 'mine')
  symlinkSync('elsewhere.csv', 'link.csv')
  expect(() => requireFreePath('keys.csv')).toThrow('keys.csv exists already')
  for (const name of ['keys.csv', 'link.csv']) {
    // oxlint-disable-next-line no-await-in-loop -- there are two
    await expect(createPrivateFile(name)).rejects.toMatchObject({ code: 'EEXIST' })
  }
  expect(readFileSync('keys.csv', 'utf8')).toBe('mine')
  expect(existsSync('elsewhere.csv')).toBe(false)
})

it.for([
  ['a clone', () => mkdirSync('tree/.git')],
  ['another work tree of a clone', () => writeFileSync('tree/.git', 'gitdir: /elsewhere')],
] as const)('a file in %s is refused, however it is named', ([, make]) => {
  mkdirSync('tree/ignored', { recursive: true })
  make()
  symlinkSync('tree/ignored', 'link')
  for (const path of ['tree/keys.csv', 'tree/ignored/keys.csv', 'link/keys.csv']) {
    expect(() => requireFreePath(path)).toThrow(/ is in .*tree, which git tracks/)
  }
})

it('a file in a folder that does not exist is refused', () => {
  expect(() => requireFreePath('absent/keys.csv')).toThrow('There is no folder absent')
})
