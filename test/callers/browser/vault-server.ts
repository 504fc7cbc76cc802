/** A local server in the place of the vault, or of what is on the way to it. */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { onTestFinished } from 'vitest'
import { listen, stop } from '../../../scripts/lib/local-server.ts'

/** How a test answers: with a status and JSON, or as it likes. */
export type Answer = [status: number, body: object, headers?: Record<string, string>] | Handler
type Handler = (response: ServerResponse, request: IncomingMessage) => void

/** A request, as the server got it. */
interface Asked {
  method: string | undefined
  url: string | undefined
  headers: IncomingMessage['headers']
  body: unknown
}

/** For the current test, a server gives these answers in turn, and then the last one again. */
export async function serve(...answers: [Answer, ...Answer[]]) {
  const asked: Asked[] = []
  const server = createServer((request, response) => void answer(request, response))
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const sent = await text(request)
    const { method, url, headers } = request
    asked.push({ method, url, headers, body: sent === '' ? undefined : JSON.parse(sent) })
    const next = answers[asked.length - 1] ?? answers.at(-1)
    if (typeof next === 'function') return next(response, request)
    const [status, body, more] = next ?? [500, {}]
    response.writeHead(status, { 'Content-Type': 'application/json', ...more })
    response.end(JSON.stringify(body))
  }
  const baseUrl = `http://127.0.0.1:${await listen(server)}`
  onTestFinished(async () => stop(server))
  return { baseUrl, asked }
}

/** A refusal of the vault. */
export function refusal(status: number, code: string, more: object = {}): Answer {
  return [status, { error: code, code, request_id: 'request-1', ...more }]
}

/** The page of a proxy. */
export function page(status: number): Answer {
  return (response) => {
    response.writeHead(status, { 'Content-Type': 'text/html' })
    response.end('<!doctype html><h1>Welcome to this hotel</h1>')
  }
}
