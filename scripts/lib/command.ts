/** What the commands share: usage, errors and exit codes. */

import { VaultError } from '../../src/errors.ts'

/**
 * Runs a command and sets the exit code that it returns: 2 prints its usage, and so does a misused
 * option. An error prints its message and is 1.
 */
export async function runCommand(usage: string, command: () => Promise<number>): Promise<void> {
  process.exitCode = await command().catch((error: Error & { code?: string }) => {
    if (error.code?.startsWith('ERR_PARSE_ARGS')) return 2
    console.error(nameFault(error).message)
    return 1
  })
  if (process.exitCode === 2) console.error(usage)
}

/** A VaultError says what a client may know. Its cause says what an operator wants to know. */
function nameFault(error: Error): Error {
  return error instanceof VaultError && error.cause instanceof Error ? error.cause : error
}
