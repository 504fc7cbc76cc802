/** A new file that only its owner can read, outside of any work tree of git. */

import { existsSync, realpathSync } from 'node:fs'
import { open, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

/** A file that is being written. */
export interface PrivateFile {
  write(text: string): Promise<void>
  /** Closes the file after it is written to the disk. */
  keep(): Promise<void>
  /** Deletes the file. */
  discard(): Promise<void>
}

/**
 * The path of a file that may be made.
 *
 * @throws Error if the file exists, if its folder does not, or if git could track it
 */
export function requireFreePath(file: string): string {
  const path = join(realFolder(file), basename(file))
  const tree = findWorkTree(dirname(path))
  if (tree !== null) {
    throw new Error(`${file} is in ${tree}, which git tracks. Name a file outside of it.`)
  }
  if (existsSync(path)) throw new Error(`${file} exists already. It is never overwritten.`)
  return path
}

/** Makes the file. @throws Error if it exists */
export async function createPrivateFile(path: string): Promise<PrivateFile> {
  const handle = await open(path, 'wx', 0o600)
  return {
    write: async (text) => handle.appendFile(text),
    keep: async () => {
      await handle.sync()
      await handle.close()
    },
    discard: async () => {
      await handle.close().catch(() => {})
      await unlink(path)
    },
  }
}

function realFolder(file: string): string {
  try {
    return realpathSync(dirname(file))
  } catch (cause) {
    throw new Error(`There is no folder ${dirname(file)}`, { cause })
  }
}

/** The work tree of git that `folder` is in; null if it is in none. A file that git ignores can be committed too. */
function findWorkTree(folder: string): string | null {
  if (existsSync(join(folder, '.git'))) return folder
  return dirname(folder) === folder ? null : findWorkTree(dirname(folder))
}
