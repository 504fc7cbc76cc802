/** Makes encryption keys and shows kids on the command line. It keeps keys out of logs and history. */

import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { createKeyring } from '../../src/crypto/keyring.ts'
import { npmCommand } from './advice.ts'

const PLAN = npmCommand('keys -- plan', { remote: false })
const ADVICE = `Store the key before you use it, but not with the backups.
If the vault has a key already, this says how to change it: ${PLAN}
Add --remote for the deployed vault.`

/**
 * Makes a key. A terminal shows the key and its kid. A pipe or the new file `out` gets only the key, and
 * the kid is printed separately.
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
 * Reads a comma-separated list of keys from standard input, such as `API_KEY_ENCRYPTION_KEY`, and prints
 * the kid of each.
 *
 * @throws Error that gives the position of a bad item, and does not show it
 */
export async function printKids(): Promise<void> {
  if (process.stdin.isTTY) {
    throw new Error(
      'Pipe the key in, so that the terminal does not show it: npm run -s keys -- kid < key.txt',
    )
  }
  const items = (await text(process.stdin)).trim().split(',')
  const keys = items.map((item) => Buffer.from(item.trim(), 'base64'))
  const bad = items.findIndex((item) => !isKeyText(item.trim()))
  if (bad >= 0) throw new Error(`Item ${bad + 1} is not a key: 32 bytes in base64, 44 characters`)
  console.log((await Promise.all(keys.map(kidOf))).join('\n'))
}

/** Whether `key` has the form that the Worker accepts: 32 bytes in padded base64 or base64url. */
export function isKeyText(key: string): boolean {
  return /^[\w+/-]{43}=$/.test(key)
}

/** The keys of a list, separated by commas, each once; null if an item is not a key. */
export function parseKeys(list: string): Buffer[] | null {
  const items = new Set(list.split(',').map((item) => item.trim()))
  if (![...items].every(isKeyText)) return null
  return Array.from(items, (item) => Buffer.from(item, 'base64'))
}

async function kidOf(key: Uint8Array): Promise<string> {
  return (await createKeyring([key])).sealing.kid
}
