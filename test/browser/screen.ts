/** What a user does with the element, and how its tests find what the user sees. */

import type { Locator, Page } from 'playwright-core'

/** A button, by what a screen reader calls it. */
export const button = (page: Page, name: string): Locator =>
  page.getByRole('button', { name, exact: true })

/** The field of a form that takes a key. */
export const keyField = (page: Page): Locator => page.getByRole('textbox', { name: /API key$/ })

/** The field for the provider of a new key, which is searched by typing. */
export const providerField = (page: Page): Locator =>
  page.getByRole('combobox', { name: 'Provider', exact: true })

/** The row of a key, such as `OpenAI` or `OpenAI · work`. */
export const rowOf = (page: Page, key: string): Locator =>
  page.getByRole('listitem').filter({ has: page.getByRole('heading', { name: key, exact: true }) })

/** What was last said in the row of a key. */
export const noticeOf = (page: Page, key: string): Locator =>
  rowOf(page, key).locator('[part~=notice]')

/** The names of the keys, in their order. */
export const listKeys = async (page: Page): Promise<string[]> =>
  trimAll(await page.getByRole('heading', { level: 3 }).allTextContents())

/** Does something to a key: by the button of its row, or otherwise by an item of its menu. */
export async function act(page: Page, key: string, action: string): Promise<void> {
  const own = button(page, `${action}: ${key} key`).first()
  const more = button(page, `More: ${key} key`)
  await more.waitFor()
  if ((await own.count()) > 0) return own.click()
  await more.click()
  await page.getByRole('menuitem', { name: action, exact: true }).click()
}

/** The names of the items in the menu of a key, in their order. The menu is closed again. */
export async function listItems(page: Page, key: string): Promise<string[]> {
  await button(page, `More: ${key} key`).click()
  const names = await page.getByRole('menuitem').allTextContents()
  await page.keyboard.press('Escape')
  return trimAll(names)
}

/** Opens the details of a key, or closes what is open in its row. */
export async function toggleRow(page: Page, key: string): Promise<void> {
  await button(page, key).click()
}

/** Opens the form for a new key, and chooses the provider if one is given. */
export async function beginAdding(page: Page, provider?: string): Promise<void> {
  await button(page, 'Add a key').click()
  if (provider !== undefined) await providerField(page).fill(provider)
}

/** The providers that can be chosen for a new key, in their order. */
export const listOffered = (page: Page): Promise<string[]> =>
  page
    .locator('#slots option')
    .evaluateAll((options) => options.map((option) => option.getAttribute('value') ?? ''))

/** Deletes a key, and confirms it. */
export async function deleteKey(page: Page, key: string): Promise<void> {
  await act(page, key, 'Delete')
  await page.getByRole('dialog').getByRole('button', { name: 'Delete', exact: true }).click()
}

export const isFocused = (what: Locator): Promise<boolean> =>
  what.evaluate((element) => element.matches(':focus'))

export const trimAll = (texts: readonly string[]): string[] => texts.map((text) => text.trim())
