/** The element at midnight and at changes to daylight saving time, in time zones of every kind. */

import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { addEvents, type SampleEvent } from './samples.ts'
import { setStage } from './stage.ts'

const { vault, openSettings } = await setStage()

const DAY_MS = 24 * 60 * 60 * 1_000
const KIRITIMATI = 'Pacific/Kiritimati'
const LORD_HOWE = 'Australia/Lord_Howe'
const KATHMANDU = 'Asia/Kathmandu'
const CASABLANCA = 'Africa/Casablanca'
const ST_JOHNS = 'America/St_Johns'
const NEW_YORK = 'America/New_York'
const BERLIN = 'Europe/Berlin'

const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true })
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
  await button(opened.page, 'Activity: OpenAI key').click()
  await lines(opened.page).first().waitFor()
  return opened.page
}

describe('a key expires on the day that its user chose', () => {
  it.for<[choice: string, zone: string, now: string, chosen: string, day: string]>([
    ['In 30 days', BERLIN, '2027-03-27T22:30:00.000Z', '27 March, 23:30', '26 Apr 2027'],
    ['In 30 days', BERLIN, '2026-10-24T22:30:00.000Z', '25 October, 00:30', '24 Nov 2026'],
    ['In 30 days', BERLIN, '2027-02-26T01:30:00.000Z', '26 February, 02:30', '28 Mar 2027'],
    ['In 30 days', BERLIN, '2026-10-25T00:30:00.000Z', '25 October, 02:30', '24 Nov 2026'],
    ['In 30 days', BERLIN, '2026-10-25T01:30:00.000Z', '02:30 once more', '24 Nov 2026'],
    ['In 30 days', NEW_YORK, '2027-03-01T04:30:00.000Z', '28 February, 23:30', '30 Mar 2027'],
    ['In 30 days', NEW_YORK, '2026-10-15T04:30:00.000Z', '15 October, 00:30', '14 Nov 2026'],
    ['In 30 days', LORD_HOWE, '2026-09-20T13:15:00.000Z', '20 September, 23:45', '20 Oct 2026'],
    ['In 30 days', LORD_HOWE, '2027-03-19T13:15:00.000Z', '20 March, 00:15', '19 Apr 2027'],
    ['In 30 days', ST_JOHNS, '2027-03-01T03:00:00.000Z', '28 February, 23:30', '30 Mar 2027'],
    ['In 30 days', CASABLANCA, '2027-02-20T12:00:00.000Z', '20 February', '22 Mar 2027'],
    ['In 30 days', KATHMANDU, '2027-02-28T18:14:59.999Z', '28 February, 23:59', '30 Mar 2027'],
    ['In 30 days', KATHMANDU, '2027-02-28T18:15:00.000Z', '1 March, 00:00', '31 Mar 2027'],
    ['In 30 days', 'UTC', '2028-01-30T12:00:00.000Z', '30 January', '29 Feb 2028'],
    ['In 30 days', 'UTC', '2100-02-28T12:00:00.000Z', '28 February 2100', '30 Mar 2100'],
    ['In 90 days', NEW_YORK, '2026-12-31T12:00:00.000Z', '31 December', '31 Mar 2027'],
    ['In 90 days', BERLIN, '2026-12-31T22:59:00.000Z', '31 December, 23:59', '31 Mar 2027'],
    ['In a year', KIRITIMATI, '2026-12-31T10:00:00.000Z', '1 January, 00:00', '1 Jan 2028'],
    ['In a year', BERLIN, '2027-06-15T12:00:00.000Z', 'before a leap day', '15 Jun 2028'],
    ['In a year', 'UTC', '2027-02-28T23:59:00.000Z', '28 February', '28 Feb 2028'],
    ['In a year', 'UTC', '2028-02-29T00:00:00.000Z', '29 February', '1 Mar 2029'],
    ['In a year', 'UTC', '2037-02-01T00:00:00.000Z', 'before the end of 32 bits', '1 Feb 2038'],
  ])('%s, in %s at %s: %s', async ([choice, zone, now, , day]) => {
    const { page, setColumn } = await openKey(zone, now)
    await button(page, 'Replace: OpenAI key').click()
    await page.getByRole('textbox', { name: /API key$/ }).fill('sk-good-2')
    await page.getByLabel('Expires', { exact: true }).selectOption(choice)
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
    await status(page).waitFor()
    expect(await page.locator('time').allTextContents()).toContain(`Expires ${day}`)
  })
})

describe('how soon a key expires is said by the calendar', () => {
  it.for<[zone: string, now: string, expires: string, when: string]>([
    [BERLIN, '2026-10-24T22:00:00.000Z', '2026-10-25T22:59:59.999Z', 'today'],
    [BERLIN, '2026-10-24T22:00:00.000Z', '2026-10-25T23:00:00.000Z', 'tomorrow'],
    [BERLIN, '2027-03-27T23:00:00.000Z', '2027-03-28T21:59:59.999Z', 'today'],
    [BERLIN, '2027-03-27T23:00:00.000Z', '2027-03-28T22:00:00.000Z', 'tomorrow'],
    [BERLIN, '2027-03-27T22:59:59.999Z', '2027-03-28T22:00:00.000Z', 'in 2 days'],
    [NEW_YORK, '2026-11-01T03:59:59.999Z', '2026-11-02T05:00:00.000Z', 'in 2 days'],
    [NEW_YORK, '2026-11-01T04:00:00.000Z', '2026-11-02T04:59:59.999Z', 'today'],
    [LORD_HOWE, '2026-10-03T13:30:00.000Z', '2026-10-04T12:59:59.999Z', 'today'],
    [LORD_HOWE, '2026-10-03T13:30:00.000Z', '2026-10-04T13:00:00.000Z', 'tomorrow'],
    [KATHMANDU, '2028-02-28T18:15:00.000Z', '2028-02-29T18:14:59.999Z', 'today'],
    [KATHMANDU, '2028-02-28T18:15:00.000Z', '2028-02-29T18:15:00.000Z', 'tomorrow'],
    [KIRITIMATI, '2026-12-31T09:59:59.999Z', '2026-12-31T10:00:00.000Z', 'tomorrow'],
    [ST_JOHNS, '2026-06-16T02:29:59.999Z', '2026-06-16T02:30:00.000Z', 'tomorrow'],
    [CASABLANCA, '2026-06-15T12:00:00.000Z', '2026-06-18T12:00:00.000Z', 'in 3 days'],
    // Midnight is skipped on this day.
    ['Africa/Cairo', '2026-04-23T21:59:59.999Z', '2026-04-23T22:00:00.000Z', 'tomorrow'],
    ['Africa/Cairo', '2026-04-23T22:00:00.000Z', '2026-04-24T20:59:59.999Z', 'today'],
  ])('in %s at %s: %s is %s', async ([zone, now, expires_at, when]) => {
    const { page } = await openKey(zone, now, { expires_at })
    expect(await status(page).textContent()).toBe(`Expires ${when}. Replace it.`)
  })
})

describe('a reached limit says in the reader’s time when the next period in UTC begins', () => {
  it.for<[per: string, zone: string, now: string, end: string]>([
    ['day', KATHMANDU, '2026-06-15T12:00:00.000Z', '16 Jun 2026, 05:45'],
    ['day', KIRITIMATI, '2026-06-15T12:00:00.000Z', '16 Jun 2026, 14:00'],
    ['day', ST_JOHNS, '2026-06-15T23:59:59.999Z', '15 Jun 2026, 21:30'],
    ['day', ST_JOHNS, '2026-06-16T00:00:00.000Z', '16 Jun 2026, 21:30'],
    ['day', BERLIN, '2026-10-24T12:00:00.000Z', '25 Oct 2026, 02:00'],
    ['day', BERLIN, '2026-10-25T12:00:00.000Z', '26 Oct 2026, 01:00'],
    ['day', 'UTC', '2028-02-28T23:59:59.999Z', '29 Feb 2028, 00:00'],
    ['day', 'UTC', '2100-02-28T23:59:59.999Z', '1 Mar 2100, 00:00'],
    ['month', BERLIN, '2028-02-29T23:59:59.999Z', '1 Mar 2028, 01:00'],
    ['month', BERLIN, '2026-03-29T12:00:00.000Z', '1 Apr 2026, 02:00'],
    ['month', 'UTC', '2026-01-31T00:00:00.000Z', '1 Feb 2026, 00:00'],
    ['month', NEW_YORK, '2026-12-31T23:59:59.999Z', '31 Dec 2026, 19:00'],
    ['month', NEW_YORK, '2027-01-01T00:00:00.000Z', '31 Jan 2027, 19:00'],
  ])('per %s, in %s at %s: %s', async ([per, zone, now, end]) => {
    const columns = { max_uses: '2', max_uses_per: per, uses: '2', uses_in: '9999' }
    const { page } = await openKey(zone, now, columns)
    const text = `Limit reached. It can be used again from ${end}.`
    expect(await status(page).textContent()).toBe(text)
  })
})

describe('a key has the hint that nobody uses it after 90 days', () => {
  it.for([
    [BERLIN, '2027-03-28T12:00:00.000Z', 0, 0],
    [BERLIN, '2027-03-28T12:00:00.000Z', 1, 1],
    [LORD_HOWE, '2028-03-01T00:00:00.000Z', 0, 0],
    [LORD_HOWE, '2028-03-01T00:00:00.000Z', 1, 1],
  ] as const)('in %s at %s, and %i ms', async ([zone, now, more, count]) => {
    const updated_at = new Date(Date.parse(now) - 90 * DAY_MS - more).toISOString()
    const { page } = await openKey(zone, now, { updated_at })
    expect(await page.getByText('Not used for 90 days.').count()).toBe(count)
  })
})

const owner = (at: string): SampleEvent => ({ event: 'replaced', by: 'owner', at })
const uses = (at: string, count = 1, caller = 'chat'): SampleEvent => ({
  event: 'used',
  caller,
  count,
  at,
  last: at,
})

describe('the list of events', () => {
  it.for<[name: string, zone: string, events: string[], shown: string[]]>([
    [
      'an hour that comes twice',
      BERLIN,
      ['2026-10-25T00:30:00.000Z', '2026-10-25T01:15:00.000Z', '2026-10-25T01:30:00.000Z'],
      ['25 Oct 2026, 02:30', '25 Oct 2026, 02:15', '25 Oct 2026, 02:30'],
    ],
    [
      'an hour that is skipped',
      BERLIN,
      ['2026-03-29T00:59:59.999Z', '2026-03-29T01:00:00.000Z'],
      ['29 Mar 2026, 03:00', '29 Mar 2026, 01:59'],
    ],
    [
      'half an hour that comes twice',
      LORD_HOWE,
      ['2026-04-04T14:45:00.000Z', '2026-04-04T15:15:00.000Z'],
      ['5 Apr 2026, 01:45', '5 Apr 2026, 01:45'],
    ],
    [
      'half an hour that is skipped',
      LORD_HOWE,
      ['2025-10-04T15:29:59.999Z', '2025-10-04T15:30:00.000Z'],
      ['5 Oct 2025, 02:30', '5 Oct 2025, 01:59'],
    ],
  ])('keeps the order of what happened: %s in %s', async ([, zone, events, shown]) => {
    const page = await openActivity(zone, '2026-11-25T12:00:00.000Z', events.map(owner))
    const times = page.locator('[part~=event] time')
    expect(await times.allTextContents()).toEqual(shown)
    const given = await times.evaluateAll((all) => all.map((one) => one.getAttribute('datetime')))
    expect(given).toEqual(events.toReversed())
  })

  it.for<[zone: string, now: string, events: string[], texts: string[]]>([
    [
      BERLIN,
      '2026-10-26T12:00:00.000Z',
      // The day has 25 hours.
      ['2026-10-24T21:59:00.000Z', '2026-10-24T22:00:00.000Z', '2026-10-25T22:59:00.000Z'],
      ['2 times yesterday', '2 days ago'],
    ],
    [
      BERLIN,
      '2026-03-30T12:00:00.000Z',
      // The day has 23 hours.
      ['2026-03-28T23:00:00.000Z', '2026-03-29T21:59:00.000Z', '2026-03-29T22:00:00.000Z'],
      ['today', '2 times yesterday'],
    ],
    [
      KATHMANDU,
      '2028-02-29T18:14:00.000Z',
      ['2028-02-28T17:14:00.000Z', '2028-02-28T18:15:00.000Z', '2028-02-29T17:00:00.000Z'],
      ['2 times today', 'yesterday'],
    ],
    [
      KIRITIMATI,
      '2026-12-31T10:00:00.000Z',
      ['2026-12-30T10:00:00.000Z', '2026-12-31T09:59:00.000Z', '2026-12-31T10:00:00.000Z'],
      ['today', '2 times yesterday'],
    ],
  ])('adds up by days of 23 to 25 hours: in %s at %s', async ([zone, now, events, texts]) => {
    const page = await openActivity(
      zone,
      now,
      events.map((at) => uses(at)),
    )
    expect(await page.locator('[part~=event] span').allTextContents()).toEqual(
      texts.map((text) => `chat used this key ${text}`),
    )
  })

  it.for([
    ['a minute', '2026-06-15T23:59:30.000Z'],
    ['a day', '2026-06-14T12:00:00.000Z'],
  ])(
    'does not speak of the future if the clock of the device is behind: %s',
    async ([, now = '']) => {
      const page = await openActivity('UTC', now, [uses('2026-06-16T00:00:20.000Z')])
      expect(await page.locator('[part~=event] span').allTextContents()).toEqual([
        'chat used this key today',
      ])
    },
  )

  it('shows no sum too low where midnight is within an hour of UTC', async () => {
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
})
