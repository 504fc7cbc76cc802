import type { Page, Route } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { mintToken } from '../node/start-vault.ts'
import {
  act,
  beginAdding,
  button,
  deleteKey,
  isFocused,
  keyField,
  listItems,
  providerField,
  rowOf,
  toggleRow,
  trimAll,
} from './screen.ts'
import { refuse, setStage, shows } from './stage.ts'

const { vault, host, openPage, openSettings } = await setStage()
const origin = vault.keyUrl.origin

const alert = (page: Page, text: string | RegExp) => page.getByRole('alert').getByText(text)
const codes = (page: Page) =>
  page.evaluate<unknown[]>("window.events.map(({ type, code }) => type + ' ' + code)")

/** Types a key that OpenAI accepts, without saving it. */
async function typeKey(page: Page): Promise<void> {
  await beginAdding(page, 'OpenAI')
  await keyField(page).fill('sk-good-typed')
}

/** Answers each PUT with `answer`. */
async function intercept(page: Page, answer: (route: Route) => Promise<void>): Promise<void> {
  await page.route('**/api-keys/openai', async (route) =>
    route.request().method() === 'PUT' ? answer(route) : route.fallback(),
  )
}

it('a fault is explained with its reference, and the typed key is kept', async () => {
  const { page } = await openSettings()
  await intercept(page, (route) => route.fulfill(refuse(500, 'internal')))
  await typeKey(page)
  await button(page, 'Save key').click()
  const text = 'Something went wrong in the key service. Try again, or contact support.'
  expect(await shows(alert(page, text))).toBe(true)
  expect(await shows(alert(page, 'Reference: request-1'))).toBe(true)
  expect(await keyField(page).inputValue()).toBe('sk-good-typed')
  expect(await isFocused(keyField(page))).toBe(true)
  expect(await codes(page)).toEqual(['error internal'])
})

it('a fault is not_an_answer if something else answers', async () => {
  const { page } = await openSettings()
  await intercept(page, (route) =>
    route.fulfill({
      status: 502,
      body: '<h1>Bad gateway</h1>',
      headers: { 'Access-Control-Allow-Origin': '*' },
    }),
  )
  await typeKey(page)
  await button(page, 'Save key').click()
  await alert(page, 'The answer did not come from the key service.').waitFor()
  expect(await codes(page)).toEqual(['error not_an_answer'])
})

it('a fault is unreachable if nothing answers', async () => {
  const { page } = await openSettings()
  await intercept(page, (route) => route.abort('connectionrefused'))
  await typeKey(page)
  await button(page, 'Save key').click()
  await alert(page, 'We can’t reach the key service.').waitFor()
  expect(await codes(page)).toEqual(['error unreachable'])
})

it('a fault is offline without a connection, and is over with one', async () => {
  const { page } = await openSettings()
  await typeKey(page)
  await page.context().setOffline(true)
  await button(page, 'Save key').click()
  await alert(page, 'You are offline. Try again when you are connected.').waitFor()
  await page.context().setOffline(false)
  await button(page, 'Save key').click()
  expect(await shows(page.getByText('The OpenAI key is saved'))).toBe(true)
})

it('the form counts down after too many requests, then saves', async () => {
  const { page } = await openSettings({}, { clock: true })
  let refusals = 0
  await intercept(page, async (route) => {
    refusals += 1
    if (refusals > 1) return route.fallback()
    return route.fulfill(refuse(429, 'rate_limited', { 'Retry-After': '42' }))
  })
  await typeKey(page)
  await button(page, 'Save key').click()
  await alert(page, 'Try again in 42 seconds.').waitFor()
  expect(await button(page, 'Save key').getAttribute('aria-disabled')).toBe('true')
  await page.keyboard.press('Enter')
  await page.clock.runFor(2_000)
  await alert(page, 'Try again in 40 seconds.').waitFor()
  await button(page, 'Save key').click({ force: true })
  expect(refusals).toBe(1)
  await page.clock.runFor(40_000)
  await button(page, 'Save key').click()
  await page.getByText('The OpenAI key is saved').waitFor()
})

it('a countdown continues after the element was removed and inserted again', async () => {
  const { page } = await openSettings({}, { clock: true })
  const refusal = refuse(429, 'rate_limited', { 'Retry-After': '42' })
  await intercept(page, (route) => route.fulfill(refusal))
  await typeKey(page)
  await button(page, 'Save key').click()
  await alert(page, 'Try again in 42 seconds.').waitFor()
  await page.evaluate(() => {
    const settings = document.querySelector('api-key-settings')
    settings?.remove()
    if (settings) document.body.append(settings)
  })
  await page.clock.runFor(42_000)
  await alert(page, 'Try again in').waitFor({ state: 'hidden' })
  expect(await button(page, 'Save key').getAttribute('aria-disabled')).toBe('false')
})

it('the focus stays where the user has moved it meanwhile', async () => {
  const { page } = await openSettings()
  const held = Promise.withResolvers<void>()
  await intercept(page, async (route) => {
    await held.promise
    await route.fulfill(refuse(503, 'database_busy'))
  })
  await page.evaluate(() => document.body.append(document.createElement('textarea')))
  await typeKey(page)
  await button(page, 'Save key').click()
  await page.locator('textarea').focus()
  held.resolve()
  await alert(page, 'The key service is busy.').waitFor()
  await page.keyboard.type('hello')
  expect(await page.locator('textarea').inputValue()).toBe('hello')
  expect(await keyField(page).inputValue()).toBe('sk-good-typed')
})

it('the focus moves to the first button after a list was loaded again', async () => {
  const { page } = await openSettings()
  await page.route('**/api-keys', (route) => route.fulfill(refuse(503, 'database_busy')))
  await page.reload()
  await button(page, 'Try again').click()
  await alert(page, 'The key service is busy.').waitFor()
  expect(await isFocused(button(page, 'Try again'))).toBe(true)
  await page.unroute('**/api-keys')
  await page.keyboard.press('Enter')
  await button(page, 'Add a key').waitFor()
  expect(await isFocused(button(page, 'Add a key'))).toBe(true)
})

it('a slow answer is shown, announced, and called slow after 10 s', async () => {
  const { page } = await openSettings({}, { clock: true })
  const held = Promise.withResolvers<void>()
  let saves = 0
  await intercept(page, async (route) => {
    saves += 1
    await held.promise
    await route.fallback()
  })
  await typeKey(page)
  await button(page, 'Save key').click()
  const busy = button(page, 'Checking the key with OpenAI …')
  expect(await busy.getAttribute('aria-busy')).toBe('true')
  const announced = page.getByRole('status').getByText('Checking the key with OpenAI …')
  expect(await announced.count()).toBe(1)
  expect(await keyField(page).getAttribute('readonly')).toBe('')
  expect(await button(page, 'Cancel').isDisabled()).toBe(true)
  await page.keyboard.press('Enter')
  await keyField(page).press('Enter')
  expect(await providerField(page).getAttribute('readonly')).toBe('')
  const slow = page.getByRole('status').getByText('This takes longer than usual …')
  await page.clock.runFor(9_000)
  expect(await slow.count()).toBe(0)
  await page.clock.runFor(1_000)
  await slow.waitFor()
  held.resolve()
  await page.getByText('The OpenAI key is saved').waitFor()
  expect(await slow.count()).toBe(0)
  expect(saves).toBe(1)
})

it('an answer that does not come is given up after 30 s', async () => {
  const { page } = await openSettings({}, { clock: true })
  await intercept(page, async () => {})
  await typeKey(page)
  await button(page, 'Save key').click()
  await button(page, 'Checking the key with OpenAI …').waitFor()
  await page.clock.runFor(30_000)
  await alert(page, 'The key service did not answer in time.').waitFor()
  expect(await codes(page)).toEqual(['error no_answer'])
})

it('a token that never comes is given up after 30 s', async () => {
  const { page, user } = await openSettings({}, { clock: true })
  await page.evaluate((userId) => {
    const getToken = () => new Promise(() => {})
    Object.assign(document.querySelector('api-key-settings') ?? {}, {
      userId: `${userId}-2`,
      getToken,
    })
  }, user)
  await page.getByRole('status').getByText('Loading your keys …').waitFor()
  await page.clock.runFor(30_000)
  await alert(page, 'The key service did not answer in time.').waitFor()
  expect(await codes(page)).toEqual(['error no_answer'])
})

it('a token that cannot be fetched offline does not end the session', async () => {
  const { page, user } = await openSettings()
  await page.context().setOffline(true)
  await page.evaluate((userId) => {
    const getToken = () => Promise.reject(new TypeError('Failed to fetch'))
    Object.assign(document.querySelector('api-key-settings') ?? {}, {
      userId: `${userId}-2`,
      getToken,
    })
  }, user)
  await alert(page, 'You are offline.').waitFor()
  expect(await codes(page)).toEqual(['error offline'])
})

it('a token that has expired is requested again, once', async () => {
  const user = `user-${crypto.randomUUID()}`
  const tokens = [await mintToken(vault.secret, user, -60), await mintToken(vault.secret, user)]
  const { page } = await openPage(host.open({ vault: origin, user, tokens }))
  await button(page, 'Add a key').waitFor()
  expect(await page.evaluate('window.refreshes')).toEqual([false, true])
  expect(await codes(page)).toEqual([])
})

it('a token that has expired both times ends the session', async () => {
  const user = `user-${crypto.randomUUID()}`
  const tokens = [await mintToken(vault.secret, user, -60)]
  const { page } = await openPage(host.open({ vault: origin, user, tokens }))
  await alert(page, 'Your session has ended. Sign in again.').waitFor()
  expect(await page.evaluate('window.refreshes')).toEqual([false, true])
  expect(await codes(page)).toEqual(['error token_expired'])
})

it('a token that is invalid is explained to the user, and its fault to the console', async () => {
  const tokens = [await mintToken('another secret of 32 bytes or more', 'user')]
  const { page } = await openPage(host.open({ vault: origin, user: 'user', tokens }))
  const told = page.waitForEvent('console', (message) => message.type() === 'info')
  await page.reload()
  const text = 'Your sign-in is not accepted here. Sign in again, or contact support.'
  await alert(page, text).waitFor()
  expect((await told).text()).toMatch(/^token_invalid Its signature does not verify/)
})

it('a token that the host application cannot get ends the session', async () => {
  const { page, user, faults } = await openSettings()
  await page.evaluate((id) => {
    const getToken = () => {
      throw new Error('no session', { cause: 'a token' })
    }
    const settings = document.createElement('api-key-settings')
    Object.assign(settings, {
      userId: id,
      getToken,
      baseUrl: document.querySelector('api-key-settings')?.getAttribute('base-url'),
    })
    document.body.replaceChildren(settings)
  }, user)
  await alert(page, 'Your session has ended.').waitFor()
  expect(faults()).toEqual(['Error: no session'])
})

it('a token of a different user opens nothing', async () => {
  const tokens = [await mintToken(vault.secret, 'somebody')]
  const { page } = await openPage(host.open({ vault: origin, user: 'another', tokens }))
  await alert(page, 'These keys belong to another account or team.').waitFor()
  expect(await codes(page)).toEqual(['error not_your_own'])
})

describe('another user', () => {
  /** Sets another user, as a host application does after a sign-in. */
  const handOver = (page: Page, user: string, token: string) =>
    page.evaluate(
      ([userId, bearer]) => {
        const settings = document.querySelector('api-key-settings')
        Object.assign(settings ?? {}, { userId, getToken: () => bearer })
      },
      [user, token] as const,
    )

  it('another user does not see what was under way for the previous one', async () => {
    const { page } = await openSettings()
    const next = await openSettings({ groq: 'gsk_of-the-next' })
    const held = Promise.withResolvers<void>()
    await intercept(page, async (route) => {
      await held.promise
      await route.fallback()
    })
    await typeKey(page)
    await button(page, 'Save key').click()
    await button(page, 'Checking the key with OpenAI …').waitFor()
    await handOver(page, next.user, next.token)
    await rowOf(page, 'Groq').waitFor()
    const answered = page.waitForResponse('**/api-keys/openai')
    held.resolve()
    await (await answered).finished()
    await page.evaluate(() => new Promise(requestAnimationFrame))
    expect(await rowOf(page, 'OpenAI').count()).toBe(0)
    expect(await page.evaluate('window.events')).toEqual([])
  })

  it('another user does not wait for the list of the previous one', async () => {
    const { page } = await openSettings()
    const next = await openSettings({ groq: 'gsk_of-the-next' })
    await page.route('**/api-keys', () => {}, { times: 1 })
    await page.reload()
    await page.getByRole('status').getByText('Loading your keys …').waitFor()
    await handOver(page, next.user, next.token)
    expect(await shows(rowOf(page, 'Groq'))).toBe(true)
  })
})

it('a list that did not load is loaded again by a button', async () => {
  const { page } = await openSettings({ openai: 'sk-good-1' })
  await page.route('**/api-keys', (route) => route.fulfill(refuse(503, 'database_busy')))
  await page.reload()
  await alert(page, 'The key service is busy.').waitFor()
  await page.unroute('**/api-keys')
  await button(page, 'Try again').click()
  expect(await shows(rowOf(page, 'OpenAI'))).toBe(true)
})

it('a list that did not load is loaded again when the browser is back online', async () => {
  const { page } = await openSettings({ openai: 'sk-good-1' })
  await page.route('**/api-keys', (route) => route.abort('internetdisconnected'))
  await page.reload()
  await alert(page, 'We can’t reach the key service.').waitFor()
  await page.unroute('**/api-keys')
  await page.context().setOffline(true)
  await page.context().setOffline(false)
  expect(await shows(rowOf(page, 'OpenAI'))).toBe(true)
})

it('a test that is refused for a time lets its key be paused, limited and deleted', async () => {
  const { page } = await openSettings({ openai: 'sk-good-1' }, { clock: true })
  await page.route('**/api-keys/openai/verify', (route) =>
    route.fulfill(refuse(429, 'rate_limited', { 'Retry-After': '60' })),
  )
  await act(page, 'OpenAI', 'Test')
  await alert(page, 'Try again in 60 seconds.').waitFor()
  const disabled = page.locator('api-key-settings-item [aria-disabled=true]')
  expect(trimAll(await disabled.allTextContents())).toEqual(['Test'])
  expect(await listItems(page, 'OpenAI')).toEqual([
    'Replace',
    'Pause',
    'Limits',
    'Activity',
    'Delete',
  ])
  await act(page, 'OpenAI', 'Pause')
  await page.getByText('You paused the key').waitFor()
  await deleteKey(page, 'OpenAI')
  await page.getByText('The OpenAI key is deleted.').waitFor()
  expect(await codes(page)).toEqual(['error rate_limited', 'deleted undefined'])
})

it.for([
  ['Pause', 'PATCH'],
  ['Delete', 'DELETE'],
] as const)(
  '%s can be tried again at once if it was refused for a time',
  async ([name, method]) => {
    const { page } = await openSettings({ openai: 'sk-good-1' }, { clock: true })
    let refusals = 0
    await page.route('**/api-keys/openai', async (route) => {
      if (route.request().method() !== method || refusals > 0) return route.fallback()
      refusals += 1
      return route.fulfill(refuse(429, 'rate_limited', { 'Retry-After': '60' }))
    })
    const change = async () =>
      name === 'Delete' ? deleteKey(page, 'OpenAI') : act(page, 'OpenAI', name)
    await change()
    await alert(page, 'Try again in 60 seconds.').waitFor()
    expect(await button(page, 'Test: OpenAI key').getAttribute('aria-disabled')).toBe('false')
    await change()
    const done = { Pause: 'You paused the key', Delete: 'The OpenAI key is deleted.' }[name]
    expect(await shows(page.getByText(done))).toBe(true)
  },
)

it('a list of callers that is refused for a time lets limits be saved', async () => {
  const { page } = await openSettings({ openai: 'sk-good-1' }, { clock: true })
  await page.route('**/api-key-events?*', (route) =>
    route.fulfill(refuse(429, 'rate_limited', { 'Retry-After': '60' })),
  )
  await act(page, 'OpenAI', 'Limits')
  await alert(page, 'Try again in 60 seconds.').waitFor()
  await page.getByLabel('Maximum number of uses').fill('5')
  await button(page, 'Save limits').click()
  await page.getByText('You changed the limits of the key').waitFor()
  await toggleRow(page, 'OpenAI')
  expect(await shows(page.getByText('0 of 5 uses today'))).toBe(true)
})

it('a list stays on the page when a test or a deletion fails', async () => {
  const { page } = await openSettings({ openai: 'sk-good-1' })
  await page.route('**/api-keys/openai**', (route) => route.fulfill(refuse(503, 'database_busy')))
  await page.route('**/api-keys/openai/verify', (route) =>
    route.fulfill(refuse(429, 'rate_limited')),
  )
  await act(page, 'OpenAI', 'Test')
  await alert(page, 'Too many attempts.').waitFor()
  await deleteKey(page, 'OpenAI')
  await alert(page, 'The key service is busy.').waitFor()
  expect(await page.locator('[part=preview]').textContent()).toBe('sk-good-...')
})
