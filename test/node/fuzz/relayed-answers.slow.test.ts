/** Answers of a provider through the relay: none takes the vault's token away, and none shows the key in a header or an error. */

import { createServer, request as open, type IncomingMessage } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { listen, stop } from '../../../scripts/lib/local-server.ts'
import { anyForm } from '../../fuzz/any-relayed.ts'
import { expectAlways, FUZZED } from '../../fuzz/fuzz.ts'
import { startDirectVault } from '../direct-vault.ts'
import { anyRelayedAnswer, encode, fill, LONG, type Answered } from './any-relayed-answer.ts'

const KEY = `sk-relayed-${crypto.randomUUID()}`
const NULL_BODY = new Set([204, 205, 304])

let answer: Answered
/** The URL and the headers of the last request to the provider. */
let asked = ''
const provider = createServer(({ url, headers }, response) => {
  asked = JSON.stringify([url, headers])
  const flat = answer.headers.flat()
  if (answer.coding !== 'identity') flat.push('Content-Encoding', answer.coding)
  response.writeHead(answer.status, flat)
  response.end(NULL_BODY.has(answer.status) ? undefined : encode(answer))
})
let origin: string
let vault: Awaited<ReturnType<typeof startDirectVault>>

beforeAll(async () => {
  origin = `http://127.0.0.1:${await listen(provider)}`
  const own = { label: 'Own', hosts: [new URL(origin).host], header: 'X-Key', refusals: [] }
  const providers = {
    openai: { origin },
    anthropic: { origin },
    own: { ...own, url_fields: { '/v1/jobs': ['next', 'data.results_url'] } },
  }
  vault = await startDirectVault({ PROVIDERS: JSON.stringify(providers) })
  for (const slot of ['openai', 'anthropic']) await vault.save(slot, KEY)
  await vault.save('own', KEY, { base_url: `${origin}/tenant` })
})
afterAll(async () => {
  await vault.close()
  await stop(provider)
})

interface Got {
  status: number
  headers: [name: string, value: string][]
  body: string
}

/** Requests a path at the relay, and unpacks the body. */
async function get(url: string): Promise<Got> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const headers = { Authorization: `Bearer ${vault.token}`, 'Accept-Encoding': 'gzip, br' }
  open(url, { headers, signal: AbortSignal.timeout(20_000) }, resolve)
    .on('error', reject)
    .end()
  const response = await promise
  const bytes = await buffer(response)
  const coding = bytes.length === 0 ? '' : response.headers['content-encoding']
  const unpack = { gzip: gunzipSync, br: brotliDecompressSync }[coding ?? '']
  return {
    status: response.statusCode ?? 0,
    headers: Object.entries(response.headersDistinct).map(([name, values = []]) => [
      name,
      values.join(', '),
    ]),
    body: (unpack?.(bytes) ?? bytes).toString(),
  }
}

const SINGLE = new Set([
  'location',
  'content-location',
  'operation-location',
  'azure-asyncoperation',
])

/** What a client may take for a URL in a header: all of it, a part in brackets or quotes, or a word. */
function urlsIn(name: string, value: string): string[] {
  if (SINGLE.has(name)) return [value]
  const targets = [...value.matchAll(/<([^>]*)>/g)].map(([, target = '']) => target)
  const others = name === 'link' ? value.replaceAll(/<[^>]*>/g, '') : value
  const words = [others, ...others.split(/[\s,;|<>"]+/), ...others.split('=')]
  const isUrl = (word: string) => /^(?:(?:https?|wss?):|[/\\]{2})/i.test(word.replaceAll('\t', ''))
  return [...targets, ...words.filter((word) => isUrl(word.trim()))]
}

/** The URLs in headers that a client would request, and that are not on the vault. */
function leadingAway(url: string, headers: Got['headers']): string[] {
  return headers
    .filter(([name]) => !name.startsWith('x-vault-'))
    .flatMap(([name, value]) => urlsIn(name, value))
    .filter((named) => {
      const to = URL.parse(named) ?? URL.parse(named, url)
      return to !== null && to.host !== new URL(url).host
    })
}

/** A body with each URL as a parser writes it, so that bodies can be compared. */
function normalize(body: string): string {
  const normal = (_: string, value: unknown) =>
    typeof value === 'string' ? (URL.parse(value)?.href ?? value) : value
  try {
    return JSON.stringify(JSON.parse(body, normal))
  } catch {
    return body
  }
}

/** Whether a body that is not an error's is the provider's, with no change but in URLs. */
function isAsSent(body: string): boolean {
  if (NULL_BODY.has(answer.status)) return body === ''
  const keepsNumbers = body.includes(LONG) === answer.body.includes(LONG)
  return keepsNumbers && normalize(body) === normalize(answer.body)
}

const FORMS = [KEY, encodeURIComponent(KEY), btoa(KEY).replace(/=+$/, '')]

/** Whether a text shows the key: as it is, in a usual encoding, or in the form that the provider chose. */
function showsKey(shown: string, form: string): boolean {
  const lower = shown.toLowerCase()
  return [...FORMS, form].some((some) => lower.includes(some.toLowerCase()))
}

const NEVER = new Set(['set-cookie', 'accept-ch', 'set-login', 'clear-site-data', 'x-sourcemap'])

it('no answer takes the token away, or shows the key in a header or an error', FUZZED, async () => {
  const any = fc.record({ answered: anyRelayedAnswer, form: anyForm })
  const property = fc.asyncProperty(any, async ({ answered, form }) => {
    const { slot, path } = answered
    const base = slot === 'own' ? `${origin}/tenant` : origin
    const root = `${vault.url}relay/${slot}`
    answer = fill(answered, base, form(KEY))
    const { status, headers, body } = await get(root + path)
    expect(status).toBe(answered.status)
    const head = JSON.stringify(headers)
    for (const shown of [asked, head, body]) expect(shown).not.toContain(vault.token)
    expect(leadingAway(root + path, headers)).toEqual([])
    expect(headers.filter(([name]) => NEVER.has(name) || name === 'x-vault-error')).toEqual([])
    expect(showsKey(head, form(KEY))).toBe(false)
    expect(status >= 400 || isAsSent(body.replaceAll(root, base))).toBe(true)
    expect(status >= 400 && showsKey(body, form(KEY))).toBe(false)
  })
  await expectAlways(property)
})

it('no answer shows a key or a token in the log', () => {
  const logged = vault.logs().join('\n')
  for (const secret of [KEY, vault.token]) expect(logged).not.toContain(secret)
})
