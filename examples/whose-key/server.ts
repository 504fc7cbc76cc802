/** `POST /openai` and `POST /anthropic` answer a prompt, and tell the user whose key has paid for it, and why. */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { relayFetch, type KeyUse } from '../../src/callers/fetch.ts'

const { VAULT_URL = 'http://localhost:8787', PORT = '3000' } = process.env
const { OPENAI_API_KEY, ANTHROPIC_API_KEY } = process.env

/** What the user reads. */
const PAID_BY: Record<NonNullable<KeyUse['reason']> | 'own' | 'team', string> = {
  own: 'Paid with your own key',
  team: 'Paid with your team’s key',
  no_api_key: 'Paid by us, because you have not saved a key',
  user_not_found: 'Paid by us, because you have not saved a key',
  out_of_credit: 'Paid by us, because your key has no credit left',
}

/** Sends a prompt with the SDK of a provider. The SDK has any text as its key. */
type Ask = (fetch: typeof globalThis.fetch, prompt: string) => Promise<string | null | undefined>

async function askOpenAi(fetch: typeof globalThis.fetch, content: string) {
  const openai = new OpenAI({ fetch, apiKey: 'in the vault' })
  const messages = [{ role: 'user' as const, content }]
  const { choices } = await openai.chat.completions.create({ model: 'gpt-5-mini', messages })
  return choices[0]?.message.content
}

async function askAnthropic(fetch: typeof globalThis.fetch, prompt: string) {
  const anthropic = new Anthropic({ fetch, apiKey: 'in the vault' })
  const messages = [{ role: 'user' as const, content: prompt }]
  const asked = { model: 'claude-haiku-4-5', max_tokens: 1_000, messages }
  const { content } = await anthropic.messages.create(asked)
  return content.map((block) => (block.type === 'text' ? block.text : '')).join('')
}

/** How each provider is asked, and our own key for it. */
const PROVIDERS: Record<string, { ask: Ask; apiKey: string | undefined }> = {
  openai: { ask: askOpenAi, apiKey: OPENAI_API_KEY },
  anthropic: { ask: askAnthropic, apiKey: ANTHROPIC_API_KEY },
}

async function answer({ url = '', headers }: IncomingMessage, prompt: string): Promise<object> {
  const provider = url.slice(1)
  const { ask, apiKey } = PROVIDERS[provider] ?? {}
  if (ask === undefined) return { error: 'There is no such provider' }
  const paid: { by: string | null } = { by: null }
  const fetch = relayFetch({
    vault: VAULT_URL,
    token: headers.authorization?.replace(/^Bearer /i, '') ?? '',
    provider,
    // Ask your users before you do this for them.
    fallback: apiKey === undefined ? undefined : { apiKey },
    onKey: (use) => void (paid.by = PAID_BY[use.reason === null ? use.source : use.reason]),
  })
  try {
    return { text: await ask(fetch, prompt), paid_by: paid.by }
  } catch (error) {
    const isOthers = paid.by !== null && paid.by !== PAID_BY.own
    // The provider's sentence may show a part of a key that is not the user's.
    return { error: isOthers ? 'The provider refused' : String(error), paid_by: paid.by }
  }
}

async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const answered = await answer(request, await text(request))
  response.writeHead('error' in answered ? 502 : 200, { 'Content-Type': 'application/json' })
  response.end(JSON.stringify(answered))
}

const server = createServer((request, response) => {
  handle(request, response).catch(() => response.destroy())
})
server.listen(Number(PORT), () => console.log(`POST http://localhost:${PORT}/openai`))
