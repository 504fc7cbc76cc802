import { readFileSync, statSync } from 'node:fs'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createKeyring } from '../../../src/crypto/keyring.ts'
import { isKeyText, makeKey, printKids } from '../../../scripts/lib/encryption-key.ts'
import { enterFolder } from '../run-script.ts'

let folder: ReturnType<typeof enterFolder>
beforeEach(() => {
  folder = enterFolder()
})
afterEach(() => {
  folder.leave()
  vi.restoreAllMocks()
})

const KEY = Buffer.alloc(32, 1)
const OTHER = Buffer.alloc(32, 254)
const kidOf = async (key: Uint8Array) => (await createKeyring([key])).sealing.kid

/** What `work` prints to standard output. */
async function outputOf(work: () => Promise<void>): Promise<string> {
  let printed = ''
  vi.spyOn(console, 'error').mockImplementation(() => {})
  vi.spyOn(console, 'log').mockImplementation((text) => void (printed += `${String(text)}\n`))
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += String(text)
    return true
  })
  await work()
  return printed
}

/** Runs `work` with `text` on standard input. */
async function withInput<T>(text: string, work: () => Promise<T>): Promise<T> {
  const stdin = Object.getOwnPropertyDescriptor(process, 'stdin') ?? {}
  Object.defineProperty(process, 'stdin', { value: Readable.from([text]), configurable: true })
  return work().finally(() => Object.defineProperty(process, 'stdin', stdin))
}

it('writes a key alone to a pipe, and never the same key twice', async () => {
  const key = await outputOf(async () => makeKey(undefined))
  expect(isKeyText(key)).toBe(true)
  expect(await kidOf(Buffer.from(key, 'base64'))).toMatch(/^\w{12}$/)
  expect(await outputOf(async () => makeKey(undefined))).not.toBe(key)
})

it('writes a key to a new file that only its owner can read, and prints only the kid', async () => {
  const printed = await outputOf(async () => makeKey('key.txt'))
  const key = readFileSync('key.txt', 'utf8')
  expect(printed).toBe(`kid  ${await kidOf(Buffer.from(key, 'base64'))}\n`)
  expect(statSync('key.txt').mode & 0o777).toBe(0o600)
  await expect(makeKey('key.txt')).rejects.toThrow('EEXIST')
  expect(readFileSync('key.txt', 'utf8')).toBe(key)
})

it('prints the kids of a list of keys in either alphabet', async () => {
  const list = `${KEY.toString('base64')}, ${OTHER.toString('base64url')}=\n`
  const printed = await withInput(list, async () => outputOf(printKids))
  expect(printed).toBe(`${await kidOf(KEY)}\n${await kidOf(OTHER)}\n`)
})

it('names the position of an item that is not a key, and does not show it', async () => {
  const list = `${KEY.toString('base64')},sk-secret`
  await expect(withInput(list, printKids)).rejects.toThrow(
    /^Item 2 is not a key: 32 bytes in base64, 44 characters$/,
  )
})
