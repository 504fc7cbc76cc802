/** The browser engines of Debian besides Chromium. */

import { existsSync } from 'node:fs'
import { FIREFOX, openFirefox } from './firefox.ts'
import type { Screen } from './screen.ts'
import { DRIVER, openWebKit, XVFB } from './webkit.ts'

interface Engine {
  name: string
  /** The command that installs it. */
  install: string
  files: string[]
  open: () => Promise<Screen>
}

export const ENGINES: Engine[] = [
  {
    name: 'Firefox',
    install: 'apt-get install firefox-esr',
    files: [FIREFOX],
    open: openFirefox,
  },
  {
    name: 'WebKit',
    install: 'apt-get install webkit2gtk-driver xvfb',
    files: [DRIVER, XVFB],
    open: openWebKit,
  },
]

/** @throws Error in CI if the engine is not installed: .ci/run installs it */
export function isInstalled({ name, files, install }: Engine): boolean {
  const installed = files.every((file) => existsSync(file))
  if (!installed && process.env['CI']) throw new Error(`CI needs ${name}: ${install}`)
  return installed
}
