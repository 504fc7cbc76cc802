import { expect, it } from 'vitest'
import { bundleApp } from './frameworks/bundle.ts'
import { mintToken } from '../node/start-vault.ts'
import { setStage } from './stage.ts'

const { vault, host, openPage } = await setStage()

/** What an application in Vue or Svelte has in its page. React's component loads it itself. */
const SCRIPT = `<script type="module" src="${vault.keyUrl.origin}/api-key-settings.js"></script>`

it.for([
  ['React', 'react.tsx', '', 'Bring a key'],
  ['Vue', 'vue.js', SCRIPT, 'Add a key'],
  ['Svelte', 'svelte.js', SCRIPT, 'Add a key'],
] as const)('an application in %s saves and deletes a key', async ([, file, script, label]) => {
  const user = `user-${crypto.randomUUID()}`
  const token = await mintToken(vault.secret, user)
  const app = await bundleApp(file)
  const url = host.openHtml(`<!doctype html><html lang="en"><link rel="icon" href="data:,">
    ${script}<output id="heard"></output><div id="app"></div><script type="module">${app}</script>`)
  const given = new URLSearchParams({ vault: vault.keyUrl.origin, user, token })
  const { page, faults } = await openPage(`${url}#${String(given)}`)
  const button = (name: string) => page.getByRole('button', { name, exact: true })
  const save = async (name: string, key: string) => {
    await button(name).click()
    await page.getByLabel('Provider').selectOption('OpenAI')
    await page.getByRole('textbox', { name: /API key$/ }).fill(key)
    await button('Save key').click()
  }

  await save(label, 'sk-bad-of-framework')
  await page.getByText('OpenAI does not accept this key.').waitFor()
  await button('Cancel').click()
  await save(label, 'sk-good-of-framework')
  await page.getByText('The OpenAI key is saved, and OpenAI accepts it.').waitFor()
  await button('Delete: OpenAI key').click()
  await button('Delete').click()
  await page.getByText('The OpenAI key is deleted.').waitFor()
  expect(await page.locator('#heard').textContent()).toBe(
    'error api_key_rejected;saved openai;deleted openai;',
  )
  expect(faults().filter((fault) => !fault.includes('status of 422'))).toEqual([])
})
