import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { addEvents, type SampleEvent } from './samples.ts'
import { act, button, isFocused, listItems, rowOf, toggleRow } from './screen.ts'
import { refuse, setStage, shows } from './stage.ts'

const { vault, openSettings } = await setStage()

const NOON = '2026-06-15T12:00:00.000Z'

const status = (page: Page) => page.locator('[part=status]')

/** Opens the settings at noon of a day in June, with a key of OpenAI whose row has `columns`. */
async function openKey(columns: Record<string, string> = {}, lang = 'en') {
  const opened = await openSettings({ openai: 'sk-good-1' }, { timezoneId: 'UTC' }, '', lang)
  await setColumns(opened.user, columns)
  await opened.page.clock.setFixedTime(NOON)
  await opened.page.reload()
  await status(opened.page).first().waitFor()
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

it('a key can be paused and resumed, with its entity tag', async () => {
  const { page, user, token, faults } = await openKey()
  const sent = page.waitForRequest((request) => request.method() === 'PATCH')
  await act(page, 'OpenAI', 'Pause')
  expect((await sent).postDataJSON()).toEqual({ paused: true })
  expect((await sent).headers()['if-match']).toMatch(/^"[\da-f]{32}\.1"$/)
  expect(await shows(page.getByRole('status').getByText('You paused the key'))).toBe(true)
  expect(await status(page).textContent()).toBe('Paused. Applications cannot use it.')
  expect(await askKey({ user, token })).toHaveProperty('paused_at')
  expect(await isFocused(button(page, 'More: OpenAI key'))).toBe(true)
  await page.keyboard.press('Shift+Tab')
  expect(await isFocused(button(page, 'Resume: OpenAI key'))).toBe(true)
  await page.keyboard.press('Enter')
  expect(await shows(page.getByRole('status').getByText('You resumed the key'))).toBe(true)
  expect(await status(page).textContent()).toBe('Accepted by OpenAI')
  expect(await askKey({ user, token })).not.toHaveProperty('paused_at')
  expect(faults()).toEqual([])
})

it('a key is not paused if it was changed elsewhere, and the page says so', async () => {
  const { page, user, token } = await openKey()
  await setColumns(user, { revision: '2', updated_at: '2026-06-15T11:59:00.000Z' })
  await act(page, 'OpenAI', 'Pause')
  const told = 'This key was changed somewhere else. Check it, then try again.'
  expect(await shows(page.getByRole('alert').getByText(told))).toBe(true)
  expect(await askKey({ user, token })).not.toHaveProperty('paused_at')
  await toggleRow(page, 'OpenAI')
  await page.getByText('Saved 15 Jun 2026, 11:59').waitFor()
  await act(page, 'OpenAI', 'Pause')
  expect(await shows(button(page, 'Resume: OpenAI key'))).toBe(true)
})

it('a key that is being paused is busy, and says that it could not be paused', async () => {
  const { page } = await openKey()
  await page.route('**/api-keys/openai', async (route) => {
    await page.getByRole('status').getByText('Saving the change …').waitFor()
    await route.fulfill(refuse(503, 'database_busy'))
  })
  await act(page, 'OpenAI', 'Pause')
  const busy = page.getByRole('alert').getByText('The key service is busy.')
  expect(await shows(busy)).toBe(true)
  expect(await button(page, 'Resume: OpenAI key').count()).toBe(0)
})

it.for([
  ["provider = 'gone'", 'no longer offered', 'gone'],
  ["key_id = 'gone'", 'Temporarily unavailable', 'OpenAI'],
  ["provider = 'xai'", 'can no longer be read', 'xAI'],
] as const)('a key that cannot be used cannot be paused: %s', async ([change, text, name]) => {
  const { page, user } = await openKey()
  await vault.sql(`UPDATE api_keys SET ${change} WHERE user_id = ?`, user)
  await page.reload()
  await status(page).getByText(text).waitFor()
  expect(await page.getByRole('button', { name: /^(Pause|Resume)/ }).count()).toBe(0)
  expect((await listItems(page, name)).filter((item) => /Pause|Resume/.test(item))).toEqual([])
})

it('a paused key says what else keeps it from working, and nothing less', async () => {
  const { page } = await openKey({
    paused_at: '2026-06-14T12:00:00.000Z',
    status: 'rejected',
    expires_at: '2026-06-17T12:00:00.000Z',
  })
  expect(await status(page).allTextContents()).toEqual([
    'Rejected by OpenAI. Replace it.',
    'Paused. Applications cannot use it.',
  ])
})

it('a key says how many uses are used up, and who may use it', async () => {
  const columns = { max_uses: '1000', max_uses_per: 'month', uses: '1000', uses_in: '9999' }
  const { page } = await openKey({ ...columns, callers: '["binding:chat-worker","binding:batch"]' })
  await toggleRow(page, 'OpenAI')
  const uses = page.getByText('1,000 of 1,000 uses this month', { exact: true })
  expect(await shows(uses)).toBe(true)
  expect(await shows(page.getByText('Only chat-worker, batch', { exact: true }))).toBe(true)
  const reached = 'Limit reached. It can be used again from 1 Jul 2026, 00:00.'
  expect(await status(page).textContent()).toBe(reached)
})

describe('the form that limits a key', () => {
  const USED = { event: 'used', at: '2026-06-15T10:00:00.000Z', last: '2026-06-15T10:30:00.000Z' }
  const limitOfUses = (page: Page) => page.getByLabel('Usage limit')
  const count = (page: Page) => page.getByLabel('Maximum number of uses')
  const callers = (page: Page) =>
    page.getByRole('combobox', { name: 'Applications that may use the key' })
  const expires = (page: Page) => page.getByLabel('Expires', { exact: true })

  async function openForm(columns: Record<string, string> = {}, events: SampleEvent[] = [USED]) {
    const opened = await openKey(columns)
    await addEvents(vault, opened.user, events)
    await act(opened.page, 'OpenAI', 'Limits')
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

  it('the form sets how often a key may be used', async () => {
    const max_uses = { count: 100, per: 'day' }
    const { page, user, token, save } = await openForm()
    expect(await count(page).inputValue()).toBe('')
    expect(await count(page).getAttribute('placeholder')).toBe('No limit')
    await limitOfUses(page).selectOption('Per day')
    await count(page).fill('100')
    expect(await save()).toEqual({ max_uses })
    expect(await isFocused(button(page, 'More: OpenAI key'))).toBe(true)
    await toggleRow(page, 'OpenAI')
    expect(await shows(page.getByText('0 of 100 uses today', { exact: true }))).toBe(true)
    expect(await askKey({ user, token })).toHaveProperty('max_uses', { ...max_uses, used: 0 })
  })

  it('the form removes each limit', async () => {
    const { page, save } = await openForm({
      max_uses: '5',
      max_uses_per: 'day',
      callers: '["binding:chat-worker"]',
      expires_at: '2027-06-14T12:00:00.000Z',
    })
    expect(await count(page).inputValue()).toBe('5')
    await count(page).fill('')
    await callers(page).selectOption('All applications')
    await expires(page).selectOption('Never')
    expect(await save()).toEqual({ max_uses: null, callers: null, expires_at: null })
    await toggleRow(page, 'OpenAI')
    await rowOf(page, 'OpenAI')
      .getByText(/^Saved/)
      .waitFor()
    expect(await page.getByText(/uses today|^Only|^Expires/).count()).toBe(0)
  })

  it('the form offers the callers that may use the key, and those that have used it', async () => {
    const at = '2026-06-15T09:00:00.000Z'
    const { page, save } = await openForm({ callers: '["binding:old-worker"]' }, [
      { ...USED, caller: 'binding:chat-worker' },
      { ...USED, caller: 'binding:batch' },
      { ...USED, caller: 'relay:batch' },
      { event: 'viewed', by: 'operator', caller: 'binding:support', at },
      { event: 'revealed', caller: 'binding:reader', at },
      { event: 'paused', by: 'operator', caller: 'binding:support', at },
      USED,
    ])
    const names = await page.getByRole('group').getByRole('checkbox').all()
    const values = await Promise.all(names.map((name) => name.getAttribute('value')))
    expect(values).toEqual([
      'binding:old-worker',
      'binding:batch',
      'binding:chat-worker',
      'binding:reader',
      'relay:batch',
    ])
    await page.getByLabel('old-worker').uncheck()
    await page.getByLabel('batch', { exact: true }).check()
    await page.getByLabel('batch (via API)').check()
    await page.getByLabel('chat-worker').check()
    expect(await save()).toEqual({
      callers: ['binding:batch', 'binding:chat-worker', 'relay:batch'],
    })
    await toggleRow(page, 'OpenAI')
    expect(
      await shows(page.getByText('Only batch, chat-worker, batch (via API)', { exact: true })),
    ).toBe(true)
  })

  it('the form offers no choice of callers if none is known', async () => {
    const { page } = await openForm()
    const hint = 'No application has used this key lately.'
    expect(await shows(page.getByText(hint))).toBe(true)
    const only = callers(page).locator('option', { hasText: 'Only these applications' })
    expect(await only.isDisabled()).toBe(true)
  })

  it('the form changes when a key expires', async () => {
    const { page } = await openForm({ expires_at: '2027-06-14T12:00:00.000Z' })
    await page.route('**/api-keys/openai', (route) => route.fulfill(refuse(503, 'database_busy')))
    const sent = page.waitForRequest((request) => request.method() === 'PATCH')
    await limitOfUses(page).selectOption('Per day')
    await count(page).fill('1')
    await expires(page).selectOption('In 30 days')
    await button(page, 'Save limits').click()
    expect((await sent).postDataJSON()).toEqual({
      max_uses: { count: 1, per: 'day' },
      expires_at: '2026-07-15T12:00:00.000Z',
    })
  })

  it('the form gives an expired key more time', async () => {
    const { page } = await openForm({ expires_at: '2026-06-14T12:00:00.000Z' })
    await expires(page).selectOption('Never')
    await button(page, 'Save limits').click()
    await page.getByText('You changed the limits of the key').waitFor()
    expect(await status(page).textContent()).toBe('Accepted by OpenAI')
  })

  it('the form sends nothing if nothing was changed, and on Escape', async () => {
    const { page } = await openForm({
      max_uses: '5',
      max_uses_per: 'day',
      callers: '["binding:chat-worker","binding:batch"]',
      expires_at: '2027-06-14T12:00:00.000Z',
    })
    const methods: string[] = []
    page.on('request', (request) => methods.push(request.method()))
    await button(page, 'Save limits').click()
    await act(page, 'OpenAI', 'Limits')
    await count(page).fill('6')
    await page.keyboard.press('Escape')
    await count(page).waitFor({ state: 'detached' })
    expect(methods).not.toContain('PATCH')
  })

  // The vault refuses the second one.
  it.for(['1.5', '1e99'])('the form asks for a whole number of uses: %s', async (text) => {
    const { page } = await openForm()
    await limitOfUses(page).selectOption('Per day')
    await count(page).fill(text)
    await count(page).press('Enter')
    const told = page.getByRole('alert').getByText('Enter a whole number of uses, 1 or more.')
    expect(await shows(told)).toBe(true)
    expect(await count(page).getAttribute('aria-invalid')).toBe('true')
    expect(await isFocused(count(page))).toBe(true)
  })

  it('the form can be filled in and saved with the keyboard alone', async () => {
    const { page } = await openForm({ callers: '["binding:batch"]' })
    expect(await isFocused(count(page))).toBe(true)
    for (const key of ['7', 'Tab', 'Tab', 'Tab', 'Space', 'Enter']) {
      await page.keyboard.press(key)
    }
    await page.getByText('You changed the limits of the key').waitFor()
    await toggleRow(page, 'OpenAI')
    expect(await shows(page.getByText('0 of 7 uses today', { exact: true }))).toBe(true)
    expect(await shows(page.getByText('No application may use it', { exact: true }))).toBe(true)
  })

  it('the form says that the key was changed elsewhere, and keeps what was entered', async () => {
    const { page, user, save } = await openForm()
    await limitOfUses(page).selectOption('Per month')
    await count(page).fill('9')
    await setColumns(user, { revision: '2', callers: '["binding:other"]' })
    const read = page.waitForResponse(/api-keys$/)
    await button(page, 'Save limits').click()
    const told = 'This key was changed somewhere else. Check it, then try again.'
    expect(await shows(page.getByRole('alert').getByText(told))).toBe(true)
    await (await read).finished()
    expect(await save()).toEqual({ max_uses: { count: 9, per: 'month' } })
    await toggleRow(page, 'OpenAI')
    await page.getByText('Only other', { exact: true }).waitFor()
  })

  it('the form works without the callers if they cannot be loaded', async () => {
    const { page } = await openKey()
    await page.route('**/api-key-events?*', (route) => route.fulfill(refuse(400, 'invalid_query')))
    await act(page, 'OpenAI', 'Limits')
    const told = page.getByRole('alert').getByText('This page is out of date. Reload it.')
    expect(await shows(told)).toBe(true)
    await limitOfUses(page).selectOption('Per day')
    await count(page).fill('3')
    await button(page, 'Save limits').click()
    await page.getByText('You changed the limits of the key').waitFor()
    await toggleRow(page, 'OpenAI')
    expect(await shows(page.getByText('0 of 3 uses today', { exact: true }))).toBe(true)
  })
})
