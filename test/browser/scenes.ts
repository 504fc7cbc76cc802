/** The element in each state that a user may find it in. */

import type { Page } from 'playwright-core'
import type { SAMPLES } from './samples.ts'
import { act, beginAdding, button, deleteKey, keyField, toggleRow } from './screen.ts'
import { refuse } from './stage.ts'

type Answer = ReturnType<typeof refuse>

/** The keys of the user, and what brings the element into the state. */
type Scene = readonly [samples: keyof typeof SAMPLES, bring: (page: Page) => Promise<void>]

const KEY = 'sk-proj-0123456789'

async function typeKey(page: Page, provider: string, key: string): Promise<void> {
  await beginAdding(page, provider)
  await keyField(page).fill(key)
}

/** Saves a key of Mistral. */
async function save(page: Page): Promise<void> {
  await typeKey(page, 'Mistral', 'mistral-key')
  await button(page, 'Save key').click()
}

/** Answers what the element asks of one slot, or of all of them, with `answer`. With null nothing answers. */
async function answer(page: Page, slot: string, refusal: Answer | null): Promise<void> {
  await page.route(`**/api-keys${slot}`, async (route) => {
    if (refusal !== null) await route.fulfill(refusal)
  })
}

/** A save that fails, with what is said of it. */
const failing = (refusal: Answer, text: string): Scene => [
  'three',
  async (page) => {
    await answer(page, '/mistral', refusal)
    await save(page)
    await page.getByRole('alert').getByText(text).waitFor()
  },
]

/** Lets something else change the keys, and the element look at them again. */
async function changeElsewhere(page: Page, requests: readonly object[]): Promise<void> {
  await page.evaluate(`(async () => {
    const settings = document.querySelector('api-key-settings')
    const token = await settings.getToken({ refresh: false })
    for (const { slot, ...init } of ${JSON.stringify(requests)}) {
      const headers = { Authorization: 'Bearer ' + token, 'Content-Type': 'application/json' }
      const url = settings.baseUrl + '/api/users/' + settings.userId + '/api-keys/' + slot
      await fetch(url, { headers, ...init })
    }
    await settings.reload()
  })()`)
}

/** Each with a key in every state that it needs. */
export const SCENES = {
  'no keys': ['none', async () => {}],
  'two keys': ['two', async () => {}],
  'a key in every state': ['fourteen', async () => {}],
  'forty keys': ['forty', async () => {}],
  'a menu': [
    'fourteen',
    async (page) => {
      await button(page, 'More: Anthropic · work key').click()
      await page.getByRole('menuitem', { name: 'Delete' }).waitFor()
    },
  ],
  'a menu in the last row': [
    'fourteen',
    async (page) => {
      await button(page, 'More: gone key').click()
      await page.getByRole('menuitem', { name: 'Activity' }).waitFor()
    },
  ],
  details: [
    'fourteen',
    async (page) => {
      for (const key of ['OpenAI', 'Hugging Face', 'DeepSeek', 'General', 'Cohere', 'gone']) {
        await toggleRow(page, key)
        await page.getByRole('button', { name: key, exact: true, expanded: true }).waitFor()
      }
    },
  ],
  'a form': ['three', async (page) => beginAdding(page)],
  'a form with its expiry': [
    'three',
    async (page) => {
      await beginAdding(page)
      await page.getByText('Expires · Never').click()
      await page.getByLabel('Expires', { exact: true }).waitFor()
    },
  ],
  'a key without a provider': [
    'three',
    async (page) => {
      await beginAdding(page)
      await keyField(page).fill('own-0123456789')
      await button(page, 'Save key').click()
      await page.getByRole('status').getByText('Choose a provider').waitFor()
    },
  ],
  'a key of another provider': [
    'three',
    async (page) => {
      await typeKey(page, 'Mistral', 'gsk_0123456789')
      await page.getByText('This looks like a Groq key').waitFor()
    },
  ],
  'a key of another provider, which has one': [
    'three',
    async (page) => {
      await typeKey(page, 'Mistral', KEY)
      await page.getByText('You already have an OpenAI key.').waitFor()
    },
  ],
  'a key of either of two providers': [
    'three',
    async (page) => {
      await typeKey(page, 'Mistral', 'sk-0123456789')
      await page.getByText('This looks like an OpenAI or DeepSeek key').waitFor()
    },
  ],
  'a provider with a key': [
    'three',
    async (page) => {
      await typeKey(page, 'OpenAI', KEY)
      await page.getByText('You already have an OpenAI key.').waitFor()
    },
  ],
  'a provider chosen by the key': [
    'three',
    async (page) => {
      await beginAdding(page)
      await keyField(page).fill('gsk_0123456789')
      await page.getByText('Selected Groq').waitFor()
    },
  ],
  'a base URL': [
    'three',
    async (page) => {
      await typeKey(page, 'Own', 'own-key')
      await page.getByLabel('Base URL').waitFor()
    },
  ],
  'a mask': [
    'three',
    async (page) => {
      await typeKey(page, 'Mistral', 'sk-proj-...')
      await page.getByText('This is a masked key.').waitFor()
    },
  ],
  'a pasted command': [
    'three',
    async (page) => {
      await beginAdding(page)
      await keyField(page).fill(`export OPENAI_API_KEY=${KEY}`)
      await button(page, 'Use only the key').waitFor()
    },
  ],
  'a typed key and Escape': [
    'three',
    async (page) => {
      await typeKey(page, 'Mistral', 'mistral-key')
      await page.keyboard.press('Escape')
      await page.getByText('Press Escape again to discard the key that you typed.').waitFor()
    },
  ],
  'a saved key': [
    'three',
    async (page) => {
      await typeKey(page, 'Groq', 'gsk_0123456789')
      await button(page, 'Save key').click()
      await page.getByText('The Groq key is saved, but Groq has not confirmed it yet.').waitFor()
    },
  ],
  'an accepted key': [
    'three',
    async (page) => {
      await act(page, 'OpenAI', 'Replace')
      await keyField(page).fill('sk-good-0123456789')
      await button(page, 'Replace').click()
      await page.getByText('The OpenAI key is saved, and OpenAI accepts it.').waitFor()
    },
  ],
  'a key that stays paused': [
    'fourteen',
    async (page) => {
      await act(page, 'Replicate', 'Replace')
      await keyField(page).fill('r8_0123456789')
      await button(page, 'Replace').click()
      await page.getByText('It stays paused until you resume it.').waitFor()
    },
  ],
  'a replacement': [
    'three',
    async (page) => {
      await act(page, 'Anthropic', 'Replace')
      await keyField(page).waitFor()
    },
  ],
  'a replacement of an expired key': [
    'fourteen',
    async (page) => {
      await act(page, 'Perplexity', 'Replace')
      await page.getByText('The previous key expired').waitFor()
    },
  ],
  'a provider to be set': [
    'fourteen',
    async (page) => {
      await act(page, 'General', 'Set provider')
      await page.getByLabel('Provider of this key').waitFor()
    },
  ],
  'a name': [
    'fourteen',
    async (page) => {
      await act(page, 'OpenAI · work', 'Name and order')
      await page.getByLabel('Order of use').waitFor()
    },
  ],
  'limits that are reached': [
    'fourteen',
    async (page) => {
      await act(page, 'Hugging Face', 'Limits')
      await page.getByLabel('batch').waitFor()
    },
  ],
  'a limit that is not a number': [
    'three',
    async (page) => {
      await act(page, 'OpenAI', 'Limits')
      await page.getByText('No application has used this key lately.').waitFor()
      await page.getByLabel('Maximum number of uses').fill('1.5')
      await button(page, 'Save limits').click()
      await page.getByText('Enter a whole number of uses, 1 or more.').waitFor()
    },
  ],
  'an activity': [
    'three',
    async (page) => {
      await act(page, 'OpenAI', 'Activity')
      await page.getByText('You saved the key').waitFor()
    },
  ],
  'a question': [
    'three',
    async (page) => {
      await act(page, 'OpenAI', 'Delete')
      await page.getByRole('dialog').waitFor()
    },
  ],
  'a deletion': [
    'three',
    async (page) => {
      await deleteKey(page, 'OpenAI')
      await page.getByText('The OpenAI key is deleted.').waitFor()
    },
  ],
  'a tested key': [
    'fourteen',
    async (page) => {
      await act(page, 'OpenAI', 'Test')
      await page.getByText('OpenAI does not accept this key.').waitFor()
    },
  ],
  'a paused key': [
    'three',
    async (page) => {
      await act(page, 'OpenAI', 'Pause')
      await page.getByText('You paused the key').waitFor()
      await page.getByText('Paused. Applications cannot use it.').waitFor()
    },
  ],
  'a paused key out of credit': [
    'fourteen',
    async (page) => {
      await act(page, 'OpenRouter', 'Pause')
      await page.getByText('You paused the key').waitFor()
      await page.getByRole('link', { name: 'Add credit (in a new tab)' }).waitFor()
    },
  ],
  'changes elsewhere': [
    'three',
    async (page) => {
      const paused = JSON.stringify({ paused: true })
      await changeElsewhere(page, [
        { slot: 'openai', method: 'PATCH', body: paused },
        { slot: 'gemini', method: 'DELETE' },
      ])
      await page.getByText('This key was changed somewhere else.').waitFor()
      await page.getByText('The Google Gemini key was deleted somewhere else.').waitFor()
    },
  ],
  'a busy form': [
    'three',
    async (page) => {
      await answer(page, '/mistral', null)
      await save(page)
      await button(page, 'Checking the key with Mistral …').waitFor()
    },
  ],
  'a slow save': [
    'three',
    async (page) => {
      await page.clock.install()
      await answer(page, '/mistral', null)
      await save(page)
      await button(page, 'Checking the key with Mistral …').waitFor()
      await page.clock.fastForward(10_000)
      await page.getByText('This takes longer than usual …').waitFor()
    },
  ],
  'a busy row': [
    'three',
    async (page) => {
      await answer(page, '/openai/verify', null)
      await act(page, 'OpenAI', 'Test')
      await page.locator('[part=busy]').waitFor()
    },
  ],
  'a rejected key': [
    'three',
    async (page) => {
      await answer(page, '/mistral', refuse(422, 'api_key_rejected'))
      await save(page)
      await button(page, 'Save anyway').waitFor()
    },
  ],
  'a countdown (429)': failing(
    refuse(429, 'rate_limited', { 'Retry-After': '3600' }),
    'Try again in 60 minutes.',
  ),
  'a fault (500)': failing(refuse(500, 'internal'), 'Reference: request-1'),
  "a proxy's page": failing(
    { ...refuse(502, ''), body: '<h1>Bad gateway</h1>' },
    'The answer did not come from the key service.',
  ),
  'a save without a connection': [
    'three',
    async (page) => {
      await typeKey(page, 'Mistral', 'mistral-key')
      await page.context().setOffline(true)
      await button(page, 'Save key').click()
      await page.getByText('You are offline.').waitFor()
    },
  ],
  'a session that has ended (401)': [
    'three',
    async (page) => {
      await page.evaluate(
        "document.querySelector('api-key-settings').signIn = () => new Promise(() => {})",
      )
      await answer(page, '/mistral', refuse(401, 'token_expired'))
      await save(page)
      await button(page, 'Sign in again').waitFor()
    },
  ],
  'a name that is taken (409)': [
    'fourteen',
    async (page) => {
      await typeKey(page, 'OpenAI', KEY)
      await page.getByLabel('Name of the key').fill('WORK')
      await button(page, 'Save key').click()
      await page.getByRole('alert').getByText('There is such a key already.').waitFor()
    },
  ],
  'a key that was changed meanwhile (412)': [
    'three',
    async (page) => {
      await answer(page, '/anthropic', refuse(412, 'changed_meanwhile'))
      await act(page, 'Anthropic', 'Replace')
      await keyField(page).fill('sk-ant-0123456789')
      await button(page, 'Replace').click()
      await page.getByRole('alert').getByText('This key was changed somewhere else.').waitFor()
    },
  ],
  'a row that failed': [
    'three',
    async (page) => {
      await answer(page, '/openai', refuse(500, 'internal'))
      await act(page, 'OpenAI', 'Pause')
      await page.getByText('Reference: request-1').waitFor()
    },
  ],
  'an activity that did not load': [
    'three',
    async (page) => {
      const refusal = refuse(503, 'database_busy', { 'Retry-After': '3600' })
      await page.route('**/api-key-events?*', (route) => route.fulfill(refusal))
      await act(page, 'OpenAI', 'Activity')
      await page.getByRole('timer').waitFor()
    },
  ],
  'a list that did not load': [
    'three',
    async (page) => {
      await answer(page, '', refuse(503, 'database_busy'))
      await page.reload()
      await button(page, 'Try again').waitFor()
    },
  ],
} satisfies Record<string, Scene>
