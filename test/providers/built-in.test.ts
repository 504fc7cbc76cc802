import { expect, it } from 'vitest'
import { BUILT_IN } from '../../src/providers/built-in.ts'
import { provider as description } from '../../src/providers/provider.ts'
import { isRefusal } from '../../src/providers/request.ts'
import { isProviderName } from '../../src/providers/table.ts'

/** Answers to bad keys, as users report them. */
const REFUSED: [provider: string, status: number, body: string][] = [
  [
    'openai',
    401,
    '{"error":{"message":"Incorrect API key provided: sk-…","code":"invalid_api_key"}}',
  ],
  ['anthropic', 401, '{"error":{"type":"authentication_error","message":"invalid x-api-key"}}'],
  [
    'gemini',
    400,
    '{"error":{"status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}',
  ],
  [
    'gemini',
    403,
    '{"error":{"message":"Your API key was reported as leaked. Please use another"}}',
  ],
  ['groq', 401, '{"error":{"message":"Invalid API Key","code":"invalid_api_key"}}'],
  [
    'deepseek',
    401,
    '{"error":{"message":"Authentication Fails, Your api key: ****ab is invalid"}}',
  ],
  ['xai', 400, '{"code":"…","error":"Incorrect API key provided: gs***tF."}'],
  ['cohere', 401, '{"message":"invalid api token"}'],
  ['together', 401, '{"error":{"message":"Invalid API key provided.","code":"invalid_api_key"}}'],
  ['huggingface', 401, '{"error":"Invalid credentials in Authorization header"}'],
  ['huggingface', 401, '{"error":"Invalid username or password."}'],
  ['replicate', 401, '{"detail":"You did not pass a valid authentication token","status":401}'],
  ['github', 401, '{"message":"Bad credentials"}'],
]

/** Answers that a good key can get. */
const UNPROVEN: [why: string, provider: string, status: number, body: string][] = [
  ['no scope', 'openai', 401, '{"error":{"message":"Missing scopes: model.request"}}'],
  ['another address', 'openai', 401, '{"error":{"message":"IP not authorized"}}'],
  ['no organisation', 'openai', 401, '{"error":{"code":"no_organization"}}'],
  ['no credit', 'anthropic', 400, '{"error":{"message":"Your credit balance is too low"}}'],
  ['a country', 'gemini', 400, '{"error":{"status":"FAILED_PRECONDITION"}}'],
  [
    'a restriction',
    'gemini',
    403,
    '{"error":{"details":[{"reason":"API_KEY_IP_ADDRESS_BLOCKED"}]}}',
  ],
  ['an outage', 'openrouter', 401, '{"error":{"message":"User not found.","code":401}}'],
  ['an outage', 'openrouter', 401, '{"error":{"message":"No auth credentials found","code":401}}'],
  ['no quota (OmniRoute#7638)', 'mistral', 401, '{"detail":"Unauthorized"}'],
  ['a restriction', 'groq', 400, '{"error":{"code":"organization_restricted"}}'],
  ['an outage', 'deepseek', 401, '{"error":{"message":"Authentication Fails (no such user)"}}'],
  ['no credit', 'xai', 403, '{"code":"The caller does not have permission"}'],
  ['no key at all', 'xai', 401, '{"error":"invalid authorization token"}'],
  ['a trial that is over', 'cohere', 401, '{"message":"Your API key has expired."}'],
  ['a bad request', 'together', 403, '{}'],
  ['no credit', 'perplexity', 401, '<title>401 Authorization Required</title>'],
  ['a hidden repository', 'huggingface', 401, '{"error":"Repository not found"}'],
  ['no token at all', 'replicate', 401, '{"detail":"You did not pass an authentication token"}'],
  ['too many attempts', 'github', 403, '{"message":"Maximum number of login attempts exceeded"}'],
]

const refuses = async (provider: string, status: number, body: string) => {
  const known = BUILT_IN[provider]
  if (known === undefined) throw new Error(`${provider} is not built in`)
  return isRefusal(known, new Response(body, { status }))
}

it.for(Object.entries(BUILT_IN))('%s is a valid provider', ([name, provider]) => {
  expect(isProviderName(name)).toBe(true)
  expect(description.safeParse(provider)).toEqual({ success: true, data: provider })
})

it.for(REFUSED)('%s refuses a key with %i %s', async (answer) => {
  expect(await refuses(...answer)).toBe(true)
})

it.for(UNPROVEN)('an answer about %s proves nothing: %s %i %s', async ([, ...answer]) => {
  expect(await refuses(...answer)).toBe(false)
})

it.for(Object.keys(BUILT_IN))(
  'an answer of %s proves nothing without one of its words',
  async (provider) => {
    for (const status of [400, 401, 402, 403, 429, 500]) {
      expect(await refuses(provider, status, '{}')).toBe(false)
    }
  },
)
