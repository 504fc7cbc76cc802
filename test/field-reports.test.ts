/** Public reports from other projects that keep users' API keys, and the answers of this service. */

import { beforeAll, describe, expect, it } from 'vitest'
import { BUILT_IN } from '../src/providers/built-in.ts'
import { findPattern } from '../src/providers/answer-pattern.ts'
import { readSettings } from '../src/settings.ts'
import { env } from './isolate.ts'
import {
  call,
  keyPath,
  mintToken,
  putKey,
  slotPath,
  someEncryptionKey,
  someUser,
  storedKey,
} from './support.ts'

const KEY = 'sk-proj-0123456789'

describe('a pasted key that does not work', () => {
  let userId: string
  beforeAll(async () => {
    userId = await someUser()
  })

  it.for<[report: string, pasted: string, detail: string]>([
    ['replicate/comfyui-replicate#7', `"${KEY}"`, 'comes with quotes'],
    ['lotus-data/lotus#211', `"${KEY}`, 'comes with quotes'],
    ['tsensei/QueryGPT#1', `${KEY};`, 'comes with punctuation'],
    ['FullStackPlayer/claude-code-launcher#3', '****_KEY', 'is a masked preview'],
    ['continuedev/continue#10250', 'https://api.openai.com/v1', 'is a URL'],
    ['continuedev/continue#10088', 'You are an assistant', 'has white space inside'],
    ['continuedev/continue#10019', 'null', 'is a placeholder for a missing value'],
    ['gitroomhq/postiz-app#1990', `Bearer ${KEY}`, 'comes with a scheme such as Bearer'],
    ['groq/groq-python#16', `gsk_\u200B0123456789`, 'comes with invisible characters'],
    ['btseytlin/hr-breaker#33', `“${KEY}”`, 'comes with quotes'],
    ['NousResearch/hermes-agent#9946', 'sk-\u028B0123456789', 'not printable ASCII'],
    ['openai/openai-python#2409', 'sk\u2014proj-0123456789', 'not printable ASCII'],
    ['jundot/omlx#1719', 'schlüssel', 'not printable ASCII'],
    ['oldcai/LazyTyper-releases#149', 'gsk 0123456789', 'has white space inside'],
    ['diegosouzapw/OmniRoute#549', 'sk-p****6789', 'is a masked preview'],
    ['BerriAI/litellm#33797', 'sk-proj-...', 'is a masked preview'],
    ['WordPress/wordpress-develop#12865', '••••••••6789', 'is a masked preview'],
    ['RooCodeInc/Roo-Code#3953', '{"type": "service_account"}', 'create an API key for Vertex AI'],
    ['n8n-io/n8n#10770', '-----BEGIN PRIVATE KEY-----\\nMIIE', 'is a PEM file'],
  ])('refuses the pasted key of %s with the reason', async ([, pasted, detail]) => {
    const response = await putKey(userId, pasted)
    expect([response.status, await response.json()]).toMatchObject([
      400,
      { code: 'api_key_invalid', detail: expect.stringContaining(detail) },
    ])
    expect(await storedKey(userId)).toBeNull()
  })
})

describe('an unusual key', () => {
  it.for<[report: string, sent: string, stored: string]>([
    ['crewAIInc/crewAI#5999', `${KEY}\n`, KEY],
    ['sigoden/aichat#1521', ` ${KEY} `, KEY],
    [
      'run-llama/llama_index#7062',
      '0123456789abcdef0123456789abcdef',
      '0123456789abcdef0123456789abcdef',
    ],
    ['replicate/create-replicate#24', '0123456789abcdef01234567', '0123456789abcdef01234567'],
  ])('saves the unusual key of %s', async ([, sent, stored]) => {
    const userId = await someUser()
    expect((await putKey(userId, sent)).status).toBe(200)
    expect(await storedKey(userId)).toBe(stored)
  })
})

describe('an answer of a provider that a good key gets too', () => {
  it.for<[report: string, provider: string, status: number, body: string]>([
    ['diegosouzapw/OmniRoute#7638', 'mistral', 401, '{"detail":"Unauthorized"}'],
    [
      'microsoft/PowerToys#32989',
      'openai',
      401,
      '{"error":{"message":"You have insufficient permissions. Missing scopes: model.read"}}',
    ],
    [
      'anomalyco/opencode#2245',
      'openrouter',
      401,
      '{"error":{"message":"User not found.","code":401}}',
    ],
    [
      'Wei-Shaw/sub2api#1586',
      'anthropic',
      400,
      '{"error":{"message":"Your credit balance is too low"}}',
    ],
  ])('does not take the answer in %s for a rejection of the key', ([, name, status, body]) => {
    const provider = BUILT_IN[name]
    if (provider === undefined) throw new Error(`${name} is not built in`)
    const bytes = new TextEncoder().encode(body)
    expect(findPattern(provider.refusals, status, bytes)).toBeUndefined()
  })
})

describe('a lost or wrong encryption key', () => {
  const fix = expect.objectContaining({ message: expect.stringContaining('npm run keys -- new') })

  it.for<[report: string, key: string]>([
    ['danny-avila/LibreChat#14699', 'f34be427ebb29de8d88c107a71546019'],
    ['Osmantic/ODS#534', ''],
    ['danny-avila/LibreChat#4276', 'a'.repeat(64)],
  ])('stops the service with the encryption key of %s, and says what to set', ([, key]) => {
    const open = () => readSettings({ ...env, API_KEY_ENCRYPTION_KEY: key })
    expect(open).toThrow(expect.objectContaining({ code: 'server_misconfigured' }))
    expect(open).toThrow(expect.objectContaining({ cause: fix }))
  })

  // n8n-io/n8n#12949, FlowiseAI/Flowise#643, BerriAI/litellm#13406
  it('replaces and deletes keys that another encryption key has made unreadable', async () => {
    const userId = await someUser()
    await putKey(userId, KEY)
    const vault = { ...env, API_KEY_ENCRYPTION_KEY: someEncryptionKey() }
    const token = await mintToken({ sub: userId })
    const get = async () => (await call('GET', keyPath(userId), { token, env: vault })).json()
    const etag = expect.stringMatching(/^"[\da-f]{32}\.1"$/)
    expect(await get()).toEqual({ has_api_key: false, error: 'Invalid encrypted key', etag })
    expect((await putKey(userId, 'sk-new-0123456789', { env: vault })).status).toBe(200)
    expect(await get()).toMatchObject({ api_key_preview: 'sk-new-0...' })
    expect((await call('DELETE', keyPath(userId), { token, env: vault })).status).toBe(200)
  })
})

describe('other reports', () => {
  // coaidev/coai#67, continuedev/continue#10902
  it('does not repeat the key that the provider repeats in its answer', async () => {
    const userId = await someUser()
    const token = await mintToken({ sub: userId })
    const api_key = `sk-bad-${crypto.randomUUID()}`
    const response = await call('PUT', slotPath(userId, 'openai'), { token, body: { api_key } })
    expect(response.status).toBe(422)
    expect(await response.text()).not.toContain(api_key)
  })

  // danny-avila/LibreChat#15317, wso2/api-manager#2948
  it('does not accept an ID token as an access token', async () => {
    const userId = await someUser()
    const token = await mintToken({ sub: userId, at_hash: 'x' })
    const response = await call('GET', keyPath(userId), { token })
    expect([response.status, await response.json()]).toMatchObject([401, { code: 'token_invalid' }])
  })
})
