/** The rows of the element: one action for each state, a menu, and what is said where it happened. */

import type { Locator, Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import {
  act,
  beginAdding,
  button,
  isFocused,
  keyField,
  listItems,
  listKeys,
  noticeOf,
  rowOf,
} from './screen.ts'
import { setStage } from './stage.ts'

const { vault, openSettings } = await setStage()

/** A key: its name, the columns of its row, the action of its row, and the items of its menu. */
type State = readonly [name: string, columns: Record<string, string>, main: string, items: string[]]

const timeIn = (days: number): string => new Date(Date.now() + days * 86_400_000).toISOString()

const ACTIVE = { status: 'active' }
const REJECTED = { status: 'rejected' }
const EXHAUSTED = { ...ACTIVE, exhausted_at: timeIn(-2) }
const PAUSED = { ...ACTIVE, paused_at: timeIn(-2) }
const REACHED = { ...ACTIVE, max_uses: '0', max_uses_per: 'month' }
const REST = ['Limits', 'Activity', 'Delete']

/** 14 keys, by the slot in which they are saved. */
const STATES: Record<string, State> = {
  openai: ['OpenAI', ACTIVE, 'Test', ['Replace', 'Pause', ...REST]],
  anthropic: ['Anthropic', REJECTED, 'Replace', ['Test', 'Pause', ...REST]],
  gemini: ['Google Gemini', { expires_at: timeIn(-2) }, 'Replace', ['Pause', ...REST]],
  openrouter: [
    'OpenRouter',
    EXHAUSTED,
    'Add credit (in a new tab)',
    ['Test', 'Replace', 'Pause', ...REST],
  ],
  mistral: ['Mistral', EXHAUSTED, 'Test', ['Replace', 'Pause', ...REST]],
  groq: ['Groq', PAUSED, 'Resume', ['Replace', ...REST]],
  deepseek: ['DeepSeek', { ...PAUSED, ...REJECTED }, 'Replace', ['Resume', ...REST]],
  xai: ['xAI', REACHED, 'Limits', ['Test', 'Replace', 'Pause', 'Activity', 'Delete']],
  cohere: ['Cohere', { ...ACTIVE, expires_at: timeIn(2) }, 'Replace', ['Test', 'Pause', ...REST]],
  together: ['Together AI', { key_id: 'gone' }, '', ['Activity', 'Delete']],
  perplexity: ['Perplexity', { status: 'unverified' }, 'Test', ['Replace', 'Pause', ...REST]],
  huggingface: ['Replicate', { provider: 'replicate' }, 'Replace', ['Activity', 'Delete']],
  github: ['gone', { provider: 'gone' }, 'Delete', ['Activity']],
  default: ['General', {}, 'Set provider', ['Replace', 'Pause', ...REST]],
}

/** The keys that need attention, then the others. */
const URGENT = [
  'Anthropic',
  'Google Gemini',
  'OpenRouter',
  'Mistral',
  'DeepSeek',
  'xAI',
  'Cohere',
  'Replicate',
]
const OTHERS = ['General', 'OpenAI', 'Groq', 'Together AI', 'Perplexity', 'gone']

/** Opens the settings with a key in each state. */
async function openStates() {
  const keys = Object.keys(STATES).map((slot) => [`${slot}?verify=false`, `sk-good-${slot}`])
  const opened = await openSettings(Object.fromEntries(keys))
  for (const [slot, [, columns]] of Object.entries(STATES)) {
    await setColumns(opened.user, slot, columns)
  }
  await opened.page.reload()
  await rowOf(opened.page, 'gone').waitFor()
  return opened
}

async function setColumns(user: string, slot: string, columns: Record<string, string>) {
  for (const [column, value] of Object.entries(columns)) {
    const where = 'WHERE user_id = ? AND provider = ?'
    await vault.sql(`UPDATE api_keys SET ${column} = ? ${where}`, value, user, slot)
  }
}

/** The button or link of a row that needs no menu. */
const mainOf = (page: Page, key: string) =>
  rowOf(page, key).locator('[aria-haspopup]').locator('xpath=preceding-sibling::*')

const attention = (page: Page) => page.getByText(/needs? attention/)

describe('a key in each state', () => {
  it('each state has one action, and the rest in a menu', async () => {
    const { page, faults } = await openStates()
    const found: Record<string, unknown> = {}
    for (const [name] of Object.values(STATES)) {
      const [main = ''] = await mainOf(page, name).allTextContents()
      found[name] = [main.trim(), await listItems(page, name)]
    }
    const expected = Object.values(STATES).map(([name, , main, items]) => [name, [main, items]])
    expect(found).toEqual(Object.fromEntries(expected))
    expect(faults()).toEqual([])
  })

  it('the keys that need attention are counted, and first until they are loaded again', async () => {
    const { page } = await openStates()
    expect(await listKeys(page)).toEqual([...URGENT, ...OTHERS])
    expect(await attention(page).textContent()).toBe('8 keys need attention')
    await act(page, 'Anthropic', 'Replace')
    await keyField(page).fill('sk-ant-0123456789')
    await button(page, 'Replace').click()
    await noticeOf(page, 'Anthropic')
      .getByText('The Anthropic key is saved, but Anthropic has not confirmed it yet.')
      .waitFor()
    expect(await attention(page).textContent()).toBe('7 keys need attention')
    expect(await listKeys(page)).toEqual([...URGENT, ...OTHERS])
    await page.reload()
    await rowOf(page, 'gone').waitFor()
    expect((await listKeys(page)).slice(0, 7)).toEqual(URGENT.slice(1))
  })

  it('a single key that needs attention is counted too, and none is not', async () => {
    const { page, user } = await openSettings({ openai: 'sk-good-1', groq: 'gsk_1' })
    expect(await attention(page).count()).toBe(0)
    await setColumns(user, 'groq', REJECTED)
    await page.reload()
    await attention(page).waitFor()
    expect(await attention(page).textContent()).toBe('1 key needs attention')
    expect(await listKeys(page)).toEqual(['Groq', 'OpenAI'])
  })
})

it('a screen reader reads a row from its name to its menu', async () => {
  const { page, user } = await openSettings({ 'openai?verify=false': 'sk-good-1' })
  await setColumns(user, 'openai', { ...REJECTED, last_used_at: '2026-11-20T09:00:00.000Z' })
  await page.reload()
  const read = await rowOf(page, 'OpenAI').ariaSnapshot()
  expect(read.split('\n').map((line) => line.trim().replace(/^- /, ''))).toEqual([
    'listitem:',
    'heading "OpenAI" [level=3]:',
    'button "OpenAI"',
    'code: sk-good-...',
    'text: Rejected by OpenAI. Replace it.',
    'status',
    'paragraph:',
    'time: Last used 20 Nov 2026',
    `'button "Replace: OpenAI key"': Replace`,
    `'button "More: OpenAI key"': ⋯`,
    'status',
    'alert',
  ])
})

describe('the menu of a row', () => {
  const item = (page: Page, name: string) => page.getByRole('menuitem', { name, exact: true })
  const more = (page: Page) => button(page, 'More: OpenAI key')

  async function openMenu(page: Page, key: string): Promise<void> {
    await more(page).focus()
    await page.keyboard.press(key)
    await item(page, 'Replace').and(page.locator(':focus')).waitFor()
  }

  it.for(['Enter', 'Space'])('opens with %s, and its keys go around', async (key) => {
    const { page } = await openSettings({ openai: 'sk-good-1' })
    await openMenu(page, key)
    for (const [pressed, name] of [
      ['ArrowDown', 'Pause'],
      ['ArrowUp', 'Replace'],
      ['ArrowUp', 'Delete'],
      ['ArrowDown', 'Replace'],
      ['End', 'Delete'],
      ['Home', 'Replace'],
    ] as const) {
      await page.keyboard.press(pressed)
      expect(await isFocused(item(page, name))).toBe(true)
    }
  })

  it('Escape closes it, and the focus is on its button again', async () => {
    const { page } = await openSettings({ openai: 'sk-good-1' })
    await openMenu(page, 'Enter')
    await page.keyboard.press('Escape')
    await page.getByRole('menu').waitFor({ state: 'hidden' })
    expect(await isFocused(more(page))).toBe(true)
  })

  it('Tab closes it, and goes on from its button', async () => {
    const { page } = await openSettings({ openai: 'sk-good-1', groq: 'gsk_1' })
    await openMenu(page, 'Enter')
    await page.keyboard.press('Tab')
    await page.getByRole('menu').waitFor({ state: 'hidden' })
    expect(await isFocused(button(page, 'Groq'))).toBe(true)
    await openMenu(page, 'Enter')
    await page.keyboard.press('Shift+Tab')
    await page.getByRole('menu').waitFor({ state: 'hidden' })
    expect(await isFocused(button(page, 'Test: OpenAI key'))).toBe(true)
  })

  it('a click elsewhere closes it, and keeps the focus that it gives', async () => {
    const { page } = await openSettings({ openai: 'sk-good-1', groq: 'gsk_1' })
    await openMenu(page, 'Enter')
    await button(page, 'Groq').click()
    await page.getByRole('menu').waitFor({ state: 'hidden' })
    expect(await isFocused(button(page, 'Groq'))).toBe(true)
  })

  it('the menu of each row lies in the window', async () => {
    const { page } = await openStates()
    await page.setViewportSize({ width: 360, height: 640 })
    for (const name of ['Anthropic', 'OpenAI', 'Perplexity']) {
      await button(page, `More: ${name} key`).click()
      const box = await page.getByRole('menu').boundingBox()
      expect(box && isIn(box, { x: 0, y: 0, width: 360, height: 640 })).toBe(true)
      await page.keyboard.press('Escape')
    }
  })
})

interface Box {
  x: number
  y: number
  width: number
  height: number
}

const isIn = (inner: Box, outer: Box): boolean =>
  inner.x >= outer.x &&
  inner.y >= outer.y &&
  inner.x + inner.width <= outer.x + outer.width &&
  inner.y + inner.height <= outer.y + outer.height

async function boxOf(what: Locator): Promise<Box> {
  const box = await what.boundingBox()
  if (box === null) throw new Error('It is not on the page')
  return box
}

/** A click or a key, of which a task takes some. */
type Step = (page: Page) => Promise<void>

const click =
  (name: string, role: 'button' | 'menuitem' = 'button'): Step =>
  (page) =>
    page.getByRole(role, { name, exact: true }).click()

const paste =
  (text: string): Step =>
  async (page) => {
    await page.locator('input:focus').waitFor()
    await page.keyboard.insertText(text)
  }

const enter: Step = async (page) => {
  await page.locator('[type=submit][aria-disabled=false]').waitFor()
  await page.keyboard.press('Enter')
}

const choose = (item: string): Step[] => [click('More: OpenAI key'), click(item, 'menuitem')]

it.for<[task: string, steps: number, columns: Record<string, string>, how: Step[], text: string]>([
  [
    'add a key',
    3,
    {},
    [click('Add a key'), paste('gsk_0123456789'), enter],
    'The Groq key is saved, but Groq has not confirmed it yet.',
  ],
  [
    'replace a key',
    4,
    {},
    [...choose('Replace'), paste('sk-good2-1'), enter],
    'The OpenAI key is saved',
  ],
  [
    'replace a rejected key',
    3,
    REJECTED,
    [click('Replace: OpenAI key'), paste('sk-good2-1'), enter],
    'The OpenAI key is saved',
  ],
  ['limit a key', 4, {}, [...choose('Limits'), paste('5'), enter], 'You changed the limits'],
  ['pause a key', 2, {}, choose('Pause'), 'You paused the key'],
  ['resume a key', 1, PAUSED, [click('Resume: OpenAI key')], 'You resumed the key'],
  ['test a key', 1, {}, [click('Test: OpenAI key')], 'OpenAI accepts this key.'],
  ['delete a key', 3, {}, [...choose('Delete'), click('Delete')], 'The OpenAI key is deleted.'],
])('a user can %s with %i clicks and keys', async ([, steps, columns, how, text]) => {
  const { page, user } = await openSettings({ openai: 'sk-good-1' })
  await setColumns(user, 'openai', columns)
  await page.reload()
  for (const step of how) await step(page)
  await page.getByText(text).waitFor()
  expect(how).toHaveLength(steps)
})

describe('what is said where it happened', () => {
  /** Where the parts of OpenAI's row are in the window. A button may get wider at its start. */
  async function placeOf(page: Page) {
    const [name, main, more] = await Promise.all([
      boxOf(button(page, 'OpenAI')),
      boxOf(mainOf(page, 'OpenAI')),
      boxOf(button(page, 'More: OpenAI key')),
    ])
    return { name, main: { y: main.y, end: main.x + main.width }, more }
  }

  /** Expects that `text` is said in OpenAI's row and in the window, and that nothing has moved. */
  async function expectSaid(page: Page, text: string, place: object): Promise<void> {
    await noticeOf(page, 'OpenAI').getByText(text).waitFor()
    const notice = await boxOf(noticeOf(page, 'OpenAI'))
    expect(isIn(notice, { x: 0, y: 0, width: 1_280, height: 720 })).toBe(true)
    expect(isIn(notice, await boxOf(rowOf(page, 'OpenAI')))).toBe(true)
    expect(await page.locator('[part~=notice]').count()).toBe(1)
    expect(await placeOf(page)).toEqual(place)
  }

  it('each action is answered in its row, and moves nothing under the pointer', async () => {
    const { page } = await openStates()
    await rowOf(page, 'OpenAI').evaluate((row) => row.scrollIntoView({ block: 'center' }))
    const place = await placeOf(page)

    const held = Promise.withResolvers<void>()
    await page.route('**/verify', async (route) => {
      await held.promise
      await route.continue()
    })
    await act(page, 'OpenAI', 'Test')
    await rowOf(page, 'OpenAI').locator('[part=busy]').waitFor()
    expect(await placeOf(page)).toEqual(place)
    held.resolve()
    await expectSaid(page, 'OpenAI accepts this key.', place)

    await act(page, 'OpenAI', 'Pause')
    await expectSaid(page, 'You paused the key', place)

    await act(page, 'OpenAI', 'Replace')
    await keyField(page).fill('sk-good2-replaced')
    await button(page, 'Replace').click()
    await expectSaid(page, 'It stays paused until you resume it.', place)
    expect(await noticeOf(page, 'OpenAI').textContent()).toContain('The OpenAI key is saved')

    await act(page, 'OpenAI', 'Resume')
    await expectSaid(page, 'You resumed the key', place)
    expect(await mainOf(page, 'OpenAI').textContent()).toContain('Test')
  })

  it.for([320, 480, 1_280])(
    'a key that begins to need attention moves nothing, in a window of %i px',
    async (width) => {
      const { page } = await openSettings({ 'openai?verify=false': 'sk-bad-1' })
      await page.setViewportSize({ width, height: 720 })
      const place = await placeOf(page)
      await act(page, 'OpenAI', 'Test')
      await attention(page).waitFor()
      expect(await placeOf(page)).toEqual(place)
    },
  )

  it('a replaced key that is paused says so, and its row resumes it', async () => {
    const { page, user } = await openSettings({ openai: 'sk-good-1' })
    await setColumns(user, 'openai', PAUSED)
    await page.reload()
    await act(page, 'OpenAI', 'Replace')
    await keyField(page).fill('sk-good2-replaced')
    await button(page, 'Replace').click()
    const text =
      'The OpenAI key is saved, and OpenAI accepts it. It stays paused until you resume it.'
    const said = noticeOf(page, 'OpenAI')
    await said.waitFor()
    expect((await said.textContent())?.replaceAll(/\s+/g, ' ').trim()).toBe(text)
    expect(await rowOf(page, 'OpenAI').getByText('Paused. Applications').count()).toBe(1)
    await button(page, 'Resume: OpenAI key').click()
    await said.getByText('You resumed the key').waitFor()
  })

  it('a new key among many is in the window, and has the focus', async () => {
    const { page } = await openStates()
    await beginAdding(page, 'Hugging Face')
    await keyField(page).fill('hf_0123456789')
    await button(page, 'Save key').click()
    const notice = noticeOf(page, 'Hugging Face')
    await notice
      .getByText('The Hugging Face key is saved, but Hugging Face has not confirmed it yet.')
      .waitFor()
    expect(await isFocused(notice)).toBe(true)
    const row = await boxOf(rowOf(page, 'Hugging Face'))
    expect(isIn(row, { x: 0, y: 0, width: 1_280, height: 720 })).toBe(true)
  })

  it('what was said goes with the next change', async () => {
    const { page } = await openSettings({ openai: 'sk-good-1', groq: 'gsk_1' })
    await act(page, 'OpenAI', 'Pause')
    await noticeOf(page, 'OpenAI').waitFor()
    await act(page, 'Groq', 'Pause')
    await noticeOf(page, 'Groq').waitFor()
    expect(await noticeOf(page, 'OpenAI').count()).toBe(0)
    await act(page, 'Groq', 'Delete')
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
    await page.getByText('The Groq key is deleted.').waitFor()
    await act(page, 'OpenAI', 'Resume')
    await noticeOf(page, 'OpenAI').waitFor()
    expect(await page.getByRole('listitem').count()).toBe(1)
  })

  it('a row that moves up keeps the focus of its button', async () => {
    const { page } = await openSettings({ openai: 'sk-good-1', groq: 'gsk_1' })
    await act(page, 'OpenAI', 'Delete')
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
    await page.getByText('The OpenAI key is deleted.').waitFor()
    await act(page, 'Groq', 'Test')
    await noticeOf(page, 'Groq').waitFor()
    expect(await page.getByRole('listitem').count()).toBe(1)
    expect(await isFocused(button(page, 'Test: Groq key'))).toBe(true)
  })
})
