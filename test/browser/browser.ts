/** The Chrome or Chromium of this machine, for the browser tests and the pictures. If there is none, it is installed. */

import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { Launcher } from 'chrome-launcher'
import { chromium, type Browser } from 'playwright-core'

const PLAYWRIGHT = 'node_modules/playwright-core/cli.js'

/** Debian's Chromium without a window. The tests take half as long with it. */
const HEADLESS_SHELL = '/usr/bin/chromium-headless-shell'

/** The ways to install one, in order: Debian's packages, then Playwright's download. */
const INSTALLERS: [command: string, ...args: string[]][][] = [
  [
    ['apt-get', 'update', '-qq'],
    ['apt-get', 'install', '-y', '-qq', '--no-install-recommends', 'chromium-headless-shell'],
  ],
  [['apt-get', 'install', '-y', '-qq', '--no-install-recommends', 'chromium']],
  [[process.execPath, PLAYWRIGHT, 'install', 'chromium']],
]

/**
 * Returns the path of the browser in `CHROME_PATH`, otherwise of an installed one, otherwise of a new one.
 *
 * @throws Error that says what to do if none can be installed
 */
export function findBrowser(): string {
  const { CHROME_PATH: named } = process.env
  if (named && !existsSync(named)) throw new Error(`CHROME_PATH is ${named}, which does not exist.`)
  const found = findInstalled()
  if (found !== undefined) return found
  const failures: string[] = []
  for (const commands of INSTALLERS) {
    const failure = install(commands)
    const installed = findInstalled()
    if (installed !== undefined) return installed
    failures.push(failure)
  }
  throw new Error(`No Chrome or Chromium is installed, and installing one failed:
${failures.join('\n')}
Install one (Debian: apt-get install chromium-headless-shell), or set CHROME_PATH to the path of one.`)
}

/** Starts the browser without a window. `vault.test` is this machine; no other host can be reached. */
export async function openBrowser(executablePath: string): Promise<Browser> {
  const hosts = 'MAP vault.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost'
  return chromium.launch({ executablePath, args: [`--host-resolver-rules=${hosts}`] })
}

function findInstalled(): string | undefined {
  if (existsSync(HEADLESS_SHELL)) return HEADLESS_SHELL
  const downloaded = chromium.executablePath()
  return findOnSystem() ?? (existsSync(downloaded) ? downloaded : undefined)
}

function findOnSystem(): string | undefined {
  try {
    return Launcher.getFirstInstallation()
  } catch {
    return undefined // On Linux it throws if there is none.
  }
}

/** Runs the commands. Returns why they failed, or that they did not install a browser. */
function install(commands: [command: string, ...args: string[]][]): string {
  try {
    for (const [command, ...args] of commands) {
      console.log(`No Chrome or Chromium is installed; running ${command} ${args.join(' ')}`)
      execFileSync(command, args, { stdio: 'pipe' })
    }
    return `${String(commands)}: ended without a browser`
  } catch (error) {
    return String(error).split('\n', 1).join()
  }
}
