import { readFileSync } from 'node:fs'
import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { beginAdding, keyField } from './screen.ts'
import { findBarriers, overflow, refuse, setStage, shows } from './stage.ts'

const { vault, addUser, openPage, openSettings } = await setStage()

const JAPANESE = 'src/page/element/languages/ja.json'

const add = (page: Page) => page.locator('#add')
/** The node with the language and the direction of the element. */
const spoken = (page: Page) => page.locator('api-key-settings [lang]').first()

/** The files of texts that the element has loaded. */
const loaded = (page: Page) =>
  page.evaluate(() =>
    performance
      .getEntriesByType('resource')
      .map(({ name }) => new URL(name).pathname)
      .filter((path) => path.endsWith('.json')),
  )

it('the language is that of the page, dates too', async () => {
  const keys = { openai: 'sk-good-1' }
  const { page, user } = await openSettings(keys, { timezoneId: 'UTC' }, '', 'zh-CN')
  const time = '2026-11-03T14:05:00.000Z'
  await vault.sql('UPDATE api_keys SET updated_at = ? WHERE user_id = ?', time, user)
  await page.reload()
  await page.getByRole('button', { name: '添加密钥' }).waitFor()
  await page.locator('#open').click()
  expect(await page.locator('time').allTextContents()).toEqual(['保存时间：2026年11月3日 14:05'])
  expect(await spoken(page).getAttribute('lang')).toBe('zh-Hans')
  expect(await loaded(page)).toEqual(['/api-key-settings.zh-Hans.json'])
})

it('the language is that of the element if it has one', async () => {
  const { page, faults } = await openSettings({}, {}, 'lang="fr"', 'de')
  expect(await shows(page.getByRole('button', { name: 'Ajouter une clé' }))).toBe(true)
  expect(await loaded(page)).toEqual(['/api-key-settings.fr.json'])
  expect(faults()).toEqual([])
})

it('the language follows the page, and what was typed is kept', async () => {
  const { page } = await openSettings()
  await beginAdding(page, 'OpenAI')
  await keyField(page).fill('sk-good-typed')
  await page.evaluate(() => (document.documentElement.lang = 'es'))
  await page.getByRole('button', { name: 'Guardar la clave' }).waitFor()
  expect(await page.locator('#key').inputValue()).toBe('sk-good-typed')
  await page.evaluate(() => (document.documentElement.lang = 'en'))
  expect(await shows(page.getByRole('button', { name: 'Save key' }))).toBe(true)
})

it('texts of another version are not shown, but the English ones', async () => {
  const { page, faults } = await openSettings()
  await page.route('**/api-key-settings.de.json', async (route) => {
    const response = await route.fetch()
    const text = await response.text()
    await route.fulfill({ response, body: text.replace(/[0-9a-f]{8}/, '00000000') })
  })
  await page.evaluate(() => (document.documentElement.lang = 'de'))
  await page.waitForEvent('console', (message) => message.text().includes('"de" did not load'))
  expect(await add(page).textContent()).toContain('Add a key')
  expect(faults().join()).toContain('English is shown')
})

it('texts that do not come within a second are English until they come', async () => {
  const { url } = await addUser({ openai: 'sk-good-1' }, { lang: 'de' })
  const { page } = await openPage('about:blank')
  const held = Promise.withResolvers<void>()
  await page.route('**/api-key-settings.de.json', async (route) => {
    await held.promise
    await route.continue()
  })
  const now = Date.now()
  await page.clock.install({ time: now })
  await page.clock.pauseAt(now + 1_000)
  const listed = page.waitForResponse('**/api-keys')
  await page.goto(url)
  await (await listed).finished()
  expect(await spoken(page).count()).toBe(0)
  await page.clock.runFor(1_000)
  await page.getByRole('button', { name: 'Add a key' }).click()
  await page.getByText('Accepted by OpenAI').waitFor()
  await keyField(page).fill('sk-good-typed')
  held.resolve()
  await page.getByText('Von OpenAI akzeptiert').waitFor()
  expect(await spoken(page).getAttribute('lang')).toBe('de')
  expect(await page.locator('#key').inputValue()).toBe('sk-good-typed')
})

it('sentences that follow each other have no space between them in Japanese', async () => {
  const { page } = await openSettings({ openai: 'sk-good-1' }, {}, '', 'ja')
  const texts: Record<string, string> = JSON.parse(readFileSync(JAPANESE, 'utf8'))
  const join = (...names: string[]) =>
    names
      .map((name) => texts[name])
      .join('')
      .replaceAll('{provider}', 'OpenAI')
      .replaceAll('{time}', '60 分')
  const say = (name: string) => texts[name] ?? ''
  const choose = async (name: string) => {
    await page.locator('#more').click()
    await page.getByRole('menuitem', { name: say(name) }).click()
  }

  await choose('delete')
  const consequence = await page.locator('#consequence').textContent()
  expect(consequence?.trim()).toBe(join('deleteConsequence', 'deleteRevoke'))
  await page.keyboard.press('Escape')

  const answer = async (refusal: ReturnType<typeof refuse>, sentences: string) => {
    await page.route('**/api-keys/openai', (route) => route.fulfill(refusal))
    await page.locator('#save').click()
    await page.locator('#problem').getByText(sentences, { exact: true }).waitFor()
  }
  await choose('replace')
  await page.locator('#key').fill('sk-good-typed')
  await answer(refuse(422, 'api_key_rejected'), join('api_key_rejected', 'keyKept'))
  const wait = { 'Retry-After': '3600' }
  await answer(refuse(503, 'database_busy', wait), join('database_busy', 'retryIn'))
})

describe("a host application's own texts", () => {
  const give = (page: Page, texts: Record<string, string>) =>
    page.evaluate(
      (own) => Object.assign(document.querySelector('api-key-settings') ?? {}, { texts: own }),
      texts,
    )

  it('own texts replace single ones in any language', async () => {
    const { page } = await openSettings({}, {}, '', 'de')
    await give(page, { empty: 'Noch kein Schlüssel.' })
    await page.getByText('Noch kein Schlüssel.', { exact: true }).waitFor()
    expect(await add(page).textContent()).toContain('Schlüssel hinzufügen')
  })

  it('own texts are shown from right to left on such a page', async () => {
    const { page } = await openSettings({ openai: 'sk-good-1' }, {}, '', 'ar')
    await page.evaluate(() => (document.documentElement.dir = 'rtl'))
    const left = (selector: string) =>
      page
        .locator(selector)
        .first()
        .evaluate((element) => element.getBoundingClientRect().left)
    expect(await spoken(page).getAttribute('dir')).toBe('ltr')
    expect(await left('[part=provider]')).toBeLessThan(await left('[part=status]'))
    await give(page, { addKey: 'إضافة مفتاح', saved: 'تم الحفظ {time}' })
    await page.getByRole('button', { name: 'إضافة مفتاح' }).waitFor()
    expect(await spoken(page).getAttribute('lang')).toBe('ar')
    expect(await left('[part=provider]')).toBeGreaterThan(await left('[part=status]'))
    expect(await left('[part=preview]')).toBeGreaterThan(await left('[part=status]'))
    await add(page).click()
    await page.setViewportSize({ width: 320, height: 800 })
    expect(await overflow(page)).toBe(0)
    expect(await findBarriers(page)).toEqual([])
  })
})
