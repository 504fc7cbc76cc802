/** An encryption key on the command line: made, or named by its kid, and never shown where others look. */

import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { createKeyring } from '../../src/crypto/keyring.ts'

const ADVICE =
  'Store the key, apart from the backups, before you use it. Then: npm run keys -- plan'

/**
 * Makes a key. A terminal shows it with its kid. A pipe gets the key alone, a new file `out` too, and the
 * kid is printed beside it.
 */
export async function makeKey(out: string | undefined): Promise<void> {
  const bytes = randomBytes(32)
  const key = bytes.toString('base64')
  const kid = await kidOf(bytes)
  if (out !== undefined) {
    writeFileSync(out, key, { mode: 0o600, flag: 'wx' })
    console.log(`kid  ${kid}`)
  } else if (process.stdout.isTTY) {
    console.log(`kid  ${kid}\nkey  ${key}`)
  } else {
    process.stdout.write(key)
    console.error(`kid  ${kid}`)
  }
  console.error(`\n${ADVICE}`)
}

/**
 * Prints the kid of each key of a comma-separated list on standard input: of `API_KEY_ENCRYPTION_KEY`, or
 * `LEGACY_FERNET_KEY`.
 *
 * @throws Error that names the bad item, and does not show it
 */
export async function printKids(): Promise<void> {
  if (process.stdin.isTTY) {
    throw new Error('Pipe the key in, so that it is not shown: npm run -s keys -- kid < key.txt')
  }
  const items = (await text(process.stdin)).trim().split(',')
  const keys = items.map((item) => Buffer.from(item.trim(), 'base64'))
  const bad = items.findIndex((item) => !isKeyText(item.trim()))
  if (bad >= 0) throw new Error(`Item ${bad + 1} is not a key: 32 bytes in base64, 44 characters`)
  console.log((await Promise.all(keys.map(kidOf))).join('\n'))
}

/** Whether `key` is written as the Worker takes it: 32 bytes in base64 or base64url, padded. */
export function isKeyText(key: string): boolean {
  return /^[\w+/-]{43}=$/.test(key)
}

async function kidOf(key: Uint8Array): Promise<string> {
  return (await createKeyring([key])).sealing.kid
}
