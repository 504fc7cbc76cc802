import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { findBarriers, overflow, setStage, shows } from './stage.ts'

const { vault, openSettings } = await setStage()

const DAY_MS = 24 * 60 * 60 * 1_000
/** Until the same date of the next year. */
const YEAR_DAYS = Math.round(
  (new Date().setUTCFullYear(new Date().getUTCFullYear() + 1) - Date.now()) / DAY_MS,
)
const NOON = Date.parse('2026-06-15T12:00:00.000Z')

const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true })
const keyField = (page: Page) => page.getByRole('textbox', { name: /API key$/ })
const expiry = (page: Page) => page.getByLabel('Expires', { exact: true })
const status = (page: Page) => page.locator('[part=status]')
const times = (page: Page) => page.locator('time').allTextContents()

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

describe('a new key', () => {
  it('never expires unless its user says so', async () => {
    const { page, user, token } = await openSettings()
    await button(page, 'Add a key').click()
    const names = await expiry(page).locator('option').allTextContents()
    expect(names.map((name) => name.trim())).toEqual([
      'Never',
      'In 30 days',
      'In 90 days',
      'In a year',
    ])
    await page.getByLabel('Provider').selectOption('OpenAI')
    await keyField(page).fill('sk-good-1')
    const sent = page.waitForRequest((request) => request.method() === 'PUT')
    await button(page, 'Save key').click()
    expect((await sent).postDataJSON()).toEqual({ api_key: 'sk-good-1' })
    expect(await shows(page.getByText('Accepted by OpenAI'))).toBe(true)
    expect(await page.getByText(/^Expires/).count()).toBe(0)
    expect(await askExpiry({ user, token })).toBeUndefined()
  })

  it.for([
    ['In 30 days', 30],
    ['In 90 days', 90],
    ['In a year', YEAR_DAYS],
  ] as const)('expires when its user says: %s', async ([choice, days]) => {
    const { page, user, token } = await openSettings({}, { timezoneId: 'UTC' })
    await button(page, 'Add a key').click()
    await page.getByLabel('Provider').selectOption('OpenAI')
    await keyField(page).fill('sk-good-1')
    await expiry(page).selectOption(choice)
    const day = dayIn(days)
    await button(page, 'Save key').click()
    expect(await shows(page.getByText(`Expires ${day}`, { exact: true }))).toBe(true)
    expect(await status(page).textContent()).toBe('Accepted by OpenAI')
    const ahead = Date.parse(String(await askExpiry({ user, token }))) - Date.now()
    expect(ahead / DAY_MS).toBeCloseTo(days, 2)
  })

  it('never expires if it replaces one that does, unless its user says so again', async () => {
    const { page, user, token } = await openKey({ expires_at: timeIn(40) })
    await button(page, 'Replace: OpenAI key').click()
    expect(await expiry(page).inputValue()).toBe('')
    await keyField(page).fill('sk-good-2')
    await button(page, 'Replace').click()
    expect(await shows(page.getByText('The OpenAI key is saved,'))).toBe(true)
    expect(await askExpiry({ user, token })).toBeUndefined()
  })

  it('is not saved if the date of the device is wrong, and the page says so', async () => {
    const { page } = await openSettings()
    await page.clock.setSystemTime('2020-01-01T12:00:00Z')
    await button(page, 'Add a key').click()
    await page.getByLabel('Provider').selectOption('OpenAI')
    await keyField(page).fill('sk-good-1')
    await expiry(page).selectOption('In 30 days')
    await button(page, 'Save key').click()
    const problem = page
      .getByRole('alert')
      .getByText('Check the date of this device, then try again.')
    expect(await shows(problem)).toBe(true)
    expect(await expiry(page).inputValue()).toBe('30')
  })
})

describe('a key that expires', () => {
  it('shows the day until 14 days before', async () => {
    const { page } = await openKey({ expires_at: timeIn(15) })
    expect(await times(page)).toContain(`Expires ${dayIn(15)}`)
    expect(await status(page).textContent()).toBe('Accepted by OpenAI')
  })

  it.for([
    ['2026-06-15T12:01:00.000Z', 'Expires today. Replace it.'],
    ['2026-06-15T23:59:00.000Z', 'Expires today. Replace it.'],
    ['2026-06-16T00:01:00.000Z', 'Expires tomorrow. Replace it.'],
    ['2026-06-18T00:01:00.000Z', 'Expires in 3 days. Replace it.'],
    ['2026-06-29T12:00:00.000Z', 'Expires in 14 days. Replace it.'],
    ['2026-06-29T12:01:00.000Z', 'Accepted by OpenAI'],
    ['2026-06-15T12:00:00.000Z', 'Expired 15 Jun 2026. Replace it.'],
    ['2026-05-03T12:00:00.000Z', 'Expired 3 May 2026. Replace it.'],
  ] as const)('says how soon, by the calendar: %s', async ([expires_at, text]) => {
    const { page } = await openKey({ expires_at })
    await page.clock.setFixedTime(NOON)
    await page.reload()
    await page.getByText(/Replace it|Accepted/).waitFor()
    expect(await status(page).textContent()).toBe(text)
  })

  it.for([
    ['de', 'Läuft morgen ab. Ersetzen Sie ihn.', 'Läuft ab: 16.06.2026'],
    ['fr', 'Expire demain. Remplacez-la.', 'Expire le 16 juin 2026'],
    ['es', 'Caduca mañana. Reemplácela.', 'Caduca el 16 jun 2026'],
    ['ja', 'まもなく期限が切れます（明日）。置き換えてください。', '有効期限: 2026/06/16'],
    ['zh', '明天到期。请更换密钥。', '到期时间：2026年6月16日'],
  ] as const)('says so in the language of the page: %s', async ([lang, text, day]) => {
    const { page } = await openKey({ expires_at: '2026-06-16T12:00:00.000Z' }, lang)
    await page.clock.setFixedTime(NOON)
    await page.reload()
    await status(page).waitFor()
    expect(await status(page).textContent()).toBe(text)
    expect(await times(page)).toContain(day)
  })

  it.for([
    ['rejected', 2, 'Rejected by OpenAI. Replace it.'],
    ['rejected', -2, `Expired ${dayIn(-2)}. Replace it.`],
    ['unverified', 2, 'Expires in 2 days. Replace it.'],
    ['unverified', 20, 'Not confirmed yet'],
  ] as const)('has one status line: %s, %i days before', async ([state, days, text]) => {
    const { page } = await openKey({ status: state, expires_at: timeIn(days) })
    expect(await status(page).allTextContents()).toEqual([text])
  })

  it.for([
    ["provider = 'gone'", 'This provider is no longer offered. You can only delete the key.'],
    ["key_id = 'gone'", 'Temporarily unavailable. Your key is still stored'],
    ["provider = 'xai'", 'This key can no longer be read. Enter it again.'],
  ] as const)('says first that it cannot be used at all: %s', async ([change, text]) => {
    const { page, user } = await openKey({ expires_at: timeIn(-1) })
    await vault.sql(`UPDATE api_keys SET ${change} WHERE user_id = ?`, user)
    await page.reload()
    await status(page).waitFor()
    expect(await status(page).textContent()).toContain(text)
    expect(await page.getByText(/Expire/).count()).toBe(0)
  })

  it('cannot be tested or moved after its time, and can be replaced', async () => {
    const { page } = await openKey({ expires_at: timeIn(-1) })
    expect(await button(page, 'Test: OpenAI key').count()).toBe(0)
    expect(await page.getByText(/^Expires/).count()).toBe(0)
    expect(await shows(button(page, 'Delete: OpenAI key'))).toBe(true)
    await button(page, 'Replace: OpenAI key').click()
    await keyField(page).fill('sk-good-2')
    await button(page, 'Replace').click()
    expect(await shows(page.getByText('The OpenAI key is saved,'))).toBe(true)
    expect(await status(page).textContent()).toBe('Accepted by OpenAI')
    expect(await shows(button(page, 'Test: OpenAI key'))).toBe(true)
  })

  it('of the plain route says so too, and cannot be given a provider', async () => {
    const { page, user } = await openSettings({ default: 'sk-plain-1' })
    expect(await shows(button(page, 'Set provider: General key'))).toBe(true)
    await vault.sql('UPDATE api_keys SET expires_at = ? WHERE user_id = ?', timeIn(-1), user)
    await page.reload()
    expect(await shows(page.getByText(/^Expired .* Replace it\.$/))).toBe(true)
    expect(await button(page, 'Set provider: General key').count()).toBe(0)
    expect(await button(page, 'Replace: General key').count()).toBe(1)
  })

  it('says so if it expires while the page is open', async () => {
    const { page, user } = await openKey({ expires_at: timeIn(2) })
    await vault.sql('UPDATE api_keys SET expires_at = ? WHERE user_id = ?', timeIn(-1), user)
    await button(page, 'Test: OpenAI key').click()
    const problem = page.getByRole('alert').getByText('This key has expired. Replace it.')
    expect(await shows(problem)).toBe(true)
  })
})

describe('a key that nobody uses', () => {
  const HINT = 'Not used for 90 days. Delete it if you don’t need it.'
  const OLD = timeIn(-91)
  const RECENT = timeIn(-89)

  it.for([
    ['saved long ago and never used', { updated_at: OLD }, 1],
    ['used long ago', { updated_at: OLD, last_used_at: OLD, last_verified_at: OLD }, 1],
    ['saved recently', { updated_at: RECENT }, 0],
    ['used recently', { updated_at: OLD, last_used_at: RECENT }, 0],
    ['tested recently', { updated_at: OLD, last_verified_at: RECENT }, 0],
    ['expired', { updated_at: OLD, expires_at: OLD }, 0],
  ] as const)('has a hint only if it may not be needed: %s', async ([, columns, count]) => {
    const { page } = await openKey(columns)
    expect(await page.getByText(HINT).count()).toBe(count)
  })

  it('has no hint if its uses are not recorded', async () => {
    const { page, user } = await openSettings({ default: 'sk-plain-1' })
    await vault.sql('UPDATE api_keys SET updated_at = ? WHERE user_id = ?', OLD, user)
    await page.reload()
    expect(await shows(page.getByText(/^Saved/))).toBe(true)
    expect(await page.getByText(HINT).count()).toBe(0)
  })
})

describe('axe finds nothing, and nothing is wider than 320 px', () => {
  it.for(['en', 'de', 'fr', 'es', 'ja', 'zh'])('%s', async (lang) => {
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
    await page.setViewportSize({ width: 320, height: 800 })
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      expect(await overflow(page)).toBe(0)
      expect(await findBarriers(page)).toEqual([])
    }
  })
})
