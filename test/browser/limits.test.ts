import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { addEvents, type SampleEvent } from './samples.ts'
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

  it('is not paused if it was replaced elsewhere, and the page says so', async () => {
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

describe('the form that limits a key', () => {
  const USED = { event: 'used', at: '2026-06-15T10:00:00.000Z', last: '2026-06-15T10:30:00.000Z' }
  const limitOfUses = (page: Page) => page.getByLabel('Limit of uses')
  const count = (page: Page) => page.getByLabel('Maximum number of uses')
  const callers = (page: Page) =>
    page.getByRole('combobox', { name: 'Applications that may use the key' })
  const expires = (page: Page) => page.getByLabel('Expires', { exact: true })

  async function openForm(columns: Record<string, string> = {}, events: SampleEvent[] = [USED]) {
    const opened = await openKey(columns)
    await addEvents(vault, opened.user, events)
    await button(opened.page, 'Limits: OpenAI key').click()
    await opened.page.locator('[type=submit][aria-disabled=false]').waitFor()
    const { page } = opened
    /** Saves the form, and returns what it sent. */
    const save = async (): Promise<unknown> => {
      const sent = page.waitForRequest((request) => request.method() === 'PATCH')
      await button(page, 'Save limits').click()
      await page.getByRole('status').getByText('You changed the limits of the key').waitFor()
      return (await sent).postDataJSON()
    }
    return { ...opened, save }
  }

  it.for([
    ['Per day', { count: 100, per: 'day' }, '0 of 100 uses today'],
    ['Per month', { count: 100, per: 'month' }, '0 of 100 uses this month'],
  ] as const)('sets how often it may be used: %s', async ([choice, max_uses, text]) => {
    const { page, user, token, save } = await openForm()
    expect(await count(page).count()).toBe(0)
    await limitOfUses(page).selectOption(choice)
    await count(page).fill('100')
    expect(await save()).toEqual({ max_uses })
    expect(await shows(page.getByText(text, { exact: true }))).toBe(true)
    expect(await askKey({ user, token })).toHaveProperty('max_uses', { ...max_uses, used: 0 })
    expect(await button(page, 'Replace: OpenAI key').evaluate((one) => one.matches(':focus'))).toBe(
      true,
    )
  })

  it('removes each limit', async () => {
    const { page, save } = await openForm({
      max_uses: '5',
      max_uses_per: 'day',
      callers: '["chat-worker"]',
      expires_at: '2027-06-14T12:00:00.000Z',
    })
    expect(await count(page).inputValue()).toBe('5')
    await limitOfUses(page).selectOption('No limit')
    await callers(page).selectOption('All applications')
    await expires(page).selectOption('Never')
    expect(await save()).toEqual({ max_uses: null, callers: null, expires_at: null })
    expect(await page.getByText(/uses today|^Only|^Expires/).count()).toBe(0)
  })

  it('offers the callers that may use the key, and those that have used it', async () => {
    const at = '2026-06-15T09:00:00.000Z'
    const { page, save } = await openForm({ callers: '["old-worker"]' }, [
      { ...USED, caller: 'chat-worker' },
      { ...USED, caller: 'batch' },
      { ...USED, caller: 'support', event: 'viewed' },
      { event: 'paused', caller: 'support', at },
      USED,
    ])
    const names = await page.getByRole('group').getByRole('checkbox').all()
    const values = await Promise.all(names.map((name) => name.getAttribute('value')))
    expect(values).toEqual(['old-worker', 'batch', 'chat-worker'])
    await page.getByLabel('old-worker').uncheck()
    await page.getByLabel('batch').check()
    await page.getByLabel('chat-worker').check()
    expect(await save()).toEqual({ callers: ['batch', 'chat-worker'] })
    expect(await shows(page.getByText('Only batch, chat-worker', { exact: true }))).toBe(true)
  })

  it('offers no choice of callers if none is known', async () => {
    const { page } = await openForm()
    const hint = 'No application has used this key lately.'
    expect(await shows(page.getByText(hint))).toBe(true)
    const only = callers(page).locator('option', { hasText: 'Only these applications' })
    expect(await only.isDisabled()).toBe(true)
  })

  it.for([
    ['Keep 14 Jun 2027', undefined],
    ['In 30 days', '2026-07-15T12:00:00.000Z'],
    ['In 90 days', '2026-09-13T12:00:00.000Z'],
    ['In a year', '2027-06-15T12:00:00.000Z'],
    ['Never', null],
  ] as const)('changes when it expires: %s', async ([choice, expires_at]) => {
    const { page } = await openForm({ expires_at: '2027-06-14T12:00:00.000Z' })
    await page.route('**/api-keys/openai', (route) => route.fulfill(refuse(503, 'database_busy')))
    const sent = page.waitForRequest((request) => request.method() === 'PATCH')
    await limitOfUses(page).selectOption('Per day')
    await count(page).fill('1')
    await expires(page).selectOption(choice)
    await button(page, 'Save limits').click()
    const change = expires_at === undefined ? {} : { expires_at }
    expect((await sent).postDataJSON()).toEqual({ max_uses: { count: 1, per: 'day' }, ...change })
  })

  it('gives an expired key more time', async () => {
    const { page } = await openForm({ expires_at: '2026-06-14T12:00:00.000Z' })
    await expires(page).selectOption('Never')
    await button(page, 'Save limits').click()
    await page.getByText('You changed the limits of the key').waitFor()
    expect(await status(page).textContent()).toBe('Accepted by OpenAI')
  })

  it('sends nothing if nothing was changed, and on Escape', async () => {
    const { page } = await openForm({
      max_uses: '5',
      max_uses_per: 'day',
      callers: '["chat-worker","batch"]',
      expires_at: '2027-06-14T12:00:00.000Z',
    })
    const methods: string[] = []
    page.on('request', (request) => methods.push(request.method()))
    await button(page, 'Save limits').click()
    await button(page, 'Limits: OpenAI key').click()
    await count(page).fill('6')
    await page.keyboard.press('Escape')
    await button(page, 'Limits: OpenAI key').waitFor()
    expect(methods).not.toContain('PATCH')
  })

  it.for(['', '0', '1.5', '-1', '1e99'])('asks for a whole number of uses: "%s"', async (text) => {
    const { page } = await openForm()
    await limitOfUses(page).selectOption('Per day')
    await count(page).fill(text)
    await count(page).press('Enter')
    const told = page.getByRole('alert').getByText('Enter a whole number of uses, from 1.')
    expect(await shows(told)).toBe(true)
    expect(await count(page).getAttribute('aria-invalid')).toBe('true')
    expect(await count(page).evaluate((field) => field.matches(':focus'))).toBe(true)
  })

  it('can be filled in and saved with the keyboard alone', async () => {
    const { page } = await openForm({ callers: '["batch"]' })
    expect(await limitOfUses(page).evaluate((field) => field.matches(':focus'))).toBe(true)
    for (const key of ['P', 'Tab', '7', 'Tab', 'Tab', 'Space', 'Enter']) {
      await page.keyboard.press(key)
    }
    expect(await shows(page.getByText('0 of 7 uses today', { exact: true }))).toBe(true)
    expect(await shows(page.getByText('No application may use it', { exact: true }))).toBe(true)
  })

  it('says that the key was replaced elsewhere, keeps what was entered, and can be saved', async () => {
    const { page, user, save } = await openForm()
    await limitOfUses(page).selectOption('Per month')
    await count(page).fill('9')
    await setColumns(user, { updated_at: '2026-06-15T11:59:00.000Z', callers: '["other"]' })
    await button(page, 'Save limits').click()
    const told = 'This key was changed somewhere else. Check it, then try again.'
    expect(await shows(page.getByRole('alert').getByText(told))).toBe(true)
    await page.getByText('Only other', { exact: true }).waitFor()
    expect(await save()).toEqual({ max_uses: { count: 9, per: 'month' } })
  })

  it('works without the callers if they cannot be loaded', async () => {
    const { page } = await openKey()
    await page.route('**/api-key-events?*', (route) => route.fulfill(refuse(400, 'invalid_query')))
    await button(page, 'Limits: OpenAI key').click()
    const told = page.getByRole('alert').getByText('This page is out of date. Reload it.')
    expect(await shows(told)).toBe(true)
    await limitOfUses(page).selectOption('Per day')
    await count(page).fill('3')
    await button(page, 'Save limits').click()
    expect(await shows(page.getByText('0 of 3 uses today', { exact: true }))).toBe(true)
  })
})
