/** `POST /chat` streams a chat completion, paid by the user's own key, which this server never sees. */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { json } from 'node:stream/consumers'
import OpenAI, { APIError } from 'openai'
import { explain } from './meaning.ts'

const { VAULT_URL = 'http://localhost:8787', PORT = '3000' } = process.env

async function chat(request: IncomingMessage, response: ServerResponse): Promise<void> {
  // Without the vault, these three lines would have OpenAI's address and the user's key.
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

/**
 * Says with a code what the user can do about the error. The status is the vault's, or a 502 if OpenAI has answered: a frontend
 * takes a 401 for the end of its own session, and one of OpenAI's is about the user's key.
 */
function answerError(response: ServerResponse, error: unknown): void {
  if (response.headersSent) return void response.destroy()
  const { status, headers } = error instanceof APIError ? error : {}
  const refusal = headers?.get('X-Vault-Error') ?? null
  response.writeHead(refusal === null || status === undefined ? 502 : status, {
    'Content-Type': 'application/json',
    ...(refusal !== null && { 'X-Vault-Error': refusal }),
  })
  const code = status === undefined ? 'no_answer' : explain({ status, headers })
  response.end(JSON.stringify({ error: String(error), code }))
}

const server = createServer((request, response) => {
  chat(request, response).catch((error: unknown) => answerError(response, error))
})
server.listen(Number(PORT), () => console.log(`POST http://localhost:${PORT}/chat`))
