/** Takes the pictures of the page in `docs/`, with sample keys. */

import { mkdirSync } from 'node:fs'
import { openBrowser } from '../../test/browser/browser.ts'
import { findBrowser } from '../../test/browser/find-browser.ts'
import { mintToken, startVault } from '../../test/node/start-vault.ts'
import { SAMPLES, saveSamples } from '../../test/browser/samples.ts'

const USER = 'jane'

const path = findBrowser()
if (path === null) throw new Error('Install Chrome or Chromium, or set CHROME_PATH.')
const vault = await startVault({ AUTO_CREATE_USERS: 'true' })
const browser = await openBrowser(path)
const token = await mintToken(vault.secret, USER)
await saveSamples(vault, { user: USER, token }, SAMPLES.three)
mkdirSync('docs', { recursive: true })
const context = await browser.newContext({
  viewport: { width: 800, height: 600 },
  deviceScaleFactor: 2,
  timezoneId: 'UTC',
})
const page = await context.newPage()
await page.goto(`${vault.keyUrl.origin}/#token=${token}`)
await page.getByRole('button', { name: 'Replace: Anthropic key' }).click()
await page.getByRole('textbox', { name: /API key$/ }).fill('sk-proj-sample')
await page.getByText('This looks like an OpenAI key').waitFor()
await page.mouse.move(0, 0)
for (const colorScheme of ['light', 'dark'] as const) {
  // oxlint-disable no-await-in-loop -- one look after the other
  await page.emulateMedia({ colorScheme })
  await page.screenshot({ path: `docs/page-${colorScheme}.png`, fullPage: true })
  // oxlint-enable no-await-in-loop
  console.log(`docs/page-${colorScheme}.png`)
}
await browser.close()
await vault.close()
