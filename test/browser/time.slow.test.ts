/**
 * The element at midnight and at changes to daylight saving time. Time zones of every kind:
 * test/page/element/days.test.ts, event-lines.test.ts.
 */

import type { Page } from 'playwright-core'
import { expect, it } from 'vitest'
import { addEvents, type SampleEvent } from './samples.ts'
import { act, button, keyField, toggleRow } from './screen.ts'
import { setStage } from './stage.ts'

const { vault, openSettings } = await setStage()

const KATHMANDU = 'Asia/Kathmandu'
const BERLIN = 'Europe/Berlin'

const status = (page: Page) => page.locator('[part=status]')
const lines = (page: Page) => page.locator('[part~=event]')

/** Opens the settings at `now` of the page's clock, with a key of OpenAI whose row has `columns`. */
async function openKey(timezoneId: string, now: string, columns: Record<string, string> = {}) {
  const opened = await openSettings({ openai: 'sk-good-1' }, { timezoneId })
  const setColumn = async (column: string, value: string) =>
    vault.sql(`UPDATE api_keys SET ${column} = ? WHERE user_id = ?`, value, opened.user)
  for (const [column, value] of Object.entries(columns)) await setColumn(column, value)
  await opened.page.clock.setFixedTime(now)
  await opened.page.reload()
  await status(opened.page).waitFor()
  return { ...opened, setColumn }
}

/** Opens the list of only these events. */
async function openActivity(timezoneId: string, now: string, events: readonly SampleEvent[]) {
  const opened = await openKey(timezoneId, now)
  await vault.sql('DELETE FROM api_key_events WHERE user_id = ?', opened.user)
  await addEvents(vault, opened.user, events)
  await act(opened.page, 'OpenAI', 'Activity')
  await lines(opened.page).first().waitFor()
  return opened.page
}

it('a key expires on the day that its user chose, after a change to summer time', async () => {
  const { page, setColumn } = await openKey(BERLIN, '2027-03-27T22:30:00.000Z')
  await act(page, 'OpenAI', 'Replace')
  await keyField(page).fill('sk-good-2')
  await page.locator('summary').click()
  await page.getByLabel('Expires', { exact: true }).selectOption('In 30 days')
  let expires = ''
  // The clock of the vault may be years ahead of the page's.
  await page.route('**/api-keys/openai*', async (route) => {
    const { api_key, expires_at } = route.request().postDataJSON()
    expires = expires_at
    await route.continue({ postData: JSON.stringify({ api_key }) })
  })
  await button(page, 'Replace').click()
  await page.getByText('The OpenAI key is saved,').waitFor()
  await page.unroute('**/api-keys/openai*')
  await setColumn('expires_at', expires)
  await page.reload()
  await toggleRow(page, 'OpenAI')
  expect(await page.locator('time').allTextContents()).toContain('Expires 26 Apr 2027')
})

it("a key says by the reader's calendar how soon it expires", async () => {
  const expires_at = '2026-10-25T23:00:00.000Z' // The day has 25 hours.
  const { page } = await openKey(BERLIN, '2026-10-24T22:00:00.000Z', { expires_at })
  expect(await status(page).textContent()).toBe('Expires tomorrow. Replace it.')
})

it("a reached limit says in the reader's time when the next day in UTC begins", async () => {
  const columns = { max_uses: '2', max_uses_per: 'day', uses: '2', uses_in: '9999' }
  const { page } = await openKey(KATHMANDU, '2026-06-15T12:00:00.000Z', columns)
  const text = 'Limit reached. It can be used again from 16 Jun 2026, 05:45.'
  expect(await status(page).textContent()).toBe(text)
})

const owner = (at: string): SampleEvent => ({ event: 'replaced', by: 'owner', at })
const uses = (at: string, count = 1, caller = 'binding:chat'): SampleEvent => ({
  event: 'used',
  caller,
  count,
  at,
  last: at,
})

it('the list of events keeps its days and its order where an hour comes twice', async () => {
  const page = await openActivity(BERLIN, '2026-10-26T12:00:00.000Z', [
    uses('2026-10-24T21:59:00.000Z'),
    uses('2026-10-24T22:00:00.000Z'),
    owner('2026-10-25T00:30:00.000Z'),
    owner('2026-10-25T01:15:00.000Z'),
    owner('2026-10-25T01:30:00.000Z'),
    uses('2026-10-25T22:59:00.000Z'),
  ])
  expect(await page.locator('[part~=event] span').allTextContents()).toEqual([
    'chat used this key 2 times yesterday',
    ...Array.from({ length: 3 }, () => 'You replaced the key'),
    'chat used this key 2 days ago',
  ])
  expect(await page.locator('[part~=event] time').allTextContents()).toEqual([
    '25 Oct 2026, 23:59',
    '25 Oct 2026, 02:30',
    '25 Oct 2026, 02:15',
    '25 Oct 2026, 02:30',
    '24 Oct 2026, 23:59',
  ])
})

it('the list of events shows no sum too low where midnight is within an hour of UTC', async () => {
  const page = await openActivity(KATHMANDU, '2026-06-15T12:00:00.000Z', [
    // The next page begins with this one, of 00:25 in Kathmandu.
    uses('2026-06-14T18:40:00.000Z', 2),
    // It is the last one of this page, and of the day before in Kathmandu.
    uses('2026-06-14T18:05:00.000Z', 1, 'batch'),
    ...Array.from({ length: 198 }, () => owner('2026-06-14T19:00:00.000Z')),
    uses('2026-06-15T09:10:00.000Z', 5),
  ])
  expect(await page.locator('[part~=event] span').first().textContent()).toBe(
    'chat used this key 7 times today',
  )
})
