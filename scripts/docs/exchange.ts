/** Sends the requests of the documents, and writes each with its answer as Markdown. */

import { STATUS_CODES } from 'node:http'
import type { Step } from './story.ts'
import type { ExampleVault } from './vault.ts'

const WIDTH = 100
const SLOTS_SHOWN = 3

/** The headers that matter to a client. */
const SHOWN = [
  'ETag',
  'WWW-Authenticate',
  'Content-Disposition',
  'X-Vault-Error',
  'X-Vault-Key',
  'X-Vault-Slot',
  'X-Vault-Request-Id',
]

/** How Cloudflare names a request. */
const REQUEST_ID = '9a3b1c2d4e5f6071-FRA'

/** Sends requests one after the other. It remembers the entity tags of the answers. */
export function createSender({ url, tokens, waitForUse }: ExampleVault) {
  const tags = new Map<string, string[]>()
  /** @returns the status of the answer, and the request and the answer in blocks of code */
  return async (method: string, step: Step): Promise<{ status: number; shown: string }> => {
    const { path, token, body, isUse } = step
    const seen = tags.get(path) ?? []
    const tag = step.ifMatch && (step.ifMatch === 'first' ? seen[0] : seen.at(-1))
    const headers = { ...(body && JSON_BODY), ...(tag && { 'If-Match': tag }) }
    const answer = await fetch(url + path, {
      method: method.toUpperCase(),
      headers: {
        'CF-Ray': REQUEST_ID,
        ...headers,
        ...(token && { Authorization: `Bearer ${tokens[token]}` }),
      },
      body: body === undefined ? null : JSON.stringify(body),
    })
    const given = answer.headers.get('ETag')
    if (given !== null) tags.set(path, [...seen, given])
    if (isUse) await waitForUse()
    const shown = `${showRequest(method, step, headers)}\n\n${await showAnswer(answer)}`
    return { status: answer.status, shown }
  }
}

const JSON_BODY = { 'Content-Type': 'application/json' }

/** The request as a command. */
function showRequest(
  method: string,
  { path, token, body }: Step,
  headers: Record<string, string>,
): string {
  const parts = [
    `curl${method === 'get' ? '' : ` -X ${method.toUpperCase()}`} "$VAULT${path}"`,
    ...(token === undefined ? [] : [`-H "Authorization: Bearer $${token}"`]),
    ...Object.entries(headers).map(([name, value]) => `-H '${name}: ${value}'`),
    ...(body === undefined ? [] : [`-d '${onOneLine(body)}'`]),
  ]
  return `\`\`\`sh\n${parts.join(' \\\n  ')}\n\`\`\``
}

/** The answer as it came, without the headers that all answers have. */
async function showAnswer(answer: Response): Promise<string> {
  const { status, headers } = answer
  const shown = SHOWN.flatMap((name) => {
    const value = headers.get(name)
    return value === null ? [] : `${name}: ${value}`
  })
  const type = headers.get('Content-Type') ?? ''
  const text = await answer.text()
  const isJson = type === 'application/json'
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    ...(isJson ? [] : [`Content-Type: ${type}`]),
    ...shown,
    '',
    isJson ? layOut(JSON.parse(text, shorten)) : text.trim(),
  ]
  return `\`\`\`http\n${lines.join('\n')}\n\`\`\``
}

/** Leaves most slots of a list out. */
function shorten(name: string, value: unknown): unknown {
  return name === 'api_keys' && Array.isArray(value) ? value.slice(0, SLOTS_SHOWN) : value
}

/** JSON with each object and list in one line if it fits. */
function layOut(value: unknown, indent = '', before = 0): string {
  const line = onOneLine(value)
  if (indent.length + before + line.length < WIDTH || !(value instanceof Object)) return line
  const inner = `${indent}  `
  const entries = Array.isArray(value)
    ? value.map((item) => inner + layOut(item, inner))
    : Object.entries(value).map(([name, item]) => {
        const start = `${JSON.stringify(name)}: `
        return inner + start + layOut(item, inner, start.length)
      })
  const [open, close] = Array.isArray(value) ? '[]' : '{}'
  return `${open}\n${entries.join(',\n')}\n${indent}${close}`
}

function onOneLine(value: unknown): string {
  return JSON.stringify(value, null, 1).replaceAll(/\n */g, ' ')
}
