/** What a host application asks of the element, and hears from it. */

import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import {
  act,
  beginAdding,
  button,
  deleteKey,
  isFocused,
  keyField,
  listKeys,
  noticeOf,
  rowOf,
} from './screen.ts'
import { refuse, setStage, shows } from './stage.ts'

const { vault, host, openSettings } = await setStage()

const CHANGED = 'This key was changed somewhere else.'

/** Runs a script about the element, which it calls `settings`. */
const run = async (page: Page, script: string): Promise<unknown> =>
  page.evaluate(`(async () => {
    const settings = window.settings ??= document.querySelector('api-key-settings')
    return ${script}
  })()`)

describe('the events', () => {
  /** Opens the settings of an element whose events are recorded from the beginning. */
  async function openHeard(keys: Record<string, string>) {
    const opened = await openSettings(keys)
    const { page } = opened
    await page.evaluate(`{
      const before = document.querySelector('api-key-settings')
      const settings = before.cloneNode()
      settings.getToken = before.getToken
      window.heard = []
      for (const type of ['loaded', 'changed', 'saved', 'deleted', 'error']) {
        settings.addEventListener(type, (event) => {
          heard.push({ type, bubbles: event.bubbles || event.composed, ...event.detail })
        })
      }
      before.replaceWith(settings)
    }`)
    await page.locator('#add').waitFor()
    /** What was heard since the last call. */
    const heard = async () => page.evaluate<object[]>('window.heard.splice(0)')
    return { ...opened, heard }
  }

  const told = (type: string, detail: object) => ({ type, bubbles: false, ...detail })

  it('`loaded` says how many keys there are, and how many need attention', async () => {
    const { page, user, heard } = await openHeard({ openai: 'sk-good-1', groq: 'gsk_1' })
    expect(await heard()).toEqual([told('loaded', { keys: 2, attention: 0 })])
    await vault.sql("UPDATE api_keys SET status = 'rejected' WHERE user_id = ?", user)
    await run(page, 'settings.setAttribute("user-id", "nobody")')
    await run(page, `settings.setAttribute("user-id", "${user}")`)
    await rowOf(page, 'Groq').waitFor()
    expect(await heard()).toContainEqual(told('loaded', { keys: 2, attention: 2 }))
  })

  it('`changed` says what its user has changed, and in which slot', async () => {
    const { page, heard } = await openHeard({ openai: 'sk-good-1', 'openai:work': 'sk-good-2' })
    await heard()
    for (const [action, change] of [
      ['Test', 'tested'],
      ['Pause', 'paused'],
      ['Resume', 'resumed'],
    ] as const) {
      await act(page, 'OpenAI', action)
      await noticeOf(page, 'OpenAI').waitFor()
      await expect.poll(heard).toEqual([told('changed', { provider: 'openai', change })])
    }
    await act(page, 'OpenAI', 'Limits')
    await page.getByLabel('Maximum number of uses').fill('5')
    await button(page, 'Save limits').click()
    await page.getByText('You changed the limits of the key').waitFor()
    expect(await heard()).toEqual([told('changed', { provider: 'openai', change: 'limits' })])
    await act(page, 'OpenAI', 'Name and order')
    await page.getByLabel('Name of the key').fill('private')
    await button(page, 'Save').click()
    await rowOf(page, 'OpenAI · private').waitFor()
    const loaded = told('loaded', { keys: 2, attention: 0 })
    const renamed = told('changed', { provider: 'openai:private', change: 'renamed' })
    const events: object[] = []
    await expect.poll(async () => events.push(...(await heard()))).toBe(2)
    expect(events).toEqual([renamed, loaded])
    await act(page, 'OpenAI · private', 'Name and order')
    await page.getByLabel('Order of use').selectOption('2')
    await button(page, 'Save').click()
    await page.getByText('You changed the order of the keys').waitFor()
    const moved = told('changed', { provider: 'openai:private', change: 'moved' })
    expect(await heard()).toContainEqual(moved)
  })

  it('`saved` and `deleted` say which slot it was', async () => {
    const { page, heard } = await openHeard({ openai: 'sk-good-1' })
    await heard()
    await act(page, 'OpenAI', 'Replace')
    await keyField(page).fill('sk-good2-replaced')
    await button(page, 'Replace').click()
    await page.getByText('The OpenAI key is saved').waitFor()
    const saved = { provider: 'openai', preview: 'sk-good2...', status: 'active' }
    expect(await heard()).toEqual([told('saved', saved)])
    await deleteKey(page, 'OpenAI')
    await page.getByText('The OpenAI key is deleted.').waitFor()
    expect(await heard()).toEqual([told('deleted', { provider: 'openai' })])
  })

  it('a form in a row tells its problem', async () => {
    const { page, heard } = await openHeard({ openai: 'sk-good-1' })
    await heard()
    await act(page, 'OpenAI', 'Replace')
    await keyField(page).fill('sk-bad-replaced')
    await button(page, 'Replace').click()
    const alert = page.getByRole('alert').getByText('OpenAI does not accept this key.')
    await alert.waitFor()
    expect(await heard()).toMatchObject([{ type: 'error', code: 'api_key_rejected' }])
  })

  it('`changed` says that a tested key was deleted elsewhere', async () => {
    const { page, heard, changeElsewhere } = await openHeard({ openai: 'sk-good-1' })
    await heard()
    await changeElsewhere('openai', null)
    await act(page, 'OpenAI', 'Test')
    await page.getByText('The OpenAI key was deleted somewhere else.').waitFor()
    expect(await heard()).toEqual([told('changed', { provider: 'openai', change: 'elsewhere' })])
  })

  it('`changed` and `error` tell what a look has found', async () => {
    const { page, heard, changeElsewhere } = await openHeard({ openai: 'sk-good-1' })
    await heard()
    await changeElsewhere('openai', 'sk-good-elsewhere')
    await run(page, 'settings.reload()')
    expect(await heard()).toEqual([told('changed', { provider: 'openai', change: 'elsewhere' })])
    await page.route('**/api-keys', (route) => route.fulfill(refuse(503, 'database_busy')))
    await run(page, 'settings.reload()')
    expect(await heard()).toMatchObject([{ type: 'error', code: 'database_busy' }])
    expect(await listKeys(page)).toEqual(['OpenAI'])
  })
})

describe('a change made elsewhere', () => {
  const LOOKS = [
    ['reload()', 'settings.reload()'],
    ['the tab being shown', 'document.dispatchEvent(new Event("visibilitychange"))'],
    ['being attached again', 'settings.replaceWith(settings)'],
    ['being attached again later', '(settings.remove(), document.body.append(settings))'],
  ] as const

  it.for(LOOKS)('%s shows a change made elsewhere, in its row', async ([, look]) => {
    const { page, changeElsewhere } = await openSettings({ openai: 'sk-good-1', groq: 'gsk_1' })
    await changeElsewhere('openai', 'sk-good2-elsewhere')
    await run(page, look)
    await noticeOf(page, 'OpenAI').getByText(CHANGED).waitFor()
    expect(await rowOf(page, 'OpenAI').locator('[part=preview]').textContent()).toBe('sk-good2...')
    expect(await noticeOf(page, 'Groq').count()).toBe(0)
  })

  it.for(LOOKS)('%s keeps the forms that are open, and what is typed', async ([, look]) => {
    const { page, changeElsewhere } = await openSettings({ openai: 'sk-good-1', groq: 'gsk_1' })
    await act(page, 'Groq', 'Replace')
    await rowOf(page, 'Groq').getByRole('textbox').fill('gsk_typed')
    await beginAdding(page, 'Mistral')
    const adding = page.getByRole('textbox', { name: 'Mistral API key' })
    await adding.fill('mistral-typed')
    await changeElsewhere('openai', 'sk-good2-elsewhere')
    await changeElsewhere('groq', 'gsk_elsewhere')
    await run(page, look)
    await noticeOf(page, 'Groq').getByText(CHANGED).waitFor()
    expect(await rowOf(page, 'Groq').getByRole('textbox').inputValue()).toBe('gsk_typed')
    expect(await adding.inputValue()).toBe('mistral-typed')
  })

  it('a key that was deleted or saved elsewhere is shown as such', async () => {
    const { page, changeElsewhere } = await openSettings({ openai: 'sk-good-1', groq: 'gsk_1' })
    await changeElsewhere('openai', null)
    await changeElsewhere('openai:work', 'sk-good-2')
    await run(page, 'settings.reload()')
    await noticeOf(page, 'OpenAI · work').getByText(CHANGED).waitFor()
    await page.getByText('The OpenAI key was deleted somewhere else.').waitFor()
    expect(await listKeys(page)).toEqual(['OpenAI · work', 'Groq'])
  })

  it.for([
    ['a field', '<input id="own">'],
    ['a frame', '<iframe id="own" srcdoc="<input autofocus>"></iframe>'],
  ])('a look takes the focus from nothing else on the page: %s', async ([, own = '']) => {
    const { page, changeElsewhere } = await openSettings({ openai: 'sk-good-1', groq: 'gsk_1' })
    await run(page, `document.body.insertAdjacentHTML('beforeend', '${own}')`)
    await page.locator('#own').click()
    const focused = () => page.evaluate('document.activeElement.id')
    expect(await focused()).toBe('own')
    await changeElsewhere('openai', null)
    await run(page, 'settings.reload()')
    await page.getByText('The OpenAI key was deleted somewhere else.').waitFor()
    expect(await focused()).toBe('own')
  })

  it('a look leaves the focus in the row of a key that is gone', async () => {
    const { page, changeElsewhere } = await openSettings({ openai: 'sk-good-1', groq: 'gsk_1' })
    await button(page, 'More: OpenAI key').focus()
    await changeElsewhere('openai', null)
    await run(page, 'settings.reload()')
    const gone = page.getByText('The OpenAI key was deleted somewhere else.')
    await gone.waitFor()
    expect(await isFocused(gone)).toBe(true)
  })

  it('a look that finds nothing new leaves what was said', async () => {
    const { page } = await openSettings({ openai: 'sk-good-1' })
    await act(page, 'OpenAI', 'Pause')
    await noticeOf(page, 'OpenAI').getByText('You paused the key').waitFor()
    await run(page, 'settings.reload()')
    expect(await noticeOf(page, 'OpenAI').getByText('You paused the key').count()).toBe(1)
  })

  it('a look leaves an open form of a key that is gone', async () => {
    const { page, changeElsewhere } = await openSettings({ openai: 'sk-good-1' })
    await act(page, 'OpenAI', 'Replace')
    await keyField(page).fill('sk-good-typed')
    await changeElsewhere('openai', null)
    await run(page, 'settings.reload()')
    await page.getByText('The OpenAI key was deleted somewhere else.').waitFor()
    expect(await keyField(page).inputValue()).toBe('sk-good-typed')
  })
})

describe('an element that is moved or removed', () => {
  async function typeTwo(page: Page) {
    await act(page, 'OpenAI', 'Replace')
    await rowOf(page, 'OpenAI').getByRole('textbox').fill('sk-good-typed')
    await beginAdding(page, 'Mistral')
    await page.getByRole('textbox', { name: 'Mistral API key' }).fill('mistral-typed')
    const fields = await Promise.all((await keyField(page).all()).map((one) => one.elementHandle()))
    return async () => Promise.all(fields.map((field) => field?.inputValue()))
  }

  it.for([
    ['at once', 'document.body.prepend(settings)'],
    ['within the page', 'document.querySelector("h1").replaceChildren(settings)'],
  ])('keeps a typed key if it is moved %s', async ([, move = '']) => {
    const { page } = await openSettings({ openai: 'sk-good-1' })
    const values = await typeTwo(page)
    await run(page, move)
    await run(page, 'settings.updateComplete')
    expect((await values()).toSorted()).toEqual(['mistral-typed', 'sk-good-typed'])
  })

  it('forgets a typed key if it is removed', async () => {
    const { page } = await openSettings({ openai: 'sk-good-1' })
    const values = await typeTwo(page)
    await run(page, 'settings.remove()')
    expect(await values()).toEqual(['', ''])
    await run(page, 'document.body.append(settings)')
    await rowOf(page, 'OpenAI').waitFor()
    expect(await values()).toEqual(['', ''])
  })

  it('leaves nothing behind after 65 mounts', async () => {
    const { page } = await openSettings({ openai: 'sk-good-1', groq: 'gsk_1' })
    const session = await page.context().newCDPSession(page)
    await session.send('Performance.enable')
    const count = async () => {
      await session.send('HeapProfiler.collectGarbage')
      const { metrics } = await session.send('Performance.getMetrics')
      const named = (name: string) => metrics.find((metric) => metric.name === name)?.value ?? 0
      return { nodes: named('Nodes'), listeners: named('JSEventListeners') }
    }
    const mount = async (times: number) =>
      page.evaluate(`(async () => {
        for (let at = 0; at < ${times}; at++) {
          const before = document.querySelector('api-key-settings')
          const settings = before.cloneNode()
          settings.getToken = before.getToken
          const loaded = new Promise((resolve) => settings.addEventListener('loaded', resolve))
          before.replaceWith(settings)
          await loaded
          await settings.updateComplete
          const row = settings.shadowRoot.querySelector('api-key-settings-item')
          await row.updateComplete
          row.shadowRoot.querySelector('#menu').showPopover()
          row.shadowRoot.querySelector('#menu').hidePopover()
          row.shadowRoot.querySelector('#open').click()
          await row.updateComplete
        }
      })()`)
    await mount(5)
    const first = await count()
    await mount(65)
    const last = await count()
    expect(last.listeners - first.listeners).toBeLessThan(65)
    expect(last.nodes - first.nodes).toBeLessThan(65)
  })
})

describe('how the element looks', () => {
  const scheme = (page: Page) => run(page, 'getComputedStyle(settings).colorScheme')
  const surface = (page: Page) =>
    run(page, 'getComputedStyle(settings.shadowRoot.querySelector("ul")).backgroundColor')

  it.for([
    ['light', 'dark', 'light', 'rgb(255, 255, 255)'],
    ['dark', 'light', 'dark', 'rgb(23, 27, 32)'],
    ['auto', 'dark', 'light dark', 'rgb(23, 27, 32)'],
    ['auto', 'light', 'light dark', 'rgb(255, 255, 255)'],
  ] as const)('theme="%s" on a %s device is %s', async ([theme, device, expected, colour]) => {
    const { page } = await openSettings(
      { openai: 'sk-good-1' },
      { colorScheme: device },
      `theme="${theme}"`,
    )
    expect([await scheme(page), await surface(page)]).toEqual([expected, colour])
  })

  it('a theme that is set later is an attribute, and none is the page’s', async () => {
    const { page } = await openSettings({ openai: 'sk-good-1' }, { colorScheme: 'light' })
    expect(await scheme(page)).toBe('light dark')
    await run(page, '(settings.theme = "dark", settings.updateComplete)')
    expect(await run(page, 'settings.getAttribute("theme")')).toBe('dark')
    expect(await surface(page)).toBe('rgb(23, 27, 32)')
    await run(page, '(settings.theme = null, settings.updateComplete)')
    expect(await run(page, 'settings.hasAttribute("theme")')).toBe(false)
    await run(page, 'document.documentElement.style.colorScheme = "dark"')
    expect(await surface(page)).toBe('rgb(23, 27, 32)')
  })

  it('density="compact" makes the rows lower', async () => {
    const { page } = await openSettings({ openai: 'sk-good-1' })
    const height = async () => (await rowOf(page, 'OpenAI').boundingBox())?.height ?? 0
    const before = await height()
    await run(page, '(settings.density = "compact", settings.updateComplete)')
    expect(await run(page, 'settings.getAttribute("density")')).toBe('compact')
    expect(await height()).toBeLessThan(before)
  })

  it.for([
    ['a column', 'display: flex; flex-direction: column; align-items: center'],
    ['a row', 'display: flex; flex-wrap: wrap'],
    ['a grid', 'display: grid; justify-items: start'],
  ])('takes the width of its place in %s', async ([, style]) => {
    const { page } = await openSettings({ openai: 'sk-good-1' })
    await page.locator('main').evaluate((main, css) => main.setAttribute('style', css), style)
    const widthOf = async (part: string) => (await page.locator(part).boundingBox())?.width
    expect(await widthOf('api-key-settings')).toBe(await widthOf('main'))
  })

  it.for([
    ['', 3],
    ['heading-level="2"', 2],
    ['heading-level="5"', 5],
  ] as const)('the headings fit the outline of the page: %s', async ([attributes, level]) => {
    const { page } = await openSettings({ openai: 'sk-good-1' }, {}, attributes)
    expect(await shows(page.getByRole('heading', { name: 'OpenAI', level }))).toBe(true)
  })

  it('a language that comes late replaces English, and what is typed stays', async () => {
    const { page, user, token } = await openSettings({ openai: 'sk-good-1' })
    const held = Promise.withResolvers<void>()
    await page.route('**/api-key-settings.de.json', async (route) => {
      await held.promise
      await route.continue()
    })
    const { origin } = vault.keyUrl
    await page.goto(host.open({ vault: origin, user, tokens: [token], lang: 'de' }))
    await act(page, 'OpenAI', 'Replace')
    const field = rowOf(page, 'OpenAI').getByRole('textbox')
    await field.fill('sk-good-typed')
    held.resolve()
    await button(page, 'Schlüssel hinzufügen').waitFor()
    expect(await field.inputValue()).toBe('sk-good-typed')
  })
})
