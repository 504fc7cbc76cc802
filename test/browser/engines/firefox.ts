/** Debian's Firefox, driven over WebDriver BiDi. */

import { launch } from 'puppeteer-core'
import type { Screen } from './screen.ts'

export const FIREFOX = '/usr/bin/firefox-esr'

/** Starts Firefox without a window on the screen, with a new profile. */
export async function openFirefox(): Promise<Screen> {
  const browser = await launch({ browser: 'firefox', executablePath: FIREFOX })
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
