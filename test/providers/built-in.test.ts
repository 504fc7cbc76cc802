import { expect, it } from 'vitest'
import { BUILT_IN } from '../../src/providers/built-in.ts'
import { findPattern } from '../../src/providers/request.ts'
import { provider as description } from '../../src/providers/provider.ts'
import { isProviderName } from '../../src/providers/table.ts'

/** Answers to bad keys, as the providers' documents and users report them. */
const REFUSED: [provider: string, status: number, body: object][] = [
  [
    'openai',
    401,
    {
      error: {
        message: 'Incorrect API key provided: sk-…. You can find your API key at https://…',
        type: 'invalid_request_error',
        param: null,
        code: 'invalid_api_key',
      },
    },
  ],
  [
    'openai',
    401,
    {
      error: {
        message: 'The OpenAI account associated with this API key has been deactivated.',
        type: 'invalid_request_error',
        code: 'account_deactivated',
      },
    },
  ],
  [
    'anthropic',
    401,
    { type: 'error', error: { type: 'authentication_error', message: 'invalid x-api-key' } },
  ],
  ['gemini', 400, googleError(400, 'API key not valid.', 'API_KEY_INVALID')],
  ['gemini', 400, [googleError(400, 'API Key not found.', 'API_KEY_INVALID')]],
  [
    'gemini',
    403,
    googleError(403, 'Your API key was reported as leaked. Please use another API key.'),
  ],
  [
    'gemini',
    403,
    [googleError(403, 'Your API key was reported as leaked. Please use another API key.')],
  ],
  ['groq', 401, { error: { message: 'Invalid API Key', code: 'invalid_api_key' } }],
  ['deepseek', 401, deepSeekError('Authentication Fails, Your api key: ****ab is invalid')],
  ['deepseek', 401, deepSeekError('Authentication Fails, Your API key: ****ab is invalid')],
  [
    'xai',
    400,
    {
      code: 'Client specified an invalid argument',
      error:
        'Incorrect API key provided: gs***tF. You can obtain an API key from https://console.x.ai.',
    },
  ],
  ['xai', 400, { error: 'Incorrect%20API%20key%20provided:%20ba***na.' }],
  ['cohere', 401, { message: 'invalid api token' }],
  ['together', 401, { error: { message: 'Invalid API key provided.', code: 'invalid_api_key' } }],
  ['huggingface', 401, { error: 'Invalid credentials in Authorization header' }],
  ['huggingface', 401, { error: 'Invalid username or password.' }],
  [
    'replicate',
    401,
    {
      title: 'Unauthenticated',
      detail: 'You did not pass a valid authentication token',
      status: 401,
    },
  ],
  ['github', 401, { message: 'Bad credentials', status: '401' }],
]

/** https://docs.cloud.google.com/apis/design/errors#http_mapping */
function googleError(code: number, message: string, reason?: string) {
  const info = { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason }
  return { error: { code, message, details: reason === undefined ? [] : [info, { message }] } }
}

/** Its codes are the same for every 401. */
function deepSeekError(message: string) {
  return { error: { message, type: 'authentication_error', code: 'invalid_request_error' } }
}

/** xAI's answer to its probe: https://docs.x.ai/docs/api-reference#api-key */
const XAI_KEY = {
  redacted_api_key: 'xai-...b14o',
  name: 'api_key_disabled',
  acls: ['api-key:model:*'],
  team_blocked: false,
  api_key_blocked: false,
  api_key_disabled: false,
}

/** Successful answers to a probe that say that the key is of no use. */
const TURNED_OFF: [provider: string, body: object][] = [
  ['xai', { ...XAI_KEY, api_key_disabled: true }],
  ['xai', { ...XAI_KEY, api_key_blocked: true }],
  ['xai', { ...XAI_KEY, team_blocked: true }],
]

/** Answers that a good key can get. */
const UNPROVEN: [why: string, provider: string, status: number, body: object | string][] = [
  ['no scope', 'openai', 401, { error: { message: 'Missing scopes: model.request' } }],
  ['another address', 'openai', 401, { error: { message: 'IP not authorized' } }],
  ['no organisation', 'openai', 401, { error: { code: 'no_organization' } }],
  ['no credit', 'openai', 429, { error: { code: 'insufficient_quota' } }],
  ['no credit', 'anthropic', 400, { error: { message: 'Your credit balance is too low' } }],
  ['a scope', 'anthropic', 403, { error: { type: 'permission_error' } }],
  ['a country', 'gemini', 400, { error: { status: 'FAILED_PRECONDITION' } }],
  ['a restriction', 'gemini', 403, googleError(403, 'Blocked', 'API_KEY_IP_ADDRESS_BLOCKED')],
  ['a restriction', 'gemini', 403, googleError(403, 'Blocked', 'API_KEY_SERVICE_BLOCKED')],
  [
    'a suspended project',
    'gemini',
    403,
    googleError(403, "Consumer 'api_key:AIza' has been suspended.", 'CONSUMER_SUSPENDED'),
  ],
  ['an outage', 'openrouter', 401, { error: { message: 'User not found.', code: 401 } }],
  ['an outage', 'openrouter', 401, { error: { message: 'No auth credentials found', code: 401 } }],
  ['no quota (OmniRoute#7638)', 'mistral', 401, { detail: 'Unauthorized' }],
  ['a restriction', 'groq', 400, { error: { code: 'organization_restricted' } }],
  ['an outage', 'deepseek', 401, deepSeekError('Authentication Fails (no such user)')],
  ['a wrong header', 'deepseek', 401, deepSeekError('Authentication Fails (auth header format …)')],
  ['a block', 'deepseek', 401, deepSeekError('Authentication Fails (governor)')],
  ['no credit', 'xai', 403, { code: 'The caller does not have permission' }],
  ['no key at all', 'xai', 401, { error: 'invalid authorization token' }],
  [
    'a bad request',
    'xai',
    400,
    { code: 'Client specified an invalid argument', error: 'No model' },
  ],
  ['a trial that is over', 'cohere', 401, { message: 'Your API key has expired.' }],
  ['a bad request', 'together', 403, {}],
  ['no credit', 'perplexity', 401, '<title>401 Authorization Required</title>'],
  ['a hidden repository', 'huggingface', 401, { error: 'Repository not found' }],
  ['no token at all', 'replicate', 401, { detail: 'You did not pass an authentication token' }],
  ['too many attempts', 'github', 403, { message: 'Maximum number of login attempts exceeded' }],
]

/** Successful answers to a probe. None of them is about the key itself. */
const WORKING: [provider: string, body: object][] = [
  ['xai', XAI_KEY],
  ['deepseek', { is_available: false, balance_infos: [] }],
  ['openrouter', { data: { label: 'sk-or-v1-…', limit_remaining: 0, expires_at: null } }],
  ['together', { api_key_id: 'key_1', project_id: 'proj_1' }],
]

const bytesOf = (body: object | string) =>
  new TextEncoder().encode(typeof body === 'string' ? body : JSON.stringify(body))

const descriptionOf = (provider: string) => {
  const known = BUILT_IN[provider]
  if (known === undefined) throw new Error(`${provider} is not built in`)
  return known
}

const refuses = (provider: string, status: number, body: object | string) =>
  findPattern(descriptionOf(provider).refusals, status, bytesOf(body)) !== undefined

it.for(Object.entries(BUILT_IN))('%s is a valid provider', ([name, provider]) => {
  expect(isProviderName(name)).toBe(true)
  expect(description.safeParse(provider)).toEqual({ success: true, data: provider })
})

it.for(REFUSED)('%s refuses a key with %i %j', (answer) => {
  expect(refuses(...answer)).toBe(true)
})

it.for(TURNED_OFF)('%s refuses a key that is turned off: %j', ([provider, body]) => {
  expect(refuses(provider, 200, body)).toBe(true)
})

it.for(WORKING)('%s accepts a key that it describes as %j', ([provider, body]) => {
  expect(refuses(provider, 200, body)).toBe(false)
})

it.for(UNPROVEN)('an answer about %s proves nothing: %s %i %j', ([, ...answer]) => {
  expect(refuses(...answer)).toBe(false)
})

it.for(Object.keys(BUILT_IN))(
  'an answer of %s proves nothing without one of its values',
  (provider) => {
    for (const status of [200, 400, 401, 402, 403, 429, 500]) {
      expect(refuses(provider, status, {})).toBe(false)
    }
  },
)

/** What a caller may send, and a provider may repeat: the values of each refusal, and the whole body of one. */
const repeated = Object.entries(BUILT_IN).flatMap(([name, { refusals }]) =>
  refusals.map(({ status, value }): [string, number, string] => [name, status, String(value)]),
)
const bodies = REFUSED.map(([provider, status, body]): [string, number, string] => [
  provider,
  status,
  JSON.stringify(body),
])

it.for([...repeated, ...bodies])(
  '%s does not refuse a key for what a caller sent: %i %s',
  ([provider, status, sent]) => {
    const message = `Unknown parameter: '${sent}'`
    const answers = [
      message,
      JSON.stringify(sent),
      { error: { message, param: sent, code: 'unknown_parameter', type: 'invalid_request_error' } },
      { error: message, code: 'invalid-argument', message, detail: message, input: sent },
      { detail: [{ loc: ['body', sent], msg: message, input: { error: { code: sent } } }] },
      [{ error: { message, details: [{ detail: sent, metadata: { reason: sent } }] } }],
    ]
    for (const answer of answers) expect(refuses(provider, status, answer)).toBe(false)
  },
)
