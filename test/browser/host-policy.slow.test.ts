/** Whatever the host application's policy, script or network does to the element, the application stays. */

import type { Page, Route } from 'playwright-core'
import { expect, it } from 'vitest'
import { mintToken } from '../node/start-vault.ts'
import { bundleApp } from './frameworks/bundle.ts'
import { setStage, shows } from './stage.ts'

const { vault, host, openPage } = await setStage()
const origin = vault.keyUrl.origin
const react = await bundleApp('embedding.tsx')
const ownLit = await bundleApp('own-lit.ts')
const pin = await fetch(`${origin}/api-key-settings.json`)
const { integrity, url: pinned }: { integrity: string; url: string } = await pin.json()

const TRUSTED = "require-trusted-types-for 'script'"
const SCRIPTS = `script-src 'nonce-host' ${origin}`
const NOT_LOADED = 'error not_loaded The API key settings did not load.;'

const UNSHOWN = 'Your keys cannot be shown now.'

interface Embedding {
  policy?: string
  /** The nonce and the integrity that the React component gets, and where it looks for the vault. */
  given?: { nonce?: string; integrity?: string; vault?: string }
  /** What the page has before the application. */
  head?: string
  /** Prepares the browser. */
  prepare?: (page: Page) => Promise<unknown>
  /** Whether the browser reports a breach of the policy, which does no harm. */
  isReported?: boolean
}

/** A page of `content`, with text of its own. */
const renderPage = ({ policy = '', head = '' }: Embedding, content: string) => `<!doctype html>
  <html lang="en"><meta charset="utf-8"><title>Application</title>
  <meta http-equiv="Content-Security-Policy" content="${policy}"><link rel="icon" href="data:,">
  <p>The text of the page</p>${head}${content}`

async function open(url: string, { prepare }: Embedding) {
  const { page, faults } = await openPage('about:blank')
  await prepare?.(page)
  await page.goto(url)
  // The application's own Lit is one for developers.
  return { page, faults: () => faults().filter((fault) => !fault.startsWith('Lit is in dev mode')) }
}

/** Opens an application in React with the element. */
async function openReact(embedding: Embedding) {
  const user = `user-${crypto.randomUUID()}`
  const token = await mintToken(vault.secret, user)
  const given = new URLSearchParams({ vault: origin, user, token, ...embedding.given })
  const content = `<output id="heard"></output><div id="app"></div>
    <script type="module" nonce="host">${react}</script>`
  return open(`${host.openHtml(renderPage(embedding, content))}#${String(given)}`, embedding)
}

/** Opens a page with the element in HTML. */
async function openHtml(embedding: Embedding) {
  const user = `user-${crypto.randomUUID()}`
  const token = await mintToken(vault.secret, user)
  const content = `<p>The text of the application</p>
    <api-key-settings base-url="${origin}" user-id="${user}"><p>${UNSHOWN}</p></api-key-settings>
    <script nonce="host">
      document.querySelector('api-key-settings').getToken = () => '${token}'
    </script>
    <script type="module" src="${origin}/api-key-settings.js" crossorigin></script>`
  return open(host.openHtml(renderPage(embedding, content)), embedding)
}

const runs = (page: Page) => page.getByRole('button', { name: 'Add a key' })
const heard = (page: Page) => page.locator('#heard').textContent()
const fallback = (page: Page) => page.getByText(UNSHOWN)

async function expectHostText(page: Page): Promise<void> {
  expect(await page.getByText('The text of the page').isVisible()).toBe(true)
  expect(await page.getByText('The text of the application').isVisible()).toBe(true)
}

/** The fallback is on the page, and the element has not begun to hide it. */
async function expectFallback(page: Page): Promise<void> {
  await expectHostText(page)
  expect(await fallback(page).isVisible()).toBe(true)
  expect(await runs(page).count()).toBe(0)
}

const SCRIPT = '**/api-key-settings.js'
const answerScript = (answer: Parameters<Route['fulfill']>[0]) => async (page: Page) =>
  page.route(SCRIPT, async (route) =>
    route.fulfill({ headers: { 'Access-Control-Allow-Origin': '*' }, ...answer }),
  )
const js = (body: string) => answerScript({ contentType: 'text/javascript', body })

const lit = `<script type="module" nonce="host">${ownLit}</script>`
const script = (code: string) => `<script nonce="host">${code}</script>`

it.for<[name: string, embedding: Embedding]>([
  ['without a policy', {}],
  ['with Trusted Types of any name', { policy: `${SCRIPTS}; ${TRUSTED}` }],
  [
    'with the Trusted Types that it names',
    { policy: `${SCRIPTS}; ${TRUSTED}; trusted-types user-key-vault api-key-settings` },
  ],
  [
    "beside the application's own Lit",
    {
      policy: `${SCRIPTS}; ${TRUSTED}; trusted-types lit-html user-key-vault api-key-settings`,
      head: lit,
    },
  ],
  [
    'with a default policy in place of its own',
    {
      policy: `${SCRIPTS}; ${TRUSTED}; trusted-types default api-key-settings`,
      head: script("trustedTypes.createPolicy('default', { createScriptURL: (url) => url })"),
      isReported: true,
    },
  ],
  [
    'with the one name that earlier versions asked for',
    { policy: `${SCRIPTS}; ${TRUSTED}; trusted-types user-key-vault lit-html`, isReported: true },
  ],
  ['with a nonce alone', { policy: "script-src 'nonce-host'", given: { nonce: 'host' } }],
  [
    'with a nonce and strict-dynamic',
    { policy: "script-src 'nonce-host' 'strict-dynamic'", given: { nonce: 'host' } },
  ],
  ['with strict-dynamic alone', { policy: "script-src 'nonce-host' 'strict-dynamic'" }],
  [
    'with a nonce for scripts and styles, and Trusted Types',
    {
      policy: `default-src 'none'; img-src data:; script-src 'nonce-host'; style-src 'nonce-host'; connect-src ${origin}; ${TRUSTED}; trusted-types user-key-vault api-key-settings`,
      given: { nonce: 'host' },
    },
  ],
  ['with the integrity that the vault names', { given: { integrity } }],
  [
    'with a script that the page loads under its own nonce',
    {
      policy: "script-src 'nonce-host'",
      head: `<script type="module" nonce="host" src="${origin}/api-key-settings.js" crossorigin></script>`,
    },
  ],
])('the React component runs %s', async ([, embedding]) => {
  const { page, faults } = await openReact(embedding)
  expect(await shows(runs(page))).toBe(true)
  expect(await fallback(page).isVisible()).toBe(false)
  await expectHostText(page)
  expect(await heard(page)).toBe('')
  expect(faults().length > 0).toBe(embedding.isReported ?? false)
})

it.for<[name: string, embedding: Embedding]>([
  ['without a policy', {}],
  [
    "beside the application's own Lit",
    { policy: `${SCRIPTS}; ${TRUSTED}; trusted-types lit-html api-key-settings`, head: lit },
  ],
  [
    "beside the application's own Lit, whose name alone is allowed, if Trusted Types are not required",
    { policy: `${SCRIPTS}; trusted-types lit-html`, head: lit, isReported: true },
  ],
  [
    'if the page loads it twice',
    {
      policy: `${SCRIPTS}; ${TRUSTED}; trusted-types api-key-settings`,
      head: `<script type="module" src="${origin}${pinned}" crossorigin></script>`,
    },
  ],
])('the element runs %s, and hides what is in its tag', async ([, embedding]) => {
  const { page, faults } = await openHtml(embedding)
  expect(await shows(runs(page))).toBe(true)
  expect(await fallback(page).isVisible()).toBe(false)
  await expectHostText(page)
  expect(faults().length > 0).toBe(embedding.isReported ?? false)
})

it('an element of the same name that is not ours takes nothing from the page', async () => {
  const head = script(
    "customElements.define('api-key-settings', class extends HTMLElement { get baseUrl() { return '' } })",
  )
  for (const openHost of [openReact, openHtml]) {
    const { page, faults } = await openHost({ head })
    await expectFallback(page)
    expect(faults()).toEqual([])
  }
})

it('the React component loads the script again when it is shown again', async () => {
  const { page } = await openReact({ prepare: answerScript({ status: 503, body: '' }) })
  await page.getByText(NOT_LOADED).waitFor()
  await page.unroute(SCRIPT)
  await page.getByRole('button', { name: 'Show again' }).click()
  expect(await shows(runs(page))).toBe(true)
  expect(await heard(page)).toBe(NOT_LOADED)
})

/** Each keeps the element from running, in React and in HTML alike. */
const FAILURES: [name: string, embedding: Embedding][] = [
  ['is not there', { prepare: answerScript({ status: 404, body: 'Not found' }) }],
  [
    'is a page of something between',
    { prepare: answerScript({ contentType: 'text/html', body: '<p>' }) },
  ],
  ['cannot be reached', { prepare: async (page) => page.route(SCRIPT, (route) => route.abort()) }],
  ['has a syntax error', { prepare: js('import {') }],
  ['throws', { prepare: js('throw new Error("unsupported")') }],
  ['defines nothing', { prepare: js('') }],
  ['is blocked by the policy', { policy: "script-src 'nonce-host'" }],
  [
    'may not have a policy for its templates',
    { policy: `${SCRIPTS}; ${TRUSTED}; trusted-types user-key-vault` },
  ],
  [
    'may have only the name that another Lit has used',
    { policy: `${SCRIPTS}; ${TRUSTED}; trusted-types user-key-vault lit-html`, head: lit },
  ],
  [
    'finds a name of its inner elements taken',
    {
      head: script(
        "customElements.define('api-key-settings-limits', class extends HTMLElement {})",
      ),
    },
  ],
  [
    'finds no style sheets that can be adopted',
    { head: script('delete CSSStyleSheet.prototype.replaceSync') },
  ],
]

it.for<[name: string, embedding: Embedding]>([
  ...FAILURES,
  ['has another integrity', { given: { integrity: integrity.replace(/-..../, '-AAAA') } }],
  ['may not be named by a trusted URL', { policy: `${SCRIPTS}; ${TRUSTED}; trusted-types 'none'` }],
  ['has no URL', { given: { vault: '' } }],
  ['has a URL that is not one', { given: { vault: 'vault.example.com' } }],
])(
  'React keeps the application, and shows the fallback, if the script %s',
  async ([, embedding]) => {
    const { page } = await openReact(embedding)
    await page.getByText(NOT_LOADED).waitFor()
    await expectFallback(page)
    expect(await heard(page)).toBe(NOT_LOADED)
  },
)

it.for(FAILURES)(
  'a page keeps its text, and what is in the tag, if the script %s',
  async ([, embedding]) => {
    const { page } = await openHtml(embedding)
    await page.waitForLoadState('load')
    await expectFallback(page)
    expect(await page.locator('api-key-settings').textContent()).toBe(UNSHOWN)
  },
)
