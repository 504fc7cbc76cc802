/** The providers that need no configuration, each with where its documentation says so. */

import type { RefusalPattern } from './answer-pattern.ts'
import type { Provider } from './provider.ts'

const BEARER = { header: 'Authorization', scheme: 'Bearer' }

/** An answer with this status, whose field has this value as a whole. */
function answer(status: number, field: string, value: string | boolean) {
  return { status, field, value }
}

/** The answer that a key gets while its account is suspended. */
function suspended(status: number, field: string, value: string | true): RefusalPattern {
  return { ...answer(status, field, value), reason: 'suspended' }
}

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

const HUGGING_FACE_SPENT =
  'You have depleted your monthly included credits. Purchase pre-paid credits to continue using Inference Providers.'

const XAI_SPENT =
  'Your team * has either used all available credits or reached its monthly spending limit. To continue making API requests, please purchase more credits or raise your spending limit.'

/**
 * By the name of their slot. A 403 alone is never a refusal: a wrong region, scope or plan is a 403 too.
 * An account is exhausted if its owner must add credit, raise the account's limit or set up billing. The limit of a key, a
 * project or a workspace does not count, nor does a quota of a day or a month. docs/provider-answers.md lists what says
 * nothing.
 * Prefixes are those of known keys. Providers may add others, so a prefix only suggests, and never refuses.
 */
export const BUILT_IN: Readonly<Record<string, Provider>> = {
  // https://developers.openai.com/docs/guides/error-codes: a wrong scope or IP address is a 401 too.
  // Suspended: https://github.com/ChatGPTNextWeb/NextChat/issues/4175 and https://github.com/binary-husky/gpt_academic/issues/985.
  // Credit: https://help.openai.com/en/articles/6614457-troubleshooting-api-usage-and-spend-limits,
  // https://github.com/ChatGPTNextWeb/NextChat/issues/3664, https://github.com/lifan0127/ai-research-assistant/issues/174 and
  // https://github.com/dfinke/PowerShellAI/issues/127 (images)
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
      answer(401, 'error.code', 'invalid_api_key'),
      suspended(401, 'error.code', 'account_deactivated'),
      suspended(429, 'error.type', 'access_terminated'),
    ],
    exhausted: [
      answer(429, 'error.code', 'insufficient_quota'),
      answer(429, 'error.code', 'credit_balance_exhausted'),
      answer(429, 'error.code', 'organization_spend_limit_exceeded'),
      answer(429, 'error.code', 'organization_usage_limit_exceeded'),
      answer(429, 'error.code', 'billing_not_active'),
      answer(400, 'error.code', 'billing_hard_limit_reached'),
    ],
    key_page: 'https://platform.openai.com/api-keys',
    billing_page: 'https://platform.openai.com/settings/organization/billing/overview',
    key_prefixes: ['sk-proj-', 'sk-svcacct-', 'sk-'],
  },
  // https://platform.claude.com/docs/en/api/versioning and /docs/en/api/errors: a browser's Origin gets the 401 of a bad key. No
  // request of the vault has one. Suspended: https://github.com/anthropics/claude-code/issues/72457. Credit:
  // https://github.com/anthropics/claude-code/issues/88711, https://github.com/anthropics/claude-code/issues/38035 and
  // https://platform.claude.com/docs/en/api/rate-limits (the cap of a tier)
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
    refusals: [
      answer(401, 'error.type', 'authentication_error'),
      suspended(400, 'error.message', 'This organization has been disabled.'),
    ],
    exhausted: [
      answer(
        400,
        'error.message',
        'Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.',
      ),
      answer(
        400,
        'error.message',
        'You have reached your specified API usage limits. You will regain access on * at * UTC.',
      ),
      answer(402, 'error.type', 'billing_error'),
      answer(429, 'error.details.error_code', 'enforced_spend_limit_reached'),
    ],
    key_page: 'https://platform.claude.com/settings/keys',
    billing_page: 'https://platform.claude.com/settings/billing',
    key_prefixes: ['sk-ant-'],
  },
  // https://ai.google.dev/gemini-api/docs/api-key: a bad key is a 400, and so is a bad request.
  // Bodies: https://github.com/google/timesketch/pull/3703, https://github.com/continuedev/continue/issues/11541 and, suspended,
  // https://github.com/continuedev/continue/issues/10902. Its CONSUMER_SUSPENDED can be about another project, which the
  // caller names in x-goog-user-project. Credit:
  // https://discuss.ai.google.dev/t/api-update-depleted-prepay-credits-now-return-http-402-instead-of-429/183654
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
      answer(400, 'error.details.reason', 'API_KEY_INVALID'),
      {
        ...answer(
          403,
          'error.message',
          'Your API key was reported as leaked. Please use another API key.',
        ),
        reason: 'leaked',
      },
      suspended(
        403,
        'error.message',
        "Permission denied: Consumer 'api_key:*' has been suspended.",
      ),
    ],
    exhausted: [answer(402, 'error.status', 'RESOURCE_EXHAUSTED')],
    key_page: 'https://aistudio.google.com/apikey',
    billing_page: 'https://ai.studio/projects',
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
    // A request that is too large for the credit gets another sentence, with the same status and code:
    // https://github.com/babikov/doka-site/issues/7. No credit: https://github.com/open-assistant-org/open-assistant/issues/80 and
    // https://github.com/Gitlawb/openclaude/issues/43
    exhausted: [
      answer(402, 'error.message', 'Insufficient credits. Add more using *'),
      answer(
        402,
        'error.message',
        'Insufficient credits. This account never purchased credits. Make sure your key is on the correct account or org, and if so, purchase more at *',
      ),
    ],
    key_page: 'https://openrouter.ai/keys',
    billing_page: 'https://openrouter.ai/settings/credits',
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
  // https://console.groq.com/docs/errors and https://github.com/ag5826000/resume-commentor/issues/4. Suspended:
  // https://github.com/NVIDIA-NeMo/Guardrails/issues/563. Credit: https://console.groq.com/docs/spend-limits
  groq: {
    label: 'Groq',
    origin: 'https://api.groq.com',
    ...BEARER,
    probe: '/openai/v1/models',
    refusals: [
      answer(401, 'error.code', 'invalid_api_key'),
      suspended(400, 'error.code', 'organization_restricted'),
    ],
    exhausted: [answer(400, 'error.code', 'blocked_api_access')],
    key_page: 'https://console.groq.com/keys',
    billing_page: 'https://console.groq.com/settings/billing',
    key_prefixes: ['gsk_'],
  },
  // https://api-docs.deepseek.com/quick_start/error_codes. A bad key has no code of its own: in an outage, good keys got
  // the same codes with another sentence. https://github.com/deepseek-ai/DeepSeek-R1/issues/82,
  // https://github.com/continuedev/continue/issues/11820 and https://github.com/szczyglis-dev/py-gpt/issues/112.
  // Credit: https://github.com/Aider-AI/aider/issues/4851 and https://api-docs.deepseek.com/api/get-user-balance
  deepseek: {
    label: 'DeepSeek',
    origin: 'https://api.deepseek.com',
    ...BEARER,
    // https://api-docs.deepseek.com/guides/anthropic_api
    paths: [{ prefix: '/anthropic/', header: 'x-api-key' }],
    request_headers: ['anthropic-*'],
    probe: '/user/balance',
    refusals: [
      answer(401, 'error.message', 'Authentication Fails, Your api key: * is invalid'),
      answer(401, 'error.message', 'Authentication Fails, Your API key: * is invalid'),
    ],
    exhausted: [
      answer(402, 'error.message', 'Insufficient Balance'),
      answer(200, 'is_available', false),
    ],
    probe_shows_credit: true,
    key_page: 'https://platform.deepseek.com/api_keys',
    billing_page: 'https://platform.deepseek.com/top_up',
    key_prefixes: ['sk-'],
  },
  // https://docs.x.ai/developers/debugging: an incorrect key gets a 400, a missing one a 401. Its code means any bad request.
  // Its body: https://github.com/continuedev/continue/issues/10161, and later without the key. A key that is turned off still
  // gets a 200 from the probe: https://docs.x.ai/docs/api-reference#api-key. Credit:
  // https://github.com/continuedev/continue/issues/12670, https://github.com/Anantys-oss/koan/issues/2412 and
  // https://github.com/continuedev/continue/issues/10373
  xai: {
    label: 'xAI',
    origin: 'https://api.x.ai',
    ...BEARER,
    request_headers: ['x-grok-*'],
    probe: '/v1/api-key',
    refusals: [
      answer(
        400,
        'error',
        'Incorrect API key provided: *. You can obtain an API key from https://console.x.ai.',
      ),
      answer(
        400,
        'error',
        'Incorrect API key provided. You can obtain an API key from https://console.x.ai.',
      ),
      answer(200, 'api_key_blocked', true),
      { ...answer(200, 'api_key_disabled', true), reason: 'revoked' },
      suspended(200, 'team_blocked', true),
    ],
    exhausted: [
      answer(
        403,
        'error',
        "Your newly created team doesn't have any credits or licenses yet. You can purchase those on *",
      ),
      answer(403, 'error', XAI_SPENT),
      answer(429, 'error', XAI_SPENT),
    ],
    key_page: 'https://console.x.ai',
    billing_page: 'https://console.x.ai',
    key_prefixes: ['xai-'],
  },
  // https://docs.cohere.com/reference/list-models, /reference/errors and https://github.com/wandb/edu/issues/155
  cohere: {
    label: 'Cohere',
    origin: 'https://api.cohere.com',
    ...BEARER,
    request_headers: ['x-client-name'],
    probe: '/v1/models?page_size=1',
    refusals: [answer(401, 'message', 'invalid api token')],
    exhausted: [
      answer(
        402,
        'message',
        'Please add or update your payment method at https://dashboard.cohere.com/billing?tab=payment to continue',
      ),
    ],
    key_page: 'https://dashboard.cohere.com/api-keys',
    billing_page: 'https://dashboard.cohere.com/billing?tab=payment',
  },
  // https://docs.together.ai/reference/whoami and https://github.com/harshitv804/LawGPT/issues/4. Credit:
  // https://github.com/expectedparrot/edsl/issues/2098. A rate limit has the same type and another status.
  together: {
    label: 'Together AI',
    origin: 'https://api.together.ai',
    ...BEARER,
    probe: '/v1/whoami',
    refusals: [answer(401, 'error.code', 'invalid_api_key')],
    exhausted: [answer(402, 'error.type', 'credit_limit')],
    key_page: 'https://api.together.ai/settings/api-keys',
    billing_page: 'https://api.together.ai/settings/billing',
    key_prefixes: ['tgp_v1_'],
  },
  // https://docs.perplexity.ai/api-reference/async-sonar-get: missing credit is a 401 too. Its body:
  // https://github.com/nyldn/claude-octopus/blob/6a1fd2b/tests/unit/test-perplexity-issue-307.sh
  perplexity: {
    label: 'Perplexity',
    origin: 'https://api.perplexity.ai',
    ...BEARER,
    request_headers: ['x-pplx-*'],
    probe: '/v1/async/sonar',
    refusals: [],
    exhausted: [answer(401, 'error.type', 'insufficient_quota')],
    key_page: 'https://console.perplexity.ai',
    billing_page: 'https://console.perplexity.ai',
    key_prefixes: ['pplx-'],
  },
  // https://huggingface.co/docs/hub/security-tokens: inference and hub have different hosts.
  // https://github.com/huggingface/huggingface_hub/issues/3368 and https://github.com/coreply/coreply/issues/19.
  // Credit: https://discuss.huggingface.co/t/i-cant-use-the-service-anymore/174970
  huggingface: {
    label: 'Hugging Face',
    origin: 'https://router.huggingface.co',
    ...BEARER,
    request_headers: ['x-hf-bill-to', 'x-use-cache', 'x-wait-for-model'],
    response_headers: ['ratelimit*'],
    probe: 'https://huggingface.co/api/whoami-v2',
    refusals: [
      answer(401, 'error', 'Invalid credentials in Authorization header'),
      answer(401, 'error', 'Invalid username or password.'),
    ],
    exhausted: [
      answer(402, 'error', HUGGING_FACE_SPENT),
      answer(
        402,
        'error',
        `${HUGGING_FACE_SPENT} Alternatively, subscribe to PRO to get 20x more included *`,
      ),
    ],
    key_page: 'https://huggingface.co/settings/tokens',
    billing_page: 'https://huggingface.co/settings/billing',
    key_prefixes: ['hf_'],
  },
  // https://replicate.com/docs/reference/http and https://replicate.com/docs/topics/billing/prepaid-credit
  replicate: {
    label: 'Replicate',
    origin: 'https://api.replicate.com',
    ...BEARER,
    request_headers: ['cancel-after'],
    response_headers: ['ratelimit*'],
    url_fields: REPLICATE_URLS,
    probe: '/v1/account',
    refusals: [answer(401, 'detail', 'You did not pass a valid authentication token')],
    exhausted: [answer(402, 'title', 'Insufficient credit')],
    key_page: 'https://replicate.com/account/api-tokens',
    billing_page: 'https://replicate.com/account/billing',
    key_prefixes: ['r8_'],
  },
  // https://docs.github.com/en/rest/authentication/authenticating-to-the-rest-api. Suspended:
  // https://github.com/anuraghazra/github-readme-stats/blob/04371cd/src/common/retryer.js
  github: {
    label: 'GitHub',
    origin: 'https://api.github.com',
    ...BEARER,
    headers: { 'User-Agent': 'user-key-vault', 'X-GitHub-Api-Version': '2022-11-28' },
    request_headers: ['graphql-features', 'x-github-next-global-id'],
    // https://github.com/octokit/request.js/blob/main/src/fetch-wrapper.ts warns of both
    response_headers: ['deprecation', 'sunset'],
    probe: '/user',
    refusals: [
      answer(401, 'message', 'Bad credentials'),
      suspended(403, 'message', 'Sorry. Your account was suspended.'),
    ],
    key_page: 'https://github.com/settings/tokens',
    key_prefixes: ['ghp_', 'github_pat_', 'gho_', 'ghu_', 'ghs_'],
  },
}
