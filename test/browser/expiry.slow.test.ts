import type { Page } from 'playwright-core'
import { expect, it } from 'vitest'
import { TRANSLATED } from '../../scripts/lib/element.ts'
import {
  act,
  beginAdding,
  button,
  keyField,
  listItems,
  rowOf,
  toggleRow,
  trimAll,
} from './screen.ts'
import { findBarriers, overflow, setStage, shows } from './stage.ts'

const { vault, openSettings } = await setStage()

const DAY_MS = 24 * 60 * 60 * 1_000
const NOON = Date.parse('2026-06-15T12:00:00.000Z')

const expiry = (page: Page) => page.getByLabel('Expires', { exact: true })
const status = (page: Page) => page.locator('[part=status]')

/** Opens the details of the key, and returns its times. */
async function readTimes(page: Page): Promise<string[]> {
  await page.locator('#open').click()
  return page.locator('time').allTextContents()
}

/** Unfolds the choice of days. */
const unfold = async (page: Page) => page.locator('summary').click()

const timeIn = (days: number) => new Date(Date.now() + days * DAY_MS).toISOString()
const dayIn = (days: number) =>
  new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeZone: 'UTC' }).format(
    Date.now() + days * DAY_MS,
  )

/** Opens the settings with a key of OpenAI whose row has `columns`. */
async function openKey(columns: Record<string, string>, lang = 'en') {
  const opened = await openSettings({ openai: 'sk-good-1' }, { timezoneId: 'UTC' }, '', lang)
  for (const [column, value] of Object.entries(columns)) {
    await vault.sql(`UPDATE api_keys SET ${column} = ? WHERE user_id = ?`, value, opened.user)
  }
  await opened.page.reload()
  await status(opened.page).waitFor()
  return opened
}

/** When the vault says that the key of OpenAI expires. */
async function askExpiry({ user, token }: { user: string; token: string }): Promise<unknown> {
  const url = `${vault.keyUrl.origin}/api/users/${user}/api-keys/openai`
  const response = await fetch(url, { headers: { Authorization: `Bearer ${token}` } })
  return Reflect.get(Object(await response.json()), 'expires_at')
}

it('a new key never expires unless its user says so', async () => {
  const { page, user, token } = await openSettings()
  await beginAdding(page, 'OpenAI')
  expect(await expiry(page).isVisible()).toBe(false)
  await page.getByText('Expires · Never').click()
  const names = await expiry(page).locator('option').allTextContents()
  expect(trimAll(names)).toEqual(['Never', 'In 30 days', 'In 90 days', 'In a year'])
  await keyField(page).fill('sk-good-1')
  const sent = page.waitForRequest((request) => request.method() === 'PUT')
  await button(page, 'Save key').click()
  expect((await sent).postDataJSON()).toEqual({ api_key: 'sk-good-1' })
  expect(await shows(page.getByText('Accepted by OpenAI'))).toBe(true)
  await toggleRow(page, 'OpenAI')
  await page.locator('time').getByText('Saved').waitFor()
  expect(await page.getByText(/^Expires/).count()).toBe(0)
  expect(await askExpiry({ user, token })).toBeUndefined()
})

it('a new key expires when its user says', async () => {
  const { page, user, token } = await openSettings({}, { timezoneId: 'UTC' })
  await beginAdding(page, 'OpenAI')
  await keyField(page).fill('sk-good-1')
  await unfold(page)
  await expiry(page).selectOption('In 90 days')
  const day = dayIn(90)
  await button(page, 'Save key').click()
  await page.getByText('The OpenAI key is saved,').waitFor()
  await toggleRow(page, 'OpenAI')
  expect(await shows(page.getByText(`Expires ${day}`, { exact: true }))).toBe(true)
  expect(await status(page).textContent()).toBe('Accepted by OpenAI')
  const ahead = Date.parse(String(await askExpiry({ user, token }))) - Date.now()
  expect(ahead / DAY_MS).toBeCloseTo(90, 2)
})

it('a key that replaces one expires when that would have, unless its user says otherwise', async () => {
  const expires_at = timeIn(40)
  const { page, user, token } = await openKey({ expires_at })
  await act(page, 'OpenAI', 'Replace')
  await page.getByText(`Expires · ${dayIn(40)}`).click()
  expect(await expiry(page).inputValue()).toBe('')
  await keyField(page).fill('sk-good-2')
  await button(page, 'Replace').click()
  await page.getByText('The OpenAI key is saved,').waitFor()
  expect(await askExpiry({ user, token })).toBe(expires_at)
  await act(page, 'OpenAI', 'Replace')
  await keyField(page).fill('sk-good-3')
  await unfold(page)
  await expiry(page).selectOption('Never')
  await button(page, 'Replace').click()
  await keyField(page).waitFor({ state: 'detached' })
  expect(await askExpiry({ user, token })).toBeUndefined()
})

it('a key that replaces an expired one never expires, and the form says so', async () => {
  const { page, user, token } = await openKey({ expires_at: timeIn(-1) })
  await button(page, 'Replace: OpenAI key').click()
  const text = `The previous key expired on ${dayIn(-1)}. The new one expires only if you choose a date.`
  await page.getByText(text).waitFor()
  await page.getByText('Expires · Never').waitFor()
  await keyField(page).fill('sk-good-2')
  await button(page, 'Replace').click()
  await page.getByText('The OpenAI key is saved,').waitFor()
  expect(await askExpiry({ user, token })).toBeUndefined()
})

it('a key is not saved if the date of the device is wrong, and the page says so', async () => {
  const { page } = await openSettings()
  await page.clock.setSystemTime('2020-01-01T12:00:00Z')
  await beginAdding(page, 'OpenAI')
  await keyField(page).fill('sk-good-1')
  await unfold(page)
  await expiry(page).selectOption('In 30 days')
  await button(page, 'Save key').click()
  const problem = page
    .getByRole('alert')
    .getByText('Check the date of this device, then try again.')
  expect(await shows(problem)).toBe(true)
  expect(await expiry(page).inputValue()).toBe('30')
})

it('a key shows the day when it expires, until 14 days before', async () => {
  const { page } = await openKey({ expires_at: timeIn(15) })
  expect(await readTimes(page)).toContain(`Expires ${dayIn(15)}`)
  expect(await status(page).textContent()).toBe('Accepted by OpenAI')
})

it('a key says in the language of the page that it expires soon', async () => {
  const { page } = await openKey({ expires_at: '2026-06-16T12:00:00.000Z' }, 'ja')
  await page.clock.setFixedTime(NOON)
  await page.reload()
  await status(page).waitFor()
  const text = 'まもなく期限が切れます（明日）。置き換えてください。'
  expect(await status(page).textContent()).toBe(text)
  expect(await readTimes(page)).toContain('有効期限：2026/06/16')
})

it('an expired key says first that it cannot be used at all', async () => {
  const { page, user } = await openKey({ expires_at: timeIn(-1) })
  await vault.sql("UPDATE api_keys SET key_id = 'gone' WHERE user_id = ?", user)
  await page.reload()
  await status(page).waitFor()
  expect(await status(page).allTextContents()).toEqual([
    expect.stringContaining('Temporarily unavailable. Your key is still stored'),
  ])
  await toggleRow(page, 'OpenAI')
  await button(page, 'Activity: OpenAI key').waitFor()
  expect(await page.getByText(/Expire/).count()).toBe(0)
})

it('an expired key cannot be tested, and can be replaced', async () => {
  const { page } = await openKey({ expires_at: timeIn(-1) })
  expect(await button(page, 'Test: OpenAI key').count()).toBe(0)
  expect(await listItems(page, 'OpenAI')).toEqual(['Pause', 'Limits', 'Activity', 'Delete'])
  await toggleRow(page, 'OpenAI')
  await page.locator('time').getByText('Saved').waitFor()
  expect(await page.getByText(/^Expires/).count()).toBe(0)
  await button(page, 'Replace: OpenAI key').click()
  await keyField(page).fill('sk-good-2')
  await button(page, 'Replace').click()
  expect(await shows(page.getByText('The OpenAI key is saved,'))).toBe(true)
  expect(await status(page).textContent()).toBe('Accepted by OpenAI')
  expect(await shows(button(page, 'Test: OpenAI key'))).toBe(true)
})

it('an expired key of the plain route says so, and cannot be given a provider', async () => {
  const { page, user } = await openSettings({ default: 'sk-plain-1' })
  expect(await shows(button(page, 'Set provider: General key'))).toBe(true)
  await vault.sql('UPDATE api_keys SET expires_at = ? WHERE user_id = ?', timeIn(-1), user)
  await page.reload()
  expect(await shows(page.getByText(/^Expired .* Replace it\.$/))).toBe(true)
  expect(await button(page, 'Replace: General key').count()).toBe(1)
  expect(await listItems(page, 'General')).toEqual(['Pause', 'Limits', 'Activity', 'Delete'])
})

it('a key that expires while the page is open is said to have expired', async () => {
  const { page, user } = await openKey({ expires_at: timeIn(2) })
  await vault.sql('UPDATE api_keys SET expires_at = ? WHERE user_id = ?', timeIn(-1), user)
  await act(page, 'OpenAI', 'Test')
  const problem = rowOf(page, 'OpenAI')
    .getByRole('alert')
    .getByText('This key has expired. Replace it.')
  expect(await shows(problem)).toBe(true)
})

it('a key that nobody uses has the hint that it may not be needed', async () => {
  const { page } = await openKey({ updated_at: timeIn(-91) })
  await toggleRow(page, 'OpenAI')
  const hint = 'Not used for 90 days. Delete it if you don’t need it.'
  expect(await shows(page.getByText(hint, { exact: true }))).toBe(true)
})

it.for(['en', ...TRANSLATED])(
  'axe finds nothing in %s, and nothing is wider than 320 px',
  async (lang) => {
    const keys = { openai: 'sk-good-1', groq: 'gsk_1', mistral: 'mistral-1' }
    const { page, user } = await openSettings(keys, {}, '', lang)
    const set = async (slot: string, column: string, time: string) =>
      vault.sql(
        `UPDATE api_keys SET ${column} = ? WHERE user_id = ? AND provider = ?`,
        time,
        user,
        slot,
      )
    await set('openai', 'expires_at', timeIn(-1))
    await set('groq', 'expires_at', timeIn(13))
    await set('mistral', 'updated_at', timeIn(-91))
    await page.reload()
    await page.locator('#add').click()
    await page.locator('summary').click()
    await page.locator('[part=row]').nth(2).waitFor()
    for (const key of await page.locator('#open').all()) await key.click()
    await page.setViewportSize({ width: 320, height: 800 })
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      expect(await overflow(page)).toBe(0)
      expect(await findBarriers(page)).toEqual([])
    }
  },
)

it('a key stays out of credit after a test, which cannot see credit', async () => {
  const { page } = await openKey({ exhausted_at: '2026-11-03T14:05:00.000Z' })
  await status(page).getByText('Out of credit at OpenAI since 3 Nov 2026.').waitFor()
  await act(page, 'OpenAI', 'Test')
  const text = 'OpenAI accepts this key. If you have added credit, the next use will show it.'
  expect(await shows(page.getByText(text))).toBe(true)
  expect(await shows(status(page).getByText('Out of credit at OpenAI'))).toBe(true)
})
