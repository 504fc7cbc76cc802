/** A page that opens a WebSocket to its user's provider through the relay: it can send its token only in a subprotocol. */

import { createServer } from 'node:http'
import { build } from 'esbuild'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, inject, it, onTestFinished } from 'vitest'
import { listen, stop } from '../../scripts/lib/local-server.ts'
import { startDirectVault } from '../node/direct-vault.ts'
import { startSdkServer } from '../node/sdk-server.ts'
import { startTls } from '../node/tls-proxy.ts'
import { openBrowser } from './browser.ts'

const KEY = `sk-realtime-${crypto.randomUUID()}`

/** OpenAI's SDK as a script for a page. */
async function bundleSdk(): Promise<string> {
  const contents = `import OpenAI from 'openai'
    import { OpenAIRealtimeWebSocket } from 'openai/realtime/websocket'
    Object.assign(globalThis, { OpenAI, OpenAIRealtimeWebSocket })`
  const options = { bundle: true, write: false, format: 'iife', platform: 'browser' } as const
  const { outputFiles } = await build({ stdin: { resolveDir: '.', contents }, ...options })
  return outputFiles[0]?.text ?? ''
}

const host = createServer((_, response) =>
  response.setHeader('Content-Type', 'text/html').end('<!doctype html><title>Host</title>'),
)
let origin: string
let provider: Awaited<ReturnType<typeof startSdkServer>>
let vault: Awaited<ReturnType<typeof startDirectVault>>
let browser: Browser

beforeAll(async () => {
  origin = `http://localhost:${await listen(host)}`
  provider = await startSdkServer()
  const PROVIDERS = JSON.stringify({ openai: { origin: provider.url } })
  vault = await startDirectVault({ PROVIDERS, CORS_ORIGINS: origin })
  await vault.save('openai', KEY)
  browser = await openBrowser(inject('browser'))
})
afterAll(async () => {
  await browser.close()
  await vault.close()
  await provider.close()
  await stop(host)
})

/** Runs a script on a page of the host application, which is at `address` and has loaded `sdk`. */
async function runOnPage(script: string, { address = origin, sdk = '' } = {}): Promise<unknown> {
  // Its certificate is self-signed.
  const context = await browser.newContext({ ignoreHTTPSErrors: true })
  onTestFinished(async () => context.close())
  const page = await context.newPage()
  await page.goto(address)
  if (sdk !== '') await page.addScriptTag({ content: sdk })
  return page.evaluate(script)
}

/** Opens a WebSocket, sends an event, and returns the chosen subprotocol, or the close code, and what came back. */
const socketScript = (url: string, protocols: string[]) => `new Promise((resolve) => {
  const socket = new WebSocket(${JSON.stringify(url)}, ${JSON.stringify(protocols)})
  const types = []
  socket.onclose = ({ code }) => resolve([code, types])
  socket.onmessage = ({ data }) => {
    types.push(JSON.parse(data).type)
    if (types.length === 1) socket.send('{"type": "response.create"}')
    else resolve([socket.protocol, types])
  }
})`

const sdkScript = (baseURL: string, apiKey: string) => `new Promise((resolve, reject) => {
  const options = ${JSON.stringify({ baseURL, apiKey, project: 'proj_1' })}
  const client = new OpenAI({ ...options, dangerouslyAllowBrowser: true })
  const realtime = new OpenAIRealtimeWebSocket({ model: 'good' }, client)
  const types = []
  realtime.on('error', reject)
  realtime.on('event', ({ type }) => {
    types.push(type)
    if (types.length === 1) realtime.send({ type: 'response.create' })
    else resolve([realtime.socket.protocol, types])
  })
})`

const url = () => `${vault.url}relay/openai/v1/realtime?model=good`.replace('http', 'ws')
const protocols = () => ['realtime', `openai-insecure-api-key.${vault.token}`]
const TALK = ['realtime', ['session.created', 'response.done']]

/** The headers with credentials of the last request that the provider got. */
function lastSent() {
  const headers = provider.seen.at(-1)?.headers
  return [headers?.['sec-websocket-protocol'], headers?.['authorization'], headers?.['cookie']]
}

it('a page opens a WebSocket with its token in a subprotocol, and the provider gets the key', async () => {
  expect(await runOnPage(socketScript(url(), protocols()))).toEqual(TALK)
  expect(lastSent()).toEqual([`realtime, openai-insecure-api-key.${KEY}`, undefined, undefined])
})

it('OpenAI’s SDK opens a WebSocket on a page, with the token as its key', async () => {
  const secure = await startTls(vault.url)
  onTestFinished(secure.close)
  const script = sdkScript(`${secure.url}/relay/openai/v1`, vault.token)
  expect(await runOnPage(script, { sdk: await bundleSdk() })).toEqual(TALK)
  const passed = `realtime, openai-project.proj_1, openai-insecure-api-key.${KEY}`
  expect(lastSent()).toEqual([passed, undefined, undefined])
})

it('a page on an origin that is not listed opens no WebSocket', async () => {
  const before = provider.seen.length
  const address = origin.replace('localhost', '127.0.0.1')
  expect(await runOnPage(socketScript(url(), protocols()), { address })).toEqual([1_006, []])
  expect(provider.seen.length).toBe(before)
})

it('a page with a token that is not valid opens no WebSocket', async () => {
  const before = provider.seen.length
  const forged = ['realtime', 'openai-insecure-api-key.e30.e30.e30']
  expect(await runOnPage(socketScript(url(), forged))).toEqual([1_006, []])
  expect(provider.seen.length).toBe(before)
})

it('a page that opens a WebSocket leaves neither the token nor the key in a log, and no token at the provider', async () => {
  await runOnPage(socketScript(url(), protocols()))
  await expect.poll(() => vault.logs().join('\n')).toContain('"provider_status":101')
  const lines = vault.logs()
  expect(lines.filter((line) => line.includes(KEY) || line.includes(vault.token))).toEqual([])
  expect(JSON.stringify(provider.seen)).not.toContain(vault.token)
})
