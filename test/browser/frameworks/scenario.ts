/** What a user does in the settings of any application. The names of the buttons and fields are the element's. */

import { expect } from 'vitest'
import type { Page } from 'playwright-core'
import { refuse } from '../stage.ts'

const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true })

async function addKey(page: Page, key: string): Promise<void> {
  await button(page, 'Add a key').click()
  await page.getByRole('textbox', { name: /API key$/ }).fill(key)
  await page.getByLabel('Provider').fill('OpenAI')
  await button(page, 'Save key').click()
}

/** Adds a key that is refused, and one that is not. */
async function addKeys(page: Page): Promise<void> {
  await addKey(page, 'sk-bad-of-framework')
  await page.getByText('OpenAI does not accept this key.').waitFor()
  await button(page, 'Cancel').click()
  await addKey(page, 'sk-good-of-framework')
  await page.getByText('The OpenAI key is saved, and OpenAI accepts it.').waitFor()
  await page.getByRole('heading', { level: 2, name: 'OpenAI' }).waitFor()
}

/** The session ends when a key is tested, and the user signs in again. */
async function testKey(page: Page): Promise<void> {
  const test = button(page, 'Test: OpenAI key')
  const calls = '**/api/users/**'
  await page.route(calls, async (route) => route.fulfill(refuse(401, 'token_expired')))
  await test.click()
  await button(page, 'Sign in again').waitFor()
  await page.unroute(calls)
  await button(page, 'Sign in again').click()
  await test.click()
  await page.getByText('OpenAI accepts this key.').waitFor()
}

async function chooseInMenu(page: Page, item: string): Promise<void> {
  await button(page, 'More: OpenAI key').click()
  await page.getByRole('menuitem', { name: item, exact: true }).click()
}

/** Its texts are loaded from beside the element's script. */
async function readActivity(page: Page): Promise<void> {
  await chooseInMenu(page, 'Activity')
  await page.getByText('You saved the key').waitFor()
  await button(page, 'Close').click()
}

async function deleteKey(page: Page): Promise<void> {
  await chooseInMenu(page, 'Delete')
  await button(page, 'Delete').click()
  await page.getByText('The OpenAI key is deleted.').waitFor()
}

/** Presses a button of the application, which calls `reload()` of the element. */
async function reload(page: Page): Promise<void> {
  const answered = page.waitForResponse('**/api-keys')
  await button(page, 'Reload').click()
  expect((await answered).status()).toBe(200)
}

async function speakGerman(page: Page): Promise<void> {
  await page.evaluate(() => document.documentElement.setAttribute('lang', 'de'))
  await button(page, 'Schlüssel hinzufügen').waitFor()
}

const HEARD = [
  'loaded 0',
  'error api_key_rejected',
  'saved openai',
  'error token_expired',
  'signed in',
  'changed openai tested',
  'deleted openai',
]

/** Plays all of it, and expects that the application heard of it. */
export async function playScenario(page: Page): Promise<void> {
  await addKeys(page)
  await testKey(page)
  await readActivity(page)
  await deleteKey(page)
  await reload(page)
  await speakGerman(page)
  const heard = await page.locator('output').textContent()
  expect(heard?.split(';').filter((event) => event !== '')).toEqual(HEARD)
  expect(await page.locator('api-key-settings[density=compact]').count()).toBe(1)
}
