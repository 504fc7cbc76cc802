/** The providers that need no configuration, each with where its documentation says so. */

import type { Provider } from './provider.ts'

const BEARER = { header: 'Authorization', scheme: 'Bearer' }
const UNAUTHORIZED = [{ status: 401 }]

/**
 * By the name of their slot. A 403 is never a refusal: region, scope, plan and blocks answer it too.
 * Prefixes are of keys seen and documented; providers may add others, so they name, and never refuse.
 */
export const BUILT_IN: Readonly<Record<string, Provider>> = {
  // https://developers.openai.com/docs/guides/error-codes: a 401 is a scope or an IP address too
  openai: {
    label: 'OpenAI',
    origin: 'https://api.openai.com',
    ...BEARER,
    probe: '/v1/models',
    refusals: [
      { status: 401, word: 'Incorrect API key' },
      { status: 401, word: 'invalid_api_key' },
    ],
    key_page: 'https://platform.openai.com/api-keys',
    key_prefixes: ['sk-proj-', 'sk-svcacct-', 'sk-'],
  },
  // https://platform.claude.com/docs/en/api/versioning and /docs/api/errors
  anthropic: {
    label: 'Anthropic',
    origin: 'https://api.anthropic.com',
    header: 'x-api-key',
    headers: { 'anthropic-version': '2023-06-01' },
    probe: '/v1/models',
    refusals: [{ status: 401, word: 'authentication_error' }],
    key_page: 'https://platform.claude.com/settings/keys',
    key_prefixes: ['sk-ant-'],
  },
  // https://ai.google.dev/gemini-api/docs/api-key: a bad key is a 400, and so is a bad request
  gemini: {
    label: 'Google Gemini',
    origin: 'https://generativelanguage.googleapis.com',
    header: 'x-goog-api-key',
    parameter: 'key',
    probe: '/v1beta/models?pageSize=1',
    refusals: [
      { status: 400, word: 'API_KEY_INVALID' },
      { status: 403, word: 'reported as leaked' },
    ],
    key_page: 'https://aistudio.google.com/apikey',
    key_prefixes: ['AIza', 'AQ.'],
  },
  // https://openrouter.ai/docs/api/api-reference/api-keys/get-current-key: its models are public
  openrouter: {
    label: 'OpenRouter',
    origin: 'https://openrouter.ai',
    ...BEARER,
    probe: '/api/v1/key',
    refusals: UNAUTHORIZED,
    key_page: 'https://openrouter.ai/keys',
    key_prefixes: ['sk-or-'],
  },
  // https://docs.mistral.ai/resources/error-glossary
  mistral: {
    label: 'Mistral',
    origin: 'https://api.mistral.ai',
    ...BEARER,
    probe: '/v1/models',
    refusals: UNAUTHORIZED,
    key_page: 'https://console.mistral.ai/api-keys',
  },
  // https://console.groq.com/docs/errors
  groq: {
    label: 'Groq',
    origin: 'https://api.groq.com',
    ...BEARER,
    probe: '/openai/v1/models',
    refusals: UNAUTHORIZED,
    key_page: 'https://console.groq.com/keys',
    key_prefixes: ['gsk_'],
  },
  // https://api-docs.deepseek.com/quick_start/error_codes
  deepseek: {
    label: 'DeepSeek',
    origin: 'https://api.deepseek.com',
    ...BEARER,
    probe: '/user/balance',
    refusals: UNAUTHORIZED,
    key_page: 'https://platform.deepseek.com/api_keys',
    key_prefixes: ['sk-'],
  },
  // https://docs.x.ai/developers/debugging: an incorrect key is a 400, a bad token a 401
  xai: {
    label: 'xAI',
    origin: 'https://api.x.ai',
    ...BEARER,
    probe: '/v1/api-key',
    refusals: [{ status: 400, word: 'API key' }, { status: 401 }],
    key_page: 'https://console.x.ai',
    key_prefixes: ['xai-'],
  },
  // https://docs.cohere.com/reference/list-models and /reference/errors
  cohere: {
    label: 'Cohere',
    origin: 'https://api.cohere.com',
    ...BEARER,
    probe: '/v1/models?page_size=1',
    refusals: [{ status: 401 }, { status: 498 }],
    key_page: 'https://dashboard.cohere.com/api-keys',
  },
  // https://docs.together.ai/reference/whoami
  together: {
    label: 'Together AI',
    origin: 'https://api.together.ai',
    ...BEARER,
    probe: '/v1/whoami',
    refusals: UNAUTHORIZED,
    key_page: 'https://api.together.ai/settings/api-keys',
    key_prefixes: ['tgp_v1_'],
  },
  // https://docs.perplexity.ai/api-reference/async-sonar-get: no credit is a 401 too, so nothing refuses
  perplexity: {
    label: 'Perplexity',
    origin: 'https://api.perplexity.ai',
    ...BEARER,
    probe: '/v1/async/sonar',
    refusals: [],
    key_page: 'https://console.perplexity.ai',
    key_prefixes: ['pplx-'],
  },
  // https://huggingface.co/docs/hub/security-tokens: inference is on another host than the hub
  huggingface: {
    label: 'Hugging Face',
    origin: 'https://router.huggingface.co',
    ...BEARER,
    probe: 'https://huggingface.co/api/whoami-v2',
    refusals: UNAUTHORIZED,
    key_page: 'https://huggingface.co/settings/tokens',
    key_prefixes: ['hf_'],
  },
  // https://replicate.com/docs/reference/http
  replicate: {
    label: 'Replicate',
    origin: 'https://api.replicate.com',
    ...BEARER,
    probe: '/v1/account',
    refusals: UNAUTHORIZED,
    key_page: 'https://replicate.com/account/api-tokens',
    key_prefixes: ['r8_'],
  },
  // https://docs.github.com/en/rest/authentication/authenticating-to-the-rest-api
  github: {
    label: 'GitHub',
    origin: 'https://api.github.com',
    ...BEARER,
    headers: { 'User-Agent': 'user-key-vault', 'X-GitHub-Api-Version': '2022-11-28' },
    probe: '/user',
    refusals: UNAUTHORIZED,
    key_page: 'https://github.com/settings/tokens',
    key_prefixes: ['ghp_', 'github_pat_', 'gho_', 'ghu_', 'ghs_'],
  },
}
