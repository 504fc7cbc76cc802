/** The keys of a team. Slow: it opens many pages in a browser. */

import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { TRANSLATED } from '../../scripts/lib/element.ts'
import { signToken } from '../../scripts/lib/token.ts'
import { bundleApp } from './frameworks/bundle.ts'
import { saveKey } from './samples.ts'
import {
  act,
  beginAdding,
  button,
  deleteKey,
  isFocused,
  listKeys,
  rowOf,
  toggleRow,
} from './screen.ts'
import { findBarriers, overflow, refuse, setStage, shows } from './stage.ts'

const { vault, host, openPage } = await setStage({
  JWT_TEAM_CLAIM: 'teams',
  JWT_TEAM_ADMIN_CLAIM: 'admin_of',
})
const { origin } = vault.keyUrl

const said = (page: Page, text: string) => page.getByText(text)

/** A user, and their token, with the team and whether they administer it. */
async function signIn(team: string, isAdmin: boolean, claims: object = {}) {
  const now = Math.floor(Date.now() / 1_000)
  const user = `user-${crypto.randomUUID()}`
  const teams = { teams: [team, 'other'], admin_of: isAdmin ? [team] : [] }
  const token = await signToken(
    { sub: user, iat: now, exp: now + 3_600, ...teams, ...claims },
    vault.secret,
  )
  return { user, token }
}

/** Opens the page of a member of a team that has `keys`, by slot. */
async function openTeam(
  keys: Record<string, string>,
  { isAdmin = false, lang = 'en', claims = {} } = {},
) {
  const team = `team-${crypto.randomUUID()}`
  const admin = await signIn(team, true)
  const base = `${origin}/api/teams/${team}/api-keys`
  for (const [slot, key] of Object.entries(keys)) {
    await saveKey(`${base}/${slot}`, admin.token, key)
  }
  const reader = await signIn(team, isAdmin, claims)
  const attributes = `team-id="${team}"`
  const { user, token } = reader
  const url = host.open({ vault: origin, user, tokens: [token], attributes, lang })
  return { ...(await openPage(url)), team, admin, ...reader }
}

describe('an admin of a team', () => {
  it('an admin saves the first key of a team, and none of their own', async () => {
    const { page, team, token, user, faults } = await openTeam({}, { isAdmin: true })
    await beginAdding(page, 'OpenAI')
    await page.getByRole('textbox', { name: /API key$/ }).fill('sk-good-team')
    await button(page, 'Save key').click()
    await said(page, 'The OpenAI key is saved, and OpenAI accepts it.').waitFor()
    const detail = { provider: 'openai', preview: 'sk-good-...', status: 'active' }
    expect(await page.evaluate('window.events')).toEqual([{ type: 'saved', ...detail }])
    const [ofTeam, own] = await Promise.all(
      [`teams/${team}`, `users/${user}`].map(async (owner) => {
        const headers = { Authorization: `Bearer ${token}` }
        const response = await fetch(`${origin}/api/${owner}/api-keys/openai`, { headers })
        const { has_api_key }: { has_api_key?: boolean } = await response.json()
        return has_api_key ?? false
      }),
    )
    expect([ofTeam, own]).toEqual([true, false])
    expect(faults()).toEqual([])
  })

  it('an admin can do to a key of the team what a user can do to their own', async () => {
    const keys = { openai: 'sk-good-team', 'openai:work': 'sk-good-work' }
    const { page, faults } = await openTeam(keys, { isAdmin: true })
    await act(page, 'OpenAI', 'Test')
    await said(page, 'OpenAI accepts this key.').waitFor()
    await act(page, 'OpenAI', 'Pause')
    await said(page, 'You paused the key').waitFor()
    await act(page, 'OpenAI', 'Limits')
    const field = (label: string) => page.getByLabel(label, { exact: true })
    await field('Usage limit').selectOption('Per day')
    await field('Maximum number of uses').fill('5')
    await field('Maximum number of uses per member').fill('0')
    await field('Usage limit per member').selectOption('Per day')
    await button(page, 'Save limits').click()
    await said(page, 'Enter a whole number of uses, 1 or more.').waitFor()
    const perMember = field('Maximum number of uses per member')
    expect(await isFocused(perMember)).toBe(true)
    const faulty = await page
      .locator('[aria-invalid=true]')
      .evaluateAll((all) => all.map(({ id }) => id))
    expect(faulty).toEqual(['countPerMember'])
    await perMember.fill('2')
    await button(page, 'Save limits').click()
    await said(page, 'You changed the limits of the key').waitFor()
    await toggleRow(page, 'OpenAI')
    await said(page, '0 of 5 uses today').waitFor()
    await said(page, 'Daily limit per member: 2').waitFor()
    await deleteKey(page, 'OpenAI · work')
    await said(page, 'The OpenAI · work key is deleted.').waitFor()
    expect(await listKeys(page)).toEqual(['OpenAI'])
    expect(faults()).toEqual([])
  })

  it('an admin reads what they did, and what another admin did', async () => {
    const { page, admin } = await openTeam({ openai: 'sk-good-team' }, { isAdmin: true })
    await act(page, 'OpenAI', 'Pause')
    await said(page, 'You paused the key').waitFor()
    await act(page, 'OpenAI', 'Activity')
    const lines = page.locator('[part=event] span')
    await lines.nth(1).waitFor()
    expect(await lines.allTextContents()).toEqual([
      'You paused the key',
      `${admin.user} saved the key`,
    ])
  })
})

describe('a member of a team', () => {
  it('a member sees of which providers the team has keys, and no buttons', async () => {
    const keys = { openai: 'sk-good-team', 'openai:work': 'sk-good-work', groq: 'gsk_team' }
    const { page, faults } = await openTeam(keys)
    const cards = page.locator('li')
    await cards.nth(1).waitFor()
    const texts = (await cards.allTextContents()).map((text) => text.replace(/\s+/g, ' ').trim())
    expect(texts).toEqual(['OpenAI Your team’s key is used', 'Groq Your team’s key is used'])
    expect(await page.getByRole('button').count()).toBe(0)
    expect(await page.content({ includeShadow: true })).not.toContain('sk-good')
    expect(faults()).toEqual([])
  })

  it('a member sees that the team has no keys', async () => {
    const { page } = await openTeam({})
    await said(page, 'Your team has no keys yet.').waitFor()
    expect(await page.getByRole('button').count()).toBe(0)
  })

  it.for(['en', ...TRANSLATED])('axe finds nothing in %s at 320 px: a team', async (lang) => {
    const { page } = await openTeam({ openai: 'sk-good-team', groq: 'gsk_team' }, { lang })
    await page.setViewportSize({ width: 320, height: 800 })
    await page.locator('li').first().waitFor()
    expect([await findBarriers(page), await overflow(page)]).toEqual([[], 0])
  })
})

it('somebody who is not in the team is told so', async () => {
  const { page } = await openTeam({}, { claims: { teams: ['other'] } })
  const text =
    'These keys belong to another account or team. Sign in with an account that may see them.'
  expect(await shows(page.getByRole('alert').filter({ hasText: text }))).toBe(true)
  expect(await page.evaluate('window.events')).toMatchObject([{ code: 'not_your_own' }])
})

it('a token that does not list the teams is said to be the reason', async () => {
  const { page } = await openTeam({})
  await page.route('**/api/teams/*/api-keys', (route) =>
    route.fulfill(refuse(403, 'teams_not_in_token')),
  )
  await page.reload()
  const text = 'Your sign-in does not say which teams you belong to. Contact support.'
  expect(await shows(page.getByRole('alert').filter({ hasText: text }))).toBe(true)
})

it('the React component shows the keys of a team', async () => {
  const { team, token, user } = await openTeam({ openai: 'sk-good-team' })
  const html = `<!doctype html><html lang="en"><link rel="icon" href="data:">
    <div id="app"></div><script type="module">${await bundleApp('embedding.tsx')}</script>`
  const given = new URLSearchParams({ vault: origin, user, token, team })
  const { page, faults } = await openPage(`${host.openHtml(html)}#${String(given)}`)
  await said(page, 'Your team’s key is used').waitFor()
  expect(faults()).toEqual([])
})

it('another team-id shows the keys of that team, and without team-id the keys of the user', async () => {
  const { page } = await openTeam({ openai: 'sk-good-team' }, { isAdmin: true })
  await rowOf(page, 'OpenAI').waitFor()
  const set = (team: string | null) =>
    page.evaluate((teamId) => {
      Object.assign(document.querySelector('api-key-settings') ?? {}, { teamId })
    }, team)
  await set('other')
  await said(page, 'Your team has no keys yet.').waitFor()
  await set(null)
  await button(page, 'Add a key').waitFor()
  expect(await page.locator('li').count()).toBe(0)
})
