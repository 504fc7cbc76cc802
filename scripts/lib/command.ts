/** What the commands share: usage, errors and exit codes. */

import { VaultError } from '../../src/errors.ts'

/**
 * Runs a command, and sets the exit code that it returns. For 2 or a misused option it prints the usage
 * and sets 2. For an error it prints the message and sets 1.
 */
export async function runCommand(usage: string, command: () => Promise<number>): Promise<void> {
  process.exitCode = await command().catch((error: Error & { code?: string }) => {
    if (error.code?.startsWith('ERR_PARSE_ARGS')) return 2
    console.error(nameFault(error).message)
    return 1
  })
  if (process.exitCode === 2) console.error(usage)
}

/** Prefers the cause of a VaultError: the error itself only says what a client may know. */
function nameFault(error: Error): Error {
  return error instanceof VaultError && error.cause instanceof Error ? error.cause : error
}
