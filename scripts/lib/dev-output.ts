/** What `wrangler dev` prints, without the lines that say nothing or something wrong here. */

import { existsSync } from 'node:fs'
import { stripVTControlCharacters } from 'node:util'

/** A line of Wrangler for a request, with its path. */
const REQUEST = /^\[wrangler:info\] [A-Z]+ (\/[^\s?]*)/

/** A line of Wrangler's table of bindings for a variable that is not set. */
const UNSET = /^env\.\w+ \(""\) /

/** The scheduled job is run here, so Wrangler's warning that nobody runs it is wrong. */
const SCHEDULED_WARNING = /^\W*WARNING\W.*Scheduled Workers are not automatically triggered/

/** Whether a line of standard output is to be shown. The Worker logs its requests itself; static files are left. */
export function isShown(line: string): boolean {
  const text = stripVTControlCharacters(line)
  const [, path] = REQUEST.exec(text) ?? []
  return !UNSET.test(text) && (path === undefined || isStaticFile(path))
}

function isStaticFile(path: string): boolean {
  return path !== '/' && existsSync(`dist${path}`)
}

/** Whether a line says that the Worker runs with a changed configuration. */
export function isReload(line: string): boolean {
  return line.includes('Local server updated and ready')
}

/** Returns a function that says whether the next line of standard error is to be shown. */
export function filterWarnings(): (line: string) => boolean {
  let hiding = false
  return (line) => {
    const text = stripVTControlCharacters(line)
    if (SCHEDULED_WARNING.test(text)) hiding = true
    // Wrangler indents the rest of a message.
    else if (/^\S/.test(text)) hiding = false
    return !hiding
  }
}
