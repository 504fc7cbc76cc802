/** The element in each state that a user may find it in. */

import type { Page } from 'playwright-core'
import { refuse } from './stage.ts'

const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true })

async function typeKey(page: Page, label: string, key: string): Promise<void> {
  await button(page, 'Add a key').click()
  await page.getByLabel('Provider', { exact: true }).selectOption(label)
  await page.getByRole('textbox', { name: /API key$/ }).fill(key)
}

async function save(page: Page, key: string, answer: ReturnType<typeof refuse> | null) {
  await page.route('**/api-keys/mistral', async (route) => {
    if (answer !== null) await route.fulfill(answer)
  })
  await typeKey(page, 'Mistral', key)
  await button(page, 'Save key').click()
}

/** Functions that bring the element into a state, on a page with every sample. */
export const SCENES: Record<string, (page: Page) => Promise<void>> = {
  'every status': async () => {},
  'a form': async (page) => button(page, 'Add a key').click(),
  'a key of another provider': async (page) => {
    await typeKey(page, 'Mistral', 'gsk_0123456789')
    await page.getByText('This looks like a Groq key').waitFor()
  },
  'a key of another provider, which has one': async (page) => {
    await typeKey(page, 'Mistral', 'sk-proj-0123456789')
    await page.getByText('You already have an OpenAI key.').waitFor()
  },
  'a key of either of two providers': async (page) => {
    await typeKey(page, 'Mistral', 'sk-0123456789')
    await page.getByText('This looks like an OpenAI or DeepSeek key').waitFor()
  },
  'a provider with a key': async (page) => {
    await typeKey(page, 'OpenAI (has a key)', 'sk-proj-0123456789')
    await page.getByText('You already have an OpenAI key.').waitFor()
  },
  'a provider chosen by the key': async (page) => {
    await button(page, 'Add a key').click()
    await page.getByRole('textbox', { name: /API key$/ }).fill('gsk_0123456789')
    await page.getByText('Selected Groq').waitFor()
  },
  'a saved key': async (page) => {
    await typeKey(page, 'Groq', 'gsk_0123456789')
    await button(page, 'Save key').click()
    await page.getByText('The Groq key is saved.').waitFor()
  },
  'an accepted key': async (page) => {
    await button(page, 'Replace: OpenAI key').click()
    await page.getByRole('textbox', { name: /API key$/ }).fill('sk-good-0123456789')
    await button(page, 'Replace').click()
    await page.getByText('The OpenAI key is saved, and OpenAI accepts it.').waitFor()
  },
  'a mask': async (page) => {
    await typeKey(page, 'Mistral', 'sk-proj-...')
    await page.getByText('This is a masked key.').waitFor()
  },
  'a busy form': async (page) => {
    await save(page, 'mistral-key', null)
    await button(page, 'Checking the key with Mistral …').waitFor()
  },
  'a countdown': async (page) => {
    await save(page, 'mistral-key', refuse(429, 'rate_limited', { 'Retry-After': '3600' }))
    await page.getByRole('timer').waitFor()
  },
  'a fault': async (page) => {
    await save(page, 'mistral-key', refuse(500, 'internal'))
    await page.getByText('Reference: request-1').waitFor()
  },
  'a provider to be set': async (page) => {
    await button(page, 'Set provider: General key').click()
    await page.getByLabel('Provider of this key').waitFor()
  },
  'a base URL': async (page) => {
    await typeKey(page, 'Own', 'own-key')
    await page.getByLabel('Base URL').waitFor()
  },
  'a rejected key': async (page) => {
    await save(page, 'mistral-key', refuse(422, 'api_key_rejected'))
    await button(page, 'Save anyway').waitFor()
  },
  'a replacement': async (page) => {
    await button(page, 'Replace: Anthropic key').click()
    await page.getByRole('textbox', { name: /API key$/ }).waitFor()
  },
  'a question': async (page) => {
    await button(page, 'Delete: OpenAI key').click()
    await page.getByRole('dialog').waitFor()
  },
  'a deletion': async (page) => {
    await button(page, 'Delete: OpenAI key').click()
    await button(page, 'Delete').click()
    await page.getByText('The OpenAI key is deleted.').waitFor()
  },
  'a paused key': async (page) => {
    await button(page, 'Pause: OpenAI key').click()
    await page.getByText('Paused. Applications cannot use it.').waitFor()
  },
  'a paused key out of credit': async (page) => {
    const exhausted = {
      condition: 'out_of_credit',
      condition_at: '2026-11-03T14:05:00.000Z',
      billing_page: 'https://platform.openai.com/settings/organization/billing/overview',
      paused_at: '2026-11-04T09:00:00.000Z',
    }
    await page.route('**/api-keys', async (route) => {
      const response = await route.fetch()
      const list: { api_keys: { provider: string }[] } = await response.json()
      const openai = list.api_keys.find(({ provider }) => provider === 'openai') ?? {}
      Object.assign(openai, exhausted)
      await route.fulfill({ response, json: list })
    })
    await page.reload()
    await page.getByRole('link', { name: 'Add credit (in a new tab)' }).waitFor()
    await page.getByText('Paused. Applications cannot use it.').waitFor()
  },
  'a limit that is not a number': async (page) => {
    await button(page, 'Limits: OpenAI key').click()
    await page.getByText('No application has used this key lately.').waitFor()
    await page.getByLabel('Limit of uses').selectOption('Per day')
    await button(page, 'Save limits').click()
    await page.getByText('Enter a whole number of uses, from 1.').waitFor()
  },
  'a reached limit': async (page) => {
    await page.route('**/api-keys/openai', async (route) => {
      const response = await route.fetch()
      const limits = { callers: ['binding:batch'], max_uses: { count: 100, per: 'day', used: 100 } }
      await route.fulfill({ response, json: { ...(await response.json()), ...limits } })
    })
    await button(page, 'Pause: OpenAI key').click()
    await button(page, 'Resume: OpenAI key').click()
    await page.getByText('Limit reached.').waitFor()
    await button(page, 'Limits: OpenAI key').click()
    await page.getByLabel('batch').waitFor()
  },
  'an activity': async (page) => {
    await button(page, 'Activity: OpenAI key').click()
    await page.getByText('You saved the key').waitFor()
  },
  'an activity that did not load': async (page) => {
    await page.route('**/api-key-events?*', (route) =>
      route.fulfill(refuse(503, 'database_busy', { 'Retry-After': '3600' })),
    )
    await button(page, 'Activity: OpenAI key').click()
    await page.getByRole('timer').waitFor()
  },
  'a list that did not load': async (page) => {
    await page.route('**/api-keys', (route) => route.fulfill(refuse(503, 'database_busy')))
    await page.reload()
    await button(page, 'Try again').waitFor()
  },
}
