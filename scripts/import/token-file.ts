/** Reads an access token from a file that only its owner can read. */

import { open } from 'node:fs/promises'

/** The bits of a mode that let a group or others read, write or run the file. */
const OTHERS = 0o077

/** @throws Error that says what is wrong with the file, and shows nothing of it */
export async function readTokenFile(file: string): Promise<string> {
  await using handle = await open(file).catch((error: NodeJS.ErrnoException) => {
    throw new Error(`The token file ${file} cannot be read: ${error.code}`, { cause: error })
  })
  const stats = await handle.stat()
  if (stats.isDirectory()) throw new Error(`The token file ${file} is a folder`)
  // Windows has no such modes.
  if (process.platform !== 'win32' && (stats.mode & OTHERS) !== 0) {
    throw new Error(`Others can read the token file ${file}. Run: chmod 600 ${file}`)
  }
  const token = (await handle.readFile('utf8')).trim()
  if (/^[!-~]+$/.test(token)) return token
  throw new Error(`The token file ${file} must have one access token, and nothing else`)
}
