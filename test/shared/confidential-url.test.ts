import { expect, it } from 'vitest'
import { isConfidentialUrl, isEndpointOf, isLocalhost } from '../../src/shared/confidential-url.ts'

it.for([
  'https://a.test',
  'https://a.test:8443/path?query#hash',
  'HTTPS://A.TEST',
  'https://10.0.0.1',
  'http://localhost',
  'http://LOCALHOST:8080/path',
  'http://127.0.0.1:8080',
  'http://[::1]',
  // A URL parser reads both as 127.0.0.1.
  'http://127.1',
  'http://0x7f000001',
])('sends a secret to %s', (url) => expect(isConfidentialUrl(url)).toBe(true))

it.for([
  'http://a.test',
  'http://127.0.0.2',
  'http://localhost.a.test',
  'http://a.localhost',
  'http://127.0.0.1.a.test',
  'ftp://localhost',
  'ws://localhost',
  'file:///etc/passwd',
  'https://user@a.test',
  'https://:password@a.test',
  'http://localhost@a.test',
  'http://user@localhost',
  'https://*.a.test',
  'https://a.*.test',
  'https://',
  'a.test',
  'localhost:8080',
  '//a.test',
  '',
])('sends no secret to %j', (url) => expect(isConfidentialUrl(url)).toBe(false))

it.for([
  ['localhost', true],
  ['127.0.0.1', true],
  ['[::1]', true],
  ['::1', false],
  ['localhost.a.test', false],
  ['127.0.0.2', false],
  ['', false],
] as const)('the host %j is localhost: %s', ([hostname, expected]) => {
  expect(isLocalhost(hostname)).toBe(expected)
})

it.for<[issuer: string, endpoint: unknown, expected: boolean]>([
  ['https://id.test', 'https://id.test/token', true],
  ['https://id.test', 'https://pool.auth.test/token', true],
  ['https://id.test', 'http://id.test/token', false],
  ['https://id.test', 'http://localhost/token', false],
  ['https://id.test', 'https://a:b@id.test/token', false],
  ['https://id.test', '/token', false],
  ['https://id.test', undefined, false],
  ['http://localhost:9000', 'http://localhost:9001/token', true],
  ['http://localhost:9000', 'https://pool.auth.test/token', true],
  ['http://localhost:9000', 'http://id.test/token', false],
])('the issuer %s names the endpoint %s: %s', ([issuer, endpoint, expected]) => {
  expect(isEndpointOf(new URL(issuer), endpoint)).toBe(expected)
})
