import { describe, expect, it } from 'vitest'
import {
  findKeyIn,
  findLikely,
  findTextFault,
  joinLines,
} from '../../../src/callers/browser/key-in-text.ts'
import { findKeyFault } from '../../../src/shared/key-text.ts'

const KEY = 'sk-proj-0123456789'
const BEGINNINGS = ['sk-', 'sk-ant-', 'AIza']
const find = (text: string) => findKeyIn(text, BEGINNINGS)

const COMMANDS: [what: string, text: string][] = [
  ['curl', `curl https://api.openai.com/v1/models -H "Authorization: Bearer ${KEY}"`],
  ['curl with single quotes', `curl -H 'x-api-key: ${KEY}' https://api.anthropic.com/v1/models`],
  [
    'curl with the long option',
    `curl --header 'x-api-key: ${KEY}' --header 'x-version: 2023-06-01'`,
  ],
  ['curl with an equals sign', `curl --header="Authorization: Bearer ${KEY}" https://a.test`],
  [
    'curl over several lines',
    `curl https://api.openai.com/v1/chat/completions \\
  -H "Content-Type: application/json" \\
  -H "Authorization: Bearer ${KEY}" \\
  -d '{"model": "gpt-6", "max_tokens": 1024, "messages": [{"role": "user", "content": "…"}]}'`,
  ],
  ['curl with ANSI quotes', `curl -H $'Authorization: Bearer ${KEY}' https://a.test`],
  ['curl in a JSON text', `{"run": "curl -H \\"Authorization: Bearer ${KEY}\\""}`],
  ['curl of Windows', `curl.exe -H "Authorization: Bearer ${KEY}" ^\r\n  https://a.test`],
  ['curl with a query', `curl "https://a.test/v1/models?key=${KEY}&alt=sse"`],
  [
    'PowerShell',
    `Invoke-RestMethod https://a.test -Headers @{ "Authorization" = "Bearer ${KEY}" }`,
  ],
  ['PowerShell without spaces', `iwr https://a.test -Headers @{'x-api-key'='${KEY}'}`],
  ['PowerShell that adds a header', `$headers.Add("Authorization", "Bearer ${KEY}")`],
  ['HTTP', `GET /v1/models HTTP/1.1\r\nHost: a.test\r\nAuthorization: Bearer ${KEY}\r\n`],
  ['Python', `client = OpenAI(\n    api_key="${KEY}",\n    timeout=20,\n)`],
  ['JavaScript', `fetch(url, { headers: { 'x-api-key': '${KEY}', accept: '*/*' } })`],
]

const FILES: [what: string, text: string][] = [
  ['one variable after a comment', `# OpenAI\nOPENAI_API_KEY=${KEY}\n`],
  ['export and quotes', `export NODE_ENV=production\nexport OPENAI_API_KEY="${KEY}"\n`],
  [
    'other variables',
    `PORT=3000\nLOG_LEVEL=debug\nOPENAI_API_KEY='${KEY}' # mine\nURL=https://a.test\n`,
  ],
  ['secrets of other kinds', `JWT_SECRET=0123456789abcdef0123\nOPENAI_API_KEY=${KEY}\n`],
  ['a key in a comment', `# OPENAI_API_KEY=sk-proj-of-last-year\nOPENAI_API_KEY=${KEY}\n`],
  ['a key in a comment at the end of a line', `PORT=1 # A_KEY=sk-of-last-year-1\nA_KEY=${KEY}\n`],
  ['a comment of one word', `rem\nset OPENAI_API_KEY=${KEY}\n`],
  ['the same key twice', `OPENAI_API_KEY=${KEY}\nVITE_OPENAI_KEY=${KEY}\n`],
  ['lines of Windows', `PORT=3000\r\nset OPENAI_API_KEY=${KEY}\r\n`],
  ['YAML', `openai:\n  api_key: ${KEY}\n  timeout: 20\n`],
  ['TOML', `[openai]\napi_key = "${KEY}"\ntimeout = 20\n`],
]

it.for(COMMANDS)('finds the key in a command: %s', ([, text]) => {
  expect(find(text)).toBe(KEY)
})

it.for(FILES)('finds the key in a file: %s', ([, text]) => {
  expect(find(text)).toBe(KEY)
})

it('finds a key whose beginning is not known if there is no other one', () => {
  expect(find('MISTRAL_API_KEY=0123456789abcdef0123\nPORT=3000')).toBe('0123456789abcdef0123')
})

it.for<[what: string, text: string]>([
  ['two keys', `OPENAI_API_KEY=${KEY}\nOTHER_KEY=sk-other-0123456789`],
  ['two keys of unknown beginnings', 'A_KEY=0123456789abcdef0\nB_KEY=0123456789abcdef1'],
  ['a variable in the place of the key', 'curl -H "x-api-key: $ANTHROPIC_API_KEY_OF_MINE" a.test'],
  ['a masked key', 'curl -H "Authorization: Bearer sk-proj-…" https://a.test'],
  ...['…', '****', '••••', '%2B', '!x', '${REST}'].map((rest): [string, string] => [
    `a key that goes on with ${rest}`,
    `curl -H "Authorization: Bearer ${KEY}abcdefgh${rest}" https://a.test`,
  ]),
  ['a variable of code', 'new OpenAI({ apiKey: process.env.OPENAI_API_KEY, timeout: 20 })'],
  ['the name of a placeholder', 'curl -H "x-api-key: YOUR_API_KEY_OF_OPENAI" https://a.test'],
  ['a text that is too long to be read', `A=${'b'.repeat(8_180)}\nA_KEY=${KEY}abcdefgh`],
  ['a placeholder', 'curl -H "Authorization: Bearer <YOUR-API-KEY-OF-OPENAI>" https://a.test'],
  ['numbers of tokens', 'curl https://a.test -d \'{"max_tokens": 1024}\''],
  ['a URL', 'TOKEN_URL=https://login.example.com/token\nPORT=3000'],
  ['a service account', '{"type": "service_account", "private_key_id": "0123456789abcdef0123"}'],
  ['AWS keys', '{"secretAccessKey": "0123456789abcdef0123", "region": "us-east-1"}'],
  [
    'an id beside a variable',
    'curl -H "Idempotency-Key: 3f2b8c1e-9d4a-4e6b-8f7a-1c2d3e4f5a6b" -H "x-api-key: $KEY" a.test',
  ],
  ['words', 'my key is in the mail'],
  ['nothing', ''],
])('guesses no key in %s', ([, text]) => {
  expect(find(text)).toBeNull()
})

it('joins the lines of a pasted file without its comments', () => {
  expect(joinLines('# Keys\r\nA=1\n\n  // more\n\tB=2\n')).toBe('A=1 B=2')
})

it('takes no value before a comment for the key of a joined file', () => {
  const joined = joinLines(`PORT=3000 # the port\nOPENAI_API_KEY=${KEY} // mine\nA=1\n`)
  expect(joined).toBe(`PORT=3000 OPENAI_API_KEY=${KEY} A=1`)
  expect(find(joined)).toBe(KEY)
})

describe('what is wrong with a text', () => {
  it.for([...COMMANDS, ...FILES])('a key is in it, and more: %s', ([, text]) => {
    expect(findTextFault(text.trim(), BEGINNINGS)).toMatchObject({ extras: [expect.any(String)] })
  })

  it.for([KEY, 'id:secret', `"${KEY}"`, 'two words', '', `A_KEY=${KEY}\nB_KEY=${KEY}1`])(
    'the service says the same of %j',
    (text) => {
      expect(findTextFault(text, BEGINNINGS)).toEqual(findKeyFault(text))
    },
  )
})

describe('whose key it may be', () => {
  const OWNERS = [['sk-'], ['sk-', 'dsk-'], ['sk-ant-'], []]
  const likely = (key: string) => findLikely(key, OWNERS, (beginnings) => beginnings)

  it.for<[key: string, owners: string[][]]>([
    ['sk-ant-1', [['sk-ant-']]],
    ['sk-1', [['sk-'], ['sk-', 'dsk-']]],
    ['other', []],
    ['', []],
  ])('the longest beginning counts: %s', ([key, owners]) => {
    expect(likely(key)).toEqual(owners)
  })
})

it.for<[name: string, text: string]>([
  ['names', 'key_'.repeat(100_000)],
  ['assignments', 'key='.repeat(100_000)],
  ['pairs', 'key:'.repeat(100_000)],
  ['schemes', 'key: bearer '.repeat(50_000)],
  ['quotes', 'key="'.repeat(100_000)],
  ['white space', `key${' '.repeat(400_000)}=`],
  ['lines', '\n'.repeat(400_000)],
  ['comments', ' #'.repeat(200_000)],
  ['values', `key=${'a'.repeat(2_000)}`.repeat(200)],
])('ends soon for a long text of %s', ([, text]) => {
  const begun = performance.now()
  find(text)
  expect(performance.now() - begun).toBeLessThan(5_000)
})
