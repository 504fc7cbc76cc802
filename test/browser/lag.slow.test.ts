/** A vault whose isolates keep the keys that are in use: what the element says after a change. */

import type { Page } from 'playwright-core'
import { expect, it } from 'vitest'
import { act, beginAdding, button, isFocused, keyField } from './screen.ts'
import { findBarriers, overflow, setStage, shows } from './stage.ts'

const { openSettings } = await setStage({ USE_FRESH_SECONDS: '60' })

/** A sentence in a live region. */
const said = (page: Page, text: string) => page.getByRole('status').getByText(text, { exact: true })

const LAG = 'It can take up to 60 seconds until this applies everywhere.'
const ANY = /60 seconds/

async function enterKey(page: Page, key: string, save: string): Promise<void> {
  await keyField(page).fill(key)
  await button(page, save).click()
}

it('says after a pause how long applications go on, and nothing after a resumption', async () => {
  const { page, faults } = await openSettings({ openai: 'sk-good-1' })
  await act(page, 'OpenAI', 'Pause')
  expect(await shows(said(page, LAG))).toBe(true)
  expect(await shows(page.getByRole('status').getByText('You paused the key'))).toBe(true)
  expect(await findBarriers(page)).toEqual([])
  await page.setViewportSize({ width: 320, height: 800 })
  expect(await overflow(page)).toBe(0)
  await button(page, 'Resume: OpenAI key').click()
  await page.getByRole('status').getByText('You resumed the key').waitFor()
  expect(await page.getByText(ANY).count()).toBe(0)
  expect(faults()).toEqual([])
})

it('says after other limits how long the earlier ones can apply', async () => {
  const { page } = await openSettings({ openai: 'sk-good-1' })
  await act(page, 'OpenAI', 'Limits')
  await page.getByLabel('Maximum number of uses').fill('5')
  await button(page, 'Save limits').click()
  expect(await shows(said(page, LAG))).toBe(true)
})

it('says after a replacement how long the earlier key is used, and nothing of a first key', async () => {
  const { page } = await openSettings()
  await beginAdding(page, 'OpenAI')
  await enterKey(page, 'sk-good-first', 'Save key')
  await page.getByText('The OpenAI key is saved, and OpenAI accepts it.').waitFor()
  expect(await page.getByText(ANY).count()).toBe(0)
  await act(page, 'OpenAI', 'Replace')
  await enterKey(page, 'sk-good2-second', 'Replace')
  expect(await shows(said(page, LAG))).toBe(true)
})

it.for([
  ['en', 'Delete', LAG],
  ['de', 'Löschen', 'Es kann bis zu 60 Sekunden dauern, bis das überall gilt.'],
] as const)(
  'says in %s after a deletion how long applications go on',
  async ([lang, remove, text]) => {
    const { page } = await openSettings({ openai: 'sk-good-1' }, {}, '', lang)
    await page.locator('#more').click()
    await page.getByRole('menuitem', { name: remove }).click()
    await button(page, remove).click()
    expect(await shows(page.getByText(text, { exact: true }))).toBe(true)
    expect(await isFocused(page.locator('[part~=notice]'))).toBe(true)
  },
)
