import { expect, it } from 'vitest'
import chatWorker from '../../examples/chat-worker/chat-worker.ts'
import { mintToken } from '../support.ts'
import { env } from '../isolate.ts'

/** Asks for a completion, for which the vault returns `result`. */
async function chat(result: object): Promise<Response> {
  const vault = {
    KEY_VAULT: { fetchWithApiKey: async () => result },
    JWT_SECRET_KEY: env.JWT_SECRET_KEY,
    OPENAI_ORIGIN: 'https://api.openai.test',
  }
  const headers = {
    Authorization: `Bearer ${await mintToken({ sub: 'user' })}`,
    'Content-Type': 'application/json',
  }
  return chatWorker.request('/chat', { method: 'POST', headers, body: '{}' }, vault)
}

const answered = (status: number) => ({ ok: true, response: new Response('a body', { status }) })

it.for([200, 400, 404, 429, 500])('passes the provider’s %i on', async (status) => {
  const response = await chat(answered(status))
  expect([response.status, await response.text()]).toEqual([status, 'a body'])
})

it.for([401, 403])('says with a 502 that the provider answered with a %i', async (status) => {
  const response = await chat(answered(status))
  expect(response.status).toBe(502)
  const error = 'The provider refused the API key'
  expect(await response.json()).toEqual({ error, code: 'provider_refused' })
})

it.for([
  ['no_api_key', 404],
  ['api_key_paused', 502],
] as const)('names the vault’s refusal %s', async ([code, status]) => {
  const response = await chat({ ok: false, code })
  expect([response.status, await response.json()]).toMatchObject([status, { code }])
})
