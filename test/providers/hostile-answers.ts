/** Answers that say nothing of a key: their words come from the caller, or are in another field or status. */

const SPENT =
  'Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.'
const DISABLED = 'This organization has been disabled.'
const LEAKED = 'Your API key was reported as leaked. Please use another API key.'
const DEPLETED =
  'Your prepayment credits are depleted. Please go to AI Studio at https://ai.studio/projects to manage your project and billing.'
const NO_CREDITS = 'Insufficient credits. Add more using https://openrouter.ai/settings/credits'
const XAI_SPENT =
  'Your team a has either used all available credits or reached its monthly spending limit. To continue making API requests, please purchase more credits or raise your spending limit.'
const NO_KEY = 'You can obtain an API key from https://console.x.ai.'

const anthropic = (type: string, message: string) => ({ type: 'error', error: { type, message } })

const google = (code: number, status: string, message: string, details: object[] = []) => ({
  error: { code, message, status, details },
})

export const HOSTILE: [provider: string, where: string, status: number, body: object | string][] = [
  [
    'openai',
    'the name of a parameter',
    400,
    {
      error: {
        message: "Unknown parameter: 'insufficient_quota'.",
        type: 'invalid_request_error',
        param: 'insufficient_quota',
        code: 'unknown_parameter',
      },
    },
  ],
  [
    'openai',
    'the name of a model',
    404,
    {
      error: {
        message: 'The model `credit_balance_exhausted` does not exist.',
        type: 'invalid_request_error',
        param: null,
        code: 'model_not_found',
      },
    },
  ],
  ['openai', 'another status', 400, { error: { code: 'insufficient_quota' } }],
  ['openai', 'another field', 429, { code: 'insufficient_quota', error: { type: 'requests' } }],
  [
    'openai',
    'a deeper field',
    429,
    { error: { code: 'rate_limit_exceeded', inner: { code: 'insufficient_quota' } } },
  ],
  [
    'openai',
    'the type of the limit of a project',
    429,
    { error: { type: 'insufficient_quota', code: 'project_spend_limit_exceeded' } },
  ],
  ['openai', 'a text that is not JSON', 429, '"code": "insufficient_quota"'],
  ['openai', 'a code with more behind it', 429, { error: { code: 'insufficient_quota ' } }],
  [
    'anthropic',
    'a prompt before the sentence',
    400,
    anthropic('invalid_request_error', `messages.0.content: ${SPENT}`),
  ],
  [
    'anthropic',
    'a prompt behind the sentence',
    400,
    anthropic('invalid_request_error', `${SPENT} (messages.0)`),
  ],
  ['anthropic', 'the name of a model', 404, anthropic('not_found_error', `model: ${DISABLED}`)],
  ['anthropic', 'the whole sentence with another status', 404, anthropic('x', DISABLED)],
  [
    'anthropic',
    'more than a word in place of a time',
    400,
    anthropic(
      'invalid_request_error',
      'You have reached your specified API usage limits. You will regain access on a b at 00:00 UTC.',
    ),
  ],
  [
    'anthropic',
    'the input of a tool',
    400,
    {
      type: 'error',
      error: {
        type: 'invalid_request_error',
        message: 'tools.0.name: billing_error',
        input: { error: { message: SPENT } },
      },
    },
  ],
  [
    'gemini',
    'the reason of a field',
    400,
    google(400, 'INVALID_ARGUMENT', 'Invalid value', [
      {
        '@type': 'type.googleapis.com/google.rpc.BadRequest',
        fieldViolations: [{ field: 'model', description: LEAKED, reason: 'API_KEY_INVALID' }],
      },
    ]),
  ],
  [
    'gemini',
    'the project of a header',
    403,
    google(
      403,
      'PERMISSION_DENIED',
      "Permission denied: Consumer 'project:api_key:a' has been suspended.",
      [
        {
          '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
          reason: 'CONSUMER_SUSPENDED',
          metadata: { consumer: 'projects/other' },
        },
      ],
    ),
  ],
  ['gemini', 'the name of a model', 404, google(404, 'NOT_FOUND', `models/${LEAKED} is not found`)],
  [
    'gemini',
    'a sentence without its status',
    429,
    google(429, 'RESOURCE_EXHAUSTED', `Quota exceeded for ${DEPLETED}`),
  ],
  [
    'openrouter',
    'a million of max_tokens',
    402,
    {
      error: {
        message:
          'This request requires more credits, or fewer max_tokens. You requested up to 1000000 tokens, but can only afford 999. To increase, visit https://openrouter.ai/settings/credits and add more credits',
        code: 402,
        metadata: {
          limit_source: 'openrouter_credits',
          remedy_hint:
            'Add credits at https://openrouter.ai/settings/credits, or lower max_tokens / prompt size to fit your remaining balance.',
        },
      },
    },
  ],
  [
    'openrouter',
    'the answer of another provider',
    402,
    {
      error: {
        message: 'Provider returned error',
        code: 402,
        metadata: { raw: JSON.stringify({ error: { message: NO_CREDITS } }), provider_name: 'A' },
      },
    },
  ],
  [
    'openrouter',
    'an earlier error',
    402,
    {
      error: {
        message: 'This request requires more credits, or fewer max_tokens.',
        code: 402,
        metadata: { previous_errors: [{ code: 402, message: NO_CREDITS }] },
      },
    },
  ],
  [
    'openrouter',
    'the name of a model',
    400,
    { error: { message: `${NO_CREDITS} is not a valid model ID`, code: 400 } },
  ],
  [
    'groq',
    'what a model wrote',
    400,
    {
      error: {
        message: 'Failed to generate JSON.',
        type: 'invalid_request_error',
        code: 'json_validate_failed',
        failed_generation: '{"error":{"code":"blocked_api_access"}}',
      },
    },
  ],
  [
    'groq',
    'the call of a tool',
    400,
    {
      error: {
        code: 'tool_use_failed',
        failed_generation: { error: { code: 'organization_restricted' } },
      },
    },
  ],
  [
    'deepseek',
    'an unknown value',
    400,
    {
      error: {
        message: 'Failed to deserialize: unknown variant `Insufficient Balance`',
        code: 'invalid_request_error',
      },
    },
  ],
  ['deepseek', 'a longer sentence', 402, { error: { message: 'Insufficient Balance a' } }],
  [
    'deepseek',
    'what a model wrote',
    200,
    { choices: [{ message: { content: '{"is_available": false}', is_available: false } }] },
  ],
  ['xai', 'a prompt', 400, { error: `Incorrect API key provided: a b. ${NO_KEY}` }],
  ['xai', 'the name of a model', 404, { code: 'not-found', error: `The model ${XAI_SPENT}` }],
  ['xai', 'a URL behind the sentence', 403, { error: `${XAI_SPENT}\n\nRequest URL: /v1/a` }],
  ['cohere', 'the name of a model', 404, { message: "model 'invalid api token' not found" }],
  ['together', 'a parameter', 402, { error: { type: 'invalid_request', param: 'credit_limit' } }],
  [
    'perplexity',
    'the name of a model',
    400,
    { error: { message: "Invalid model 'insufficient_quota'", type: 'invalid_model', code: 400 } },
  ],
  ['huggingface', 'the name of a model', 404, { error: 'Model Invalid username or password.' }],
  [
    'replicate',
    'an input',
    422,
    {
      title: 'Input validation failed',
      detail: '- input.prompt: Insufficient credit',
      invalid_fields: [{ field: 'input.prompt', title: 'Insufficient credit' }],
      status: 422,
    },
  ],
  [
    'github',
    'a title',
    422,
    { message: 'Validation Failed', errors: [{ message: 'Bad credentials', field: 'title' }] },
  ],
]
