/** Answers of a provider of any form: the vault passes them on or refuses them, and shows no key. */

import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { expectAlways, expectQuiet, FUZZED } from '../../fuzz/fuzz.ts'
import { anyAnswer, bytesOfAnswer, KEY, KEY_FORMS, type Answer } from './any-answer.ts'
import { describeCaller } from '../direct-vault.ts'
import { bytesOf, connectTo, readToEnd } from '../raw-client.ts'
import { startRawPair } from '../raw-provider.ts'

const CALLER = `export default {
  async fetch(_, { KEY_VAULT, PROVIDER }) {
    const result = await KEY_VAULT.fetchWithApiKey('user', 'openai', new Request(PROVIDER))
    if (result.ok) return result.response
    return Response.json(result, { status: 502, headers: { 'X-Vault-Error': result.code } })
  },
}`

let pair: Awaited<ReturnType<typeof startRawPair>>
let caller: string

beforeAll(async () => {
  pair = await startRawPair((origin) => [describeCaller(CALLER, origin)], KEY)
  caller = await pair.vault.urlOf('caller')
})
afterAll(async () => pair.close())

/** Sends a request, and returns the status and the head of the answer, and its body as bytes. */
async function send(url: string, line: string, sent = '') {
  const headers = [
    `Host: ${new URL(url).host}`,
    `Authorization: Bearer ${pair.vault.token}`,
    'Content-Type: application/json',
    `Content-Length: ${sent.length}`,
    'Connection: close',
  ]
  const socket = connectTo(url)
  const received = readToEnd(socket)
  socket.write(bytesOf({ line: `${line} HTTP/1.1`, headers, body: sent }))
  const [head = '', ...parts] = (await received).split('\r\n\r\n')
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1])
  return { status, head, body: parts.join('\r\n\r\n') }
}

/** Lets the provider answer from now on. */
function answerWith(answer: Answer): void {
  const { ending } = answer
  pair.provider.answerWith({ bytes: bytesOfAnswer(answer), ending })
}

/** The status that a provider sent; null if its first line is not one of HTTP. */
function statusOf({ line }: Answer): number | null {
  const [, status] = /^HTTP\/\d\S* +(\d{3})\b/.exec(line) ?? []
  return status === undefined ? null : Number(status)
}

it('a use gets the provider’s answer, or provider_unreachable', FUZZED, async () => {
  const { key, vault } = pair
  const uses: Record<string, [url: string, line: string]> = {
    relay: [vault.url, 'GET /relay/openai/v1'],
    binding: [caller, 'GET /'],
  }
  const door = fc.constantFrom(...Object.keys(uses))
  const property = fc.asyncProperty(anyAnswer, door, async (answer, through) => {
    answerWith(answer)
    const [url = '', line = ''] = uses[through] ?? []
    const { status, head, body } = await send(url, line)
    const code = /^x-vault-error: (.*)$/im.exec(head)?.[1]
    expect(code ?? 'provider_unreachable').toBe('provider_unreachable')
    expect(status).toBe(code === undefined ? statusOf(answer) : 502)
    expect(head).not.toMatch(/^set-cookie:/im)
    expect(head).not.toContain(key)
    const held = status < 400 ? [] : KEY_FORMS.filter((form) => body.includes(form))
    expect(held).toEqual([])
    expectQuiet(code === undefined ? '' : body, key, vault.token)
  })
  await expectAlways(property, 0.2)
})

it('a check gets a verdict from any answer', FUZZED, async () => {
  const { key, vault } = pair
  const path = '/api/users/user/api-keys/openai'
  const checks: Record<string, [line: string, body: string, expected: RegExp]> = {
    stored: [`POST ${path}/verify`, '', /^200 .*"verdict":"(?:accepted|refused|unknown)"/],
    saved: [
      `PUT ${path}?verify=true`,
      JSON.stringify({ api_key: key }),
      /^(?:200 .*"status":"(?:active|unverified)"|422 .*"code":"api_key_rejected")/,
    ],
  }
  const door = fc.constantFrom(...Object.keys(checks))
  const property = fc.asyncProperty(anyAnswer, door, async (answer, through) => {
    answerWith(answer)
    const [line = '', sent = '', expected = /$^/] = checks[through] ?? []
    const { status, head, body } = await send(vault.url, line, sent)
    expect(`${status} ${body}`).toMatch(expected)
    expectQuiet(head + body, key, vault.token)
  })
  await expectAlways(property, 0.2)
})

it('a use gets its answer after answers of any form', async () => {
  expect(await pair.useFine()).toBe('200 fine')
})

it('no answer of any form shows a key in the log, or is a fault of the vault', () => {
  // The runtime itself logs that the caller got only a part of an answer over the binding.
  const alarms = pair.alarms().filter((line) => !line.includes('disconnected prematurely'))
  expect(alarms).toEqual([])
})
