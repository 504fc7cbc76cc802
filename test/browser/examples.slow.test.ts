import { execFileSync } from 'node:child_process'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { build } from 'esbuild'
import type { Page } from 'playwright-core'
import { expect, it, onTestFinished } from 'vitest'
import { mintToken } from '../node/start-vault.ts'
import { packTarball } from '../node/tarball.ts'
import { renderClientPage, SAID, WAIT } from './client-page.ts'
import { findBarriers, setStage } from './stage.ts'

const { vault, host, openPage } = await setStage()
const { origin } = vault.keyUrl

/** Returns a new user, with a token. */
async function signUp() {
  const user = `user-${crypto.randomUUID()}`
  return { user, token: await mintToken(vault.secret, user) }
}

/** Bundles the example in React outside this checkout, with the package. @returns the script */
async function bundleReact(): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'user-key-vault-example-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  cpSync('examples/react-settings', directory, { recursive: true })
  const installed = join(directory, 'node_modules/user-key-vault')
  mkdirSync(installed, { recursive: true })
  execFileSync('tar', ['-xzf', await packTarball(), '-C', installed, '--strip-components=1'])
  for (const name of ['react', 'react-dom']) {
    symlinkSync(resolve('node_modules', name), join(directory, 'node_modules', name))
  }
  writeFileSync(join(directory, 'package.json'), '{"type":"module"}')
  const { outputFiles } = await build({
    entryPoints: [join(directory, 'main.tsx')],
    bundle: true,
    format: 'esm',
    jsx: 'automatic',
    define: { 'process.env.NODE_ENV': '"production"' },
    write: false,
    logLevel: 'error',
  })
  return outputFiles
    .map(({ text }) => text)
    .join('\n')
    .replaceAll('</script', String.raw`<\/script`)
}

/** The page of the example in plain HTML, for this vault. */
function readHtml(lang: string): string {
  return readFileSync('examples/html-settings/index.html', 'utf8')
    .replaceAll('https://vault.example.com', origin)
    .replace('lang="en"', `lang="${lang}"`)
    .replace('<title>', '<link rel="icon" href="data:,"><title>')
}

const paste = async (page: Page, text: string) =>
  page.getByLabel('Paste a key, or a command with one').fill(text)
const choose = async (page: Page, provider: string) =>
  page.getByLabel('Provider').selectOption(provider)
const press = async (page: Page, name: string) =>
  page.getByRole('button', { name, exact: true }).click()
/** Waits until the page says exactly this. */
async function sees(page: Page, text: string): Promise<void> {
  await expect.poll(() => page.getByRole('status').textContent()).toBe(text)
}

it('the example in React adds, tests, pauses and deletes a key, and says errors in German', async () => {
  const script = await bundleReact()
  const { user, token } = await signUp()
  const url = host.openHtml(`<!doctype html><html lang="de"><title>Settings</title>
    <link rel="icon" href="data:,"><main><h1>Settings</h1><div id="app"></div></main>
    <script type="module">${script}</script>`)
  const given = new URLSearchParams({ vault: origin, user, token })
  const { page, faults } = await openPage(`${url}#${String(given)}`)
  await paste(page, 'sk-bad key')
  await page.getByText('Der Schlüssel enthält an Stelle 7 ein Leerzeichen.').waitFor()
  await paste(page, 'sk-bad-of-example')
  await choose(page, 'openai')
  await press(page, 'Add the key')
  await sees(page, 'OpenAI akzeptiert diesen Schlüssel nicht.')
  await paste(page, 'curl https://a.test \\\n  -H "Authorization: Bearer sk-good-of-1-example"')
  await page.getByText('Its key: sk-good-…').waitFor()
  await press(page, 'Add the key')
  await sees(page, 'OpenAI is saved.')
  expect(await findBarriers(page)).toEqual([])
  await press(page, 'Test OpenAI')
  await sees(page, 'OpenAI accepts this key.')
  await press(page, 'Pause OpenAI')
  await sees(page, 'OpenAI is paused.')
  await press(page, 'Test OpenAI')
  await sees(page, 'Pausiert. Anwendungen können ihn nicht verwenden.')
  await press(page, 'Resume OpenAI')
  await sees(page, 'OpenAI is resumed.')
  await press(page, 'Delete OpenAI')
  await sees(page, 'OpenAI is deleted.')
  expect(faults().filter((fault) => !/status of 4(?:03|22)/.test(fault))).toEqual([])
})

it('the example in plain HTML adds and deletes a key, with the client that the vault serves', async () => {
  const { user, token } = await signUp()
  const given = new URLSearchParams({ user, token })
  const url = `${host.openHtml(readHtml('fr'))}#${String(given)}`
  const { page, faults } = await openPage(url)
  await page.locator('option[value=groq]').waitFor({ state: 'attached' })
  await paste(page, 'two words')
  await press(page, 'Add the key')
  await sees(page, 'La clé contient un espace au caractère 4.')
  await paste(page, 'GROQ_API_KEY=gsk_0123456789abcdef\nPORT=3000')
  expect(await page.getByLabel('Provider').inputValue()).toBe('groq')
  await press(page, 'Add the key')
  await sees(page, 'Groq is saved.')
  expect(await findBarriers(page)).toEqual([])
  await press(page, 'Delete Groq')
  await sees(page, 'Groq is deleted.')
  expect(faults()).toEqual([])
})

it('the client that the vault serves runs in Chromium', async () => {
  const { user, token } = await signUp()
  const { page } = await openPage(host.openHtml(renderClientPage({ vault: origin, user, token })))
  expect(await page.evaluate(WAIT)).toEqual(SAID)
})
