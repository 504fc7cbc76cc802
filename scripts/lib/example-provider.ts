/** A provider on localhost for the example. It answers like OpenAI, and streams one word every 300 ms if it is asked to. */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { listen } from './local-server.ts'

const WORDS = ['The', ' key', ' was', ' used', ' and', ' never', ' seen', '.']
const EVERY_MS = 300

/** Starts the provider. It rejects keys like `sk-bad…`, and prints each request with the key's length. */
export async function startExampleProvider(): Promise<string> {
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => response.destroy(new Error(String(error))))
  })
  return `http://127.0.0.1:${await listen(server)}`
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const key = (request.headers.authorization ?? '').replace('Bearer ', '')
  const body = await text(request)
  console.log(`[provider] ${request.method} ${request.url} with a key of ${key.length} characters`)
  if (key === '' || key.startsWith('sk-bad')) {
    const error = { message: 'Incorrect API key provided', code: 'invalid_api_key' }
    response.writeHead(401, { 'Content-Type': 'application/json' }).end(JSON.stringify({ error }))
  } else if (request.url === '/v1/chat/completions') {
    if (/"stream": ?true/.test(body)) await stream(response)
    else
      sendJson(response, { choices: [{ message: { role: 'assistant', content: WORDS.join('') } }] })
  } else {
    sendJson(response, { data: [] })
  }
}

function sendJson(response: ServerResponse, body: object): void {
  response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
}

async function stream(response: ServerResponse): Promise<void> {
  response.writeHead(200, { 'Content-Type': 'text/event-stream' })
  for (const content of WORDS) {
    response.write(`data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`)
    // oxlint-disable-next-line no-await-in-loop -- as slowly as a model
    await sleep(EVERY_MS)
  }
  response.end('data: [DONE]\n\n')
}
