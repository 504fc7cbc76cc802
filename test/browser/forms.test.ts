/** The forms of the element: where the focus is before and after, and what keeps a typed key. */

import type { Locator, Page } from 'playwright-core'
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
  toggleRow,
} from './screen.ts'
import { refuse, setStage, shows } from './stage.ts'

const { openSettings } = await setStage()

const KEYS = {
  openai: 'sk-good-1',
  'openai:work': 'sk-good-2',
  'groq?verify=false': 'gsk_1',
  'default?verify=false': 'sk-plain-1',
}

const ask = (page: Page) => page.getByText('Press Escape again to discard the key that you typed.')

/** Opens the form for a new key, or what an action opens. */
async function open(page: Page, key: string, action: string): Promise<void> {
  if (key === '') await beginAdding(page)
  else await act(page, key, action)
}

/** What is open in the row, or the form for a new key. */
const opened = (page: Page) =>
  page.locator('api-key-settings-form, api-key-settings-item .inner').first()

describe('the focus', () => {
  it.for([
    ['', 'Add', 'Add a key'],
    ['OpenAI', 'Replace', 'More: OpenAI key'],
    ['OpenAI', 'Limits', 'More: OpenAI key'],
    ['OpenAI', 'Name and order', 'More: OpenAI key'],
    ['OpenAI', 'Activity', 'More: OpenAI key'],
    ['General', 'Set provider', 'Set provider: General key'],
  ] as const)(
    'the focus is in what was opened, and returns with Escape: %s %s',
    async ([key, action, opener]) => {
      const { page } = await openSettings(KEYS)
      await open(page, key, action)
      await opened(page).and(page.locator(':focus-within')).waitFor()
      await page.keyboard.press('Escape')
      await opened(page).waitFor({ state: 'detached' })
      expect(await isFocused(button(page, opener))).toBe(true)
    },
  )

  it.for([
    ['', 'Add', 'Cancel', 'Add a key'],
    ['OpenAI', 'Replace', 'Cancel', 'More: OpenAI key'],
    ['OpenAI', 'Activity', 'Close', 'More: OpenAI key'],
    ['General', 'Set provider', 'Cancel', 'Set provider: General key'],
  ] as const)(
    'the focus returns with the button that closes: %s %s',
    async ([key, action, closer, opener]) => {
      const { page } = await openSettings(KEYS)
      await open(page, key, action)
      await button(page, closer).click()
      await opened(page).waitFor({ state: 'detached' })
      expect(await isFocused(button(page, opener))).toBe(true)
    },
  )

  it.for(['Limits', 'Activity'])('the focus returns to the details: %s', async (panel) => {
    const { page } = await openSettings(KEYS)
    await toggleRow(page, 'OpenAI')
    await button(page, `${panel}: OpenAI key`).click()
    await button(page, `${panel}: OpenAI key`).waitFor({ state: 'detached' })
    await opened(page).and(page.locator(':focus-within')).waitFor()
    await page.keyboard.press('Escape')
    await button(page, `${panel}: OpenAI key`).waitFor()
    expect(await isFocused(button(page, `${panel}: OpenAI key`))).toBe(true)
  })
})

it.for(['Limits', 'Activity'])(
  'the name of a key closes what is open, and keeps the focus: %s',
  async (action) => {
    const { page } = await openSettings(KEYS)
    await act(page, 'OpenAI', action)
    await opened(page).and(page.locator(':focus-within')).waitFor()
    await toggleRow(page, 'OpenAI')
    await opened(page).waitFor({ state: 'detached' })
    expect(await isFocused(button(page, 'OpenAI'))).toBe(true)
  },
)

describe('a typed key', () => {
  it.for([
    ['', 'Add'],
    ['OpenAI', 'Replace'],
  ] as const)('a typed key is discarded by the second Escape: %s %s', async ([key, action]) => {
    const { page } = await openSettings(KEYS)
    await open(page, key, action)
    await keyField(page).fill('sk-good-typed')
    await page.keyboard.press('Escape')
    await ask(page).waitFor()
    expect(await keyField(page).inputValue()).toBe('sk-good-typed')
    await page.keyboard.press('Escape')
    await keyField(page).waitFor({ state: 'detached' })
    await open(page, key, action)
    expect(await keyField(page).inputValue()).toBe('')
  })

  it.for([
    ['the row is closed', async (page: Page) => toggleRow(page, 'OpenAI')],
    ['something else is opened', async (page: Page) => act(page, 'OpenAI', 'Limits')],
  ] as const)('a typed key stays at first when %s', async ([, leave]) => {
    const { page } = await openSettings(KEYS)
    await act(page, 'OpenAI', 'Replace')
    await keyField(page).fill('sk-good-typed')
    await leave(page)
    await ask(page).waitFor()
    expect(await keyField(page).inputValue()).toBe('sk-good-typed')
    expect(await isFocused(keyField(page))).toBe(true)
    await leave(page)
    await keyField(page).waitFor({ state: 'detached' })
  })

  it('Escape, then Enter sends no key that looks like another provider’s', async () => {
    const { page } = await openSettings(KEYS)
    await beginAdding(page, 'Mistral')
    await keyField(page).fill('gsk_0123456789')
    await page.getByText('This looks like a Groq key').waitFor()
    await page.keyboard.press('Escape')
    await ask(page).waitFor()
    await page.keyboard.press('Enter')
    await page.getByText('This looks like a Groq key').waitFor()
    expect(await keyField(page).inputValue()).toBe('gsk_0123456789')
    expect(await button(page, 'Save anyway').count()).toBe(1)
  })

  it('a sign-in keeps a typed key, and the problem goes', async () => {
    const { page } = await openSettings(KEYS)
    await page.evaluate(() => {
      const settings = document.querySelector('api-key-settings')
      const signIn = async () => {
        Object.assign(window, { isSignedIn: true })
      }
      Object.assign(settings ?? {}, { signIn })
    })
    const isSignedIn = () => page.evaluate(() => Reflect.get(window, 'isSignedIn') === true)
    await page.route('**/api-keys/openai', async (route) => {
      if (await isSignedIn()) await route.continue()
      else await route.fulfill(refuse(401, 'token_expired'))
    })
    await act(page, 'OpenAI', 'Replace')
    await keyField(page).fill('sk-good2-typed')
    await page.keyboard.press('Enter')
    const alert = page.getByRole('alert').getByText('Your session has ended.')
    await alert.waitFor()
    await button(page, 'Sign in again').click()
    await alert.waitFor({ state: 'detached' })
    expect(await button(page, 'Sign in again').count()).toBe(0)
    expect(await keyField(page).inputValue()).toBe('sk-good2-typed')
    expect(await isFocused(keyField(page))).toBe(true)
    await page.keyboard.press('Enter')
    expect(await shows(page.getByText('The OpenAI key is saved'))).toBe(true)
  })

  it('a sign-in is offered in the row of what failed, and leaves the focus in it', async () => {
    const { page } = await openSettings(KEYS)
    await page.evaluate(() => {
      Object.assign(document.querySelector('api-key-settings') ?? {}, { signIn: async () => {} })
    })
    await page.route('**/verify', (route) => route.fulfill(refuse(401, 'token_expired')))
    await act(page, 'OpenAI', 'Test')
    const again = rowOf(page, 'OpenAI').getByRole('button', { name: 'Sign in again' })
    await again.click()
    await again.waitFor({ state: 'detached' })
    const inRow = page.locator('api-key-settings-item:focus-within')
    expect(await inRow.count()).toBe(1)
  })
})

it('a sign-in is offered where the keys could not be loaded, and leaves the focus beside it', async () => {
  const { page } = await openSettings(KEYS)
  await page.route('**/api-keys', (route) => route.fulfill(refuse(401, 'token_expired')))
  await page.evaluate(() => {
    const before = document.querySelector('api-key-settings')
    const settings = before?.cloneNode()
    if (!before || !settings) return
    Object.assign(settings, {
      getToken: Reflect.get(before, 'getToken'),
      signIn: async () => {},
    })
    before.replaceWith(settings)
  })
  await button(page, 'Sign in again').click()
  await button(page, 'Sign in again').waitFor({ state: 'detached' })
  expect(await isFocused(button(page, 'Try again'))).toBe(true)
  await page.unroute('**/api-keys')
  await page.keyboard.press('Enter')
  await rowOf(page, 'OpenAI').waitFor()
  expect(await isFocused(button(page, 'Add a key'))).toBe(true)
})

describe('a form that saves', () => {
  it.for<[action: string, text: string, fill: (page: Page) => Promise<void>]>([
    [
      'Replace',
      'The OpenAI · work key is saved, and OpenAI accepts it.',
      async (page) => {
        await keyField(page).fill('sk-good-3')
        await button(page, 'Replace').click()
      },
    ],
    [
      'Name and order',
      'You changed the order of the keys',
      async (page) => {
        await page.getByLabel('Order of use').selectOption('0')
        await button(page, 'Save').click()
      },
    ],
  ])('stays open until it has an answer, which its row says: %s', async ([action, text, fill]) => {
    const { page } = await openSettings(KEYS)
    const { promise, resolve: release } = Promise.withResolvers<void>()
    await page.route('**/openai*work', async (route) => {
      await promise
      await route.continue()
    })
    await act(page, 'OpenAI · work', action)
    await fill(page)
    await page.locator('form [aria-busy=true]').waitFor()
    await toggleRow(page, 'OpenAI · work')
    await act(page, 'OpenAI · work', 'Limits')
    await page.keyboard.press('Escape')
    expect(await page.locator('form').count()).toBe(1)
    expect(await page.locator('form [aria-busy=true]').count()).toBe(1)
    expect(await ask(page).count()).toBe(0)
    release()
    await noticeOf(page, 'OpenAI · work').getByText(text).waitFor()
    expect(await page.locator('form').count()).toBe(0)
  })
})

describe('a key that another tab has deleted', () => {
  const gone = (page: Page): Locator =>
    page.getByText('The OpenAI · work key was deleted somewhere else.')

  it.for<[action: string, go: (page: Page) => Promise<void>]>([
    ['tested', (page) => act(page, 'OpenAI · work', 'Test')],
    ['paused', (page) => act(page, 'OpenAI · work', 'Pause')],
    ['deleted', (page) => deleteKey(page, 'OpenAI · work')],
  ])('says so in its row when it is %s', async ([, go]) => {
    const { page, changeElsewhere } = await openSettings(KEYS)
    await changeElsewhere('openai:work', null)
    await go(page)
    await gone(page).waitFor()
    const rows = await page.getByRole('listitem').all()
    const counts = await Promise.all(rows.map((row) => row.getByText('somewhere else').count()))
    expect(counts).toEqual([0, 0, 1, 0])
    expect(await listKeys(page)).toEqual(['General', 'OpenAI', 'Groq'])
    expect(await page.locator('[part~=problem]').count()).toBe(0)
  })

  it('says so above the form that was to replace it, which keeps what was typed', async () => {
    const { page, changeElsewhere } = await openSettings(KEYS)
    await act(page, 'OpenAI · work', 'Replace')
    await keyField(page).fill('sk-good-typed')
    await changeElsewhere('openai:work', null)
    await page.keyboard.press('Enter')
    await gone(page).waitFor()
    expect(await keyField(page).inputValue()).toBe('sk-good-typed')
    await keyField(page).press('Enter')
    await noticeOf(page, 'OpenAI · work').getByText('key is saved').waitFor()
  })

  it('keeps the replacement that is typed while another key is changed, until its form is left', async () => {
    const { page, changeElsewhere } = await openSettings(KEYS)
    await act(page, 'OpenAI · work', 'Replace')
    await keyField(page).fill('sk-good-typed')
    await changeElsewhere('openai:work', null)
    await page.keyboard.press('Enter')
    await gone(page).waitFor()
    await act(page, 'Groq', 'Pause')
    await noticeOf(page, 'Groq').waitFor()
    expect(await gone(page).count()).toBe(0)
    expect(await keyField(page).inputValue()).toBe('sk-good-typed')
    await button(page, 'Cancel').click()
    await page.getByRole('listitem').nth(3).waitFor({ state: 'detached' })
    expect(await listKeys(page)).toEqual(['General', 'OpenAI', 'Groq'])
  })

  it('closes what has no meaning without it', async () => {
    const { page, changeElsewhere } = await openSettings(KEYS)
    await toggleRow(page, 'OpenAI · work')
    await changeElsewhere('openai:work', null)
    await act(page, 'OpenAI · work', 'Test')
    await gone(page).waitFor()
    expect(await page.getByRole('listitem').nth(2).getByRole('button').count()).toBe(0)
  })

  it('closes the open form of a key that its user deletes', async () => {
    const { page } = await openSettings(KEYS)
    await act(page, 'OpenAI · work', 'Limits')
    await page.getByLabel('Usage limit').waitFor()
    await deleteKey(page, 'OpenAI · work')
    await page.getByText('The OpenAI · work key is deleted.').waitFor()
    expect(await page.getByLabel('Usage limit').count()).toBe(0)
  })

  it('begins anew with the next key of its slot', async () => {
    const { page, changeElsewhere } = await openSettings(KEYS)
    await act(page, 'OpenAI · work', 'Limits')
    await page.getByLabel('Usage limit').waitFor()
    await changeElsewhere('openai:work', null)
    await act(page, 'OpenAI · work', 'Pause')
    await gone(page).waitFor()
    await beginAdding(page, 'OpenAI')
    await page.getByLabel('Name of the key').fill('work')
    await keyField(page).fill('sk-good-3')
    await button(page, 'Save key').click()
    await noticeOf(page, 'OpenAI · work').waitFor()
    expect(await page.getByLabel('Usage limit').count()).toBe(0)
    expect(await page.locator('[part~=problem]').count()).toBe(0)
  })
})
