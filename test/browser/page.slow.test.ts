import { base64url, decodeJwt } from 'jose'
import type { Page } from 'playwright-core'
import { afterAll, describe, expect, it, onTestFinished } from 'vitest'
import { AUDIENCE, CLIENT_ID, startIdentityProvider } from './identity-provider.ts'
import { mintToken, startVault } from '../node/start-vault.ts'
import { act, beginAdding, button, deleteKey, keyField } from './screen.ts'
import { findBarriers, refuse, setStage, shows } from './stage.ts'

// Access tokens expire so soon that the page renews each one before it uses it.
const identityProvider = await startIdentityProvider({ lifetime: 20 })
afterAll(async () => identityProvider.close())
const { vault, provider, openPage } = await setStage({
  JWT_JWKS_URL: `${identityProvider.issuer}/jwks`,
  JWT_ISSUER: identityProvider.issuer,
  JWT_AUDIENCE: AUDIENCE,
  OIDC_ISSUER: identityProvider.issuer,
  OIDC_CLIENT_ID: CLIENT_ID,
  OIDC_SCOPE: 'openid profile offline_access',
  OIDC_AUDIENCE: AUDIENCE,
})
const origin = vault.keyUrl.origin
identityProvider.register(origin)

const NOT_VALID = /^The answer of localhost:\d+ is not valid\./
const preview = (page: Page) => page.locator('[part=preview]')

async function signIn(page: Page, name: string): Promise<void> {
  await button(page, 'Sign in').click()
  await page.getByLabel('Name').fill(name)
  await button(page, 'Continue').click()
  await page.getByText(`${name} at work`).waitFor()
}

/** Changes the provider's metadata. */
async function changeMetadata(page: Page, changes: object): Promise<void> {
  await page.route('**/.well-known/openid-configuration', async (route) => {
    const response = await route.fetch()
    await route.fulfill({ response, json: { ...(await response.json()), ...changes } })
  })
}

/** What the tab stores where it outlives the page. */
const remembered = (page: Page) =>
  page.evaluate(() =>
    JSON.stringify([Object.entries(sessionStorage), Object.entries(localStorage), document.cookie]),
  )

describe('the page', () => {
  it('signs in, saves, shows, keeps, replaces, deletes and signs out', async () => {
    const { page, faults, origins } = await openPage(origin)
    await signIn(page, 'alice')
    expect(page.url()).toBe(`${origin}/`)
    await beginAdding(page, 'OpenAI')
    await keyField(page).fill('sk-good-of-alice')
    await button(page, 'Save key').click()
    await page.getByText('The OpenAI key is saved, and OpenAI accepts it.').waitFor()
    expect(await preview(page).textContent()).toBe('sk-good-...')

    await page.reload()
    await page.getByText('alice at work').waitFor()
    await act(page, 'OpenAI', 'Replace')
    await keyField(page).fill('sk-bad-of-alice')
    await button(page, 'Replace').click()
    await page.getByText('OpenAI does not accept this key.').waitFor()
    await keyField(page).fill('sk-good2-of-alice')
    await button(page, 'Replace').click()
    await page.getByText('The OpenAI key is saved').waitFor()
    expect(await preview(page).textContent()).toBe('sk-good2...')

    await deleteKey(page, 'OpenAI')
    await page.getByText('The OpenAI key is deleted.').waitFor()
    await button(page, 'Sign out').click()
    await page.getByText(/^Sign in at localhost:\d+ to see your keys\.$/).waitFor()
    await page.reload()
    await page.getByText(/^Sign in at localhost:\d+ to see your keys\.$/).waitFor()
    await button(page, 'Sign in').click()
    await page.getByLabel('Name').waitFor()

    // Chromium reports the 422 of a rejected key as an error.
    expect(faults().filter((fault) => !fault.includes('status of 422'))).toEqual([])
    expect(origins()).toEqual([origin, identityProvider.issuer])
    const seen = await fetch(`${provider.url}/seen/of-alice`)
    expect(await seen.json()).toHaveLength(3)
  })

  it('keeps tokens in memory only, and renews them', async () => {
    const { page } = await openPage(origin)
    const before = identityProvider.grants.length
    await signIn(page, 'bob')
    await button(page, 'Add a key').waitFor()
    const grants = identityProvider.grants.slice(before)
    expect(grants).toEqual(['authorization_code', 'refresh_token'])
    expect(await remembered(page)).toBe('[[["was-signed-in","true"]],[],""]')
    expect(await page.content({ includeShadow: true })).not.toMatch(/eyJ[\w-]+\./)
  })

  it('serves an access token, and not an ID token', async () => {
    const { page } = await openPage(origin)
    const issued = page.waitForResponse((response) => response.url().endsWith('/token'))
    await signIn(page, 'ivan')
    const tokens: Record<'access_token' | 'id_token', string> = await (await issued).json()
    const get = async (vaultUrl: URL, token: string) => {
      const headers = { Authorization: `Bearer ${token}` }
      const response = await fetch(new URL('/api/users/ivan/api-keys', vaultUrl), { headers })
      const { detail }: { detail?: string } = await response.json()
      return [response.status, detail]
    }
    expect(await get(vault.keyUrl, tokens.access_token)).toEqual([200, undefined])
    expect(await get(vault.keyUrl, tokens.id_token)).toEqual([
      401,
      'Its "aud" does not name this service.',
    ])
    // At Entra, ID tokens and access tokens have the same audience.
    const sameAudience = await startVault({
      AUTO_CREATE_USERS: 'true',
      JWT_JWKS_URL: `${identityProvider.issuer}/jwks`,
      JWT_ISSUER: identityProvider.issuer,
      JWT_AUDIENCE: CLIENT_ID,
      OIDC_ISSUER: identityProvider.issuer,
      OIDC_CLIENT_ID: CLIENT_ID,
    })
    onTestFinished(sameAudience.close)
    expect(await get(sameAudience.keyUrl, tokens.id_token)).toEqual([
      401,
      expect.stringContaining('ID token'),
    ])
  })

  it('renews a token once for several callers', async () => {
    const { page } = await openPage(origin)
    await signIn(page, 'heidi')
    await button(page, 'Add a key').waitFor()
    const before = identityProvider.grants.length
    const tokens = await page.evaluate(async () => {
      const getToken = Reflect.get(document.querySelector('api-key-settings') ?? {}, 'getToken')
      return Promise.all([getToken({ refresh: true }), getToken({ refresh: true })])
    })
    expect(tokens[0]).toBe(tokens[1])
    expect(identityProvider.grants.slice(before)).toEqual(['refresh_token'])
  })

  it("shows only the user's own keys", async () => {
    const { page } = await openPage(origin)
    await signIn(page, 'carol')
    expect(await shows(page.getByText('No keys yet.'))).toBe(true)
  })

  it('signs nobody in whose session at the provider has ended', async () => {
    const { page } = await openPage(origin)
    await signIn(page, 'dave')
    await page.context().clearCookies()
    await page.reload()
    await page.getByText(/^Sign in at localhost:\d+ to see your keys\.$/).waitFor()
    expect(page.url()).toBe(`${origin}/`)
    expect(await remembered(page)).toBe('[[],[],""]')
  })

  it('signs out on this page only if the provider has no sign-out URL', async () => {
    const { page } = await openPage(origin)
    await changeMetadata(page, { end_session_endpoint: undefined })
    await signIn(page, 'ivan')
    await button(page, 'Sign out').click()
    await page
      .getByText(/^You are signed out here\. You may still be signed in at localhost:\d+\.$/)
      .waitFor()
    expect(await page.locator('api-key-settings').count()).toBe(0)
    expect(await remembered(page)).toBe('[[],[],""]')
  })

  it('refuses a token endpoint that is not secure', async () => {
    const { page, faults } = await openPage(origin)
    await changeMetadata(page, { token_endpoint: 'http://vault.test/token' })
    await button(page, 'Sign in').click()
    await page.getByText(/^localhost:\d+ does not offer a secure sign-in/).waitFor()
    expect(faults()).toEqual([])
  })

  it('sends no code to a token endpoint that the vault has not read', async () => {
    const { page, origins, faults } = await openPage(origin)
    await changeMetadata(page, { token_endpoint: `${provider.url}/token` })
    await button(page, 'Sign in').click()
    await page.getByLabel('Name').fill('mallory')
    await button(page, 'Continue').click()
    await page.getByText(/^We can’t reach localhost:\d+/).waitFor()
    expect(faults().join()).toContain('connect-src')
    expect(origins()).toEqual([origin, identityProvider.issuer])
  })

  it('signs in, renews and signs out with a token endpoint on another origin', async () => {
    const other = await startIdentityProvider({ lifetime: 20, hasTokenOrigin: true })
    onTestFinished(other.close)
    const { keyUrl, close } = await startVault({
      AUTO_CREATE_USERS: 'true',
      JWT_JWKS_URL: `${other.issuer}/jwks`,
      JWT_ISSUER: other.issuer,
      JWT_AUDIENCE: AUDIENCE,
      OIDC_ISSUER: other.issuer,
      OIDC_CLIENT_ID: CLIENT_ID,
      OIDC_SCOPE: 'openid profile offline_access',
      OIDC_AUDIENCE: AUDIENCE,
    })
    onTestFinished(close)
    other.register(keyUrl.origin)
    const { page, origins, faults } = await openPage(keyUrl.origin)
    await signIn(page, 'lena')
    await page.getByText('No keys yet.').waitFor()
    expect(other.grants).toEqual(['authorization_code', 'refresh_token'])
    await button(page, 'Sign out').click()
    await page.getByText(/^Sign in at localhost:\d+ to see your keys\.$/).waitFor()
    expect(origins()).toEqual([keyUrl.origin, other.issuer, other.tokenOrigin])
    expect(faults()).toEqual([])
  })

  it('refuses a renewed token of a different user', async () => {
    const { page } = await openPage(origin)
    await signIn(page, 'judy')
    await button(page, 'Add a key').waitFor()
    await page.route(`${identityProvider.issuer}/token`, async (route) => {
      const response = await route.fetch()
      const access_token = await mintToken('a secret that the vault does not know', 'mallory')
      await route.fulfill({ response, json: { ...(await response.json()), access_token } })
    })
    await beginAdding(page, 'OpenAI')
    await keyField(page).fill('sk-good-of-judy')
    await button(page, 'Save key').click()
    await page.getByText('Your session has ended.').waitFor()
    expect(await keyField(page).inputValue()).toBe('sk-good-of-judy')
  })

  it('offers to sign in again after the session has ended', async () => {
    const { page } = await openPage(origin)
    await signIn(page, 'erin')
    await page.route('**/api-keys', (route) => route.fulfill(refuse(401, 'token_expired')))
    await page.evaluate(() => {
      const settings = document.querySelector('api-key-settings')
      Object.assign(settings ?? {}, { baseUrl: `${location.origin}/` })
    })
    expect(await shows(button(page, 'Sign in again'))).toBe(true)
  })

  /** Types a key of `name`, whose session ends before it is saved, and clicks on the button to sign in again. */
  async function typeUntilSessionEnds(page: Page, name: string) {
    await signIn(page, name)
    await beginAdding(page, 'OpenAI')
    await keyField(page).fill(`sk-good-of-${name}`)
    await page.route('**/api-keys/openai', (route) => route.fulfill(refuse(401, 'token_expired')))
    await button(page, 'Save key').click()
    await page.getByText('Your session has ended.').waitFor()
    await page.unroute('**/api-keys/openai')
  }

  /** Clicks on the button to sign in again. @returns the window that it opens */
  async function openWindow(page: Page): Promise<Page> {
    const opened = page.context().waitForEvent('page')
    await button(page, 'Sign in again').click()
    return opened
  }

  it('signs in again in another window, and keeps what was typed', async () => {
    const { page, faults } = await openPage(origin)
    await typeUntilSessionEnds(page, 'nina')
    const before = identityProvider.grants.length
    const other = await openWindow(page)
    await other.waitForEvent('close')
    await button(page, 'Sign in again').waitFor({ state: 'hidden' })
    expect(identityProvider.grants.slice(before)).toContain('authorization_code')
    expect(await keyField(page).inputValue()).toBe('sk-good-of-nina')
    await button(page, 'Save key').click()
    await page.getByText('The OpenAI key is saved').waitFor()
    expect(await remembered(page)).toBe('[[["was-signed-in","true"]],[],""]')
    expect(faults().filter((fault) => !fault.includes('status of 401'))).toEqual([])
  })

  it('does not take another user who signs in there, and asks again who it is', async () => {
    const { page } = await openPage(origin)
    await typeUntilSessionEnds(page, 'olga')
    await page.context().clearCookies()
    const other = await openWindow(page)
    await other.getByLabel('Name').fill('mallory')
    await button(other, 'Continue').click()
    const refusal =
      'You signed in as mallory at work, but the other page shows the keys of olga at work.'
    await other.getByText(refusal).waitFor()
    await page.getByText(refusal).waitFor()
    const again = await openWindow(page)
    await again.getByLabel('Name').fill('olga')
    await button(again, 'Continue').click()
    await again.waitForEvent('close')
    await button(page, 'Save key').click()
    expect(await shows(page.getByText('The OpenAI key is saved'))).toBe(true)
  })

  it('signs in by a redirect if the browser opens no window', async () => {
    const { page } = await openPage(origin)
    await typeUntilSessionEnds(page, 'pia')
    const reason = await page.evaluate(async () => {
      Object.assign(window, { open: () => null })
      // The element calls it.
      const signInAgain = Reflect.get(document.querySelector('api-key-settings') ?? {}, 'signIn')
      return signInAgain().catch(({ message }: Error) => message)
    })
    expect(reason).toMatch(/^Your browser did not open a window for the sign-in\./)
    await page.getByText(reason).waitFor()
    expect(await keyField(page).inputValue()).toBe('sk-good-of-pia')
    await button(page, 'Sign in').click()
    expect(await shows(page.getByText('No keys yet.'))).toBe(true)
  })

  it('refuses an answer of the provider that it did not ask for', async () => {
    const { page, faults } = await openPage(`${origin}/?code=stolen&state=forged`)
    await page.getByText(/^Sign in at localhost:\d+ to see your keys\.$/).waitFor()
    await page.evaluate(() =>
      sessionStorage.setItem('sign-in', '{"state":"own","nonce":"n","verifier":"v"}'),
    )
    const iss = encodeURIComponent(identityProvider.issuer)
    await page.goto(`${origin}/?code=stolen&state=forged&iss=${iss}`)
    await page.getByText(NOT_VALID).waitFor()
    expect(faults()).toEqual([expect.stringContaining('"state"')])
    expect(page.url()).toBe(`${origin}/`)
    await button(page, 'Try again').click()
    await page.getByText(/^Sign in at localhost:\d+ to see your keys\.$/).waitFor()
  })

  it('refuses an ID token with a wrong nonce', async () => {
    const { page, faults } = await openPage(origin)
    await page.route(`${identityProvider.issuer}/token`, async (route) => {
      const response = await route.fetch()
      const tokens: { id_token: string } = await response.json()
      const [header, , signature] = tokens.id_token.split('.')
      const claims = JSON.stringify({ ...decodeJwt(tokens.id_token), nonce: 'of-another' })
      const id_token = `${header}.${base64url.encode(claims)}.${signature}`
      await route.fulfill({ response, json: { ...tokens, id_token } })
    })
    await button(page, 'Sign in').click()
    await page.getByLabel('Name').fill('kim')
    await button(page, 'Continue').click()
    expect(await shows(page.getByText(NOT_VALID))).toBe(true)
    expect(faults()).toEqual([expect.stringContaining('"nonce"')])
    expect(await page.locator('api-key-settings').count()).toBe(0)
  })

  it('refuses metadata of another issuer', async () => {
    const { page } = await openPage(origin)
    await changeMetadata(page, { issuer: 'https://evil.test' })
    await button(page, 'Sign in').click()
    expect(await shows(page.getByText(NOT_VALID))).toBe(true)
  })

  it('says that the provider cannot be reached', async () => {
    const { page } = await openPage(origin)
    await page.route(`${identityProvider.issuer}/**`, (route) => route.abort('connectionrefused'))
    await button(page, 'Sign in').click()
    expect(await shows(page.getByText(/^We can’t reach localhost:\d+/))).toBe(true)
  })

  it('accepts a token in a link on localhost, and removes it from the address', async () => {
    const token = await mintToken('a secret that the vault does not know', 'frank')
    const { page } = await openPage(`${origin}/#token=${token}`)
    await page.getByText('Your sign-in is not accepted here.').waitFor()
    expect(page.url()).toBe(`${origin}/`)
    expect(await page.locator('#user').textContent()).toBe('frank')
    await page.getByText('To sign in, open your link again.').waitFor()
    expect(await button(page, 'Sign in').count()).toBe(0)
    expect(await remembered(page)).not.toContain(token)
    await page.reload()
    await page.getByText(/^Sign in at localhost/).waitFor()
  })

  it('ignores a token in a link on any other host', async () => {
    const token = await mintToken('a secret that the vault does not know', 'mallory')
    const { page } = await openPage(`http://vault.test:${vault.keyUrl.port}/#token=${token}`)
    await page.getByText(/^Sign in at localhost/).waitFor()
    expect(new URL(page.url()).hash).toBe('')
    expect(await page.locator('api-key-settings').count()).toBe(0)
  })

  it('says that a link is not valid, and to the console what is wrong with its token', async () => {
    const { page, faults } = await openPage(`${origin}/#token=garbage`)
    expect(await shows(page.getByText('This link is not valid. Open a new one.'))).toBe(true)
    expect(faults()).toEqual(['The token of this link is not a JWT.'])
  })

  it('speaks the first language that the browser asks for, and so does the element', async () => {
    const { page, faults } = await openPage(origin, { locale: 'de-AT' })
    await button(page, 'Anmelden').click()
    await page.getByLabel('Name').fill('mia')
    await button(page, 'Continue').click()
    await button(page, 'Schlüssel hinzufügen').waitFor()
    expect(await page.locator('html').getAttribute('lang')).toBe('de-AT')
    expect(await page.title()).toBe('Ihre API-Schlüssel')
    expect(await findBarriers(page)).toEqual([])
    await button(page, 'Abmelden').click()
    await page.getByText(/^Melden Sie sich bei localhost:\d+ an, um Ihre Schlüssel/).waitFor()
    expect(faults()).toEqual([])
  })

  it('axe finds nothing on the page', async () => {
    const { page } = await openPage(origin)
    await button(page, 'Sign in').waitFor()
    expect(await findBarriers(page)).toEqual([])
    await signIn(page, 'grace')
    await button(page, 'Add a key').waitFor()
    expect(await findBarriers(page)).toEqual([])
  })
})

describe('the policy of the page', () => {
  it('the policy allows connections to the service and the identity provider only', async () => {
    const response = await fetch(origin)
    expect(response.headers.get('Content-Security-Policy')).toBe(
      [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        `connect-src 'self' ${identityProvider.issuer}`,
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        'trusted-types api-key-settings',
      ].join('; '),
    )
    expect(response.headers.get('X-Frame-Options')).toBe('DENY')
    expect(response.headers.get('Referrer-Policy')).toBe('no-referrer')
    expect(response.headers.get('X-Content-Type-Options')).toBe('nosniff')
  })

  it('the policy blocks a request to any other host', async () => {
    const { page, faults } = await openPage(origin)
    await button(page, 'Sign in').waitFor()
    const caught = await page.evaluate((url) => fetch(url).catch(String), `${provider.url}/seen/x`)
    expect(caught).toBe('TypeError: Failed to fetch')
    expect(faults().join()).toContain('Content Security Policy')
  })

  it('the policy lets other origins embed the element, and not the page', async () => {
    const element = await fetch(`${origin}/api-key-settings.js`)
    expect(element.headers.get('Access-Control-Allow-Origin')).toBe('*')
    expect(element.headers.get('Cross-Origin-Resource-Policy')).toBe('cross-origin')
    expect(element.headers.get('Content-Type')).toContain('text/javascript')
    const pinned = await (await fetch(`${origin}/api-key-settings.json`)).json()
    const copy = await fetch(origin + pinned.url)
    expect(copy.headers.get('Access-Control-Allow-Origin')).toBe('*')
    expect(copy.headers.get('Cache-Control')).toContain('immutable')
    expect(await copy.text()).toBe(await element.text())
    const page = await fetch(`${origin}/page.js`)
    expect(page.headers.get('Access-Control-Allow-Origin')).toBeNull()
    expect(page.headers.get('Cross-Origin-Resource-Policy')).toBe('same-origin')
  })
})
