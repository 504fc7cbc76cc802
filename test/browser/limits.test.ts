import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { refuse, setStage, shows } from './stage.ts'

const { vault, openSettings } = await setStage()

const NOON = '2026-06-15T12:00:00.000Z'

const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true })
const status = (page: Page) => page.locator('[part=status]')

/** Opens the settings at noon of a day in June, with a key of OpenAI whose row has `columns`. */
async function openKey(columns: Record<string, string> = {}, lang = 'en') {
  const opened = await openSettings({ openai: 'sk-good-1' }, { timezoneId: 'UTC' }, '', lang)
  await setColumns(opened.user, columns)
  await opened.page.clock.setFixedTime(NOON)
  await opened.page.reload()
  await status(opened.page).waitFor()
  return opened
}

async function setColumns(user: string, columns: Record<string, string>): Promise<void> {
  for (const [column, value] of Object.entries(columns)) {
    await vault.sql(`UPDATE api_keys SET ${column} = ? WHERE user_id = ?`, value, user)
  }
}

/** What the vault says of the key of OpenAI. */
async function askKey({ user, token }: { user: string; token: string }): Promise<object> {
  const url = `${vault.keyUrl.origin}/api/users/${user}/api-keys/openai`
  const response = await fetch(url, { headers: { Authorization: `Bearer ${token}` } })
  return Object(await response.json())
}

describe('a key', () => {
  it('can be paused and resumed, with its version', async () => {
    const { page, user, token, faults } = await openKey()
    const sent = page.waitForRequest((request) => request.method() === 'PATCH')
    await button(page, 'Pause: OpenAI key').click()
    expect((await sent).postDataJSON()).toEqual({ paused: true })
    expect((await sent).headers()['if-match']).toMatch(/^"20.*Z"$/)
    expect(await shows(page.getByRole('status').getByText('You paused the key'))).toBe(true)
    expect(await status(page).textContent()).toBe('Paused. Applications cannot use it.')
    expect(await askKey({ user, token })).toHaveProperty('paused_at')
    const resume = button(page, 'Resume: OpenAI key')
    expect(await resume.evaluate((element) => element.matches(':focus'))).toBe(true)
    await page.keyboard.press('Enter')
    expect(await shows(page.getByRole('status').getByText('You resumed the key'))).toBe(true)
    expect(await status(page).textContent()).toBe('Accepted by OpenAI')
    expect(await askKey({ user, token })).not.toHaveProperty('paused_at')
    expect(faults()).toEqual([])
  })

  it('is not paused if it was replaced elsewhere, and the user is told', async () => {
    const { page, user, token } = await openKey()
    await setColumns(user, { updated_at: '2026-06-15T11:59:00.000Z' })
    await button(page, 'Pause: OpenAI key').click()
    const told = 'This key was changed somewhere else. Check it, then try again.'
    expect(await shows(page.getByRole('alert').getByText(told))).toBe(true)
    expect(await askKey({ user, token })).not.toHaveProperty('paused_at')
    await page.getByText('Saved 15 Jun 2026, 11:59').waitFor()
    await button(page, 'Pause: OpenAI key').click()
    expect(await shows(button(page, 'Resume: OpenAI key'))).toBe(true)
  })

  it('says that it is busy, and that it could not be paused', async () => {
    const { page } = await openKey()
    await page.route('**/api-keys/openai', async (route) => {
      await page.getByRole('status').getByText('Saving the change …').waitFor()
      await route.fulfill(refuse(503, 'database_busy'))
    })
    await button(page, 'Pause: OpenAI key').click()
    const busy = page.getByRole('alert').getByText('The key service is busy.')
    expect(await shows(busy)).toBe(true)
    expect(await button(page, 'Resume: OpenAI key').count()).toBe(0)
  })

  it.for([
    ["provider = 'gone'", 'no longer offered'],
    ["key_id = 'gone'", 'Temporarily unavailable'],
    ["provider = 'xai'", 'can no longer be read'],
  ] as const)('cannot be paused if it cannot be used: %s', async ([change, text]) => {
    const { page, user } = await openKey()
    await vault.sql(`UPDATE api_keys SET ${change} WHERE user_id = ?`, user)
    await page.reload()
    await status(page).getByText(text).waitFor()
    expect(await page.getByRole('button', { name: /^(Pause|Resume)/ }).count()).toBe(0)
  })
})

describe('one status line', () => {
  const PAUSED = { paused_at: '2026-06-14T12:00:00.000Z' }
  const REACHED = { max_uses: '2', max_uses_per: 'day', uses: '2' }
  const EXPIRED = { expires_at: '2026-06-14T12:00:00.000Z' }
  const SOON = { expires_at: '2026-06-17T12:00:00.000Z' }
  const REJECTED = { status: 'rejected' }

  it.for([
    ['expired before paused', { ...PAUSED, ...EXPIRED }, 'Expired 14 Jun 2026. Replace it.'],
    ['paused before rejected', { ...PAUSED, ...REJECTED, ...SOON }, 'Paused. Applications'],
    ['rejected before a limit', { ...REACHED, ...REJECTED }, 'Rejected by OpenAI. Replace it.'],
    ['a limit before an expiry', { ...REACHED, ...SOON }, 'Limit reached.'],
    ['a limit before unconfirmed', { ...REACHED, status: 'unverified' }, 'Limit reached.'],
  ] as const)('says what is most urgent: %s', async ([, columns, text]) => {
    const { page } = await openKey({ ...columns, uses_in: '9999' })
    expect(await status(page).allTextContents()).toEqual([expect.stringContaining(text)])
  })
})

describe('a key with limits', () => {
  it.for([
    ['day', '41', '41 of 1,000 uses today', '16 Jun 2026, 00:00'],
    ['month', '41', '41 of 1,000 uses this month', '1 Jul 2026, 00:00'],
    ['day', '1000', '1,000 of 1,000 uses today', '16 Jun 2026, 00:00'],
    ['month', '1000', '1,000 of 1,000 uses this month', '1 Jul 2026, 00:00'],
  ] as const)('says how many uses are used up: %s, %s', async ([per, uses, text, end]) => {
    const columns = { max_uses: '1000', max_uses_per: per, uses, uses_in: '9999' }
    const { page } = await openKey(columns)
    expect(await shows(page.getByText(text, { exact: true }))).toBe(true)
    const reached = `Limit reached. It can be used again from ${end}.`
    const expected = uses === '1000' ? reached : 'Accepted by OpenAI'
    expect(await status(page).textContent()).toBe(expected)
  })

  it.for([
    ['["chat-worker","batch"]', 'Only chat-worker, batch'],
    ['[]', 'No application may use it'],
  ] as const)('says who may use it: %s', async ([callers, text]) => {
    const { page } = await openKey({ callers })
    expect(await shows(page.getByText(text, { exact: true }))).toBe(true)
  })
})
