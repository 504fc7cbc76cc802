import { afterAll, expect, inject, it } from 'vitest'
import { openBrowser } from './browser.ts'
import { beginAdding, button, keyField } from './screen.ts'
import { makeCheckout, type Dev } from '../node/checkout.ts'

const { startDev } = makeCheckout()
const browser = await openBrowser(inject('browser'))
afterAll(async () => browser.close())

/** Opens the link that `npm run dev` has printed. */
async function openPrinted(dev: Dev) {
  const page = await browser.newPage()
  await page.goto(dev.link)
  await page.getByText('demo', { exact: true }).waitFor()
  expect(page.url()).toBe(`${dev.url}/`)
  return page
}

it(
  'npm run dev prints a link to a page whose keys a restart keeps',
  { timeout: 120_000 },
  async () => {
    const first = await startDev(['--var', 'VERIFY_ON_SAVE:false'])
    const page = await openPrinted(first)
    await beginAdding(page, 'OpenAI')
    await keyField(page).fill('sk-proj-of-the-demo')
    await button(page, 'Save key').click()
    await page.getByText('The OpenAI key is saved, but OpenAI has not confirmed it yet.').waitFor()
    await page.reload()
    expect(await page.locator('[part=preview]').textContent()).toBe('sk-proj-...')
    expect(await page.locator('#user').textContent()).toBe('demo')
    await first.stop()

    const second = await startDev()
    const later = await openPrinted(second)
    expect(await later.locator('[part=preview]').textContent()).toBe('sk-proj-...')
    await button(later, 'Sign out').click()
    expect(
      await later
        .getByText('You are signed out. To sign in, open your link again.', { exact: true })
        .isVisible(),
    ).toBe(true)
    expect(await later.getByRole('button').count()).toBe(0)
    const advice = later.waitForEvent('console', (message) => message.type() === 'info')
    await later.reload()
    await later.getByText('Nobody can sign in here yet').waitFor()
    expect((await advice).text()).toContain('Set OIDC_ISSUER and OIDC_CLIENT_ID.')
    await second.stop()
  },
)
