import { describe, expect, it } from 'vitest'
import { atPath, keyPlaces, provider } from '../../src/providers/provider.ts'

const ACME = {
  label: 'Acme',
  origin: 'https://api.acme.test',
  header: 'x-acme-key',
  probe: '/v1/me',
  refusals: [{ status: 401 }],
}
const { origin: _, ...WITHOUT_ORIGIN } = ACME
const HOSTED = { ...WITHOUT_ORIGIN, hosts: ['*.a.test', 'localhost:11434'] }

/** What is wrong with a description: the field, and the message. */
const faultsOf = (given: unknown) =>
  provider.safeParse(given).error?.issues.map(({ path, message }) => [path.join('.'), message])

it.for<[name: string, given: object]>([
  ['the required fields alone', { ...WITHOUT_ORIGIN, origin: 'https://a.test', probe: undefined }],
  ['every field', { ...ACME, scheme: 'Key', parameter: 'key', key_prefixes: ['ak-'] }],
  ['no refusals', { ...ACME, refusals: [] }],
  ['a refusal with a field', { ...ACME, refusals: [{ status: 499, field: 'a.b-c', value: 'd*' }] }],
  ['a refusal of the probe', { ...ACME, refusals: [{ status: 200, field: 'off', value: true }] }],
  ['an origin on localhost', { ...ACME, origin: 'http://localhost:8080' }],
  ['an origin on 127.0.0.1', { ...ACME, origin: 'http://127.0.0.1:9000' }],
  ['hosts', HOSTED],
  ['a host with a port', { ...HOSTED, hosts: ['llm.a.test:8443'] }],
  ['a probe on another host', { ...ACME, probe: 'https://b.test/me?a=1' }],
  ['a probe with a query', { ...ACME, probe: '/me?a=1' }],
  ['headers', { ...ACME, headers: { 'x-acme-version': '1 ~' } }],
  ['request headers', { ...ACME, request_headers: ['acme-*', 'x-acme-version'] }],
  ['response headers', { ...ACME, response_headers: ['acme-*', 'Request-Id', 'etag'] }],
  ['URL fields', { ...ACME, url_fields: { '/': ['url'], '/v1/a': ['data.next_url', 'a-b.c d'] } }],
  [
    'paths that take the key elsewhere',
    {
      ...ACME,
      paths: [
        { prefix: '/v1/openai/', header: 'Authorization', scheme: 'Bearer' },
        { prefix: '/v2', header: 'x-other-key' },
      ],
    },
  ],
  ['a subprotocol', { ...ACME, subprotocol: 'acme-insecure-api-key.' }],
  ['a page for keys', { ...ACME, key_page: 'https://acme.test/keys' }],
])('accepts a provider with %s', ([, given]) => expect(faultsOf(given)).toBeUndefined())

const HOST = 'is not a host, such as api.example.com or *.example.com'
const ORIGIN = 'must be an https: origin; http: is only for localhost'
const PREFIX = 'is not the beginning of a path, such as /v1/openai/'
const PROBE = 'must be a path, such as /v1/models, or an https: URL'
const STATUS = 'must be a status from 400 to 499, or 200 for an answer to the probe'
const FIELD = 'must be names of JSON fields separated by dots, such as error.code'
const VALUE =
  'must be a number, true, false, or a text that is not only *, with at most one * in each word'
const BOTH = 'must have both a field and a value, or neither'
const OF_PROBE = 'has the status 200, so it must have a field and a value'

/** A provider whose only refusal is this one. */
const refusing = (refusal: object) => ({ refusals: [refusal] })
const NOT_A_PATTERN = 'must be a header name, or the beginning of one followed by *'
const APPLIED = 'would let a header pass that a browser applies to the vault'
const CREDENTIALS = 'would let the credentials or the user id of a caller pass'

it.for<[name: string, field: string, message: string, changes: object]>([
  ['an empty label', 'label', 'is empty', { label: '' }],
  ['a label that is not text', 'label', 'must be a string', { label: 7 }],
  ['an origin over http', 'origin', ORIGIN, { origin: 'http://a.test' }],
  ['an origin with a path', 'origin', ORIGIN, { origin: 'https://a.test/v1' }],
  ['an origin with a wildcard', 'origin', ORIGIN, { origin: 'https://*.a.test' }],
  ['an origin with a password', 'origin', ORIGIN, { origin: 'https://a:b@a.test' }],
  ['a header of the connection', 'header', 'is not a header that can be set', { header: 'Host' }],
  ['a header of two', 'header', 'is not a header name', { header: 'a: b' }],
  ...['a b', 'a,', 'a/', 'é'].map((subprotocol): [string, string, string, object] => [
    `the subprotocol ${subprotocol}`,
    'subprotocol',
    'is not the beginning of a subprotocol',
    { subprotocol },
  ]),
  ['a scheme of two words', 'scheme', 'is not a scheme', { scheme: 'My Key' }],
  ['a header value of two lines', 'headers.a', 'is not a header value', { headers: { a: '\n' } }],
  ...['Host', 'a b', ''].map((name): [string, string, string, object] => [
    `the added header "${name}"`,
    'headers',
    'has a name that is not that of a header that can be set',
    { headers: { [name]: 'a' } },
  ]),
  ['headers that are a list', 'headers', 'must be a table', { headers: ['a'] }],
  ['a probe over http', 'probe', PROBE, { probe: 'http://b.test/' }],
  ['a probe of two slashes', 'probe', PROBE, { probe: '//b.test' }],
  ['a probe of another host', 'probe', PROBE, { probe: '/\\b.test' }],
  ['a probe without a slash', 'probe', PROBE, { probe: 'v1/models' }],
  ['a probe that is not text', 'probe', PROBE, { probe: 7 }],
  ['a refusal with the status 500', 'refusals.0.status', STATUS, refusing({ status: 500 })],
  ['a refusal with the status 201', 'refusals.0.status', STATUS, refusing({ status: 201 })],
  ['a refusal without a status', 'refusals.0.status', STATUS, refusing({ field: 'a', value: 'b' })],
  ['a refusal of every probe', 'refusals.0', OF_PROBE, refusing({ status: 200 })],
  ['a field without a value', 'refusals.0', BOTH, refusing({ status: 401, field: 'a' })],
  ['a value without a field', 'refusals.0', BOTH, refusing({ status: 401, value: 'a' })],
  ...['', '.a', 'a..b', 'a b', '$.a', 'a[0]', 7].map((field): [string, string, string, object] => [
    `a refusal with the field ${field}`,
    'refusals.0.field',
    FIELD,
    refusing({ status: 401, field, value: 'b' }),
  ]),
  ...['', '*', '**', null, {}, []].map((value): [string, string, string, object] => [
    `a refusal with the value ${JSON.stringify(value)}`,
    'refusals.0.value',
    VALUE,
    refusing({ status: 401, field: 'a', value }),
  ]),
  [
    'a word in a refusal',
    'refusals.0',
    'has an unknown field word',
    refusing({ status: 401, word: 'bad' }),
  ],
  [
    'refusals that are not a list',
    'refusals',
    'must be a list, such as [{ status = 401 }]',
    { refusals: {} },
  ],
  ...['bad key: ** now', '*a*'].map((value): [string, string, string, object] => [
    `two words in one of ${value}`,
    'refusals.0.value',
    VALUE,
    refusing({ status: 401, field: 'a', value }),
  ]),
  [
    'an unknown reason',
    'refusals.0.reason',
    'must be revoked, leaked or suspended',
    refusing({ status: 401, reason: 'unknown' }),
  ],
  [
    'a reason of an exhausted account',
    'exhausted.0',
    'has an unknown field reason',
    { exhausted: [{ status: 402, reason: 'leaked' }] },
  ],
  [
    'an exhausted account of a server that a user may own',
    '',
    'has hosts, so exhausted must be left out: a user may own the server',
    { origin: undefined, hosts: ['a.test'], exhausted: [{ status: 402 }] },
  ],
  ['credit in words', 'probe_shows_credit', 'must be true or false', { probe_shows_credit: 'yes' }],
  [
    'a page for credit over http',
    'billing_page',
    'must be an https: URL',
    { billing_page: 'http://a.test' },
  ],
  ['a page for keys over http', 'key_page', 'must be an https: URL', { key_page: 'http://a.test' }],
  ['an unknown field', '', 'has an unknown field orgin', { orgin: 'x' }],
  ['any request header', 'request_headers.0', NOT_A_PATTERN, { request_headers: ['*'] }],
  ...'x-api-key X-API-KEY x-api-* x-* auth* c* ocp-* x-v* x-vault*'
    .split(' ')
    .map((pattern): [string, string, string, object] => [
      `the request header ${pattern}`,
      'request_headers.0',
      CREDENTIALS,
      { request_headers: [pattern] },
    ]),
  ...'X-Vault-User x-vault-provider x-vault-team x-vault-t* X-Vault-*'
    .split(' ')
    .map((pattern): [string, string, string, object] => [
      `the request header ${pattern}`,
      'request_headers.0',
      'is not a header that can be set',
      { request_headers: [pattern] },
    ]),
  ['a header of the vault', 'header', 'is not a header that can be set', { header: 'X-Vault-Any' }],
  ['any response header', 'response_headers.0', NOT_A_PATTERN, { response_headers: ['*'] }],
  [
    'a response header',
    'response_headers',
    'must be a list, such as ["acme-*"]',
    { response_headers: 'a' },
  ],
  ...'set-cookie Set-Login* s* accept-ch strict-* x-* x-vault-* x-frame-options sec-a content-*'
    .split(' ')
    .map((pattern): [string, string, string, object] => [
      `the response header ${pattern}`,
      'response_headers.0',
      APPLIED,
      { response_headers: [pattern] },
    ]),
  [
    'URL fields without paths',
    'url_fields',
    'must be a table, such as { "/v1/batches" = ["results_url"] }',
    { url_fields: ['url'] },
  ],
  [
    'URL fields of a path without a slash',
    'url_fields',
    'has a name that is not the beginning of a path, such as /v1/batches',
    { url_fields: { v1: ['url'] } },
  ],
  [
    'URL fields that are not a list',
    'url_fields./v1',
    'must be a list, such as ["data.next_url"]',
    { url_fields: { '/v1': 'url' } },
  ],
  ...['', '.', 'a.', '.a', 'a..b'].map((field): [string, string, string, object] => [
    `the URL field ${JSON.stringify(field)}`,
    'url_fields./v1.0',
    'is not a field',
    { url_fields: { '/v1': [field] } },
  ]),
  ...[
    'v1',
    '',
    '/',
    '//v1/',
    '/v1//',
    '/v1/../',
    '/v1/./a',
    '/%761/',
    '/v1?a',
    '/v1#a',
    '/v 1',
    '/é/',
  ].map((prefix): [string, string, string, object] => [
    `the path ${prefix}`,
    'paths.0.prefix',
    prefix === '' ? 'is empty' : PREFIX,
    { paths: [{ prefix, header: 'X-Key' }] },
  ]),
  [
    'a path whose header is of the connection',
    'paths.0.header',
    'is not a header that can be set',
    { paths: [{ prefix: '/v1/', header: 'Host' }] },
  ],
  [
    'an unknown field of a path',
    'paths.0',
    'has an unknown field path',
    { paths: [{ prefix: '/v1/', header: 'X-Key', path: '' }] },
  ],
  [
    'paths that are not a list',
    'paths',
    'must be a list of tables',
    { paths: { prefix: '/v1/', header: 'X-Key' } },
  ],
  ['no origin', '', 'must have either an origin or hosts', { origin: undefined }],
  ['an origin and hosts', '', 'must have either an origin or hosts', { hosts: ['a.test'] }],
])('refuses a provider with %s', ([, field, message, changes]) => {
  expect(faultsOf({ ...ACME, ...changes })).toContainEqual([field, message])
})

it.for<[hosts: unknown, field: string, message: string]>([
  [[], 'hosts', 'is empty'],
  ['a.test', 'hosts', 'must be a list, such as ["*.openai.azure.com"]'],
  [[''], 'hosts.0', 'is empty'],
  ...[
    '*',
    '*.test',
    '*.*.test',
    'a.*.test',
    'https://a.test',
    'a.test/v1',
    'a.test:port',
    'a.test:443',
    'a.test:0444',
    'a.test:99999',
    'A.test',
    'a@b.test',
    '127.1',
  ].map((host): [unknown, string, string] => [[host], 'hosts.0', HOST]),
])('refuses a provider with the hosts %j', ([hosts, field, message]) => {
  expect(faultsOf({ ...HOSTED, hosts })).toContainEqual([field, message])
})

it('refuses a provider with hosts whose probe has a host of its own', () => {
  const message = 'has hosts, so its probe must be a path'
  expect(faultsOf({ ...HOSTED, probe: 'https://b.test/me' })).toEqual([['', message]])
})

describe('the place of the key', () => {
  const known = provider.parse({
    ...ACME,
    scheme: 'Key',
    paths: [
      { prefix: '/v1/openai/', header: 'Authorization', scheme: 'Bearer' },
      { prefix: '/v2', header: 'x-other-key' },
      { prefix: '/v2/late', header: 'x-late-key' },
    ],
  })
  const placeAt = (url: string) => {
    const { header, scheme } = atPath(known, new URL(url, 'https://a.test').pathname)
    return [header, scheme].join(' ').trim()
  }

  it.for([
    ['/v1/openai/chat', 'Authorization Bearer'],
    ['/v1/openai/', 'Authorization Bearer'],
    ['/v1/openai', 'x-acme-key Key'],
    ['/v1/openaichat', 'x-acme-key Key'],
    ['/v1/OpenAI/chat', 'x-acme-key Key'],
    ['/v1/models?path=/v1/openai/', 'x-acme-key Key'],
    ['/v1/models#/v1/openai/', 'x-acme-key Key'],
    ['/v2', 'x-other-key'],
    ['/v2/late', 'x-other-key'],
    ['/v22', 'x-acme-key Key'],
    // The same path (RFC 3986 §6.2.2).
    ['/v1/%6fpen%61i/chat', 'Authorization Bearer'],
    ['/v1/models/../openai/chat', 'Authorization Bearer'],
    ['/v1/models/%2e%2E/openai/chat', 'Authorization Bearer'],
    ['\\v1\\openai\\chat', 'Authorization Bearer'],
    // Another path.
    ['/v1/openai/../models', 'x-acme-key Key'],
    ['/v1/openai/%2e%2e/models', 'x-acme-key Key'],
    ['/v1/openai%2fchat', 'x-acme-key Key'],
    ['/v1%2fopenai/chat', 'x-acme-key Key'],
    ['https://a.test//v1/openai/chat', 'x-acme-key Key'],
    ['/v1//openai/chat', 'x-acme-key Key'],
    ['/v1/%256fpenai/chat', 'x-acme-key Key'],
    ['/x/v1/openai/chat', 'x-acme-key Key'],
  ] as const)('the key of a request to %s is in %s', ([url, expected]) => {
    expect(placeAt(url)).toBe(expected)
  })

  it('a provider at a path still knows its other places', () => {
    const headers = (at: string) => keyPlaces(atPath(known, at)).map(({ header }) => header)
    expect(new Set(headers('/v2'))).toEqual(new Set(headers('/')))
    expect(headers('/v2')[0]).toBe('x-other-key')
  })
})
