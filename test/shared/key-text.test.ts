import { expect, it } from 'vitest'
import { findKeyAlone, findKeyFault, isKey, nameKeyFault } from '../../src/shared/key-text.ts'

const KEY = 'sk-proj-0123456789'
const FERNET = `gAAAA${'A'.repeat(95)}`

it.for<[text: string, extras: string]>([
  [`"${KEY}"`, 'quotes'],
  [`OPENAI_API_KEY=${KEY} # mine`, 'a comment and its name'],
  [`apiKey: '${KEY}',`, 'punctuation, its name, and quotes'],
  [`{"api_key": "${KEY}"}`, 'braces, quotes, and its name'],
  [`-H 'x-api-key: ${KEY}'`, 'quotes, a command-line option, and its name'],
  [`sk-proj-\u200B0123456789`, 'invisible characters'],
])('gives the key alone for %j, and names the rest: %s', ([text, extras]) => {
  expect(nameKeyFault(text, 'api_key')).toBe(`api_key comes with ${extras}: send the key alone.`)
  expect(findKeyAlone(text)).toBe(KEY)
})

it.for(['"', '""', '{"a": "b", "c": "d"}', '"sk-a b"', '"sk-…"', 'Bearer', 'curl -H "a: b"'])(
  'gives no key alone for %j',
  (text) => expect(findKeyAlone(text)).toBeNull(),
)

it.for([
  KEY,
  'sk-ant-api03-AbC_-123AA',
  'AIzaSyA-0123456789_abc',
  'AQ.Ab8RN6Kz_0-1',
  'gsk_0123456789abcdef',
  'hf_AbCdEf',
  'r8_AbCdEf',
  'github_pat_11ABC_0123',
  'ABSKQmVkcm9ja0FQSUtleS0x+/8=',
  'bedrock-api-key-YmVkcm9jaw==',
  '0123456789abcdef0123456789abcdef',
  '01234567-89ab-cdef-0123-456789abcdef:0123456789abcdef',
  'my_key:secret',
  'user-token:secret',
  'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln',
  'sk_live_=',
  'api_key==',
  'key-0123',
  'token-0123',
  'Bearer-0123',
  'a',
  '!#$%&*+-./:?@^_|~',
])('accepts the key %s', (key) => {
  expect(nameKeyFault(key, 'api_key')).toBeNull()
  expect(findKeyAlone(key)).toBeNull()
})

it.for<[text: string, fault: string]>([
  ['{"type": "service_account", "project_id": "p"}', 'Google service account file'],
  ['{\n  "type": "service_account",\n  "private_key": "-----BEGIN"\n}', 'Vertex AI or Gemini'],
  ['{"AccessKeyId": "AKIA", "SecretAccessKey": "x"}', 'Amazon Bedrock API key'],
  ['{"aws_secret_access_key": "x"}', 'Amazon Bedrock API key'],
  ['-----BEGIN PRIVATE KEY-----\nAAAA', 'is a PEM file'],
  ['{"id": 1}', 'is a JSON document'],
  ['[1,"2"]', 'is a JSON document'],
  ['https://platform.openai.com/api-keys', 'is a URL'],
  ['null', 'is a placeholder for a missing value'],
  ['undefined', 'is a placeholder for a missing value'],
  ['None', 'is a placeholder for a missing value'],
  ['sk-…', 'is a masked preview'],
  ['sk-...abcd', 'is a masked preview'],
  ['***', 'is a masked preview'],
  ['', 'is empty.'],
  ['sk-a b', 'has white space inside, at character 5.'],
  ['sk-ä', 'has a character that no key has (not printable ASCII), at character 4.'],
])('refuses %j as a key, and says: %s', ([text, fault]) => {
  expect(nameKeyFault(text, 'api_key')).toContain(fault)
  expect(findKeyAlone(text)).toBeNull()
})

it.for<[text: string, reason: string, index: number, character: number]>([
  ['sk-a b', 'white_space', 4, 5],
  ['sk-a\u00A0b', 'white_space', 4, 5],
  ['sk-\u0007a', 'control', 3, 4],
  ['sk-a\u0085b', 'control', 4, 5],
  ['sk-ä', 'non_ascii', 3, 4],
  ['😀k', 'non_ascii', 0, 1],
  // White space is named first, and counts in code points.
  ['😀😀 k', 'white_space', 2, 3],
])('names the character of %j: %s at %i', ([text, reason, index, character]) => {
  expect(findKeyFault(text)).toEqual({ reason, index })
  expect(nameKeyFault(text, 'api_key')).toContain(`at character ${character}.`)
})

it('accepts a key of 8,192 characters, and none that is longer', () => {
  expect(findKeyFault('x'.repeat(8_192))).toBeNull()
  expect(nameKeyFault('x'.repeat(8_193), 'api_key')).toBe('api_key is over 8,192 characters.')
  expect(findKeyAlone(`"${'x'.repeat(8_192)}"`)).toBe('x'.repeat(8_192))
  expect(findKeyAlone(`"${'x'.repeat(8_193)}"`)).toBeNull()
})

it('refuses a Fernet token as a key, and as a stored text', () => {
  expect(findKeyFault(FERNET)).toEqual({ reason: 'fernet_token' })
  expect(findKeyAlone(FERNET)).toBeNull()
  expect(isKey(FERNET)).toBe(false)
})

it.for([
  [KEY, true],
  // It was stored before such texts were refused.
  ['https://a.test/?key=1', true],
  ['', false],
  ['sk-a b', false],
  ['sk-a\n', false],
  ['sk-ä', false],
] as const)('a stored text %j can be sent as a key: %s', ([text, expected]) => {
  expect(isKey(text)).toBe(expected)
})

it.for<[what: string, text: string, fault: object]>([
  [
    'a command',
    'curl https://api.openai.com/v1/models -H "Authorization: Bearer sk-good-0123456789"',
    { reason: 'white_space', index: 4 },
  ],
  [
    'a command of several lines',
    "curl https://api.anthropic.com/v1/models \\\n  --header 'x-api-key: sk-ant-0123456789'",
    { reason: 'white_space', index: 4 },
  ],
  ['a file', 'PORT=3000\nOPENAI_API_KEY=sk-good-0123456789', { reason: 'white_space', index: 9 }],
  ['a file with a comment', '# mine\nKEY=sk-good-0123456789', { reason: 'white_space', index: 1 }],
])('the service does not look for the key in %s', ([, text, fault]) => {
  expect(findKeyFault(text)).toEqual(fault)
})
