/** The sources that callers import, without the comments that a caller does not see. */

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Returns the sources that `entries` import, and these, by their paths. */
export function packSources(entries: readonly string[]): Map<string, string> {
  const sources = new Map<string, string>()
  const visit = (path: string): void => {
    if (sources.has(path) || !existsSync(path)) return
    const code = readFileSync(path, 'utf8')
    sources.set(path, leaveOutComments(code))
    for (const [, name = ''] of code.matchAll(/(?:from|import\() ?'(\.[^']*\.ts)'/g)) {
      visit(join(path, '..', name))
    }
  }
  for (const entry of entries) visit(join(entry))
  return sources
}

/** The code with what is said of its exports and their members. */
function leaveOutComments(code: string): string {
  return code
    .replaceAll(/^ *\/\/ .*\n/gm, '')
    .replaceAll(/^\/\*\*(?:(?!\*\/)[\s\S])*\*\/\n(?!export)/gm, '')
}
