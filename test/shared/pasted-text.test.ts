import { expect, it } from 'vitest'
import { findPastedKey, nameExtras } from '../../src/shared/pasted-text.ts'

const KEY = 'sk-proj-0123456789'

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
  [`'Bearer "${KEY}"'`, 'quotes and a scheme such as Bearer'],
])('finds the key in %j, which comes with %s', ([text, extras]) => {
  const found = findPastedKey(text)
  expect(found?.key).toBe(KEY)
  expect(nameExtras(found?.extras ?? [])).toBe(extras)
})

it.for<[text: string, key: string]>([
  ['""', ''],
  ['"sk-a b"', 'sk-a b'],
  ['"sk-…"', 'sk-…'],
  ['{"a": "b", "c": "d"}', 'a": "b", "c": "d'],
])('leaves of %j what is not around it: %s', ([text, key]) => {
  expect(findPastedKey(text)?.key).toBe(key)
})

it.for([
  '',
  KEY,
  'id:secret',
  'my_key:secret',
  'api_key==',
  'sk_live_=',
  'Bearer',
  'Bearer-0123',
  '<sk-a',
  'sk-a)',
  'two words',
  'a#b',
  '//a',
])('finds nothing around %j', (text) => expect(findPastedKey(text)).toBeNull())

it.for<[name: string, text: string]>([
  ['white space', `api_key${' '.repeat(100_000)}= a`],
  ['names', 'key_'.repeat(100_000)],
  ['brackets', '<'.repeat(100_000)],
  ['comments', ' #'.repeat(100_000)],
])('ends soon for a long text of %s', ([, text]) => {
  const begun = performance.now()
  findPastedKey(text)
  expect(performance.now() - begun).toBeLessThan(5_000)
})
