/** Makes Fernet tokens, as the Flask backend reads them: https://github.com/fernet/spec */

import { createCipheriv, createHmac, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { parseKeys } from '../lib/encryption-key.ts'

const VERSION = 0x80
const HALF = 16

/** Reads a Fernet key from a file. @throws Error that does not show what the file has */
export function readFernetKey(file: string): Buffer {
  const [key, ...others] = parseKeys(readFileSync(file, 'utf8')) ?? []
  if (key !== undefined && others.length === 0) return key
  throw new Error(`${file} does not have one Fernet key: 32 bytes in base64url, 44 characters`)
}

/** The token of `text` with the time `madeAt`, in whole seconds. */
export function makeToken(key: Uint8Array, madeAt: Date, text: string): string {
  const [signing, encryption] = [key.subarray(0, HALF), key.subarray(HALF)]
  const iv = randomBytes(HALF)
  const cipher = createCipheriv('aes-128-cbc', encryption, iv)
  const header = Buffer.alloc(9)
  header[0] = VERSION
  header.writeBigUInt64BE(BigInt(Math.floor(madeAt.getTime() / 1000)), 1)
  const signed = Buffer.concat([header, iv, cipher.update(text, 'utf8'), cipher.final()])
  const bytes = Buffer.concat([signed, createHmac('sha256', signing).update(signed).digest()])
  // Python's cryptography reads no token without its padding.
  return bytes.toString('base64').replaceAll('+', '-').replaceAll('/', '_')
}
