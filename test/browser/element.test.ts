import type { Locator, Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { startHostApp } from './host-app.ts'
import { mintToken } from '../node/start-vault.ts'
import {
  act,
  beginAdding,
  button,
  deleteKey,
  isFocused,
  keyField,
  listItems,
  listOffered,
  noticeOf,
  providerField,
  rowOf,
  toggleRow,
  trimAll,
} from './screen.ts'
import { setStage, shows } from './stage.ts'

const { vault, provider, host, openPage, openSettings } = await setStage()

const preview = (page: Page) => page.locator('[part=preview]')
const fired = (page: Page) => page.evaluate<unknown[]>('window.events')

/** The labels of the filled buttons. */
const filled = async (page: Page) => {
  const labels = await page.locator('[part~=primary-button]').allTextContents()
  return labels.map((label) => label.trim())
}

describe('the pinned script', () => {
  const openPinned = async (change: (integrity: string) => string) => {
    const answer = await fetch(`${vault.keyUrl.origin}/api-key-settings.json`)
    const { url, integrity }: { url: string; integrity: string } = await answer.json()
    const user = `user-${crypto.randomUUID()}`
    const tokens = [await mintToken(vault.secret, user)]
    const pinned = { url, integrity: change(integrity) }
    return openPage(host.open({ vault: vault.keyUrl.origin, user, tokens, pinned }))
  }

  it('the pinned script runs with its own integrity hash only', async () => {
    const { page } = await openPinned((integrity) => integrity)
    await button(page, 'Add a key').waitFor()
    const other = await openPinned((integrity) => integrity.replace(/-..../, '-AAAA'))
    expect(await other.page.evaluate(() => customElements.get('api-key-settings'))).toBeUndefined()
    expect(other.faults().join()).toContain('integrity')
  })
})

describe('adding a key', () => {
  it('saves the key, fires `saved`, and clears the field', async () => {
    const { page, faults, origins } = await openSettings()
    await beginAdding(page, 'OpenAI')
    await keyField(page).fill('  sk-good-element-1 \t')
    const field = await keyField(page).elementHandle()
    await button(page, 'Save key').click()
    const notice = page.getByText('The OpenAI key is saved, and OpenAI accepts it.')
    await notice.waitFor()
    expect(await isFocused(notice)).toBe(true)
    expect(await field?.inputValue()).toBe('')
    expect(await preview(page).textContent()).toBe('sk-good-...')
    expect(await page.getByText('Accepted by OpenAI').count()).toBe(1)
    expect(await keyField(page).count()).toBe(0)
    expect(await page.content({ includeShadow: true })).not.toContain('sk-good-element-1')
    const detail = { provider: 'openai', preview: 'sk-good-...', status: 'active' }
    expect(await fired(page)).toEqual([{ type: 'saved', ...detail }])
    const seen = await fetch(`${provider.url}/seen/sk-good-element-1`)
    expect(await seen.json()).toMatchObject([{ url: '/v1/models' }])
    expect(origins()).toEqual([host.origin, vault.keyUrl.origin])
    expect(faults()).toEqual([])
  })

  it('links to the page where a user gets a key', async () => {
    const { page } = await openSettings()
    await beginAdding(page, 'Anthropic')
    const link = page.getByRole('link', { name: 'Get a key from Anthropic (in a new tab)' })
    expect(await link.getAttribute('href')).toBe('https://platform.claude.com/settings/keys')
    expect(await link.getAttribute('rel')).toBe('noopener noreferrer')
  })

  it('uses a field that browsers and password managers leave alone', async () => {
    const { page } = await openSettings()
    await beginAdding(page, 'OpenAI')
    const attributes = await keyField(page).evaluate((field) =>
      Object.fromEntries(Array.from(field.attributes, ({ name, value }) => [name, value])),
    )
    expect(attributes).toMatchObject({
      type: 'text',
      autocomplete: 'off',
      autocapitalize: 'off',
      autocorrect: 'off',
      spellcheck: 'false',
      'data-1p-ignore': '',
      'data-bwignore': '',
      'data-form-type': 'other',
      'data-lpignore': 'true',
      'data-protonpass-ignore': '',
    })
    expect(attributes).not.toHaveProperty('name')
    const hiding = () =>
      keyField(page).evaluate((field) =>
        getComputedStyle(field).getPropertyValue('-webkit-text-security'),
      )
    expect(await hiding()).toBe('disc')
    await button(page, 'Show OpenAI API key').click()
    expect(await hiding()).toBe('none')
    await button(page, 'Hide OpenAI API key').click()
    expect(await hiding()).toBe('disc')
  })

  it('trims a pasted key', async () => {
    const { page } = await openSettings({}, { permissions: ['clipboard-read', 'clipboard-write'] })
    await beginAdding(page, 'OpenAI')
    await page.evaluate(() => navigator.clipboard.writeText('  sk-pasted-1 \n'))
    await keyField(page).press('ControlOrMeta+V')
    expect(await keyField(page).inputValue()).toBe('sk-pasted-1')
    await keyField(page).press('Home')
    await page.keyboard.type('x ')
    expect(await keyField(page).inputValue()).toBe('x sk-pasted-1')
    await page.getByText('The key has white space at character 2.').waitFor()
  })

  it('offers the key in a pasted file of several lines', async () => {
    const { page } = await openSettings({}, { permissions: ['clipboard-read', 'clipboard-write'] })
    await beginAdding(page)
    const file = '# Keys\nNODE_ENV=production\nexport GROQ_API_KEY="gsk_good0123456789abcdef"\n'
    await page.evaluate((text) => navigator.clipboard.writeText(text), file)
    await keyField(page).press('ControlOrMeta+V')
    await button(page, 'Use only the key').click()
    expect(await keyField(page).inputValue()).toBe('gsk_good0123456789abcdef')
    expect(await providerField(page).inputValue()).toBe('Groq')
  })

  it('selects the provider by the beginning of the key', async () => {
    const { page } = await openSettings()
    await beginAdding(page)
    await keyField(page).fill('sk-ant-0123456789')
    await page.getByText('Selected Anthropic: this looks like one of its keys.').waitFor()
    expect(await providerField(page).inputValue()).toBe('Anthropic')
  })

  it('asks for the provider if two providers have such keys', async () => {
    const { page } = await openSettings()
    await beginAdding(page)
    await keyField(page).fill('sk-0123456789')
    await button(page, 'Save key').click()
    await page.getByRole('status').getByText('Choose a provider').waitFor()
    expect(await providerField(page).getAttribute('aria-invalid')).toBe('true')
    expect(await keyField(page).getAttribute('aria-invalid')).toBe('false')
    expect(await isFocused(providerField(page))).toBe(true)
  })

  it('does not send a malformed key, and says why', async () => {
    const { page } = await openSettings()
    const sent: string[] = []
    page.on('request', (request) => sent.push(request.method()))
    await beginAdding(page, 'OpenAI')
    for (const [text, fault] of [
      ['sk-proj-...', 'This is a masked key. Paste the whole key.'],
      ['sk-abc def', 'The key has white space at character 7.'],
      ['sk-ключ', 'Character 4 cannot be part of an API key.'],
      ['', 'Enter a key.'],
    ] as const) {
      await keyField(page).fill(text)
      await button(page, 'Save key').click()
      await page.getByText(fault).waitFor()
      expect(await keyField(page).getAttribute('aria-invalid')).toBe('true')
      expect(await isFocused(keyField(page))).toBe(true)
    }
    expect(sent).toEqual([])
  })

  it('offers to use only the key if more was pasted', async () => {
    const { page } = await openSettings()
    await beginAdding(page, 'OpenAI')
    await keyField(page).fill('export OPENAI_API_KEY="sk-good-0123456789"')
    await page.getByText('There is more here than the key. Paste only the key.').waitFor()
    await button(page, 'Use only the key').click()
    expect(await keyField(page).inputValue()).toBe('sk-good-0123456789')
    expect(await isFocused(keyField(page))).toBe(true)
    await button(page, 'Save key').click()
    await page.getByText('The OpenAI key is saved, and OpenAI accepts it.').waitFor()
  })

  it('asks for the base URL of a provider with hosts, and offers it for the next key', async () => {
    const { page } = await openSettings()
    const url = page.getByLabel('Base URL')
    await beginAdding(page, 'Own')
    await keyField(page).fill('sk-good-own-1')
    await button(page, 'Save key').click()
    await page.getByRole('alert').getByText('Enter an https URL on').waitFor()
    expect(await isFocused(url)).toBe(true)
    expect(await url.getAttribute('aria-invalid')).toBe('true')
    const hint = `Enter an https URL on ${new URL(provider.url).host}, without a query.`
    expect(await page.getByText(hint, { exact: true }).count()).toBe(1)
    await url.fill(`${provider.url}/v1/`)
    await button(page, 'Save key').click()
    await page.getByText('The Own key is saved, and Own accepts it.').waitFor()
    await toggleRow(page, 'Own')
    await page.getByText(`${provider.url}/v1`, { exact: true }).waitFor()
    await act(page, 'Own', 'Replace')
    expect(await url.inputValue()).toBe(`${provider.url}/v1`)
  })

  it('saves a rejected key if the user insists', async () => {
    const { page } = await openSettings()
    await beginAdding(page, 'OpenAI')
    await keyField(page).fill('sk-bad-insist-1')
    expect(await button(page, 'Save anyway').count()).toBe(0)
    await button(page, 'Save key').click()
    await page.getByText('OpenAI does not accept this key.').waitFor()
    await button(page, 'Save anyway').click()
    await page.getByText('OpenAI has not confirmed it yet.').waitFor()
    expect(await page.getByText('Not confirmed yet').count()).toBe(1)
    const seen = await fetch(`${provider.url}/seen/sk-bad-insist-1`)
    expect(await seen.json()).toHaveLength(1)
  })

  it('saves a key of another provider there, by the filled button', async () => {
    const { page } = await openSettings()
    await beginAdding(page, 'Mistral')
    await keyField(page).fill('gsk_0123456789')
    await page.getByText('This looks like a Groq key, not a Mistral one.').waitFor()
    expect(await filled(page)).toEqual(['Save for Groq'])
    await button(page, 'Save for Groq').click()
    await page.getByText('The Groq key is saved, but Groq has not confirmed it yet.').waitFor()
    expect(await fired(page)).toMatchObject([{ type: 'saved', provider: 'groq' }])
  })

  it('says that a key of another provider replaces one', async () => {
    const { page } = await openSettings({ groq: 'gsk_first', 'anthropic?verify=false': 'sk-ant-1' })
    await act(page, 'Anthropic', 'Replace')
    await keyField(page).fill('gsk_second')
    await page.getByText('This looks like a Groq key, not an Anthropic one.').waitFor()
    await page.getByText('You already have a Groq key. The new one replaces it.').waitFor()
    await button(page, 'Save for Groq').click()
    await page.getByText('The Groq key is saved, but Groq has not confirmed it yet.').waitFor()
    expect(await preview(page).allTextContents()).toEqual(['****', 'gsk_seco...'])
  })

  it('fills no button if several providers have such keys', async () => {
    const { page } = await openSettings()
    await beginAdding(page, 'Mistral')
    await keyField(page).fill('sk-0123456789')
    await page.getByText('This looks like an OpenAI or DeepSeek key, not a Mistral one.').waitFor()
    expect(await filled(page)).toEqual([])
    await page.keyboard.press('Enter')
    expect(await isFocused(button(page, 'Save anyway'))).toBe(true)
  })

  it('offers to replace the key of a provider that has one', async () => {
    const { page } = await openSettings({ openai: 'sk-good-first' })
    await beginAdding(page, 'OpenAI')
    expect(await page.locator('#slots option[value=OpenAI]').textContent()).toContain('has a key')
    await page.getByText('You already have an OpenAI key. The new one replaces it.').waitFor()
    expect(await filled(page)).toEqual(['Replace'])
    await keyField(page).fill('sk-good2-second')
    await button(page, 'Replace').click()
    await page.getByText('The OpenAI key is saved, and OpenAI accepts it.').waitFor()
    expect(await preview(page).allTextContents()).toEqual(['sk-good2...'])
  })

  it('does not send a key of another provider on the first Enter', async () => {
    const { page } = await openSettings()
    const sent: string[] = []
    page.on('request', (request) => sent.push(request.method()))
    await beginAdding(page, 'OpenAI')
    await keyField(page).fill('sk-ant-0123')
    await page.keyboard.press('Enter')
    expect(await isFocused(button(page, 'Save for Anthropic'))).toBe(true)
    expect(sent).toEqual([])
    await page.keyboard.press('Enter')
    await page
      .getByText('The Anthropic key is saved, but Anthropic has not confirmed it yet.')
      .waitFor()
    expect(sent).toContain('PUT')
  })

  it('saves a key of another provider where the user insists', async () => {
    const { page } = await openSettings()
    await beginAdding(page, 'OpenAI')
    await keyField(page).fill('sk-ant-0123')
    await page.getByText('This looks like an Anthropic key, not an OpenAI one.').waitFor()
    await button(page, 'Save anyway').click()
    expect(await shows(page.getByText('OpenAI does not accept this key.'))).toBe(true)
  })

  it('says that the provider could not be asked', async () => {
    const { page } = await openSettings()
    await beginAdding(page, 'Groq')
    await keyField(page).fill('gsk_0123456789')
    await button(page, 'Save key').click()
    await page
      .getByText('The Groq key is saved, but Groq has not confirmed it yet. Test it later.')
      .waitFor()
    expect(await page.getByText('Not confirmed yet').count()).toBe(1)
  })

  it('Escape closes an empty form at once', async () => {
    const { page } = await openSettings()
    await beginAdding(page, 'OpenAI')
    await page.keyboard.press('Escape')
    await keyField(page).waitFor({ state: 'detached' })
    expect(await isFocused(button(page, 'Add a key'))).toBe(true)
  })

  it('Escape asks before it discards a typed key, and the second one clears the field', async () => {
    const { page } = await openSettings()
    await beginAdding(page, 'OpenAI')
    await keyField(page).fill('sk-good-never')
    const field = await keyField(page).elementHandle()
    const warning = page.getByText('Press Escape again to discard the key that you typed.')
    await page.keyboard.press('Escape')
    await warning.waitFor()
    expect(await keyField(page).inputValue()).toBe('sk-good-never')
    expect(await isFocused(keyField(page))).toBe(true)
    await keyField(page).press('End')
    await page.keyboard.type('-1')
    await warning.waitFor({ state: 'detached' })
    await page.keyboard.press('Escape')
    await warning.waitFor()
    await page.keyboard.press('Escape')
    await keyField(page).waitFor({ state: 'detached' })
    expect(await field?.inputValue()).toBe('')
    expect(await isFocused(button(page, 'Add a key'))).toBe(true)
    await beginAdding(page, 'OpenAI')
    expect(await keyField(page).inputValue()).toBe('')
  })
})

describe('a stored key', () => {
  it('replaces a key, and keeps it if the new one is rejected', async () => {
    const { page } = await openSettings({ openai: 'sk-good-first' })
    await act(page, 'OpenAI', 'Replace')
    expect(await isFocused(keyField(page))).toBe(true)
    await keyField(page).fill('sk-bad-second')
    await button(page, 'Replace').click()
    const refusal = 'OpenAI does not accept this key. Your previous key is still saved.'
    await page.getByRole('alert').getByText(refusal).waitFor()
    expect(await preview(page).textContent()).toBe('sk-good-...')
    expect(await page.getByText('Reference').count()).toBe(0)
    expect(await fired(page)).toEqual([
      { type: 'error', code: 'api_key_rejected', message: refusal },
    ])
    await keyField(page).fill('sk-good2-third')
    await button(page, 'Replace').click()
    await page.getByText('The OpenAI key is saved, and OpenAI accepts it.').waitFor()
    expect(await preview(page).textContent()).toBe('sk-good2...')
    expect(await isFocused(button(page, 'More: OpenAI key'))).toBe(true)
  })

  it.for([
    ['OpenAI accepts this key.', 'sk-good-1', 'Accepted by OpenAI', 1],
    ['OpenAI does not accept this key.', 'sk-bad-12', 'Rejected by OpenAI. Replace it.', 1],
    ['OpenAI did not confirm this key.', 'sk-busy-1', 'Not confirmed yet', 0],
  ] as const)('tests a key, which is not a use: %s', async ([verdict, key, status, times]) => {
    const { page } = await openSettings({ 'openai?verify=false': key })
    expect(await page.getByText('Not confirmed yet').count()).toBe(1)
    await act(page, 'OpenAI', 'Test')
    await page.getByText(verdict).waitFor()
    expect(await page.getByText(status, { exact: true }).count()).toBe(1)
    await toggleRow(page, 'OpenAI')
    await page.getByText(/^Saved /).waitFor()
    expect(await page.getByText(/^Last tested/).count()).toBe(times)
    await page.reload()
    expect(await shows(page.getByText('Never used'))).toBe(true)
  })

  it('gives the key of the plain route a provider, and selects the likely one', async () => {
    const { page } = await openSettings({ default: 'sk-good-plain-1' })
    await act(page, 'General', 'Set provider')
    const choice = page.getByLabel('Provider of this key')
    expect(await isFocused(choice)).toBe(true)
    expect(await choice.inputValue()).toBe('openai')
    await button(page, 'Set provider').click()
    const notice = page.getByText('The OpenAI key is saved, and OpenAI accepts it.')
    await notice.waitFor()
    expect(await isFocused(notice)).toBe(true)
    expect(await page.getByText('General').count()).toBe(0)
    expect(await button(page, 'Test: OpenAI key').count()).toBe(1)
    expect(await fired(page)).toMatchObject([{ type: 'saved', provider: 'openai' }])
  })

  it('leaves the key of the plain route where it is if the provider rejects it', async () => {
    const { page } = await openSettings({ default: 'sk-bad-plain-1' })
    await act(page, 'General', 'Set provider')
    await page.getByLabel('Provider of this key').selectOption('OpenAI')
    await button(page, 'Set provider').click()
    await page.getByRole('alert').getByText('OpenAI does not accept this key.').waitFor()
    await button(page, 'Cancel').click()
    expect(await button(page, 'Set provider: General key').count()).toBe(1)
  })

  it('says beside two equal keys that they are the same, until one is deleted', async () => {
    const { page } = await openSettings({ groq: 'sk-good-same-0123456789' })
    const remarks = page.getByText(/You also saved this key for/)
    await beginAdding(page, 'OpenAI')
    await keyField(page).fill('sk-good-same-0123456789')
    await button(page, 'Save key').click()
    const same = ['You also saved this key for Groq.', 'You also saved this key for OpenAI.']
    await page.getByText('The OpenAI key is saved, and OpenAI accepts it.').waitFor()
    expect((await remarks.allTextContents()).toSorted()).toEqual(same)
    await page.reload()
    await act(page, 'OpenAI', 'Pause')
    await page.getByText('You paused the key').waitFor()
    expect((await remarks.allTextContents()).toSorted()).toEqual(same)
    await act(page, 'Groq', 'Delete')
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
    await page.getByText('The Groq key is deleted.').waitFor()
    expect(await remarks.count()).toBe(0)
  })

  it('does not offer to test a paused key', async () => {
    const { page } = await openSettings({ openai: 'sk-good-paused' })
    await button(page, 'Test: OpenAI key').waitFor()
    await act(page, 'OpenAI', 'Pause')
    await button(page, 'Resume: OpenAI key').waitFor()
    expect(await button(page, 'Test: OpenAI key').count()).toBe(0)
  })

  it('deletes a key after a dialog that names the consequences', async () => {
    const { page } = await openSettings({ openai: 'sk-good-first' })
    const question = page.getByRole('dialog', { name: 'Delete the OpenAI key?' })
    await act(page, 'OpenAI', 'Delete')
    await question.getByText('Applications can no longer use it. You cannot undo this.').waitFor()
    await question.getByText('The key still works at OpenAI.').waitFor()
    await page.keyboard.press('Escape')
    await question.waitFor({ state: 'hidden' })
    await act(page, 'OpenAI', 'Delete')
    await button(page, 'Cancel').click()
    expect(await preview(page).count()).toBe(1)
    await act(page, 'OpenAI', 'Delete')
    await button(page, 'Delete').click()
    const notice = page.getByText('The OpenAI key is deleted.')
    await notice.waitFor()
    expect(await isFocused(notice)).toBe(true)
    expect(await preview(page).count()).toBe(0)
    expect(await fired(page)).toEqual([{ type: 'deleted', provider: 'openai' }])
    await page.reload()
    await page.getByText('No keys yet.').waitFor()
  })

  it('removes a key that was deleted elsewhere when it is tested', async () => {
    const { page, user } = await openSettings({ openai: 'sk-good-first' })
    await vault.sql('DELETE FROM api_keys WHERE user_id = ?', user)
    await act(page, 'OpenAI', 'Test')
    await page.getByText('The OpenAI key was deleted somewhere else.').waitFor()
    expect(await rowOf(page, 'OpenAI').count()).toBe(0)
    expect(await page.locator('main').getByRole('button').allTextContents()).toHaveLength(1)
  })

  it('shows the key of the plain route, which cannot be tested', async () => {
    const { page } = await openSettings({ default: 'sk-plain-1' })
    await rowOf(page, 'General').waitFor()
    expect(await page.locator('[part=status]').count()).toBe(0)
    expect(await page.getByText(/Never used/).count()).toBe(0)
    expect(await button(page, 'Set provider: General key').count()).toBe(1)
    expect(await listItems(page, 'General')).not.toContain('Test')
    expect(await listItems(page, 'General')).toContain('Replace')
  })

  it('asks for a key again that cannot be read', async () => {
    const { page, user } = await openSettings({ openai: 'sk-good-first' })
    await vault.sql("UPDATE api_keys SET provider = 'xai' WHERE user_id = ?", user)
    await page.reload()
    await page.getByText('This key can no longer be read. Enter it again.').waitFor()
    expect(await button(page, 'Replace: xAI key').count()).toBe(1)
    expect(await listItems(page, 'xAI')).toEqual(['Activity', 'Delete'])
  })

  it('calls a key temporarily unavailable while its encryption key is missing', async () => {
    const { page, user } = await openSettings({ openai: 'sk-good-first' })
    await vault.sql("UPDATE api_keys SET key_id = 'gone' WHERE user_id = ?", user)
    await page.reload()
    await page.getByText('Temporarily unavailable. Your key is still stored').waitFor()
    const own = page.getByRole('button', { name: 'OpenAI key' })
    expect(trimAll(await own.allTextContents())).toEqual(['⋯'])
    expect(await listItems(page, 'OpenAI')).toEqual(['Activity', 'Delete'])
    await beginAdding(page)
    expect(await listOffered(page)).not.toContain('OpenAI')
  })

  it('shows the last 4 characters of a key that has 20 or more', async () => {
    const { page } = await openSettings({ openai: 'sk-good-0123456-Qx7Z', groq: 'gsk_0123456789' })
    expect(await preview(page).allTextContents()).toEqual(['sk-good-...Qx7Z', 'gsk_0123...'])
  })

  it('shows markup in a key as text', async () => {
    const { page, faults } = await openSettings({ groq: 'a<b>gsk_bold' })
    expect(await preview(page).textContent()).toBe('a<b>gsk_...')
    expect(await page.locator('[part=preview] b').count()).toBe(0)
    expect(faults()).toEqual([])
  })

  it('shows the activity of a key whose provider was removed, and deletes it', async () => {
    const { page, user } = await openSettings({ openai: 'sk-good-first' })
    await vault.sql("UPDATE api_keys SET provider = 'gone' WHERE user_id = ?", user)
    await page.reload()
    await button(page, 'Delete: gone key').waitFor()
    expect(await listItems(page, 'gone')).toEqual(['Activity'])
    await act(page, 'gone', 'Activity')
    await page.getByText('No activity yet.').waitFor()
    await deleteKey(page, 'gone')
    await page.getByText('The gone key is deleted.').waitFor()
  })

  it('shows when a key was saved and used', async () => {
    const { page, user } = await openSettings({ openai: 'sk-good-first' }, { timezoneId: 'UTC' })
    await vault.sql(
      'UPDATE api_keys SET updated_at = ?, last_used_at = ? WHERE user_id = ?',
      '2026-11-03T14:05:00.000Z',
      '2026-11-20T09:00:00.000Z',
      user,
    )
    await page.reload()
    await page.getByText('Last used 20 Nov 2026').waitFor()
    await toggleRow(page, 'OpenAI')
    await page.getByText('Saved 3 Nov 2026, 14:05').waitFor()
    expect(await page.getByText('Last used 20 Nov 2026').count()).toBe(1)
    expect(await page.getByText('Accepted by OpenAI').count()).toBe(1)
  })
})

describe('the keyboard', () => {
  /** Presses keys one after another. */
  const press = async (page: Page, ...keys: string[]) => {
    for (const key of keys) await page.keyboard.press(key)
  }
  /** Presses Tab until `what` has the focus. */
  const goTo = async (page: Page, what: Locator) => {
    await what.waitFor()
    for (let tabs = 0; !(await isFocused(what)); tabs++) {
      expect(tabs).toBeLessThan(30)
      await page.keyboard.press('Tab')
    }
  }
  /** Chooses an item in the menu of OpenAI's key. */
  const choose = async (page: Page, item: string) => {
    await goTo(page, button(page, 'More: OpenAI key'))
    await press(page, 'Enter')
    const items = page.getByRole('menuitem')
    await items.and(page.locator(':focus')).waitFor()
    const names = trimAll(await items.allTextContents())
    await press(page, ...Array.from({ length: names.indexOf(item) }, () => 'ArrowDown'), 'Enter')
  }

  it('the keyboard adds a key, whose row has the focus then', async () => {
    const { page, faults } = await openSettings()
    await press(page, 'Tab', 'Enter')
    await keyField(page).waitFor()
    await page.keyboard.type('sk-good-keyboard')
    await press(page, 'Tab', 'Tab')
    await page.keyboard.type('openai')
    await press(page, 'Enter')
    const notice = noticeOf(page, 'OpenAI')
    await notice.getByText('The OpenAI key is saved, and OpenAI accepts it.').waitFor()
    expect(await isFocused(notice)).toBe(true)
    await press(page, 'Tab')
    expect(await isFocused(button(page, 'Test: OpenAI key'))).toBe(true)
    expect(faults()).toEqual([])
  })

  it('the keyboard pastes a key whose provider is known, and saves it with Enter', async () => {
    const { page } = await openSettings()
    await press(page, 'Tab', 'Enter')
    await keyField(page).waitFor()
    await page.keyboard.insertText('gsk_0123456789')
    await press(page, 'Enter')
    expect(
      await shows(page.getByText('The Groq key is saved, but Groq has not confirmed it yet.')),
    ).toBe(true)
  })

  it('the keyboard replaces a key, and is back at the menu then', async () => {
    const { page } = await openSettings({ openai: 'sk-good-first' })
    await choose(page, 'Replace')
    await keyField(page).waitFor()
    expect(await isFocused(keyField(page))).toBe(true)
    await page.keyboard.insertText('sk-good2-second')
    await press(page, 'Enter')
    await page.getByText('The OpenAI key is saved').waitFor()
    expect(await preview(page).allTextContents()).toEqual(['sk-good2...'])
    expect(await isFocused(button(page, 'More: OpenAI key'))).toBe(true)
  })

  it('the keyboard tests a key', async () => {
    const { page } = await openSettings({ openai: 'sk-good-first' })
    await goTo(page, button(page, 'Test: OpenAI key'))
    await press(page, 'Enter')
    await noticeOf(page, 'OpenAI').getByText('OpenAI accepts this key.').waitFor()
    expect(await isFocused(button(page, 'Test: OpenAI key'))).toBe(true)
  })

  it('the keyboard pauses a key, and resumes it with the row’s button', async () => {
    const { page } = await openSettings({ openai: 'sk-good-first' })
    await choose(page, 'Pause')
    await noticeOf(page, 'OpenAI').getByText('You paused the key').waitFor()
    expect(await isFocused(button(page, 'More: OpenAI key'))).toBe(true)
    await press(page, 'Shift+Tab')
    expect(await isFocused(button(page, 'Resume: OpenAI key'))).toBe(true)
    await press(page, 'Space')
    await noticeOf(page, 'OpenAI').getByText('You resumed the key').waitFor()
    expect(await isFocused(button(page, 'Test: OpenAI key'))).toBe(true)
  })

  it('the keyboard limits a key', async () => {
    const { page } = await openSettings({ openai: 'sk-good-first' })
    await choose(page, 'Limits')
    await page.getByLabel('Maximum number of uses').waitFor()
    await button(page, 'Save limits').and(page.locator('[aria-disabled=false]')).waitFor()
    expect(await isFocused(page.getByLabel('Maximum number of uses'))).toBe(true)
    await press(page, '7', 'Enter')
    await noticeOf(page, 'OpenAI').getByText('You changed the limits of the key').waitFor()
    expect(await isFocused(button(page, 'More: OpenAI key'))).toBe(true)
  })

  it('the keyboard deletes a key, after a question', async () => {
    const { page } = await openSettings({ openai: 'sk-good-first' })
    await choose(page, 'Delete')
    await page.getByRole('dialog').waitFor()
    await press(page, 'Escape')
    await page.getByRole('dialog').waitFor({ state: 'hidden' })
    expect(await isFocused(button(page, 'More: OpenAI key'))).toBe(true)
    await choose(page, 'Delete')
    await page.getByRole('dialog').waitFor()
    await press(page, 'Tab', 'Enter')
    const notice = page.getByText('The OpenAI key is deleted.')
    await notice.waitFor()
    expect(await isFocused(notice)).toBe(true)
  })

  it('the keyboard opens the details of a key, and its activity in them', async () => {
    const { page } = await openSettings({ openai: 'sk-good-first' })
    await goTo(page, button(page, 'OpenAI'))
    await press(page, 'Enter')
    await goTo(page, button(page, 'Activity: OpenAI key'))
    await press(page, 'Enter')
    await page.getByText('You saved the key').waitFor()
    await press(page, 'Escape')
    expect(await shows(button(page, 'Activity: OpenAI key'))).toBe(true)
    expect(await isFocused(button(page, 'Activity: OpenAI key'))).toBe(true)
    await goTo(page, button(page, 'OpenAI'))
    await press(page, 'Enter')
    await button(page, 'Activity: OpenAI key').waitFor({ state: 'detached' })
    expect(await isFocused(button(page, 'OpenAI'))).toBe(true)
  })
})

describe('a host application', () => {
  it.for<RequestCredentials>(['same-origin', 'include'])(
    'a host application saves a key with fetch, and credentials %s',
    async (credentials) => {
      const { page, user, token } = await openSettings()
      const { answer, tag } = await page.evaluate(
        async ([url, bearer, sent]) => {
          const response = await fetch(url, {
            method: 'PUT',
            credentials: sent,
            headers: { Authorization: `Bearer ${bearer}`, 'Content-Type': 'application/json' },
            body: JSON.stringify({ api_key: 'sk-plain-fetch' }),
          })
          return { answer: await response.json(), tag: response.headers.get('ETag') }
        },
        [`${vault.keyUrl.origin}/api/users/${user}/api-key`, token, credentials] as const,
      )
      expect(tag).toMatch(/^"[\da-f]{32}\.1"$/)
      expect(answer).toMatchObject({
        message: 'API key updated successfully',
        user_id: user,
        user: { has_api_key: true, etag: tag, api_key_preview: 'sk-plain...' },
      })
    },
  )

  it('the browser blocks a host application of an unlisted origin', async () => {
    const { token, user } = await openSettings()
    const stranger = await startHostApp()
    const url = stranger.open({ vault: vault.keyUrl.origin, user, tokens: [token] })
    const { page, faults } = await openPage(url)
    await page.getByText('We can’t reach the key service.').waitFor()
    expect(faults().join()).toContain('blocked by CORS policy')
    const caught = await page.evaluate(async (keyUrl) => {
      const init = { method: 'PUT', headers: { 'Content-Type': 'application/json' }, body: '{}' }
      return fetch(keyUrl, init).catch(String)
    }, vault.keyUrl.href)
    expect(caught).toBe('TypeError: Failed to fetch')
    await stranger.close()
  })

  it('offers the providers that the host application names, in their order', async () => {
    const one = await openSettings({}, {}, 'providers="openai"')
    await beginAdding(one.page)
    expect(await providerField(one.page).count()).toBe(0)
    await keyField(one.page).fill('sk-good-1')
    await button(one.page, 'Save key').click()
    await one.page.getByText('The OpenAI key is saved').waitFor()
    expect(await button(one.page, 'Add a key').count()).toBe(1)

    const two = await openSettings({}, {}, 'providers="mistral default anthropic"')
    await two.page.getByText('No keys yet. Add your own').waitFor()
    await beginAdding(two.page)
    expect(await listOffered(two.page)).toEqual(['Mistral', 'General', 'Anthropic'])
    expect(two.faults()).toEqual([])
  })

  it('keeps the key of the plain route where a host application that names it alone reads it', async () => {
    const { page } = await openSettings({}, {}, 'providers="default"')
    await button(page, 'Add a key').click()
    await keyField(page).fill('sk-ant-0123456789')
    expect(await filled(page)).toEqual(['Save key'])
    await button(page, 'Save key').click()
    await page.getByText('The key is saved.').waitFor()
    expect(await button(page, 'Replace: General key').count()).toBe(1)
    expect(await listItems(page, 'General')).not.toContain('Set provider')
    expect(await fired(page)).toMatchObject([{ type: 'saved', provider: 'default' }])

    await page.evaluate(() =>
      document.querySelector('api-key-settings')?.setAttribute('providers', 'default mistral'),
    )
    await act(page, 'General', 'Set provider')
    const choice = page.getByLabel('Provider of this key').locator('option')
    expect((await choice.allTextContents()).map((name) => name.trim())).toEqual(['Mistral'])
  })

  it('warns a host application of unknown provider names', async () => {
    const { faults } = await openSettings({}, {}, 'providers="opnai openai gone"')
    expect(faults()).toEqual([
      expect.stringMatching(/^Unknown providers: opnai gone\. Known: default openai /),
    ])
  })

  it('keeps what was typed if the host application sets another getToken', async () => {
    const { page, token } = await openSettings()
    await beginAdding(page, 'OpenAI')
    await keyField(page).fill('sk-good-typed')
    await page.evaluate(async (bearer) => {
      const settings = document.querySelector('api-key-settings')
      Object.assign(settings ?? {}, { getToken: () => bearer })
      await Reflect.get(settings ?? {}, 'updateComplete')
    }, token)
    expect(await keyField(page).inputValue()).toBe('sk-good-typed')
  })

  it('finds the vault where its script came from, without base-url', async () => {
    const { page, user, token } = await openSettings({ openai: 'sk-good-1' })
    await page.evaluate(
      ([userId, bearer]) => {
        const settings = document.createElement('api-key-settings')
        Object.assign(settings, { userId, getToken: () => bearer })
        document.querySelector('api-key-settings')?.replaceWith(settings)
      },
      [user, token] as const,
    )
    expect(await shows(rowOf(page, 'OpenAI'))).toBe(true)
  })

  it('takes a user who is set late, and another one', async () => {
    const { page, user, token } = await openSettings({ openai: 'sk-good-first' })
    const other = await openSettings({ groq: 'gsk_other-1' })
    await page.evaluate(
      async ([id, bearer]) => {
        const settings = document.querySelector('api-key-settings')
        Object.assign(settings ?? {}, { userId: id, getToken: () => bearer })
      },
      [other.user, other.token] as const,
    )
    await rowOf(page, 'Groq').waitFor()
    expect(await rowOf(page, 'OpenAI').count()).toBe(0)
    await page.evaluate(() =>
      document.querySelector('api-key-settings')?.removeAttribute('user-id'),
    )
    await rowOf(page, 'Groq').waitFor({ state: 'detached' })
    expect(await page.locator('#add, #retry').count()).toBe(0)
    await page.evaluate(
      async ([id, bearer]) => {
        const settings = document.querySelector('api-key-settings')
        Object.assign(settings ?? {}, { userId: id, getToken: () => bearer })
      },
      [user, token] as const,
    )
    await rowOf(page, 'OpenAI').waitFor()
  })
})

const toldOfChange = (page: Page) =>
  page
    .getByRole('alert')
    .getByText('This key was changed somewhere else. Check it, then try again.')

/** The same settings in two browsers. */
async function openTwo(keys: Record<string, string>) {
  const { page: first, user, token } = await openSettings(keys)
  const url = host.open({
    vault: vault.keyUrl.origin,
    user,
    tokens: [token],
    attributes: '',
    lang: 'en',
  })
  const { page: second } = await openPage(url)
  await second.locator('#add').waitFor()
  return { first, second }
}

async function replaceKey(page: Page, key: string): Promise<void> {
  await act(page, 'OpenAI', 'Replace')
  await keyField(page).fill(key)
  await page.locator('#save').click()
}

async function addKey(page: Page, key: string): Promise<void> {
  await beginAdding(page, 'OpenAI')
  await keyField(page).fill(key)
  await page.locator('#save').click()
}

describe('two browsers that change a key', () => {
  it('the second of two browsers sees that the key changed, keeps what was typed, and saves it then', async () => {
    const { first, second } = await openTwo({ openai: 'sk-good-original' })
    await act(second, 'OpenAI', 'Replace')
    await keyField(second).fill('sk-good-second')
    await replaceKey(first, 'sk-good-first-0123456789-Qx7Z')
    expect(await shows(first.getByText('The OpenAI key is saved,'))).toBe(true)
    await second.locator('#save').click()
    expect(await shows(toldOfChange(second))).toBe(true)
    expect(await keyField(second).inputValue()).toBe('sk-good-second')
    expect(await shows(second.getByText(/Qx7Z/))).toBe(true)
    await second.locator('#save').click()
    expect(await shows(second.getByText('The OpenAI key is saved,'))).toBe(true)
  })

  it('the second of two browsers sees that the slot is not empty any more', async () => {
    const { first, second } = await openTwo({})
    await addKey(first, 'sk-good-first')
    expect(await shows(first.getByText('The OpenAI key is saved,'))).toBe(true)
    await addKey(second, 'sk-good-second')
    expect(await shows(toldOfChange(second))).toBe(true)
  })

  it('the second of two browsers does not delete a key that it did not see', async () => {
    const { first, second } = await openTwo({ openai: 'sk-good-original' })
    await replaceKey(first, 'sk-good-changed')
    expect(await shows(first.getByText('The OpenAI key is saved,'))).toBe(true)
    await act(second, 'OpenAI', 'Delete')
    await second.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
    expect(await shows(toldOfChange(second))).toBe(true)
    expect(await shows(rowOf(second, 'OpenAI'))).toBe(true)
  })
})
