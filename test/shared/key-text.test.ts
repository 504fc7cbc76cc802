import { describe, expect, it } from 'vitest'
import { findKeyAlone, nameKeyFault } from '../../src/shared/key-text.ts'

const KEY = 'sk-proj-0123456789'

describe('a text that holds more than a key', () => {
  it.for<[text: string, extras: string]>([
    [`"${KEY}"`, 'quotes'],
    [`'${KEY}'`, 'quotes'],
    [`\`${KEY}\``, 'quotes'],
    [`“${KEY}”`, 'quotes'],
    [`„${KEY}“`, 'quotes'],
    [`«${KEY}»`, 'quotes'],
    [`${KEY}"`, 'quotes'],
    [`"${KEY}`, 'quotes'],
    [`"'${KEY}'"`, 'quotes'],
    [`<${KEY}>`, 'brackets'],
    [`[${KEY}]`, 'brackets'],
    [`(${KEY})`, 'brackets'],
    [`${KEY},`, 'punctuation'],
    [`${KEY};`, 'punctuation'],
    [`${KEY}\\n`, 'a written line break'],
    [`OPENAI_API_KEY=${KEY}`, 'its name'],
    [`OPENAI_API_KEY = ${KEY}`, 'its name'],
    [`OPENAI_API_KEY: ${KEY}`, 'its name'],
    [`api_key=${KEY}`, 'its name'],
    [`apiKey: '${KEY}',`, 'punctuation, its name, and quotes'],
    [`process.env.OPENAI_API_KEY="${KEY}"`, 'quotes and its name'],
    [`export OPENAI_API_KEY="${KEY}"`, 'quotes and its name'],
    [`set OPENAI_API_KEY=${KEY}`, 'its name'],
    [`setx OPENAI_API_KEY ${KEY}`, 'its name'],
    [`$env:OPENAI_API_KEY="${KEY}"`, 'quotes and its name'],
    [`const apiKey = "${KEY}";`, 'punctuation, its name, and quotes'],
    [`OPENAI_API_KEY=${KEY} # mine`, 'a comment and its name'],
    [`"api_key": "${KEY}",`, 'quotes, punctuation, and its name'],
    [`{"api_key": "${KEY}"}`, 'braces, quotes, and its name'],
    [`x-api-key: ${KEY}`, 'its name'],
    [`Bearer ${KEY}`, 'a scheme such as Bearer'],
    [`bearer ${KEY}`, 'a scheme such as Bearer'],
    [`token ${KEY}`, 'a scheme such as Bearer'],
    [`Key ${KEY}`, 'a scheme such as Bearer'],
    [`Basic ${KEY}`, 'a scheme such as Bearer'],
    [`Authorization: Bearer ${KEY}`, 'its name and a scheme such as Bearer'],
    [`-H 'x-api-key: ${KEY}'`, 'quotes, a command-line option, and its name'],
    [`sk-proj-\u200B0123456789`, 'invisible characters'],
    [`\u2060${KEY}`, 'invisible characters'],
  ])('gives the key, and the rest by name: %j comes with %s', ([text, extras]) => {
    expect(nameKeyFault(text, 'api_key')).toBe(`api_key comes with ${extras}: send the key alone.`)
    expect(findKeyAlone(text)).toBe(KEY)
  })

  it.for(['"', '""', '{"a": "b", "c": "d"}', '"sk-a b"', '"sk-…"', 'Bearer', 'curl -H "a: b"'])(
    'gives no key: %j',
    (text) => expect(findKeyAlone(text)).toBeNull(),
  )
})

describe('a key of a provider', () => {
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
  ])('is accepted: %s', (key) => {
    expect(nameKeyFault(key, 'api_key')).toBeNull()
    expect(findKeyAlone(key)).toBeNull()
  })
})

describe('a text that is not an API key', () => {
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
  ])('is refused: %j: %s', ([text, fault]) => {
    expect(nameKeyFault(text, 'api_key')).toContain(fault)
    expect(findKeyAlone(text)).toBeNull()
  })
})
