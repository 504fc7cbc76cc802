/** The providers that need no configuration, each with where its documentation says so. */

import type { Provider } from './provider.ts'

const BEARER = { header: 'Authorization', scheme: 'Bearer' }

const REPLICATE_PAGE = ['next', 'previous', 'results.urls.get', 'results.urls.cancel']
const REPLICATE_RUN = ['urls.get', 'urls.cancel', ...REPLICATE_PAGE]

/**
 * https://replicate.com/docs/reference/http: its client requests `next`. A file's `urls.get` is none of these, since
 * applications send it back as an input.
 */
const REPLICATE_URLS = {
  '/v1/collections': REPLICATE_PAGE,
  '/v1/deployments': REPLICATE_RUN,
  '/v1/models': REPLICATE_RUN,
  '/v1/predictions': REPLICATE_RUN,
  '/v1/trainings': REPLICATE_RUN,
}

/**
 * By the name of their slot. A 403 alone is never a refusal: a wrong region, scope or plan is a 403 too.
 * Prefixes are those of known keys. Providers may add others, so a prefix only suggests, and never refuses.
 */
export const BUILT_IN: Readonly<Record<string, Provider>> = {
  // https://developers.openai.com/docs/guides/error-codes: a wrong scope or IP address is a 401 too.
  // A deactivated account: https://github.com/ChatGPTNextWeb/NextChat/issues/4175
  openai: {
    label: 'OpenAI',
    origin: 'https://api.openai.com',
    ...BEARER,
    // https://github.com/openai/openai-node/blob/master/src/realtime/websocket.ts
    subprotocol: 'openai-insecure-api-key.',
    request_headers: ['openai-*'],
    response_headers: ['openai-*'],
    probe: '/v1/models',
    refusals: [
      { status: 401, field: 'error.code', value: 'invalid_api_key' },
      {
        status: 401,
        field: 'error.code',
        value: 'account_deactivated',
        reason: 'suspended',
      },
    ],
    // https://developers.openai.com/api/docs/guides/error-codes
    exhausted: [{ status: 429, field: 'error.code', value: 'insufficient_quota' }],
    key_page: 'https://platform.openai.com/api-keys',
    key_prefixes: ['sk-proj-', 'sk-svcacct-', 'sk-'],
  },
  // https://platform.claude.com/docs/en/api/versioning and /docs/api/errors
  anthropic: {
    label: 'Anthropic',
    origin: 'https://api.anthropic.com',
    header: 'x-api-key',
    // https://platform.claude.com/docs/en/cli-sdks-libraries/libraries/openai-sdk
    paths: [{ prefix: '/v1/chat/completions', ...BEARER }],
    headers: { 'anthropic-version': '2023-06-01' },
    request_headers: ['anthropic-*'],
    response_headers: ['anthropic-*', 'request-id'],
    // https://platform.claude.com/docs/en/api/messages/batches/retrieve
    url_fields: { '/v1/messages/batches': ['results_url', 'data.results_url'] },
    probe: '/v1/models',
    refusals: [{ status: 401, field: 'error.type', value: 'authentication_error' }],
    key_page: 'https://platform.claude.com/settings/keys',
    key_prefixes: ['sk-ant-'],
  },
  // https://ai.google.dev/gemini-api/docs/api-key: a bad key is a 400, and so is a bad request.
  // Bodies: https://github.com/google/timesketch/pull/3703 and https://github.com/continuedev/continue/issues/11541
  gemini: {
    label: 'Google Gemini',
    origin: 'https://generativelanguage.googleapis.com',
    header: 'x-goog-api-key',
    // https://ai.google.dev/gemini-api/docs/openai
    paths: [{ prefix: '/v1beta/openai/', ...BEARER }],
    parameter: 'key',
    request_headers: [
      'x-goog-api-client',
      'x-goog-upload-*',
      'x-goog-user-project',
      'x-server-timeout',
    ],
    probe: '/v1beta/models?pageSize=1',
    refusals: [
      { status: 400, field: 'error.details.reason', value: 'API_KEY_INVALID' },
      {
        status: 403,
        field: 'error.message',
        value: 'Your API key was reported as leaked. Please use another API key.',
        reason: 'leaked',
      },
    ],
    key_page: 'https://aistudio.google.com/apikey',
    key_prefixes: ['AIza', 'AQ.'],
  },
  // https://openrouter.ai/docs/api/api-reference/api-keys/get-current-key: its list of models is public
  openrouter: {
    label: 'OpenRouter',
    origin: 'https://openrouter.ai',
    ...BEARER,
    request_headers: ['http-referer', 'x-openrouter-*', 'x-title'],
    // https://openrouter.ai/docs/api/api-reference/videos
    url_fields: { '/api/v1/videos': ['polling_url', 'unsigned_urls'] },
    probe: '/api/v1/key',
    // https://github.com/anomalyco/opencode/issues/2245: in an outage, good keys got the same 401.
    refusals: [],
    key_page: 'https://openrouter.ai/keys',
    key_prefixes: ['sk-or-'],
  },
  // https://github.com/diegosouzapw/OmniRoute/issues/7638: a missing quota is the same 401
  mistral: {
    label: 'Mistral',
    origin: 'https://api.mistral.ai',
    ...BEARER,
    request_headers: ['x-mistral-user-agent'],
    response_headers: ['mistral-*', 'ratelimit*'],
    probe: '/v1/models',
    refusals: [],
    key_page: 'https://console.mistral.ai/api-keys',
  },
  // https://console.groq.com/docs/errors and https://github.com/ag5826000/resume-commentor/issues/4
  groq: {
    label: 'Groq',
    origin: 'https://api.groq.com',
    ...BEARER,
    probe: '/openai/v1/models',
    refusals: [{ status: 401, field: 'error.code', value: 'invalid_api_key' }],
    key_page: 'https://console.groq.com/keys',
    key_prefixes: ['gsk_'],
  },
  // https://api-docs.deepseek.com/quick_start/error_codes. A bad key has no code of its own: in an outage, good keys got
  // the same codes with another sentence. https://github.com/deepseek-ai/DeepSeek-R1/issues/82,
  // https://github.com/continuedev/continue/issues/11820 and https://github.com/szczyglis-dev/py-gpt/issues/112
  deepseek: {
    label: 'DeepSeek',
    origin: 'https://api.deepseek.com',
    ...BEARER,
    // https://api-docs.deepseek.com/guides/anthropic_api
    paths: [{ prefix: '/anthropic/', header: 'x-api-key' }],
    request_headers: ['anthropic-*'],
    probe: '/user/balance',
    refusals: [
      {
        status: 401,
        field: 'error.message',
        value: 'Authentication Fails, Your api key: * is invalid',
      },
      {
        status: 401,
        field: 'error.message',
        value: 'Authentication Fails, Your API key: * is invalid',
      },
    ],
    exhausted: [
      { status: 402, field: 'error.message', value: 'Insufficient Balance' },
      { status: 200, field: 'is_available', value: false },
    ],
    probe_shows_credit: true,
    key_page: 'https://platform.deepseek.com/api_keys',
    key_prefixes: ['sk-'],
  },
  // https://docs.x.ai/developers/debugging: an incorrect key gets a 400, a missing one a 401. Its code means any bad request.
  // Percent-encoded: https://github.com/i-am-bee/beeai-framework/issues/447. A key that is turned off still gets a 200 from
  // the probe: https://docs.x.ai/docs/api-reference#api-key
  xai: {
    label: 'xAI',
    origin: 'https://api.x.ai',
    ...BEARER,
    request_headers: ['x-grok-*'],
    probe: '/v1/api-key',
    refusals: [
      {
        status: 400,
        field: 'error',
        value: 'Incorrect API key provided: * You can obtain an API key from https://console.x.ai.',
      },
      { status: 400, field: 'error', value: 'Incorrect%20API%20key%20provided:%20*' },
      { status: 200, field: 'api_key_blocked', value: true },
      { status: 200, field: 'api_key_disabled', value: true },
      { status: 200, field: 'team_blocked', value: true },
    ],
    key_page: 'https://console.x.ai',
    key_prefixes: ['xai-'],
  },
  // https://docs.cohere.com/reference/list-models, /reference/errors and https://github.com/wandb/edu/issues/155
  cohere: {
    label: 'Cohere',
    origin: 'https://api.cohere.com',
    ...BEARER,
    request_headers: ['x-client-name'],
    probe: '/v1/models?page_size=1',
    refusals: [{ status: 401, field: 'message', value: 'invalid api token' }],
    key_page: 'https://dashboard.cohere.com/api-keys',
  },
  // https://docs.together.ai/reference/whoami and https://github.com/harshitv804/LawGPT/issues/4
  together: {
    label: 'Together AI',
    origin: 'https://api.together.ai',
    ...BEARER,
    probe: '/v1/whoami',
    refusals: [{ status: 401, field: 'error.code', value: 'invalid_api_key' }],
    key_page: 'https://api.together.ai/settings/api-keys',
    key_prefixes: ['tgp_v1_'],
  },
  // https://docs.perplexity.ai/api-reference/async-sonar-get: missing credit is a 401 too
  perplexity: {
    label: 'Perplexity',
    origin: 'https://api.perplexity.ai',
    ...BEARER,
    request_headers: ['x-pplx-*'],
    probe: '/v1/async/sonar',
    refusals: [],
    key_page: 'https://console.perplexity.ai',
    key_prefixes: ['pplx-'],
  },
  // https://huggingface.co/docs/hub/security-tokens: inference and hub have different hosts.
  // https://github.com/huggingface/huggingface_hub/issues/3368 and https://github.com/coreply/coreply/issues/19
  huggingface: {
    label: 'Hugging Face',
    origin: 'https://router.huggingface.co',
    ...BEARER,
    request_headers: ['x-hf-bill-to', 'x-use-cache', 'x-wait-for-model'],
    response_headers: ['ratelimit*'],
    probe: 'https://huggingface.co/api/whoami-v2',
    refusals: [
      { status: 401, field: 'error', value: 'Invalid credentials in Authorization header' },
      { status: 401, field: 'error', value: 'Invalid username or password.' },
    ],
    key_page: 'https://huggingface.co/settings/tokens',
    key_prefixes: ['hf_'],
  },
  // https://replicate.com/docs/reference/http
  replicate: {
    label: 'Replicate',
    origin: 'https://api.replicate.com',
    ...BEARER,
    request_headers: ['cancel-after'],
    response_headers: ['ratelimit*'],
    url_fields: REPLICATE_URLS,
    probe: '/v1/account',
    refusals: [
      { status: 401, field: 'detail', value: 'You did not pass a valid authentication token' },
    ],
    key_page: 'https://replicate.com/account/api-tokens',
    key_prefixes: ['r8_'],
  },
  // https://docs.github.com/en/rest/authentication/authenticating-to-the-rest-api
  github: {
    label: 'GitHub',
    origin: 'https://api.github.com',
    ...BEARER,
    headers: { 'User-Agent': 'user-key-vault', 'X-GitHub-Api-Version': '2022-11-28' },
    request_headers: ['graphql-features', 'x-github-next-global-id'],
    // https://github.com/octokit/request.js/blob/main/src/fetch-wrapper.ts warns of both
    response_headers: ['deprecation', 'sunset'],
    probe: '/user',
    refusals: [{ status: 401, field: 'message', value: 'Bad credentials' }],
    key_page: 'https://github.com/settings/tokens',
    key_prefixes: ['ghp_', 'github_pat_', 'gho_', 'ghu_', 'ghs_'],
  },
}
