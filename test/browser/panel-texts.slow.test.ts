import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { act, button, isFocused } from './screen.ts'
import { setStage, shows } from './stage.ts'

const { openSettings } = await setStage()

const KEYS = { openai: 'sk-good-1' }

const lines = (page: Page) => page.locator('[part~=event] span')

/** The files of texts of panels that the page has asked for. */
const asked = (page: Page) =>
  page.evaluate(() =>
    performance
      .getEntriesByType('resource')
      .map(({ name }) => new URL(name).pathname)
      .filter((path) => path.includes('settings.panels.')),
  )

it('texts about events are loaded when a list of events is opened', async () => {
  const { page, faults } = await openSettings(KEYS)
  await button(page, 'OpenAI').click()
  await button(page, 'Limits: OpenAI key').waitFor()
  expect(await asked(page)).toEqual([])
  await button(page, 'Activity: OpenAI key').click()
  await lines(page).first().waitFor()
  expect(await lines(page).allTextContents()).toEqual(['You saved the key'])
  expect(await asked(page)).toEqual(['/api-key-settings.panels.en.json'])
  expect(faults()).toEqual([])
})

it('texts about events that do not come are said to be missing, and are asked for again', async () => {
  const { page, faults } = await openSettings(KEYS)
  const file = '**/api-key-settings.panels.en.json'
  await page.route(file, (route) => route.fulfill({ status: 404, body: 'Not found' }))
  await act(page, 'OpenAI', 'Activity')
  await page.getByRole('alert').getByText('We can’t reach the key service.').waitFor()
  expect(faults().join()).toContain('The texts of the panel did not load.')
  expect(await lines(page).count()).toBe(0)
  expect(await button(page, 'Download all').count()).toBe(0)
  await page.unroute(file)
  await button(page, 'Try again').click()
  await lines(page).first().waitFor()
  expect(await lines(page).allTextContents()).toEqual(['You saved the key'])
  expect(await button(page, 'Try again').count()).toBe(0)
})

it('a list of events follows the language of the page', async () => {
  const { page } = await openSettings(KEYS)
  const file = '**/api-key-settings.panels.de.json'
  const speak = (lang: string) =>
    page.evaluate((name) => document.documentElement.setAttribute('lang', name), lang)
  await act(page, 'OpenAI', 'Activity')
  await lines(page).first().waitFor()

  await speak('ja')
  await page.getByText('キーを保存しました').waitFor()

  await page.route(file, (route) => route.abort())
  await speak('de')
  await page.getByRole('alert').locator('p').waitFor()
  expect(await lines(page).allTextContents()).toEqual(['キーを保存しました'])
  await page.unroute(file)
  await button(page, 'Erneut versuchen').click()
  await page.getByText('Sie haben den Schlüssel gespeichert').waitFor()

  await speak('en')
  await page.getByText('You saved the key').waitFor()
  expect(await asked(page)).toContain('/api-key-settings.panels.ja.json')
})

it("an application's own texts about events come before those that are loaded", async () => {
  const { page } = await openSettings(KEYS)
  await act(page, 'OpenAI', 'Activity')
  await lines(page).first().waitFor()
  await page.evaluate(() => {
    const texts = { event_saved: 'Saved by you' }
    Object.assign(document.querySelector('api-key-settings') ?? {}, { texts })
  })
  await page.getByText('Saved by you').waitFor()
  expect(await lines(page).count()).toBe(1)
})

describe('the form of limits', () => {
  const FILE = '**/api-key-settings.panels.en.json'
  const count = (page: Page) => page.locator('api-key-settings-limits [type=number]')

  /** Opens the form, whose texts come when `release` is called. */
  async function openHeld() {
    const { page } = await openSettings(KEYS)
    const held = Promise.withResolvers<void>()
    await page.route(FILE, async (route) => {
      await held.promise
      await route.continue()
    })
    await act(page, 'OpenAI', 'Limits')
    await page.locator('[part=busy]', { hasText: 'Loading the activity …' }).waitFor()
    return { page, release: held.resolve }
  }

  it('the form of limits loads its texts, and then has the focus in its first field', async () => {
    const { page, release } = await openHeld()
    expect(await isFocused(button(page, 'Cancel'))).toBe(true)
    expect(await count(page).count()).toBe(0)
    expect(await button(page, 'Try again').count()).toBe(0)
    release()
    await count(page).waitFor()
    expect(await isFocused(page.getByLabel('Maximum number of uses'))).toBe(true)
    expect(await asked(page)).toEqual(['/api-key-settings.panels.en.json'])
  })

  it('the form of limits does not take the focus back when its texts come', async () => {
    const { page, release } = await openHeld()
    await page.locator('#open').focus()
    release()
    await count(page).waitFor()
    await button(page, 'Save limits').and(page.locator('[aria-disabled=false]')).waitFor()
    expect(await isFocused(page.locator('#open'))).toBe(true)
  })

  it('the form of limits closes on Escape before its texts have come', async () => {
    const { page } = await openHeld()
    await page.keyboard.press('Escape')
    await page.locator('api-key-settings-limits').waitFor({ state: 'detached' })
    expect(await isFocused(button(page, 'More: OpenAI key'))).toBe(true)
  })

  it('the form of limits says that its texts did not come, and asks for them again', async () => {
    const { page } = await openSettings(KEYS)
    await page.route(FILE, (route) => route.abort())
    await act(page, 'OpenAI', 'Limits')
    await page.getByRole('alert').getByText('We can’t reach the key service.').waitFor()
    expect(await count(page).count()).toBe(0)
    expect(await button(page, 'Save limits').count()).toBe(0)
    await page.unroute(FILE)
    await button(page, 'Try again').press('Enter')
    await count(page).waitFor()
    expect(await isFocused(count(page))).toBe(true)
    expect(await button(page, 'Try again').count()).toBe(0)
  })

  it('the form of limits follows the language of the page, and keeps what was entered', async () => {
    const { page } = await openSettings(KEYS)
    const file = '**/api-key-settings.panels.de.json'
    await page.route(file, (route) => route.abort())
    await act(page, 'OpenAI', 'Limits')
    await count(page).fill('7')
    await page.getByLabel('Usage limit').selectOption('Per month')
    await page.evaluate(() => (document.documentElement.lang = 'de'))
    await page.getByRole('alert').locator('p').waitFor()
    expect(await shows(button(page, 'Save limits'))).toBe(true)
    await page.unroute(file)
    await button(page, 'Erneut versuchen').press('Enter')
    await button(page, 'Limits speichern').and(page.locator('[aria-disabled=false]')).waitFor()
    expect(await count(page).inputValue()).toBe('7')
    expect(await page.getByLabel('Nutzungslimit').inputValue()).toBe('month')
    expect(await isFocused(count(page))).toBe(true)
    await page.evaluate(() => (document.documentElement.lang = 'ja'))
    await page.getByText('キーを使用できるアプリケーション').waitFor()
    expect(await count(page).inputValue()).toBe('7')
  })
})
