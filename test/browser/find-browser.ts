/** The Chrome or Chromium of this machine, for the browser tests and the pictures. */

import { existsSync } from 'node:fs'
import { Launcher } from 'chrome-launcher'

/** Debian's Chromium without a window. The tests take half as long with it. */
const HEADLESS_SHELL = '/usr/bin/chromium-headless-shell'

/**
 * Returns the path of the browser in `CHROME_PATH`, otherwise of an installed one, or null.
 *
 * @throws Error if the file in `CHROME_PATH` does not exist
 */
export function findBrowser(): string | null {
  const { CHROME_PATH: named } = process.env
  if (named && !existsSync(named)) throw new Error(`CHROME_PATH is ${named}, which does not exist.`)
  if (named) return named
  return existsSync(HEADLESS_SHELL) ? HEADLESS_SHELL : findOnSystem()
}

function findOnSystem(): string | null {
  try {
    return Launcher.getFirstInstallation() ?? null
  } catch {
    return null // On Linux it throws if there is none.
  }
}
