/** `POST /chat` streams a chat completion, paid by the user's own key, which this server never sees. */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { json } from 'node:stream/consumers'
import OpenAI, { APIError } from 'openai'

const { VAULT_URL = 'http://localhost:8787', PORT = '3000' } = process.env

async function chat(request: IncomingMessage, response: ServerResponse): Promise<void> {
  // Before, these three lines had OpenAI's address and the user's key.
  const token = request.headers.authorization?.replace(/^Bearer /i, '') ?? ''
  const baseURL = `${VAULT_URL}/relay/openai/v1`
  const openai = new OpenAI({ baseURL, apiKey: token })

  const asked = await json(request)
  const messages = Array.isArray(asked) ? asked : []
  const stream = await openai.chat.completions.create({
    model: 'gpt-5-mini',
    messages,
    stream: true,
  })
  for await (const { choices } of stream) response.write(choices[0]?.delta.content ?? '')
  response.end()
}

/** Answers as OpenAI did, or as the vault, whose own refusals have a code. */
function answerError(response: ServerResponse, error: unknown): void {
  const { status = 502, headers } = error instanceof APIError ? error : {}
  const code = headers?.get('X-Vault-Error') ?? null
  // A frontend takes a 401 for the end of its own session. One of OpenAI's is about the user's key.
  const isRefusal = code === null && (status === 401 || status === 403)
  const answer = isRefusal
    ? { error: 'OpenAI refused the API key', code: 'provider_refused' }
    : { error: String(error), code }
  response.writeHead(isRefusal ? 502 : status, {
    'Content-Type': 'application/json',
    ...(code !== null && { 'X-Vault-Error': code }),
  })
  response.end(JSON.stringify(answer))
}

const server = createServer((request, response) => {
  chat(request, response).catch((error: unknown) => answerError(response, error))
})
server.listen(Number(PORT), () => console.log(`POST http://localhost:${PORT}/chat`))
