import type { Locator, Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import type { HostPage } from './host-app.ts'
import { SAMPLES, saveSamples } from './samples.ts'
import { SCENES } from './scenes.ts'
import { act, beginAdding, button, keyField, providerField } from './screen.ts'
import { findBarriers, overflow, setStage } from './stage.ts'

const { vault, addUser, openPage, openSettings } = await setStage()

type Scene = keyof typeof SCENES

/** Each width once and each scheme once: no style depends on both. */
const LOOKS = [
  [1_280, 'light'],
  [320, 'dark'],
] as const

/** The scenes with most of the texts. */
const MAIN = [
  'no keys',
  'a key in every state',
  'a menu',
  'details',
  'a form with its expiry',
  'a provider with a key',
  'limits that are reached',
  'a name',
  'an activity',
  'a fault (500)',
] as const satisfies Scene[]

/** A user with samples, and the page of the host application. */
async function addSamples(samples: keyof typeof SAMPLES, look: Partial<HostPage> = {}) {
  const added = await addUser({}, look)
  await saveSamples(vault, added, SAMPLES[samples])
  return added
}

async function openScene(name: Scene): Promise<Page> {
  const [samples, bring] = SCENES[name]
  const { page } = await openPage((await addSamples(samples)).url)
  await page.locator('#add').waitFor()
  await bring(page)
  return page
}

/** What is wrong at both widths. */
async function findFaults(page: Page): Promise<string[]> {
  const faults: string[] = []
  for (const [width, colorScheme] of LOOKS) {
    await page.setViewportSize({ width, height: 800 })
    await page.emulateMedia({ colorScheme })
    if ((await overflow(page)) > 0) faults.push(`wider than ${width} px`)
    faults.push(...(await findBarriers(page)))
  }
  return faults
}

const speak = async (page: Page, lang: string): Promise<void> => {
  await page.evaluate((tag) => (document.documentElement.lang = tag), lang)
  await page.locator(`api-key-settings [lang=${lang}]`).first().waitFor()
}

const bring = async (page: Page, name: Scene) => SCENES[name][1](page)

describe('at 1280 px in light, and at 320 px in dark', () => {
  it.for(Object.keys(SCENES).filter(isScene))(
    'axe finds nothing, and nothing overflows, in the scene: %s',
    async (name) => {
      expect(await findFaults(await openScene(name))).toEqual([])
    },
  )

  it.for(MAIN)(
    'axe finds nothing in German, Japanese and forced colours in the scene: %s',
    async (name) => {
      const page = await openScene(name)
      for (const lang of ['de', 'ja']) {
        await speak(page, lang)
        expect([lang, await findFaults(page)]).toEqual([lang, []])
      }
      await page.emulateMedia({ forcedColors: 'active' })
      expect(await findFaults(page)).toEqual([])
    },
  )
})

describe('in forced colours', () => {
  it('the filled button differs from the others in forced colours', async () => {
    const page = await openScene('a form')
    await page.emulateMedia({ forcedColors: 'active' })
    const look = (name: string) =>
      button(page, name).evaluate((element) => {
        const { backgroundColor, borderColor, color } = getComputedStyle(element)
        return [backgroundColor, borderColor, color]
      })
    const [filled, plain] = [await look('Save key'), await look('Cancel')]
    expect(filled.filter((value, aspect) => value === plain[aspect])).toEqual([])
    expect(await look('Replace: Anthropic key')).toEqual(plain)
  })

  it('a busy button has the colours of a disabled one in forced colours', async () => {
    const page = await openScene('a busy form')
    await page.emulateMedia({ forcedColors: 'active' })
    const look = (name: string) =>
      button(page, name).evaluate((element) => {
        const { backgroundColor, borderColor, color } = getComputedStyle(element)
        return [backgroundColor, borderColor, color]
      })
    expect(await look('Checking the key with Mistral …')).toEqual(await look('Cancel'))
  })

  it('each kind of status has a mark of its own in forced colours', async () => {
    const page = await openScene('a key in every state')
    await page.emulateMedia({ forcedColors: 'active' })
    const looks = await page.locator('[part=status]').evaluateAll((statuses) =>
      statuses.map((status) => {
        const { content, visibility } = getComputedStyle(status, '::before')
        return [status.className, content, visibility].join(' ')
      }),
    )
    const kinds = ['bad "✕"', 'none "○"', 'ok "✓"', 'warn "!"'].map(
      (mark) => `${mark} / "" visible`,
    )
    expect([...new Set(looks)].toSorted()).toEqual(kinds.toSorted())
  })
})

function isScene(name: string): name is Scene {
  return name in SCENES
}

/** Presses Tab from the top of the page until the focus has left the element. Returns how often it stopped there. */
async function countStops(page: Page): Promise<number> {
  const isInside = () =>
    page.evaluate(() => document.activeElement?.localName === 'api-key-settings')
  let stops = 0
  await page.keyboard.press('Tab')
  while (await isInside()) {
    stops += 1
    await page.keyboard.press('Tab')
  }
  return stops
}

it('fourteen keys take at most 1,100 px and 45 tab stops at 1280 px', async () => {
  const { page } = await openPage(
    (await addSamples('fourteen', { below: '<button>Next</button>' })).url,
  )
  await page.setViewportSize({ width: 1_280, height: 800 })
  await page.locator('#add').waitFor()
  const height = await page
    .locator('api-key-settings')
    .evaluate((element) => element.getBoundingClientRect().height)
  expect(height).toBeLessThanOrEqual(1_100)
  const stops = await countStops(page)
  expect(stops).toBeGreaterThan(14)
  expect(stops).toBeLessThanOrEqual(45)
})

/** The words that are on more than one line. */
const findBroken = (what: Locator) =>
  what.evaluateAll((pieces) =>
    pieces.flatMap((piece) => {
      const texts = Array.from(piece.childNodes).filter((node) => node instanceof Text)
      const words = texts.flatMap((text) =>
        Array.from(text.data.matchAll(/\S+/g), ({ 0: word, index }) => ({ text, word, index })),
      )
      return words.flatMap(({ text, word, index }) => {
        const range = new Range()
        range.setStart(text, index)
        range.setEnd(text, index + word.length)
        return range.getClientRects().length > 1 ? [word] : []
      })
    }),
  )

it('no preview, and no word of a name or a button, breaks at 320 px', async () => {
  const page = await openScene('a key in every state')
  await page.setViewportSize({ width: 320, height: 800 })
  for (const lang of ['de', 'fr', 'en']) {
    await speak(page, lang)
    const pieces = page.locator('[part=preview], [part=provider], [part~=button]')
    expect([lang, await findBroken(pieces)]).toEqual([lang, []])
  }
})

/** Waits until the page was painted twice. */
const paint = (page: Page) =>
  page.evaluate(
    () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))),
  )

describe('what is below the element', () => {
  const BELOW = `<section><h2>Billing</h2>${'<p>What the application has below it.</p>'.repeat(12)}</section>`

  /** Holds what matches `url` until it is released. */
  async function hold(page: Page, url: string): Promise<() => void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    await page.route(url, async (route) => {
      await promise
      await route.continue()
    })
    return resolve
  }

  // The element itself takes 12rem. Before it is defined, only the application can.
  const RESERVED = 'api-key-settings:not(:defined) { display: block; min-height: 12rem }'

  it.for([
    ['none', RESERVED],
    ['two', RESERVED],
    ['fourteen', 'api-key-settings { display: block; min-height: 66rem }'],
  ] as const)('stays where it is while the keys come: %s', async ([samples, style]) => {
    const { url } = await addSamples(samples, { below: BELOW, style })
    const { page } = await openPage('about:blank', { viewport: { width: 1_280, height: 800 } })
    await page.addInitScript(`window.shift = 0
      new PerformanceObserver((list) => {
        for (const { value } of list.getEntries()) window.shift += value
      }).observe({ type: 'layout-shift', buffered: true })`)
    const release = [
      await hold(page, '**/api-key-settings.js'),
      await hold(page, '**/api-keys'),
    ] as const
    await page.goto(url, { waitUntil: 'commit' })
    await page.getByRole('heading', { name: 'Billing' }).waitFor()
    await paint(page)
    release[0]()
    await page.getByText('Loading your keys …').first().waitFor({ state: 'attached' })
    await paint(page)
    release[1]()
    await page.locator('#add').waitFor()
    await paint(page)
    expect(await page.evaluate('window.shift')).toBeLessThan(0.02)
  })
})

describe('the menu', () => {
  /** Whether the whole menu is in the window. */
  const isInside = (menu: Locator) =>
    menu.evaluate((element) => {
      const { top, bottom, left, right } = element.getBoundingClientRect()
      const { clientWidth, clientHeight } = document.documentElement
      return top >= 0 && left >= 0 && right <= clientWidth && bottom <= clientHeight
    })

  /** Opens the menus of rows at the top, in the middle and at the bottom. Returns those that are not in the window. */
  async function findOutside(page: Page): Promise<number[]> {
    const outside: number[] = []
    for (const row of [0, 1, 8, 13]) {
      await page.locator('#more').nth(row).click()
      const menu = page.locator('[part=menu]').nth(row)
      await menu.waitFor()
      if (!(await isInside(menu))) outside.push(row)
      await page.keyboard.press('Escape')
    }
    return outside
  }

  it.for([
    [1_280, 800],
    [320, 800],
    // 1280 by 1024 px at 400 %.
    [320, 256],
  ] as const)('the menu opens inside the window of %i by %i px', async ([width, height]) => {
    const page = await openScene('a key in every state')
    await page.setViewportSize({ width, height })
    expect(await findOutside(page)).toEqual([])
    await speak(page, 'de')
    expect(await findOutside(page)).toEqual([])
  })

  it('the menu closes when its button scrolls away, and not when the page has just scrolled to it', async () => {
    const page = await openScene('a key in every state')
    await page.setViewportSize({ width: 1_280, height: 400 })
    const menu = page.locator('[part=menu]').nth(13)
    await page.locator('#more').nth(13).click()
    await paint(page)
    expect(await menu.isVisible()).toBe(true)
    await page.evaluate(() => scrollTo(0, 0))
    await menu.waitFor({ state: 'hidden' })
  })

  it.for([1_280, 320])(
    'the menu opens inside the window of an Arabic page of %i px, where nothing overflows',
    async (width) => {
      const { page } = await openPage((await addSamples('fourteen', { lang: 'ar' })).url)
      await page.setViewportSize({ width, height: 800 })
      await page.locator('#add').waitFor()
      await page.evaluate(() => (document.documentElement.dir = 'rtl'))
      expect([await overflow(page), await findOutside(page)]).toEqual([0, []])
      await page.evaluate(() => {
        const texts = {
          addKey: 'إضافة مفتاح',
          replace: 'استبدال',
          limits: 'الحدود',
          test: 'اختبار',
        }
        Object.assign(document.querySelector('api-key-settings') ?? {}, { texts })
      })
      await button(page, 'إضافة مفتاح').waitFor()
      expect([await overflow(page), await findOutside(page)]).toEqual([0, []])
      await button(page, 'إضافة مفتاح').click()
      expect([await overflow(page), await findBarriers(page)]).toEqual([0, []])
    },
  )
})

it('a busy button keeps its size at 320 px', async () => {
  const { page } = await openSettings()
  await page.setViewportSize({ width: 320, height: 800 })
  const boxes = () =>
    page.locator('.buttons button').evaluateAll((buttons) =>
      buttons.map((each) => {
        const { x, width, height } = each.getBoundingClientRect()
        return [x, width, height]
      }),
    )
  await beginAdding(page, 'Mistral')
  const idle = await boxes()
  await page.getByRole('button', { name: 'Cancel' }).click()
  await bring(page, 'a busy form')
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
    await act(page, 'OpenAI', 'Test')
    const looks = [await look(page.locator('[part~=success]'))]
    await beginAdding(page)
    await keyField(page).fill('gsk_0123456789')
    looks.push(await look(page.getByText('Selected Groq')))
    await providerField(page).fill('Mistral')
    looks.push(await look(page.getByText('This looks like a Groq key')))
    await keyField(page).fill('sk-...')
    looks.push(await look(page.getByText('This is a masked key.')))
    for (const aspect of [0, 1, 2]) {
      expect(new Set(looks.map((values) => values[aspect])).size).toBe(4)
    }
  },
)

it('a busy button looks disabled under the pointer too', async () => {
  const { page } = await openSettings()
  await bring(page, 'a busy form')
  const ground = (what: Locator) =>
    what.evaluate((element) => getComputedStyle(element).backgroundColor)
  const busy = page.getByRole('button', { name: 'Checking the key with Mistral …' })
  await busy.hover({ force: true })
  expect(await ground(busy)).toBe(await ground(page.getByRole('button', { name: 'Cancel' })))
})

it('nothing moves if the user prefers reduced motion', async () => {
  const { page } = await openSettings()
  await bring(page, 'a busy form')
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
  await act(page, 'OpenAI', 'Limits')
  await beginAdding(page)
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
