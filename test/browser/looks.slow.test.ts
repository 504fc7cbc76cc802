import type { Locator } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { saveSamples } from './samples.ts'
import { SCENES } from './scenes.ts'
import { findBarriers, overflow, setStage } from './stage.ts'

const { vault, openSettings } = await setStage()

/** Each width once and each scheme once: no style depends on both. */
const LOOKS = [
  [1_280, 'light'],
  [320, 'dark'],
] as const

describe('at 1280 px in light, and at 320 px in dark', () => {
  it.for(Object.entries(SCENES))('axe finds nothing in the scene: %s', async ([, bring]) => {
    const { page, user, token } = await openSettings()
    await saveSamples(vault, { user, token, odd: true })
    await page.reload()
    await page.getByRole('button', { name: 'Delete: gone key' }).waitFor()
    await bring(page)
    for (const [width, colorScheme] of LOOKS) {
      await page.setViewportSize({ width, height: 800 })
      await page.emulateMedia({ colorScheme })
      expect(await overflow(page)).toBe(0)
      expect(await findBarriers(page)).toEqual([])
    }
  })
})

it('a busy button keeps its size at 320 px', async () => {
  const { page } = await openSettings()
  await page.setViewportSize({ width: 320, height: 800 })
  const boxes = () =>
    page.locator('.buttons button').evaluateAll((buttons) =>
      buttons.map((button) => {
        const { x, width, height } = button.getBoundingClientRect()
        return [x, width, height]
      }),
    )
  await SCENES['a form']?.(page)
  const idle = await boxes()
  await page.getByRole('button', { name: 'Cancel' }).click()
  await SCENES['a busy form']?.(page)
  expect(idle).toHaveLength(2)
  expect(await boxes()).toEqual(idle)
  expect(await page.locator('[part=busy]').textContent()).toBe('Checking the key with Mistral …')
})

it.for(['light', 'dark'] as const)(
  'each kind of notice has a look of its own: %s',
  async (colorScheme) => {
    const { page } = await openSettings({ 'openai?verify=false': 'sk-good-1' }, { colorScheme })
    const look = (notice: Locator) =>
      notice.evaluate((element) => {
        const { content, backgroundColor } = getComputedStyle(element, '::before')
        return [content, backgroundColor, getComputedStyle(element).backgroundColor]
      })
    await page.getByRole('button', { name: 'Test: OpenAI key' }).click()
    const looks = [await look(page.locator('[part~=success]'))]
    await page.getByRole('button', { name: 'Add a key' }).click()
    const field = page.getByRole('textbox', { name: /API key$/ })
    await field.fill('gsk_0123456789')
    looks.push(await look(page.getByText('Selected Groq')))
    await page.getByLabel('Provider').selectOption('Mistral')
    looks.push(await look(page.getByText('This looks like a Groq key')))
    await field.fill('sk-...')
    looks.push(await look(page.getByText('This is a masked key.')))
    for (const aspect of [0, 1, 2]) {
      expect(new Set(looks.map((values) => values[aspect])).size).toBe(4)
    }
  },
)

it('a busy button looks disabled under the pointer too', async () => {
  const { page } = await openSettings()
  await SCENES['a busy form']?.(page)
  const ground = (button: Locator) =>
    button.evaluate((element) => getComputedStyle(element).backgroundColor)
  const busy = page.getByRole('button', { name: 'Checking the key with Mistral …' })
  await busy.hover({ force: true })
  expect(await ground(busy)).toBe(await ground(page.getByRole('button', { name: 'Cancel' })))
})

it('nothing moves if the user prefers reduced motion', async () => {
  const { page } = await openSettings()
  await SCENES['a busy form']?.(page)
  const busy = page.locator('[aria-busy=true]')
  const running = () => busy.evaluate((element) => element.getAnimations({ subtree: true }).length)
  expect(await running()).toBe(1)
  await page.emulateMedia({ reducedMotion: 'reduce' })
  expect(await running()).toBe(0)
})

it('a host application can set colours, and style parts', async () => {
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

/** What applications have for their own text, the stock Vite application among them (`text-align`). */
const TEXT_STYLES = {
  'text-align': 'center',
  'text-indent': '3em',
  'text-shadow': '1px 1px red',
  'text-transform': 'uppercase',
  'letter-spacing': '4px',
  'word-spacing': '8px',
  'word-break': 'break-all',
  'white-space': 'pre',
  'line-height': '4',
  'font-style': 'italic',
  'font-variant': 'small-caps',
  hyphens: 'auto',
  cursor: 'pointer',
  color: 'red',
  '-webkit-text-fill-color': 'transparent',
}

/** Runs in the page: these styles and the size of every piece of the element. */
const READ_STYLES = `(function read(root) {
  const names = ${JSON.stringify([...Object.keys(TEXT_STYLES), 'width', 'height'])}
  return Array.from(root.querySelectorAll('*'), (piece) => [
    piece.localName + piece.id,
    names.map((name) => name + ': ' + getComputedStyle(piece).getPropertyValue(name)),
    piece.shadowRoot && read(piece.shadowRoot),
  ])
})(document.querySelector('api-key-settings').shadowRoot)`

it("the element looks the same whatever the application's own text looks like", async () => {
  const { page } = await openSettings({ openai: 'sk-good-1', default: 'sk-good-2' })
  await page.getByRole('button', { name: 'Limits: OpenAI key' }).click()
  await page.getByRole('button', { name: 'Add a key' }).click()
  await page.getByText('No application has used this key lately.').waitFor()
  const before = await page.evaluate<unknown>(READ_STYLES)
  const declared = Object.entries(TEXT_STYLES).map(([name, value]) => `${name}: ${value}`)
  await page.addStyleTag({ content: `main { ${declared.join(';')} }` })
  expect(await page.evaluate(READ_STYLES)).toEqual(before)
})

it.for([
  ['font-family', 'monospace'],
  ['font-size', '20px'],
  ['direction', 'rtl'],
  ['visibility', 'hidden'],
  ['pointer-events', 'none'],
  ['color-scheme', 'dark'],
] as const)("the element takes the application's %s", async ([name, value]) => {
  const { page } = await openSettings({ openai: 'sk-good-1' })
  await page.addStyleTag({ content: `main { ${name}: ${value} }` })
  const computed = await page
    .locator('api-key-settings')
    .evaluate((element, property) => getComputedStyle(element).getPropertyValue(property), name)
  expect(computed).toBe(value)
})
