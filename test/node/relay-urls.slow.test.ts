/** SDKs that request a URL which the provider named. It is slow because it loads five SDKs and uploads 9 MB. */

import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import { Octokit } from '@octokit/core'
import { paginateRest } from '@octokit/plugin-paginate-rest'
import Anthropic060 from 'anthropic-0.60'
import OpenAI from 'openai'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { startDirectVault } from './direct-vault.ts'
import { startLinking, startStranger } from './linking-provider.ts'

const KEY = `sk-url-${crypto.randomUUID()}`
let stranger: Awaited<ReturnType<typeof startStranger>>
let provider: Awaited<ReturnType<typeof startLinking>>
let vault: Awaited<ReturnType<typeof startDirectVault>>

beforeAll(async () => {
  stranger = await startStranger()
  provider = await startLinking(stranger.url)
  const at = { origin: provider.url }
  const providers = { openai: at, anthropic: at, gemini: at, github: at }
  vault = await startDirectVault({ PROVIDERS: JSON.stringify(providers) })
  for (const slot of Object.keys(providers)) await vault.save(slot, KEY)
})
afterAll(async () => {
  await vault.close()
  await provider.close()
  await stranger.close()
})
beforeEach(() => {
  provider.asked.length = 0
})

/** Whoever leaves the vault reaches the provider with the vault's token or without the key, or the stranger. */
function expectThroughVault(): void {
  const all = provider.asked.map(({ headers }) => JSON.stringify(headers))
  expect(all.filter((sent) => sent.includes(vault.token) || !sent.includes(KEY))).toEqual([])
  expect([all.length > 0, stranger.asked]).toEqual([true, []])
}

const paths = () => provider.asked.map(({ method, url }) => `${method} ${url}`)

it('octokit reads all pages through the relay', async () => {
  const Paginating = Octokit.plugin(paginateRest)
  const octokit = new Paginating({ baseUrl: `${vault.url}relay/github`, auth: vault.token })
  const issues = await octokit.paginate('GET /repos/{owner}/{repo}/issues', {
    owner: 'a',
    repo: 'b',
  })
  expect(issues).toEqual([{ number: 1 }, { number: 2 }, { number: 3 }])
  expect(paths()).toEqual([
    'GET /repos/a/b/issues',
    'GET /repositories/1/issues?page=2',
    'GET /repositories/1/issues?page=3',
  ])
  expectThroughVault()
})

const batchesOf = {
  '1.14': () => new Anthropic(atVault('anthropic')).messages.batches,
  '0.60': () => new Anthropic060(atVault('anthropic')).messages.batches,
}
const atVault = (name: string) => ({
  baseURL: `${vault.url}relay/${name}`,
  apiKey: vault.token,
  maxRetries: 0,
})

it.for(['1.14', '0.60'] as const)(
  '@anthropic-ai/sdk %s reads the results of a batch through the relay',
  async (version) => {
    const results = await batchesOf[version]().results('1')
    const ids: string[] = []
    for await (const { custom_id } of results) ids.push(custom_id)
    expect(ids).toEqual(['one', 'two'])
    expect(paths()).toEqual(['GET /v1/messages/batches/1', 'GET /v1/messages/batches/1/results'])
    expectThroughVault()
  },
)

const gemini = () =>
  new GoogleGenAI({
    apiKey: vault.token,
    httpOptions: { baseUrl: `${vault.url}relay/gemini` },
  })

it.for<[name: string, bytes: number, parts: number]>([
  ['a small file', 100, 1],
  ['a file in two parts', 9 * 1024 * 1024, 2],
])('@google/genai uploads %s through the relay', async ([, length, parts]) => {
  const bytes = Buffer.alloc(length, 'the file ')
  const file = await gemini().files.upload({ file: new Blob([bytes], { type: 'text/plain' }) })
  // The name goes back to the provider in requests, so it stays the provider's.
  expect(file).toMatchObject({ name: 'files/1', uri: `${provider.url}/v1beta/files/1` })
  expect(provider.uploaded().equals(bytes)).toBe(true)
  expect(paths()).toEqual([
    'POST /upload/v1/files',
    ...Array.from(
      { length: parts },
      () => 'POST /upload/v1beta/files?upload_id=1&upload_protocol=resumable',
    ),
  ])
  expectThroughVault()
})

it('@google/genai uploads a file into an environment through the relay', async () => {
  const file = new Blob(['the file'], { type: 'text/plain' })
  await gemini().environments.files.upload({ environment: 'environments/1', path: 'a.txt', file })
  expect(provider.uploaded().toString()).toBe('the file')
  expectThroughVault()
})

it.for<[name: string, isNamed: boolean, filling: number, isReplaced: boolean]>([
  ['has a URL of the provider', true, 0, true],
  ['has none', false, 0, false],
  ['is longer than 1 MiB once it is unpacked', true, 1024 * 1024, false],
])('a body in gzip reaches the client if it %s', async ([, isNamed, filling, isReplaced]) => {
  const results_url = (at: string) => [{ results_url: `${at}/v1/messages/batches/2/results` }]
  const [here, there] = [results_url(provider.url), results_url(`${vault.url}relay/anthropic`)]
  const url = new URL(`${vault.url}relay/anthropic/v1/messages/batches?x=${filling}`)
  if (isNamed) url.searchParams.set('data', JSON.stringify(here))
  const headers = { Authorization: `Bearer ${vault.token}`, 'Accept-Encoding': 'gzip' }
  const response = await fetch(url, { headers })
  const data = isReplaced ? there : isNamed ? here : null
  expect(await response.json()).toEqual({ data, filling: 'x'.repeat(filling) })
  expect(response.headers.get('ETag')).toBe(isReplaced ? null : '"1"')
  expect(response.headers.get('Content-Encoding')).toBe(isReplaced ? null : 'gzip')
  expectThroughVault()
})

const openAi = () => new OpenAI({ ...atVault('openai/v1') })

it('openai follows a redirect of the provider through the relay', async () => {
  expect(await openAi().models.retrieve('near')).toMatchObject({ id: '/v1/models/moved' })
  expectThroughVault()
})

it('openai does not follow a redirect to another host', async () => {
  await expect(openAi().models.retrieve('away')).rejects.toMatchObject({ status: 307 })
  expectThroughVault()
})
