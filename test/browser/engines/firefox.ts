/** Debian's Firefox, driven over WebDriver BiDi. */

import { userInfo } from 'node:os'
import { launch } from 'puppeteer-core'
import type { Screen } from './screen.ts'

const FIREFOX = '/usr/bin/firefox-esr'

/** Starts Firefox without a window on the screen, with a new profile. */
export async function openFirefox(): Promise<Screen> {
  // Firefox does not start if HOME belongs to another user, as in a container of GitHub Actions.
  const env = { ...process.env, HOME: userInfo().homedir }
  const browser = await launch({ browser: 'firefox', executablePath: FIREFOX, env })
  const page = await browser.newPage()
  return {
    open: async (url) => void (await page.goto(url)),
    run: async (expression) => page.evaluate(expression),
    press: async (key) => page.keyboard.press(key),
    type: async (text) => page.keyboard.type(text),
    click: async (x, y) => page.mouse.click(x, y),
    close: async () => browser.close(),
  }
}
