import type { Locator, Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { saveSamples } from './samples.ts'
import { SCENES } from './scenes.ts'
import { findBarriers, setStage } from './stage.ts'

const { vault, openSettings } = await setStage()

/** How far the page is wider than its window, in pixels. */
const overflow = (page: Page) =>
  page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)

describe('at 320 px and on a desktop, in light and dark, no barrier is in', () => {
  it.for(Object.entries(SCENES))('%s', async ([, bring]) => {
    const { page, user, token } = await openSettings()
    await saveSamples(vault, { user, token, odd: true })
    await page.reload()
    await page.getByRole('button', { name: 'Delete the gone key' }).waitFor()
    await bring(page)
    for (const width of [1_280, 320]) {
      await page.setViewportSize({ width, height: 800 })
      expect(await overflow(page)).toBe(0)
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme })
        expect(await findBarriers(page)).toEqual([])
      }
    }
  })
})

it('a busy button is as readable under the pointer as any that waits', async () => {
  const { page } = await openSettings()
  await SCENES['a busy form']?.(page)
  const ground = (button: Locator) =>
    button.evaluate((element) => getComputedStyle(element).backgroundColor)
  const busy = page.getByRole('button', { name: 'Trying the key with Mistral …' })
  await busy.hover({ force: true })
  expect(await ground(busy)).toBe(await ground(page.getByRole('button', { name: 'Cancel' })))
})

it('nothing moves where less motion is asked for', async () => {
  const { page } = await openSettings()
  await SCENES['a busy form']?.(page)
  const busy = page.locator('[aria-busy=true]')
  const running = () => busy.evaluate((element) => element.getAnimations({ subtree: true }).length)
  expect(await running()).toBe(1)
  await page.emulateMedia({ reducedMotion: 'reduce' })
  expect(await running()).toBe(0)
})

it('a host application says its colours, and reaches each piece by its part', async () => {
  const { page } = await openSettings({ openai: 'sk-good-1' })
  await page.addStyleTag({
    content: `api-key-settings { --api-key-accent: rgb(1, 2, 3) }
      api-key-settings::part(provider) { color: rgb(4, 5, 6) }`,
  })
  const style = (selector: string, property: string) =>
    page
      .locator(selector)
      .evaluate((element, name) => getComputedStyle(element).getPropertyValue(name), property)
  expect(await style('#add', 'background-color')).toBe('rgb(1, 2, 3)')
  expect(await style('[part=provider]', 'color')).toBe('rgb(4, 5, 6)')
})
