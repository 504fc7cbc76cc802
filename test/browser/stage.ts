/** What a browser test needs: the vault, a provider, a host application, and pages that record faults. */

import axe from 'axe-core'
import type { BrowserContextOptions, Locator, Page } from 'playwright-core'
import { afterAll, inject, onTestFinished } from 'vitest'
import { openBrowser } from './browser.ts'
import { startProvider } from '../node/provider-server.ts'
import { mintToken, startVault } from '../node/start-vault.ts'
import { startHostApp, type HostPage } from './host-app.ts'
import { saveKey } from './samples.ts'

/** A page, and what happened on it. */
interface Watched {
  page: Page
  /** The origins of its requests. */
  origins: () => string[]
  /** Errors, warnings and breaches of a Content Security Policy. */
  faults: () => string[]
}

type PageOptions = BrowserContextOptions & {
  /** Whether time passes only by `page.clock.runFor`. */
  clock?: boolean
}

/** Starts everything but a browser, with a vault of `vars`. It is closed after the tests of the file. */
export async function startServices(vars: Record<string, string> = {}) {
  const [provider, host] = await Promise.all([startProvider(), startHostApp()])
  const vault = await startVault({
    AUTO_CREATE_USERS: 'true',
    CORS_ORIGINS: host.origin,
    PROVIDERS: JSON.stringify({
      openai: { origin: provider.url },
      groq: { origin: 'http://127.0.0.1:9' },
      own: {
        label: 'Own',
        hosts: [new URL(provider.url).host],
        header: 'authorization',
        scheme: 'Bearer',
        probe: '/models',
        refusals: [{ status: 401 }],
      },
    }),
    ...vars,
  })
  const { origin } = vault.keyUrl
  afterAll(async () => {
    await Promise.all([vault.close(), provider.close(), host.close()])
  })

  /** Saves `keys` of a new user, by slot, and makes a page of the host application for the user. */
  async function addUser(keys: Record<string, string>, look: Partial<HostPage> = {}) {
    const user = `user-${crypto.randomUUID()}`
    const token = await mintToken(vault.secret, user)
    for (const [slot, api_key] of Object.entries(keys)) {
      await saveKey(`${origin}/api/users/${user}/api-keys/${slot}`, token, api_key)
    }
    return { user, token, url: host.open({ vault: origin, user, tokens: [token], ...look }) }
  }

  return { provider, host, vault, addUser }
}

/** Starts everything, with a vault of `vars`. It is closed after the tests of the file. */
export async function setStage(vars: Record<string, string> = {}) {
  const services = await startServices(vars)
  const browser = await openBrowser(inject('browser'))
  afterAll(async () => browser.close())

  /** Opens a page in a new browser context. */
  async function openPage(url: string, { clock, ...options }: PageOptions = {}): Promise<Watched> {
    const context = await browser.newContext(options)
    onTestFinished(async () => context.close())
    const page = await context.newPage()
    page.setDefaultTimeout(20_000)
    const [faults, origins] = [new Set<string>(), new Set<string>()]
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) faults.add(message.text())
    })
    page.on('pageerror', ({ message }) => faults.add(message))
    page.on('request', (request) => origins.add(new URL(request.url()).origin))
    if (clock === true) await page.clock.install()
    await page.goto(url)
    if (clock === true) await page.clock.pauseAt(Date.now() + 1_000)
    return { page, faults: () => [...faults], origins: () => [...origins] }
  }
  /** Saves `keys` of a new user, by slot, and opens the page of the host application. */
  async function openSettings(
    keys: Record<string, string> = {},
    options: PageOptions = {},
    attributes = '',
    lang = 'en',
  ) {
    const { user, token, url } = await services.addUser(keys, { attributes, lang })
    const watched = await openPage(url, options)
    await watched.page.locator('#add').waitFor()
    const base = `${services.vault.keyUrl.origin}/api/users/${user}/api-keys`
    const changeElsewhere = async (slot: string, apiKey: string | null) =>
      changeKey(`${base}/${slot}`, token, apiKey)
    return { ...watched, user, token, changeElsewhere }
  }

  return { ...services, openPage, openSettings }
}

/** Saves `apiKey` in the slot at `url` as another tab does. Null deletes the key in it. */
async function changeKey(url: string, token: string, apiKey: string | null): Promise<void> {
  if (apiKey !== null) return saveKey(url, token, apiKey)
  const headers = { Authorization: `Bearer ${token}` }
  const response = await fetch(url, { method: 'DELETE', headers })
  if (!response.ok) throw new Error(await response.text())
}

/** Returns true when it appears on the page. @throws Error if it never does */
export async function shows(what: Locator): Promise<true> {
  await what.waitFor()
  return true
}

/** An error answer of the vault, for cases that a test cannot cause in a real one. */
export function refuse(status: number, code: string, headers: Record<string, string> = {}) {
  const body = JSON.stringify({ error: code, code, request_id: 'request-1' })
  const cors = {
    'Access-Control-Allow-Origin': '*',
    'Access-Control-Expose-Headers': 'Retry-After',
  }
  return { status, body, headers: { ...cors, 'Content-Type': 'application/json', ...headers } }
}

/** Runs in the page, after axe's script: what axe finds. */
export const FIND_BARRIERS = `axe.run().then(({ violations }) =>
  violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html).join(' ')))`

/** What axe finds on the page, which has no frames. */
export async function findBarriers(page: Page): Promise<string[]> {
  await page.evaluate(axe.source)
  return page.evaluate<string[]>(FIND_BARRIERS)
}

/** By how many pixels the page is wider than its window. */
export async function overflow(page: Page): Promise<number> {
  return page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  )
}
