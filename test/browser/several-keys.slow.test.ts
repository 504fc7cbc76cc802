/** Several keys of one provider. Slow: it opens many pages in a browser. */

import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { TRANSLATED } from '../../scripts/lib/element.ts'
import {
  act,
  beginAdding,
  button,
  isFocused,
  keyField,
  listItems,
  listKeys,
  providerField,
  rowOf,
  trimAll,
} from './screen.ts'
import { findBarriers, overflow, refuse, setStage, shows } from './stage.ts'

const { vault, openSettings } = await setStage()

const nameField = (page: Page) => page.getByLabel('Name of the key')
const said = (page: Page, text: string) => page.getByText(text)
/** The first key, if it is the one of this name. */
const first = (page: Page, name: string) =>
  page
    .locator('[part=provider]')
    .first()
    .and(page.getByText(name, { exact: true }))

const TWO = { openai: 'sk-good-private', 'openai:work': 'sk-good-work' }

async function addAnother(page: Page, name: string, key = 'sk-good-another'): Promise<void> {
  await beginAdding(page, 'OpenAI')
  await nameField(page).fill(name)
  await keyField(page).fill(key)
  await button(page, 'Save key').click()
}

/** Opens the form of a key's name. */
async function openName(page: Page, key: string): Promise<void> {
  await act(page, key, 'Name and order')
  await nameField(page).waitFor()
}

/** The slots of the user's keys of OpenAI, in their order. */
async function storedSlots({ user, token }: { user: string; token: string }): Promise<string[]> {
  const response = await fetch(`${vault.keyUrl.origin}/api/users/${user}/api-keys`, {
    headers: { Authorization: `Bearer ${token}` },
  })
  const { api_keys }: { api_keys: { provider: string; has_api_key: boolean }[] } =
    await response.json()
  return api_keys
    .filter(({ provider, has_api_key }) => has_api_key && provider.startsWith('openai'))
    .map(({ provider }) => provider)
}

describe('another key of a provider', () => {
  it('another key of a provider is saved under a name, beside the first', async () => {
    const { page, faults, ...opened } = await openSettings({ openai: TWO.openai })
    await beginAdding(page, 'OpenAI')
    const replaces = said(page, 'You already have an OpenAI key. The new one replaces it. Name it')
    await replaces.waitFor()
    await nameField(page).fill(' work ')
    expect(await replaces.count()).toBe(0)
    await page.getByRole('textbox', { name: 'OpenAI · work API key' }).fill('sk-good-work')
    await button(page, 'Save key').click()
    const notice = said(page, 'The OpenAI · work key is saved, and OpenAI accepts it.')
    await notice.waitFor()
    expect(await isFocused(notice)).toBe(true)
    expect(await listKeys(page)).toEqual(['OpenAI', 'OpenAI · work'])
    const detail = { provider: 'openai:work', preview: 'sk-good-...', status: 'active' }
    expect(await page.evaluate('window.events')).toEqual([{ type: 'saved', ...detail }])
    expect(await storedSlots(opened)).toEqual(['openai', 'openai:work'])
    expect(faults()).toEqual([])
  })

  it('another key of a provider replaces the one with its name', async () => {
    const { page } = await openSettings(TWO)
    await beginAdding(page, 'OpenAI')
    await nameField(page).fill('work')
    await said(page, 'You already have an OpenAI · work key. The new one replaces it.').waitFor()
    await keyField(page).fill('sk-good2-work')
    await button(page, 'Replace').click()
    await said(page, 'The OpenAI · work key is saved').waitFor()
    const previews = await page.locator('[part=preview]').allTextContents()
    expect(previews).toEqual(['sk-good-...', 'sk-good2...'])
  })

  it('another key of the only provider needs no choice, and takes a name', async () => {
    const { page } = await openSettings({ openai: TWO.openai }, {}, 'providers="openai"')
    await beginAdding(page)
    await keyField(page).waitFor()
    expect(await isFocused(keyField(page))).toBe(true)
    expect(await providerField(page).count()).toBe(0)
    expect(await nameField(page).count()).toBe(1)
  })

  it.for([
    [
      'a space in it',
      'my key',
      'A name has up to 40 characters: letters of one script, digits, hyphens, dots or underscores.',
    ],
    ['a twin in another case', 'WORK', 'There is such a key already. Choose another name'],
  ] as const)('refuses a name for %s, and keeps what was typed', async ([, name, text]) => {
    const { page, ...opened } = await openSettings(TWO)
    await addAnother(page, name)
    expect(await shows(page.getByRole('alert').filter({ hasText: text }))).toBe(true)
    expect(await isFocused(nameField(page))).toBe(true)
    expect(await nameField(page).getAttribute('aria-invalid')).toBe('true')
    expect(await keyField(page).inputValue()).toBe('sk-good-another')
    expect(await storedSlots(opened)).toEqual(['openai', 'openai:work'])
  })

  it('refuses a key of a provider that has 10', async () => {
    const { page } = await openSettings(TWO)
    await page.route('**/api-keys/openai%3Athird', (route) =>
      route.fulfill(refuse(409, 'too_many_keys')),
    )
    await addAnother(page, 'third')
    const text = 'There are 10 OpenAI keys already. Delete one first.'
    expect(await shows(said(page, text))).toBe(true)
  })

  it.for(['sk-good-0123456789', 'gsk_'.padEnd(41, 'x')])(
    'sends no key that was typed as its name: %s',
    async (key) => {
      const { page } = await openSettings(TWO)
      const sent: string[] = []
      page.on('request', (request) => sent.push(request.method()))
      await addAnother(page, key)
      await said(page, 'A name has up to 40 characters').waitFor()
      expect(sent).toEqual([])
    },
  )
})

describe('a key among several', () => {
  it('a key among several gets another name and another place', async () => {
    const { page, faults, ...opened } = await openSettings(TWO)
    await openName(page, 'OpenAI')
    expect(await isFocused(nameField(page))).toBe(true)
    await nameField(page).fill('private')
    await page.getByLabel('Order of use').selectOption('2')
    await button(page, 'Save').click()
    const notice = said(page, 'You renamed the key')
    await notice.waitFor()
    await rowOf(page, 'OpenAI · private').waitFor()
    expect(await isFocused(notice)).toBe(true)
    expect(await listKeys(page)).toEqual(['OpenAI · work', 'OpenAI · private'])
    expect(await storedSlots(opened)).toEqual(['openai:work', 'openai:private'])
    expect(faults()).toEqual([])
  })

  it('a key among several becomes the first', async () => {
    const { page, ...opened } = await openSettings(TWO)
    await openName(page, 'OpenAI · work')
    expect(await page.getByLabel('Order of use').inputValue()).toBe('1')
    await page.getByLabel('Order of use').selectOption('1')
    await button(page, 'Save').click()
    await said(page, 'You changed the order of the keys').waitFor()
    await first(page, 'OpenAI · work').waitFor()
    expect(await storedSlots(opened)).toEqual(['openai:work', 'openai'])
  })

  it('a key loses its name if no other key is without one', async () => {
    const { page } = await openSettings({ 'openai:work': 'sk-good-work' })
    await openName(page, 'OpenAI · work')
    await nameField(page).fill('')
    await button(page, 'Save').click()
    await said(page, 'You renamed the key').waitFor()
    await rowOf(page, 'OpenAI').waitFor()
    expect(await listKeys(page)).toEqual(['OpenAI'])
  })

  it('a key keeps its name if another key has the new one', async () => {
    const { page } = await openSettings(TWO)
    await openName(page, 'OpenAI')
    await nameField(page).fill('Work')
    await button(page, 'Save').click()
    await said(page, 'There is such a key already. Choose another name').waitFor()
    expect(await isFocused(nameField(page))).toBe(true)
    expect(await nameField(page).getAttribute('aria-invalid')).toBe('true')
  })

  it('Escape, or a form without a change, leaves a key as it is', async () => {
    const { page } = await openSettings(TWO)
    const sent: string[] = []
    page.on('request', (request) => sent.push(request.method()))
    await openName(page, 'OpenAI')
    await page.keyboard.press('Escape')
    await openName(page, 'OpenAI')
    await button(page, 'Save').click()
    await nameField(page).waitFor({ state: 'detached' })
    expect(sent).toEqual([])
  })

  it('a key among several is deleted alone', async () => {
    const { page, ...opened } = await openSettings(TWO)
    await act(page, 'OpenAI · work', 'Delete')
    const question = page.getByRole('dialog', { name: 'Delete the OpenAI · work key?' })
    await question.getByRole('button', { name: 'Delete' }).click()
    await said(page, 'The OpenAI · work key is deleted.').waitFor()
    expect(await listKeys(page)).toEqual(['OpenAI'])
    expect(await storedSlots(opened)).toEqual(['openai'])
    expect(await listItems(page, 'OpenAI')).not.toContain('Name and order')
  })

  it('another order leaves open what is being typed for another provider', async () => {
    const { page } = await openSettings({ ...TWO, 'anthropic?verify=false': 'sk-ant-1' })
    await act(page, 'Anthropic', 'Replace')
    await keyField(page).fill('sk-ant-0123456789')
    await openName(page, 'OpenAI · work')
    await page.getByLabel('Order of use').selectOption('1')
    await button(page, 'Save').click()
    await first(page, 'OpenAI · work').waitFor()
    expect(await keyField(page).inputValue()).toBe('sk-ant-0123456789')
  })

  it('another order leaves open what is being typed for a key whose place another one takes', async () => {
    const { page } = await openSettings(TWO)
    await act(page, 'OpenAI', 'Replace')
    await keyField(page).fill('sk-good-0123456789')
    await openName(page, 'OpenAI · work')
    await page.getByLabel('Order of use').selectOption('1')
    await button(page, 'Save').click()
    await first(page, 'OpenAI · work').waitFor()
    expect(await rowOf(page, 'OpenAI').getByRole('textbox').inputValue()).toBe('sk-good-0123456789')
  })
})

it('a user with one key of each provider sees no names and no order', async () => {
  const { page } = await openSettings({ openai: 'sk-good-1', groq: 'gsk_1' })
  const labels = await rowOf(page, 'OpenAI').getByRole('button').allTextContents()
  expect(trimAll(labels)).toEqual(['OpenAI', 'Test', '⋯'])
  const items = ['Replace', 'Pause', 'Limits', 'Activity', 'Delete']
  expect(await listItems(page, 'OpenAI')).toEqual(items)
})

it.for([
  ['openai:work', ['OpenAI · work (has a key)']],
  ['openai:other openai', ['OpenAI · other', 'OpenAI (has a key)']],
] as const)('providers="%s" offers %j', async ([attribute, offered]) => {
  const { page, faults } = await openSettings(
    { ...TWO, groq: 'gsk_1' },
    {},
    `providers="${attribute} groq"`,
  )
  await page.locator('#add').click()
  const options = await page
    .locator('#slots option')
    .evaluateAll((all) => all.map((option) => [option.getAttribute('value'), option.textContent]))
  const shown = options.map(([name, key]) => (key?.trim() ? `${name} (${key.trim()})` : name))
  expect(shown).toEqual([...offered, 'Groq (has a key)'])
  expect(faults()).toEqual([])
})

it('a slot that the host application names alone gets the first key with its name', async () => {
  const { page } = await openSettings({}, {}, 'providers="openai:work"')
  await button(page, 'Add a key').click()
  expect(await nameField(page).count()).toBe(0)
  await page.getByRole('textbox', { name: 'OpenAI · work API key' }).fill('sk-good-1')
  await button(page, 'Save key').click()
  await said(page, 'The OpenAI · work key is saved').waitFor()
  expect(await page.locator('#add').count()).toBe(0)
})

it.for(['en', ...TRANSLATED])('axe finds nothing in %s at 320 px: names', async (lang) => {
  const { page } = await openSettings(
    { ...TWO, [`openai:${'x'.repeat(40)}`]: 'sk-good-3' },
    {},
    '',
    lang,
  )
  await page.setViewportSize({ width: 320, height: 800 })
  await page.locator('#more').nth(1).click()
  await page.locator('[part=item].name:visible').click()
  await page.locator('api-key-settings-name select').waitFor()
  expect([await findBarriers(page), await overflow(page)]).toEqual([[], 0])
  await page.locator('#add').click()
  await page.locator('#slot').fill('openai')
  await page.locator('api-key-settings-form #label').waitFor()
  expect([await findBarriers(page), await overflow(page)]).toEqual([[], 0])
})
