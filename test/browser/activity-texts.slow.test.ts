import type { Page } from 'playwright-core'
import { expect, it } from 'vitest'
import { act, button } from './screen.ts'
import { setStage } from './stage.ts'

const { openSettings } = await setStage()

const KEYS = { openai: 'sk-good-1' }

const lines = (page: Page) => page.locator('[part~=event] span')

/** The files of texts about events that the page has asked for. */
const asked = (page: Page) =>
  page.evaluate(() =>
    performance
      .getEntriesByType('resource')
      .map(({ name }) => new URL(name).pathname)
      .filter((path) => path.includes('settings.activity.')),
  )

it('texts about events are loaded when a list of events is opened', async () => {
  const { page, faults } = await openSettings(KEYS)
  await button(page, 'OpenAI').click()
  await button(page, 'Limits: OpenAI key').waitFor()
  expect(await asked(page)).toEqual([])
  await button(page, 'Activity: OpenAI key').click()
  await lines(page).first().waitFor()
  expect(await lines(page).allTextContents()).toEqual(['You saved the key'])
  expect(await asked(page)).toEqual(['/api-key-settings.activity.en.json'])
  expect(faults()).toEqual([])
})

it('texts about events that do not come are said to be missing, and are asked for again', async () => {
  const { page, faults } = await openSettings(KEYS)
  const file = '**/api-key-settings.activity.en.json'
  await page.route(file, (route) => route.fulfill({ status: 404, body: 'Not found' }))
  await act(page, 'OpenAI', 'Activity')
  await page.getByRole('alert').getByText('We can’t reach the key service.').waitFor()
  expect(faults().join()).toContain('The texts about events did not load.')
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
  const file = '**/api-key-settings.activity.de.json'
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
  expect(await asked(page)).toContain('/api-key-settings.activity.ja.json')
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
