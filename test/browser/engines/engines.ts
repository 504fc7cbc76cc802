/** The browser engines of Debian besides Chromium. */

import { isInstalled } from '../../installed.ts'
import { openFirefox } from './firefox.ts'
import type { Screen } from './screen.ts'
import { openWebKit } from './webkit.ts'

interface Engine {
  name: string
  isInstalled: boolean
  open: () => Promise<Screen>
}

export const ENGINES: Engine[] = [
  { name: 'Firefox', isInstalled: isInstalled('firefox'), open: openFirefox },
  { name: 'WebKit', isInstalled: isInstalled('webkit'), open: openWebKit },
]
