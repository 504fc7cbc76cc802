import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { setStage, shows } from './stage.ts'

const { vault, host, openPage, openSettings } = await setStage()

const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true })
const keyField = (page: Page) => page.getByRole('textbox', { name: /API key$/ })
const told = (page: Page) =>
  page
    .getByRole('alert')
    .getByText('This key was changed somewhere else. Check it, then try again.')

/** The same settings in two browsers. */
async function openTwo(keys: Record<string, string>) {
  const { page: first, user, token } = await openSettings(keys)
  const url = host.open({
    vault: vault.keyUrl.origin,
    user,
    tokens: [token],
    attributes: '',
    lang: 'en',
  })
  const { page: second } = await openPage(url)
  await second.locator('#add').waitFor()
  return { first, second }
}

async function replace(page: Page, key: string): Promise<void> {
  await button(page, 'Replace: OpenAI key').click()
  await keyField(page).fill(key)
  await page.locator('#save').click()
}

async function add(page: Page, key: string): Promise<void> {
  await button(page, 'Add a key').click()
  await page.getByLabel('Provider').selectOption('OpenAI')
  await keyField(page).fill(key)
  await page.locator('#save').click()
}

describe('the second of two browsers that change a key', () => {
  it('sees that the key changed, keeps what was typed, and can save it then', async () => {
    const { first, second } = await openTwo({ openai: 'sk-good-original' })
    await button(second, 'Replace: OpenAI key').click()
    await keyField(second).fill('sk-good-second')
    await replace(first, 'sk-good-first-0123456789-Qx7Z')
    expect(await shows(first.getByText('The OpenAI key is saved,'))).toBe(true)
    await second.locator('#save').click()
    expect(await shows(told(second))).toBe(true)
    expect(await keyField(second).inputValue()).toBe('sk-good-second')
    expect(await shows(second.getByText(/Qx7Z/))).toBe(true)
    await second.locator('#save').click()
    expect(await shows(second.getByText('The OpenAI key is saved,'))).toBe(true)
  })

  it('sees that the slot is not empty any more', async () => {
    const { first, second } = await openTwo({})
    await add(first, 'sk-good-first')
    expect(await shows(first.getByText('The OpenAI key is saved,'))).toBe(true)
    await add(second, 'sk-good-second')
    expect(await shows(told(second))).toBe(true)
  })

  it('does not delete a key that it did not see', async () => {
    const { first, second } = await openTwo({ openai: 'sk-good-original' })
    await replace(first, 'sk-good-changed')
    expect(await shows(first.getByText('The OpenAI key is saved,'))).toBe(true)
    await button(second, 'Delete: OpenAI key').click()
    await second.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
    expect(await shows(told(second))).toBe(true)
    expect(await shows(button(second, 'Delete: OpenAI key'))).toBe(true)
  })
})
