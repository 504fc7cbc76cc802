/** What the commands of this folder share: usage, errors and exit codes. */

/**
 * Runs a command and sets the exit code that it returns: 2 prints its usage, a misused option too;
 * an error prints its message and is 1.
 */
export async function runCommand(usage: string, command: () => Promise<number>): Promise<void> {
  process.exitCode = await command().catch((error: Error & { code?: string }) => {
    if (error.code?.startsWith('ERR_PARSE_ARGS')) return 2
    console.error(error.message)
    if (/no such table|no such column/.test(error.message)) console.error('First: npm run schema')
    return 1
  })
  if (process.exitCode === 2) console.error(usage)
}
