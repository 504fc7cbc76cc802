import { readFileSync } from 'node:fs'
import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { TRANSLATED } from '../../scripts/lib/element.ts'
import { addEvents, type SampleEvent } from './samples.ts'
import { act, button, isFocused, keyField, toggleRow } from './screen.ts'
import { findBarriers, overflow, refuse, setStage, shows } from './stage.ts'

const { vault, openSettings } = await setStage()

const NOON = '2026-06-15T12:00:00.000Z'
/** The key itself is saved by the tests' clock, which is later. */
const SAVED = 'You saved the key'

const lines = (page: Page) => page.locator('[part~=event] span')
const told = (page: Page, text: string) => page.getByRole('alert').getByText(text)

/** Opens the settings at noon of a day in June, with a key whose slot has only `events`. */
async function openKey(events: readonly SampleEvent[], timezoneId = 'UTC', lang = 'en') {
  const opened = await openSettings({ openai: 'sk-good-1' }, { timezoneId }, '', lang)
  await vault.sql('DELETE FROM api_key_events WHERE user_id = ?', opened.user)
  await addEvents(vault, opened.user, events)
  await opened.page.clock.setFixedTime(NOON)
  return opened
}

/** Opens the list, and waits until it is complete or can be continued. */
async function openActivity(events: readonly SampleEvent[], timezoneId?: string) {
  const opened = await openKey(events, timezoneId)
  await act(opened.page, 'OpenAI', 'Activity')
  await opened.page.getByText('No activity yet.').or(lines(opened.page)).first().waitFor()
  return opened
}

/** A sum of 10 minutes of `hour`, on the day before the 15th of June by `daysAgo`. */
function sum(daysAgo: number, hour: number, more: Partial<SampleEvent> = {}): SampleEvent {
  const pad = (value: number) => String(value).padStart(2, '0')
  const time = `2026-06-${pad(15 - daysAgo)}T${pad(hour)}`
  return { event: 'used', at: `${time}:00:00.000Z`, last: `${time}:10:00.000Z`, ...more }
}

const owner = (event: string, at = '2026-06-15T10:00:00.000Z'): SampleEvent => ({
  event,
  by: 'owner',
  at,
})
it('the list says what happened, adds up by day, and begins with what happened last', async () => {
  const { page } = await openActivity([
    sum(0, 9, { caller: 'binding:chat-worker', count: 30 }),
    sum(0, 11, { caller: 'binding:chat-worker', count: 11, errors: 2 }),
    sum(0, 11, { caller: 'binding:batch', last: '2026-06-15T11:30:00.000Z' }),
    sum(0, 10, { event: 'use_refused', code: 'caller_not_allowed', caller: 'binding:chat-worker' }),
    sum(1, 23, { caller: 'binding:chat-worker', count: 5 }),
    owner('replaced', '2026-06-15T11:20:00.000Z'),
    owner('replaced', '2026-06-15T08:00:00.000Z'),
  ])
  expect(await lines(page).allTextContents()).toEqual([
    'batch used this key today',
    'You replaced the key',
    'chat-worker used this key 41 times today (2 failed)',
    'chat-worker was refused today: you have not allowed this application',
    'You replaced the key',
    'chat-worker used this key 5 times yesterday',
  ])
  const times = await page.locator('[part~=event] time').allTextContents()
  expect(times[2]).toBe('15 Jun 2026, 11:10')
})

it('a key that the operator saved says so until its owner replaces it', async () => {
  const at = '2026-06-15T10:00:00.000Z'
  const byServer = { by: 'operator', caller: 'server:flask-app' } as const
  const { page, user } = await openKey([{ event: 'saved', ...byServer, at }])
  await vault.sql("UPDATE api_keys SET saved_by = 'operator' WHERE user_id = ?", user)
  await page.reload()
  await act(page, 'OpenAI', 'Activity')
  expect(await shows(page.getByText('flask-app (via API) saved the key'))).toBe(true)
  await button(page, 'Close').click()
  const said = page.getByText('The operator of this application saved this key for you.')
  await toggleRow(page, 'OpenAI')
  expect(await shows(said)).toBe(true)
  await act(page, 'OpenAI', 'Replace')
  await keyField(page).fill('sk-good-of-the-owner')
  await page.locator('#save').click()
  expect(await shows(page.getByText('The OpenAI key is saved,'))).toBe(true)
  await page.locator('time').getByText('Saved').waitFor()
  expect(await said.count()).toBe(0)
})

it("the list counts by the reader's days", async () => {
  const { page } = await openActivity([sum(1, 14), sum(1, 16)], 'Asia/Tokyo')
  expect(await lines(page).allTextContents()).toEqual([
    'An application used this key today',
    'An application used this key yesterday',
  ])
})

it('an empty list says so, and takes and gives back the focus', async () => {
  const { page, faults } = await openActivity([])
  expect(await shows(page.getByText('No activity yet.'))).toBe(true)
  expect(await button(page, 'Download all').count()).toBe(0)
  expect(await isFocused(page.locator('#title'))).toBe(true)
  await page.keyboard.press('Escape')
  await page.locator('#title').waitFor({ state: 'detached' })
  expect(await isFocused(button(page, 'More: OpenAI key'))).toBe(true)
  expect(faults()).toEqual([])
})

it('the list shows only events of its slot, and looks at all slots', async () => {
  const look = { event: 'viewed', by: 'operator', caller: 'server:flask-app' } as const
  const { page } = await openActivity([
    { ...owner('replaced'), slot: 'groq' },
    owner('paused'),
    { ...look, slot: '*', at: '2026-06-15T09:00:00.000Z' },
    { ...look, slot: 'openai', at: '2026-06-15T08:00:00.000Z' },
  ])
  expect(await lines(page).allTextContents()).toEqual([
    'You paused the key',
    'flask-app (via API) looked at the details of this key 2 times today',
  ])
})

it('the list shows what has just happened', async () => {
  const { page } = await openSettings({ openai: 'sk-good-1' })
  await act(page, 'OpenAI', 'Pause')
  await button(page, 'Resume: OpenAI key').waitFor()
  await act(page, 'OpenAI', 'Activity')
  await lines(page).first().waitFor()
  expect(await lines(page).allTextContents()).toEqual(['You paused the key', SAVED])
})

it.for([
  ["provider = 'gone'", 'gone'],
  ["key_id = 'gone'", 'OpenAI'],
  ["status = 'rejected', expires_at = '2026-01-01T00:00:00.000Z'", 'OpenAI'],
] as const)('the list of a key in any state can be opened: %s', async ([change, key]) => {
  const { page, user } = await openKey([owner('saved')])
  await vault.sql(`UPDATE api_keys SET ${change} WHERE user_id = ?`, user)
  await page.reload()
  await act(page, key, 'Activity')
  expect(await shows(page.getByText(/You saved the key|No activity yet/))).toBe(true)
})

describe('a long list', () => {
  const saves = (count: number) =>
    Array.from({ length: count }, (_, index) =>
      owner('saved', new Date(Date.parse(NOON) - index * 60_000).toISOString()),
    )

  it('a long list shows 20 lines at first, and more with the keyboard', async () => {
    const { page } = await openActivity(saves(45))
    expect(await lines(page).count()).toBe(20)
    const more = button(page, 'Show more')
    await more.focus()
    await page.keyboard.press('Enter')
    const added = page.locator('[part~=event]').nth(20)
    await added.waitFor()
    expect(await isFocused(added)).toBe(true)
    expect(await lines(page).count()).toBe(40)
    await more.click()
    await page.locator('[part~=event]').nth(44).waitFor()
    expect(await more.count()).toBe(0)
  })

  it('a long list is fetched by cursors, and shows no sum before it is complete', async () => {
    const today = Array.from({ length: 190 }, (_, index) =>
      sum(0, 10, { caller: `binding:app-${index}` }),
    )
    const before = [20, 18, 16].flatMap((hour) =>
      Array.from({ length: 10 }, (_, index) => sum(1, hour, { caller: `binding:old-${index}` })),
    )
    const { page } = await openKey([...today, ...before])
    const cursors: (string | null)[] = []
    page.on('request', (request) => {
      const { pathname, searchParams } = new URL(request.url())
      if (pathname.endsWith('/api-key-events')) cursors.push(searchParams.get('cursor'))
    })
    await act(page, 'OpenAI', 'Activity')
    await lines(page).first().waitFor()
    for (let shown = 20; shown < 190; shown += 20) {
      await button(page, 'Show more').click()
      await lines(page).nth(shown).waitFor()
    }
    expect(await lines(page).count()).toBe(190)
    expect(cursors).toEqual([null])
    await button(page, 'Show more').click()
    await lines(page).nth(190).waitFor()
    expect(cursors).toEqual([null, expect.stringMatching(/^2026-06-14T/)])
    const sums = await lines(page).allTextContents()
    expect(sums.slice(190)).toEqual(
      expect.arrayContaining(['old-0 used this key 3 times yesterday']),
    )
    expect(sums).toHaveLength(200)
    expect(await button(page, 'Show more').count()).toBe(0)
  })
})

it('the download saves all events of the slot as a file, with the token', async () => {
  const events = Array.from({ length: 30 }, (_, hour) => sum(hour % 10, 10, { count: hour + 1 }))
  const { page, token, origins } = await openActivity([...events, owner('replaced')])
  const asked = page.waitForRequest('**/api-key-events?provider=openai&format=ndjson')
  const saved = page.waitForEvent('download')
  await button(page, 'Download all').click()
  expect((await asked).headers()['authorization']).toBe(`Bearer ${token}`)
  const download = await saved
  expect(download.suggestedFilename()).toBe('api-key-events-openai.ndjson')
  const rows = readFileSync(await download.path(), 'utf8')
    .trim()
    .split('\n')
  expect(rows).toHaveLength(31)
  expect(JSON.parse(rows[0] ?? '')).toMatchObject({ provider: 'openai', event: 'used' })
  expect(origins().every((origin) => !origin.includes(token))).toBe(true)
})

it('the download is possible on the page at /, under its Content Security Policy', async () => {
  const { page, token, faults } = await openSettings({ openai: 'sk-good-1' })
  await page.goto(`${vault.keyUrl.origin}/#token=${token}`)
  await act(page, 'OpenAI', 'Activity')
  const saved = page.waitForEvent('download')
  await button(page, 'Download all').click()
  expect(readFileSync(await (await saved).path(), 'utf8')).toContain('"event":"saved"')
  expect(faults()).toEqual([])
})

it('a download that fails says so, and can be tried again', async () => {
  const { page } = await openActivity([owner('saved')])
  await page.route('**/api-key-events?*', (route) => route.fulfill(refuse(503, 'database_busy')))
  await button(page, 'Download all').click()
  expect(await shows(told(page, 'The key service is busy.'))).toBe(true)
  await page.unroute('**/api-key-events?*')
  const saved = page.waitForEvent('download')
  await button(page, 'Download all').click()
  expect(await (await saved).failure()).toBeNull()
})

it('a list that does not load says so, and can be loaded again', async () => {
  const { page } = await openKey([owner('paused')])
  await page.route('**/api-key-events?*', (route) => route.fulfill(refuse(503, 'database_busy')))
  await act(page, 'OpenAI', 'Activity')
  expect(await shows(told(page, 'The key service is busy.'))).toBe(true)
  expect(await page.getByText('No activity yet.').count()).toBe(0)
  const fired = [{ type: 'error', code: 'database_busy' }]
  expect(await page.evaluate('window.events')).toMatchObject(fired)
  await page.unroute('**/api-key-events?*')
  await button(page, 'Try again').click()
  expect(await shows(page.getByText('You paused the key'))).toBe(true)
})

it('the list says that it is being loaded', async () => {
  const { page } = await openKey([owner('paused')])
  await page.route('**/api-key-events?*', async (route) => {
    await page.getByRole('status').getByText('Loading the activity …').waitFor()
    await route.continue()
  })
  await act(page, 'OpenAI', 'Activity')
  expect(await shows(page.getByText('You paused the key'))).toBe(true)
})

describe('at 320 px, in light and in dark', () => {
  const EVENTS = [
    sum(0, 10, {
      caller: `binding:${'a-very-long-name-of-an-application'.repeat(3)}`,
      count: 1_000,
    }),
    sum(0, 9, { event: 'use_refused', code: 'caller_not_allowed', count: 2 }),
    owner('limits_changed'),
  ]
  /** Opens the details, and from there what has this id, in any language. */
  const open = async (page: Page, panel: string) => {
    await page.locator('#open').click()
    await page.locator(`#${panel}`).click()
  }

  async function openLimited(lang: string) {
    const { page, user } = await openKey(EVENTS, 'UTC', lang)
    await vault.sql(
      `UPDATE api_keys SET max_uses = 1000000, max_uses_per = 'day', uses = 1000000, uses_in = '9999',
         callers = '["binding:a-very-long-name-of-an-application"]' WHERE user_id = ?`,
      user,
    )
    await page.reload()
    await page.locator('#add').waitFor()
    return page
  }

  /** What is wrong at 320 px, in light and in dark. */
  async function findFaults(page: Page): Promise<string[]> {
    await page.setViewportSize({ width: 320, height: 800 })
    const faults: string[] = []
    for (const colorScheme of ['light', 'dark'] as const) {
      // oxlint-disable no-await-in-loop -- one look after the other
      await page.emulateMedia({ colorScheme })
      if ((await overflow(page)) > 0) faults.push(`too wide in ${colorScheme}`)
      faults.push(...(await findBarriers(page)))
      // oxlint-enable no-await-in-loop
    }
    return faults
  }

  const FORMS = [
    ['the limits', 'limits', 'api-key-settings-limits [type=checkbox]'],
    ['the activity', 'activity', 'api-key-settings-activity [part~=event]'],
  ] as const
  it.for(['en', ...TRANSLATED].flatMap((lang) => FORMS.map((form) => [lang, ...form] as const)))(
    'axe finds nothing in %s at 320 px: %s',
    async ([lang, , panel, ready]) => {
      const page = await openLimited(lang)
      await open(page, panel)
      await page.locator(ready).first().waitFor()
      expect(await findFaults(page)).toEqual([])
    },
  )

  it.for(FORMS)('axe finds nothing from right to left at 320 px: %s', async ([, panel, ready]) => {
    const page = await openLimited('ar')
    await page.evaluate(() => {
      document.documentElement.dir = 'rtl'
      const texts = { addKey: 'إضافة مفتاح', event_limits_changed: 'لقد غيّرت حدود المفتاح' }
      Object.assign(document.querySelector('api-key-settings') ?? {}, { texts })
    })
    await button(page, 'إضافة مفتاح').waitFor()
    await open(page, panel)
    await page.locator(ready).first().waitFor()
    expect(await findFaults(page)).toEqual([])
  })

  it('the time of an event is at its end, from right to left too', async () => {
    const page = await openLimited('ar')
    await open(page, 'activity')
    const left = (selector: string) =>
      page
        .locator(`api-key-settings-activity ${selector}`)
        .first()
        .evaluate((element) => element.getBoundingClientRect().left)
    expect(await left('li span')).toBeLessThan(await left('li time'))
    await page.evaluate(() => {
      document.documentElement.dir = 'rtl'
      const texts = { more: 'المزيد' }
      Object.assign(document.querySelector('api-key-settings') ?? {}, { texts })
    })
    await page.locator('api-key-settings [lang=ar]').first().waitFor()
    expect(await left('li span')).toBeGreaterThan(await left('li time'))
  })
})
