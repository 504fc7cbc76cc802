import { describe, expect, it } from 'vitest'
import { BUILT_IN } from '../../src/providers/built-in.ts'
import { completeUrl, relayHeaders, relayText, relayUrl } from '../../src/relay/answer-headers.ts'
import { SECURITY_HEADERS } from '../../src/security-headers.ts'

const BASE = 'https://api.openai.test'
const ROOT = 'https://vault.test/relay/openai'
const PROVIDER = {
  label: 'Acme',
  origin: BASE,
  header: 'Authorization',
  refusals: [],
  response_headers: ['Acme-*', 'request-id', 'error', 'key', 'slot', 'condition'],
}

interface Asked {
  allowedOrigin?: string | null
  status?: number
  provider?: string
}

/** The headers that the relay makes of a provider's. */
function relayed(
  received: HeadersInit,
  { allowedOrigin = null, status = 200, provider = '' }: Asked = {},
): Headers {
  const passage = { base: BASE, target: `${BASE}/v1/chat?a=1`, root: ROOT }
  const from = BUILT_IN[provider] ?? PROVIDER
  const context = { provider: from, status, allowedOrigin, requestId: 'request-1', passage }
  const headers = new Headers(received)
  relayHeaders(headers, context)
  return headers
}

describe('a relayed answer', () => {
  it('an answer has the vault’s own headers, and no others without a provider’s', () => {
    expect(Object.fromEntries(relayed({}))).toEqual({
      ...Object.fromEntries(new Headers(SECURITY_HEADERS)),
      'cache-control': 'no-store',
      'content-security-policy': `sandbox; ${SECURITY_HEADERS['Content-Security-Policy']}`,
      vary: 'Origin',
      'x-vault-request-id': 'request-1',
    })
  })

  it.for(['Error', 'Key', 'Slot', 'Condition'])(
    'a provider cannot send X-Vault-%s by a URL that moves',
    (name) => {
      const moved = { [name]: 'https://elsewhere.test' }
      expect(relayed(moved).has(`X-Vault-${name}`)).toBe(false)
      const own = { ...moved, [`X-Vault-${name}`]: 'of the vault' }
      expect(relayed(own).get(`X-Vault-${name}`)).toBe('of the vault')
    },
  )

  it('the page that called may read the answer, with all of its headers', () => {
    const received = { 'Retry-After': '7', Location: 'https://other.test' }
    const headers = relayed(received, { allowedOrigin: 'https://app.test' })
    expect(headers.get('Access-Control-Allow-Origin')).toBe('https://app.test')
    expect(headers.get('Access-Control-Allow-Credentials')).toBe('true')
    // With credentials, `*` would be the name of a header.
    const exposed = headers.get('Access-Control-Expose-Headers')?.split(',')
    expect(exposed).toEqual(
      expect.arrayContaining(['retry-after', 'x-vault-request-id', 'x-vault-location']),
    )
    expect(exposed).not.toContain('*')
  })

  it.for([
    'Accept-Ranges',
    'Content-Disposition',
    'Content-Encoding',
    'Content-Language',
    'Content-Length',
    'Content-Range',
    'Content-Type',
    'ETag',
    'Last-Modified',
    'Retry-After',
    'Retry-After-Ms',
    'X-RateLimit-Remaining',
    'X-Request-Id',
    'X-Should-Retry',
    'X-Goog-Upload-Status',
    'X-Refresh',
    'X-Cache-Control',
    'Acme-Version',
    'Request-Id',
  ])('keeps the provider’s %s', (name) => {
    expect(relayed({ [name]: 'a value' }).get(name)).toBe('a value')
  })

  it.for([
    'Accept-CH',
    'Access-Control-Allow-Origin',
    'Access-Control-Allow-Credentials',
    'Activate-Storage-Access',
    'Age',
    'Allow',
    'Alt-Svc',
    'Anthropic-Organization-Id',
    'Attribution-Reporting-Register-Source',
    'Clear-Site-Data',
    'Content-Security-Policy-Report-Only',
    'Critical-CH',
    'Cross-Origin-Opener-Policy',
    'Digest',
    'Document-Policy',
    'Expires',
    'Expires-In',
    'Feature-Policy',
    'Integrity-Policy',
    'Login-Status',
    'NEL',
    'Nelson',
    'No-Vary-Search',
    'OpenAI-Processing-Ms',
    'Origin-Agent-Cluster',
    'Origin-Trial',
    'Permissions-Policy',
    'Pragma',
    'Refresh',
    'Report-To',
    'Reporting-Endpoints',
    'Sec-Session-Registration',
    'Sec-WebSocket-Protocol',
    'Secure-Session-Registration',
    'Server',
    'Server-Timing',
    'Service-Worker-Allowed',
    'Set-Login',
    'SourceMap',
    'Speculation-Rules',
    'Supports-Loading-Mode',
    'Timing-Allow-Origin',
    'Use-As-Dictionary',
    'WWW-Authenticate',
    'X-Accel-Redirect',
    'X-DNS-Prefetch-Control',
    'X-Permitted-Cross-Domain-Policies',
    'X-SourceMap',
    'X-UA-Compatible',
    'X-Vault-Own',
    'X-XSS-Protection',
  ])('drops the provider’s %s', (name) => {
    expect(relayed({ [name]: 'a value' }).get(name)).toBeNull()
  })

  it.for(['Cache-Control', ...Object.keys(SECURITY_HEADERS), 'X-Vault-Request-Id'])(
    'sets the vault’s own %s, not the provider’s',
    (name) => {
      expect(relayed({ [name]: 'a value' }).get(name)).toBe(relayed({}).get(name))
    },
  )

  it.for<[provider: string, name: string]>([
    ['openai', 'OpenAI-Poll-After-Ms'],
    ['openai', 'OpenAI-Processing-Ms'],
    ['anthropic', 'Request-Id'],
    ['anthropic', 'Anthropic-Ratelimit-Tokens-Remaining'],
    ['anthropic', 'Anthropic-Workspace-Id'],
    ['mistral', 'Mistral-Correlation-Id'],
    ['mistral', 'RateLimitBySize-Remaining'],
    ['huggingface', 'RateLimit-Policy'],
    ['replicate', 'RateLimit-Remaining'],
    ['github', 'Deprecation'],
    ['github', 'Sunset'],
  ])('keeps what the SDKs of %s read: %s', ([provider, name]) => {
    expect(relayed({ [name]: 'a value' }, { provider }).get(name)).toBe('a value')
    expect(relayed({ [name]: 'a value' }, { provider: 'groq' }).get(name)).toBeNull()
  })

  it('keeps the subprotocol of a WebSocket', () => {
    const headers = relayed({ 'Sec-WebSocket-Protocol': 'realtime' }, { status: 101 })
    expect(headers.get('Sec-WebSocket-Protocol')).toBe('realtime')
  })

  it('an answer varies by the origin besides what the provider names', () => {
    expect(relayed({ Vary: 'Accept' }).get('Vary')).toBe('Accept, Origin')
  })
})

describe.for(['Location', 'Content-Location', 'Operation-Location', 'Azure-AsyncOperation'])(
  'the address in %s',
  (name) => {
    it.for<[given: string, to: string]>([
      ['/v2?b=1#c', '/relay/openai/v2?b=1#c'],
      ['next', '/relay/openai/v1/next'],
      ['//api.openai.test/v2', '/relay/openai/v2'],
      ['https://api.openai.test/v2', `${ROOT}/v2`],
    ])('keeps an address of the provider on the vault: %s', ([given, to]) => {
      const headers = relayed({ [name]: given })
      expect([headers.get(name), headers.get(`X-Vault-${name}`)]).toEqual([to, null])
    })

    it.for<[given: string, shown: string]>([
      ['https://other.test/v1', 'https://other.test/v1'],
      ['http://api.openai.test/v1', 'http://api.openai.test/v1'],
      ['https://api.openai.test.evil.test/v1', 'https://api.openai.test.evil.test/v1'],
      ['https://api.openai.test@evil.test/', 'https://api.openai.test@evil.test/'],
      ['blob:https://api.openai.test/v1', 'blob:https://api.openai.test/v1'],
      ['javascript:alert(1)', 'javascript:alert(1)'],
      ['//other.test', 'https://other.test/'],
      ['/\\other.test/v1', 'https://other.test/v1'],
      ['https://[', 'https://['],
    ])('reports another address, but does not send the client there: %s', ([given, shown]) => {
      const headers = relayed({ [name]: given })
      expect([headers.get(name), headers.get(`X-Vault-${name}`)]).toEqual([null, shown])
    })
  },
)

describe('a relayed Link', () => {
  const NEXT = `<${ROOT}/v1/a?page=2>; rel="next"`
  it.for<[link: string, kept: string | null, moved: string | null]>([
    ['<https://api.openai.test/v1/a?page=2>; rel="next"', NEXT, null],
    [
      '<https://api.openai.test/v1/a?page=2>; rel="next", <https://api.openai.test/v1/a?page=9>; rel="last"',
      `${NEXT}, <${ROOT}/v1/a?page=9>; rel="last"`,
      null,
    ],
    [
      '<https://api.openai.test/v1/a?page=2>; rel="next",<https://docs.test/a>; rel="deprecation"',
      NEXT,
      '<https://docs.test/a>; rel="deprecation"',
    ],
    ['</v1/a,b;c?d="e">; rel=next', '</relay/openai/v1/a,b;c?d=%22e%22>; rel=next', null],
    ['<>; rel=self', '</relay/openai/v1/chat?a=1>; rel=self', null],
    ['<next>; title="a, b"', '</relay/openai/v1/next>; title="a, b"', null],
    ['<//evil.test/a>; rel="next"', null, '<https://evil.test/a>; rel="next"'],
    [
      '<https://api.openai.test/a>; anchor="https://evil.test/"; rel=next',
      null,
      '<https://api.openai.test/a>; anchor="https://evil.test/"; rel=next',
    ],
    [
      '<https://api.openai.test/a>; title="x, <https://evil.test/>; rel=next',
      `<${ROOT}/a>; title="x`,
      '<https://evil.test/>; rel=next',
    ],
    ['https://evil.test/; rel="next"', null, 'https://evil.test/; rel="next"'],
    ['', null, null],
  ])('sends a client only through the relay: %s', ([link, kept, moved]) => {
    const headers = relayed({ Link: link })
    expect([headers.get('Link'), headers.get('X-Vault-Link')]).toEqual([kept, moved])
  })
})

describe('a URL in any other header', () => {
  it.for<[value: string, to: string]>([
    ['https://api.openai.test/upload?id=1', `${ROOT}/upload?id=1`],
    ['wss://api.openai.test/live', 'wss://vault.test/relay/openai/live'],
    ['//api.openai.test/a', '/relay/openai/a'],
    ['url="https://api.openai.test/a"; ttl=5', `url="${ROOT}/a"; ttl=5`],
    ['https://api.openai.test/a, https://api.openai.test/b', `${ROOT}/a, ${ROOT}/b`],
    ['/v1/a', '/v1/a'],
    ['views:1 https: 2', 'views:1 https: 2'],
    ['a\tb', 'a\tb'],
    ['YWJj//ZGVm', 'YWJj//ZGVm'],
  ])('keeps %j, which leads nowhere else', ([value, to]) => {
    const headers = relayed({ 'X-Any': value })
    expect([headers.get('X-Any'), headers.get('X-Vault-X-Any')]).toEqual([to, null])
  })

  it.for([
    'https://evil.test/',
    'HTTPS://EVIL.TEST',
    'https:evil.test',
    'https:\\\\evil.test',
    'ht\ttps://evil.test',
    '\u0001https://evil.test',
    'ws://evil.test',
    'wss://evil.test',
    '//evil.test/a',
    '\\\\evil.test',
    '/\t/evil.test',
    'see <//evil.test>',
    'url=https://evil.test',
    'url="//evil.test"',
    'https://api.openai.test/a,https://evil.test',
    'https://api.openai.test/a|https://evil.test',
    'https://api.openai.test/=//evil.test',
    'https://api.openai.test/?to=\\\\evil.test',
    'https://api.openai.test.evil.test/',
    'https://api.openai.test@evil.test/',
    'http://api.openai.test/',
  ])('moves %j', (value) => {
    const headers = relayed({ 'X-Any': value })
    expect([headers.get('X-Any'), headers.get('X-Vault-X-Any')]).toEqual([null, value.trim()])
  })

  it.for(['Error', 'Request-Id'])('no moved %s stands for one of the vault', (name) => {
    const headers = relayed({ [name]: 'https://evil.test/' })
    expect(JSON.stringify([...headers])).not.toContain('evil')
  })

  it('moves a Link header of more than 8,192 characters as it is', () => {
    const link = `<${BASE}/${'a'.repeat(8_179 - BASE.length)}>; rel=next`
    expect(link).toHaveLength(8_192)
    expect(relayed({ Link: link }).get('Link')).toContain(ROOT)
    const headers = relayed({ Link: `${link}x` })
    expect([headers.get('Link'), headers.get('X-Vault-Link')]).toEqual([null, `${link}x`])
  })

  it('reads a long header in little time', () => {
    for (const value of ['<', '"', '<,', '<>,', 'https:', '//', ',', '<a>"', 'a\\"', ' //x']) {
      const long = value.repeat(20_000)
      expect(relayed({ Link: long, 'X-Any': long }).get('Vary')).toBe('Origin')
    }
  }, 10_000)
})

const OWN = {
  base: 'https://my.acme.test/v1',
  target: 'https://my.acme.test/v1/chat/one?a=1',
  root: 'https://vault.test:8443/relay/own',
}

it.for<[reference: string, there: string | null]>([
  ['https://my.acme.test/v1/next?b=2#c', `${OWN.root}/next?b=2#c`],
  ['HTTPS://MY.ACME.TEST:443/v1/next', `${OWN.root}/next`],
  ['https://my.acme.test/v1/', `${OWN.root}/`],
  ['https://user:secret@my.acme.test/v1/next', `${OWN.root}/next`],
  ['https://my.acme.test/v1/a/../next', `${OWN.root}/next`],
  ['https://my.acme.test/v1//evil.test', `${OWN.root}//evil.test`],
  ['wss://my.acme.test/v1/live', 'wss://vault.test:8443/relay/own/live'],
  ['/v1/next', '/relay/own/next'],
  ['//my.acme.test/v1/next', '/relay/own/next'],
  ['two', '/relay/own/chat/two'],
  ['?b=2', '/relay/own/chat/one?b=2'],
  ['', '/relay/own/chat/one?a=1'],
  ['https://my.acme.test/v1', null],
  ['https://my.acme.test/v10/next', null],
  ['https://my.acme.test/v1/../login', null],
  ['/login', null],
  ['../../login', null],
  ['http://my.acme.test/v1/next', null],
  ['ws://my.acme.test/v1/live', null],
  ['https://my.acme.test:444/v1/next', null],
  ['https://evil.test/v1/next', null],
  ['https:evil.test', null],
  ['//evil.test/v1/next', null],
  ['blob:https://my.acme.test/v1/next', null],
  ['data:,x', null],
  ['https://', null],
])('the reference %j leads to %j', ([reference, there]) => {
  expect(relayUrl(reference, OWN)).toBe(there)
})

it('a provider on http leads to ws, and not to wss', () => {
  const local = { base: 'http://127.0.0.1:9', target: 'http://127.0.0.1:9/', root: OWN.root }
  expect(relayUrl('ws://127.0.0.1:9/live', local)).toBe('wss://vault.test:8443/relay/own/live')
  expect(relayUrl('wss://127.0.0.1:9/live', local)).toBeNull()
})

it.for<[reference: string, complete: string]>([
  ['https://Evil.test', 'https://Evil.test'],
  ['/login', 'https://my.acme.test/login'],
  ['//evil.test', 'https://evil.test/'],
  ['https://[', 'https://['],
])('the reference %j is complete as %j', ([reference, complete]) => {
  expect(completeUrl(reference, OWN)).toBe(complete)
})

it.for<[text: string, expected: string | null]>([
  ['', ''],
  ['a text: 1', 'a text: 1'],
  [`see ${OWN.base}/a (or ${OWN.base}/b)`, `see ${OWN.root}/a (or ${OWN.root}/b)`],
  [`${OWN.base}/a?to=${OWN.base}/b`, null],
  [`${OWN.base}/a https://evil.test`, null],
  [`${OWN.base}/a|//evil.test`, null],
  ...['\u0001', '\u001f', '\u00a0', '[', '{', '`'].map((before): [string, null] => [
    `${before}//evil.test`,
    null,
  ]),
  ["//'", null],
  ['//"evil.test', null],
  ["https:'evil.test", null],
  ['ftp://evil.test', 'ftp://evil.test'],
  ['text/a//b', 'text/a//b'],
  [`${OWN.base}/a|${OWN.base}/b`, `${OWN.root}/a|${OWN.root}/b`],
])('the text %j is relayed as %j', ([text, expected]) => {
  expect(relayText(text, OWN)).toBe(expected)
})
