/** Applications in frameworks, from the packed tarball. Slow: each is installed, built and started. */

import { expect, it } from 'vitest'
import { mintToken } from '../node/start-vault.ts'
import { packTarball } from '../node/tarball.ts'
import { installApp, reservePort } from './frameworks/app.ts'
import { playScenario } from './frameworks/scenario.ts'
import { setStage } from './stage.ts'

/** What the server of an application does besides sending files. */
type Server = 'renders' | 'renders and signs tokens' | 'nothing'

/** The application in the folder `name`, which prints `ready` when it runs. */
async function describeApp(name: string, ready: string, server: Server = 'nothing') {
  return { name, ready, server, seat: await reservePort() }
}

const APPS = await Promise.all([
  describeApp('react', 'Local'),
  describeApp('vue', 'Local'),
  describeApp('svelte', 'Local'),
  describeApp('astro', 'Local', 'renders'),
  describeApp('next', 'Ready in', 'renders and signs tokens'),
  describeApp('nuxt', 'Listening on', 'renders and signs tokens'),
])
const tarball = await packTarball()
const origins = APPS.map(({ seat }) => `http://localhost:${seat.port}`)
const { vault, openPage } = await setStage({ CORS_ORIGINS: origins.join() })

const { origin } = vault.keyUrl
const VARS = {
  JWT_SECRET_KEY: vault.secret,
  NEXT_PUBLIC_VAULT_URL: origin,
  NUXT_JWT_SECRET_KEY: vault.secret,
  NUXT_PUBLIC_VAULT_URL: origin,
  PUBLIC_VAULT_URL: origin,
  VITE_VAULT_URL: origin,
}

/** Opens the application with a new user signed in. If its server signs no tokens, the test does. */
async function openApp(url: string, server: Server) {
  const userId = `user-${crypto.randomUUID()}`
  const token = await mintToken(vault.secret, userId)
  const { page, faults } = await openPage('about:blank')
  await page.context().addCookies([{ name: 'user', value: userId, url }])
  if (server !== 'renders and signs tokens') {
    await page.route('**/api/session', async (route) => route.fulfill({ json: { userId, token } }))
  }
  await page.goto(url)
  return { page, faults: () => faults().filter((fault) => !/status of 4(?:01|22)/.test(fault)) }
}

it.for(APPS)(
  'a key is saved, tested and deleted in an application in $name',
  { timeout: 300_000 },
  async ({ name, ready, server, seat }) => {
    const app = await installApp(name, tarball, VARS)
    await app.build()
    const url = await app.start(seat, ready)
    const html = await (await fetch(url)).text()
    expect(html.includes('Your keys are loading.')).toBe(server !== 'nothing')

    const { page, faults } = await openApp(url, server)
    await playScenario(page)
    expect(faults()).toEqual([])
  },
)
