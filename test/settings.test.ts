import { env } from './isolate.ts'
import { describe, expect, it, vi } from 'vitest'
import { VaultError } from '../src/errors.ts'
import { openService } from '../src/service.ts'
import { readSettings } from '../src/settings.ts'
import {
  app,
  call,
  keyPath,
  mintToken,
  recordLogs,
  someEncryptionKey,
  someUser,
  URL_BASE,
} from './support.ts'

const KEY = someEncryptionKey()
const OTHER = someEncryptionKey()
const KEY_FIX = '32 random bytes in base64: npm run keys -- new'

const base = {
  DB: env.DB,
  RATE_LIMITER: env.RATE_LIMITER,
  PROBE_LIMITER: env.PROBE_LIMITER,
  RELAY_LIMITER: env.RELAY_LIMITER,
  DELETIONS: env.DELETIONS,
  ADDRESS_LIMITER: env.ADDRESS_LIMITER,
  CALLER_LIMITER: env.CALLER_LIMITER,
  ASSETS: env.ASSETS,
  API_KEY_ENCRYPTION_KEY: KEY,
  JWT_SECRET_KEY: 'x'.repeat(32),
  JWT_JWKS_URL: '',
  JWT_ISSUER: '',
  JWT_AUDIENCE: '',
  JWT_IDENTITY_CLAIM: '',
  JWT_SCOPE: '',
  OIDC_AUDIENCE: '',
  OIDC_CLIENT_ID: '',
  OIDC_ISSUER: '',
  OIDC_SCOPE: '',
  RELAY_PROVIDERS: '',
  RELAY_SCOPE: '',
  ALLOW_REVEAL: 'false',
  AUTO_CREATE_USERS: 'false',
  CORS_ORIGINS: '',
  DEFAULT_PROVIDER: '',
  EVENTS_KEPT_DAYS: '',
  EXPIRED_KEPT_DAYS: '',
  REWRAP_ROWS_PER_RUN: '',
  VERIFY_ON_SAVE: '',
}
const acme = {
  label: 'Acme',
  origin: 'https://api.acme.test',
  header: 'x-acme-key',
  probe: '/v1/me',
  refusals: [{ status: 401 }],
}
const ownHosts = { origin: undefined, hosts: ['*.a.test', 'localhost:11434'] }
const oidc = {
  JWT_SECRET_KEY: '',
  JWT_JWKS_URL: 'https://id.test/jwks.json',
  JWT_ISSUER: 'https://id.test/',
  JWT_AUDIENCE: 'vault',
}

/** What the log says about an environment. */
function reason(changes: object): string {
  try {
    readSettings({ ...base, ...changes })
  } catch (error) {
    if (error instanceof VaultError && error.cause instanceof Error) return error.cause.message
  }
  return 'accepted'
}

/** 32 bytes in base64 whose spare bits are set. */
const nonCanonical = `${KEY.slice(0, 42)}${{ A: 'B', Q: 'R' }[KEY.charAt(42)] ?? 'B'}=`

describe('a bad environment', () => {
  it.for<[name: string, changes: object, reason: string]>([
    [
      'days that are not a number',
      { EXPIRED_KEPT_DAYS: 'ten' },
      'EXPIRED_KEPT_DAYS must be a number of days',
    ],
    [
      'days that are not a number',
      { EVENTS_KEPT_DAYS: 'all' },
      'EVENTS_KEPT_DAYS must be a number of days',
    ],
    ['two scopes for the relay', { RELAY_SCOPE: 'a b' }, 'RELAY_SCOPE must be one scope'],
    [
      'providers of a relay that is off',
      { RELAY_PROVIDERS: 'openai' },
      'RELAY_PROVIDERS needs RELAY_SCOPE',
    ],
    [
      'an unknown provider of the relay',
      { RELAY_SCOPE: 'relay', RELAY_PROVIDERS: 'openai,nobody' },
      'RELAY_PROVIDERS must be names of providers',
    ],
    [
      'a relay limiter that is not one',
      { RELAY_LIMITER: {} },
      'RELAY_LIMITER must be a rate limit',
    ],
    [
      'no encryption key',
      { API_KEY_ENCRYPTION_KEY: undefined },
      `ENCRYPTION_KEY is not set; it must be`,
    ],
    [
      'an empty encryption key',
      { API_KEY_ENCRYPTION_KEY: '' },
      `ENCRYPTION_KEY is not set; it must be`,
    ],
    [
      'an encryption key of 31 bytes',
      { API_KEY_ENCRYPTION_KEY: btoa('x'.repeat(31)) },
      `item 1, is not ${KEY_FIX}`,
    ],
    [
      'an encryption key of 33 bytes',
      { API_KEY_ENCRYPTION_KEY: btoa('x'.repeat(33)) },
      `item 1, is not ${KEY_FIX}`,
    ],
    [
      'an encryption key of zeros',
      { API_KEY_ENCRYPTION_KEY: btoa('\0'.repeat(32)) },
      'item 1, is all zero',
    ],
    [
      'an encryption key with spare bits',
      { API_KEY_ENCRYPTION_KEY: nonCanonical },
      `item 1, is not ${KEY_FIX}`,
    ],
    [
      'an encryption key without padding',
      { API_KEY_ENCRYPTION_KEY: KEY.slice(0, 43) },
      `item 1, is not ${KEY_FIX}`,
    ],
    [
      'an encryption key in base64url without padding',
      { API_KEY_ENCRYPTION_KEY: `--${KEY.slice(2, 43)}` },
      'item 1, is not',
    ],
    [
      'an encryption key twice, in both alphabets',
      { API_KEY_ENCRYPTION_KEY: `//${KEY.slice(2)},__${KEY.slice(2)}` },
      'contains a key twice',
    ],
    ['two scopes in JWT_SCOPE', { JWT_SCOPE: 'a b' }, 'JWT_SCOPE must be one scope'],
    [
      'an encryption key in hex',
      { API_KEY_ENCRYPTION_KEY: 'ab'.repeat(32) },
      `item 1, is not ${KEY_FIX}`,
    ],
    [
      'a comma after the encryption key',
      { API_KEY_ENCRYPTION_KEY: `${KEY},` },
      `item 2, is not ${KEY_FIX}`,
    ],
    [
      'an encryption key twice',
      { API_KEY_ENCRYPTION_KEY: `${KEY},${KEY}` },
      'contains a key twice',
    ],
    [
      'neither a token secret nor a key set',
      { JWT_SECRET_KEY: undefined },
      'or JWT_JWKS_URL must be set, but not both',
    ],
    [
      'a token secret and a key set',
      { JWT_JWKS_URL: oidc.JWT_JWKS_URL },
      'or JWT_JWKS_URL must be set, but not both',
    ],
    [
      'a token secret of 31 bytes',
      { JWT_SECRET_KEY: 'x'.repeat(31) },
      'JWT_SECRET_KEY is under 32 bytes',
    ],
    [
      'a token secret with a newline',
      { JWT_SECRET_KEY: `${'x'.repeat(40)}\n` },
      'has white space around',
    ],
    [
      'an encryption key as the token secret',
      { JWT_SECRET_KEY: KEY },
      'JWT_SECRET_KEY is also an encryption key',
    ],
    ['a blank issuer', { ...oidc, JWT_ISSUER: ' ' }, 'JWT_ISSUER has white space around it'],
    ['a blank audience', { ...oidc, JWT_AUDIENCE: '\t' }, 'JWT_AUDIENCE has white space around it'],
    [
      'a key set URL with a password',
      { ...oidc, JWT_JWKS_URL: 'https://u:p@id.test/' },
      'without a password',
    ],
    [
      'a key set without an issuer',
      { ...oidc, JWT_ISSUER: '' },
      'JWT_ISSUER and JWT_AUDIENCE are required',
    ],
    [
      'a key set without an audience',
      { ...oidc, JWT_AUDIENCE: '' },
      'JWT_ISSUER and JWT_AUDIENCE are required',
    ],
    [
      'a key set that is not a URL',
      { ...oidc, JWT_JWKS_URL: 'id.test' },
      'JWT_JWKS_URL must be an https: URL',
    ],
    [
      'a key set over http',
      { ...oidc, JWT_JWKS_URL: 'http://id.test' },
      'JWT_JWKS_URL must be an https: URL',
    ],
    [
      'a key set over ftp',
      { ...oidc, JWT_JWKS_URL: 'ftp://localhost' },
      'JWT_JWKS_URL must be an https: URL',
    ],
    ['any origin', { CORS_ORIGINS: '*' }, 'CORS_ORIGINS, item 1, is not an exact origin'],
    ['the origin null', { CORS_ORIGINS: 'null' }, 'CORS_ORIGINS, item 1, is not an exact origin'],
    [
      'an origin with a path',
      { CORS_ORIGINS: 'https://a.test,https://b.test/' },
      'CORS_ORIGINS, item 2, is not an exact origin',
    ],
    [
      'an origin with a pattern',
      { CORS_ORIGINS: 'https://*.a.test' },
      'CORS_ORIGINS, item 1, is not an exact',
    ],
    ['the origin of files', { CORS_ORIGINS: 'file://' }, 'CORS_ORIGINS, item 1, is not an exact'],
    [
      'any browser extension',
      { CORS_ORIGINS: 'chrome-extension://*' },
      'CORS_ORIGINS, item 1, is not an',
    ],
    [
      'the origin of an app with a path',
      { CORS_ORIGINS: 'capacitor://a/b' },
      'CORS_ORIGINS, item 1, is not an',
    ],
    ['an ftp origin', { CORS_ORIGINS: 'ftp://a.test' }, 'CORS_ORIGINS, item 1, is not an exact'],
    ['origins as an array', { CORS_ORIGINS: ['https://a.test'] }, 'CORS_ORIGINS must be a string'],
    [
      'an origin in upper case',
      { CORS_ORIGINS: 'https://A.test' },
      'CORS_ORIGINS, item 1, is not an exact origin',
    ],
    [
      'an issuer without a client id',
      { OIDC_ISSUER: 'https://id.test/' },
      'OIDC_ISSUER and OIDC_CLIENT_ID are required',
    ],
    [
      'a client id without an issuer',
      { OIDC_CLIENT_ID: 'page' },
      'OIDC_ISSUER and OIDC_CLIENT_ID are required',
    ],
    ['an issuer over http', { OIDC_ISSUER: 'http://id.test' }, 'OIDC_ISSUER must be an https: URL'],
    ['scopes without openid', { OIDC_SCOPE: 'profile email' }, 'OIDC_SCOPE must contain openid'],
    [
      'scopes with two spaces between them',
      { OIDC_SCOPE: 'openid  email' },
      'OIDC_SCOPE must be scopes',
    ],
    ['a blank sign-in audience', { OIDC_AUDIENCE: ' ' }, 'OIDC_AUDIENCE has white space around it'],
    [
      'AUTO_CREATE_USERS that is not true or false',
      { AUTO_CREATE_USERS: 'yes' },
      'AUTO_CREATE_USERS must be "true" or "false"',
    ],
    [
      'a plain legacy key',
      { LEGACY_FERNET_KEY: 'x' },
      'LEGACY_FERNET_KEY, item 1, is not a Fernet',
    ],
    [
      'a short Fernet key',
      { LEGACY_FERNET_KEY: btoa('x'.repeat(31)) },
      'item 1, is not a Fernet key',
    ],
    [
      'a Fernet key twice',
      { LEGACY_FERNET_KEY: `${OTHER},${OTHER}` },
      'LEGACY_FERNET_KEY contains a key twice',
    ],
    [
      'a Fernet key that is also an encryption key',
      { LEGACY_FERNET_KEY: `${OTHER},${KEY.replaceAll('+', '-').replaceAll('/', '_')}` },
      'LEGACY_FERNET_KEY is also an encryption key',
    ],
    [
      'zero rows per run',
      { REWRAP_ROWS_PER_RUN: '0' },
      'REWRAP_ROWS_PER_RUN must be a number from 1 to 40000',
    ],
    ['too many rows per run', { REWRAP_ROWS_PER_RUN: '40001' }, 'must be a number from 1 to 40000'],
    [
      'a fraction of a row per run',
      { REWRAP_ROWS_PER_RUN: '1.5' },
      'must be a number from 1 to 40000',
    ],
    [
      'rows per run as a number',
      { REWRAP_ROWS_PER_RUN: 50 },
      'REWRAP_ROWS_PER_RUN must be a string',
    ],
    [
      'a provider that is not a table',
      { PROVIDERS: { acme: 'x' } },
      'PROVIDERS, "acme", must be a table',
    ],
    [
      'a queue that is a name',
      { EVENTS_QUEUE: 'key-events' },
      'EVENTS_QUEUE must be a queue binding: see [[queues.producers]]',
    ],
    [
      'a dataset that is a name',
      { ANALYTICS: 'user_key_vault' },
      'ANALYTICS must be an Analytics Engine binding: see [[analytics_engine_datasets]]',
    ],
    ['providers that are not JSON', { PROVIDERS: '{' }, 'PROVIDERS must be a table of providers'],
    ['providers as a list', { PROVIDERS: [] }, 'PROVIDERS must be a table of providers'],
    [
      'a provider without an origin',
      { PROVIDERS: { acme: { ...acme, origin: undefined } } },
      'acme", must have either an origin or hosts',
    ],
    [
      'an origin and hosts',
      { PROVIDERS: { acme: { ...acme, hosts: ['a.test'] } } },
      'acme", must have either an origin or hosts',
    ],
    [
      'hosts and a probe with a fixed host',
      { PROVIDERS: { acme: { ...acme, ...ownHosts, probe: 'https://a.test/' } } },
      'acme", has hosts, so its probe must be a path',
    ],
    ...[
      '',
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
      '127.1',
    ].map((host): [string, object, string] => [
      `the host ${JSON.stringify(host)}`,
      { PROVIDERS: { acme: { ...acme, origin: undefined, hosts: [host] } } },
      host === '' ? 'hosts.0 is' : 'hosts.0 is not a host',
    ]),
    [
      'a provider with an empty list of hosts',
      { PROVIDERS: { acme: { ...acme, origin: undefined, hosts: [] } } },
      'hosts is empty',
    ],
    [
      'a provider over http',
      { PROVIDERS: { acme: { ...acme, origin: 'http://a.test' } } },
      'must be an https:',
    ],
    [
      'a provider whose origin has a path',
      { PROVIDERS: { acme: { ...acme, origin: 'https://a.test/v1' } } },
      'must be an https:',
    ],
    [
      'a wildcard as an origin',
      { PROVIDERS: { acme: { ...acme, origin: 'https://*.openai.azure.com' } } },
      'origin must be an https: origin',
    ],
    [
      'a wildcard as a key set',
      { ...oidc, JWT_JWKS_URL: 'https://*.id.test/jwks.json' },
      'JWT_JWKS_URL must be an https: URL',
    ],
    ...'x-api-key X-API-KEY x-api-* x-* auth* c* ocp-* x-v* X-Vault-User x-vault-provider'
      .split(' ')
      .map((pattern): [string, object, string] => [
        `the request header ${pattern}`,
        { PROVIDERS: { acme: { ...acme, request_headers: [pattern] } } },
        'request_headers.0 would let the credentials or the user id of a caller pass',
      ]),
    [
      'a request header of any name',
      { PROVIDERS: { acme: { ...acme, request_headers: ['*'] } } },
      'request_headers.0 is not a header name',
    ],
    [
      'a probe elsewhere',
      { PROVIDERS: { acme: { ...acme, probe: 'http://b.test/' } } },
      'probe must be',
    ],
    [
      'a probe of two slashes',
      { PROVIDERS: { acme: { ...acme, probe: '//b' } } },
      'probe must be a',
    ],
    [
      'a probe of another host',
      { PROVIDERS: { acme: { ...acme, probe: '/\\b.test' } } },
      'probe must',
    ],
    [
      'a header of the connection',
      { PROVIDERS: { acme: { ...acme, header: 'Host' } } },
      'can be set',
    ],
    [
      'a refusal with the status 200',
      { PROVIDERS: { acme: { ...acme, refusals: [{ status: 200 }] } } },
      'must be a status from 400',
    ],
    [
      'a header value',
      { PROVIDERS: { acme: { ...acme, headers: { a: '\n' } } } },
      'is not a header value',
    ],
    [
      'a header of two',
      { PROVIDERS: { acme: { ...acme, header: 'a: b' } } },
      'is not a header name',
    ],
    [
      'an unknown field',
      { PROVIDERS: { acme: { ...acme, orgin: 'x' } } },
      '"acme", has an unknown field orgin',
    ],
    [
      'a provider with a reserved name',
      { PROVIDERS: { default: acme } },
      'PROVIDERS has an invalid provider name',
    ],
    [
      'a provider with an upper-case name',
      { PROVIDERS: { Acme: acme } },
      'PROVIDERS has an invalid provider name',
    ],
    [
      'a bad origin of a built-in provider',
      { PROVIDERS: { openai: { origin: 'x' } } },
      '"openai", origin must be',
    ],
    [
      'VERIFY_ON_SAVE that is not true or false',
      { VERIFY_ON_SAVE: 'no' },
      'VERIFY_ON_SAVE must be "true" or "false"',
    ],
    ['no D1', { DB: undefined }, 'DB must be a D1 binding: see [[d1_databases]]'],
    ['a text as DB', { DB: 'user-key-vault' }, 'DB must be a D1 binding: see [[d1_databases]]'],
    [
      'no limiter',
      { RATE_LIMITER: undefined },
      'RATE_LIMITER must be a rate limit binding: see [[ratelimits]]',
    ],
    [
      'a text as second store',
      { DELETIONS: 'Deletions' },
      'DELETIONS must be a Durable Object binding: see [[durable_objects.bindings]]',
    ],
  ])('is reported with the variable and the fix: %s', ([, changes, expected]) => {
    expect(reason(changes)).toContain(expected)
  })

  it('is reported with all its faults, so that one deployment can fix it', () => {
    const told = reason({ API_KEY_ENCRYPTION_KEY: '', CORS_ORIGINS: '*', DB: undefined })
    expect(told).toMatch(/DB .*; API_KEY_ENCRYPTION_KEY .*; CORS_ORIGINS/)
  })

  it('answers 500 on every key route, logs the reason without a value, and keeps 404 and CORS', async () => {
    const logs = recordLogs()
    const userId = await someUser()
    const token = await mintToken({ sub: userId })
    const secret = 'short but secret'
    const bad = { JWT_SECRET_KEY: secret, CORS_ORIGINS: 'https://app.test' }
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const headers = { Origin: 'https://app.test' }
      const response = await call(method, keyPath(userId), { token, env: bad, headers })
      expect(response.status).toBe(500)
      expect(response.headers.get('Access-Control-Allow-Origin')).toBe('https://app.test')
      expect(await response.json()).toEqual({
        error: 'Internal server error',
        code: 'server_misconfigured',
        request_id: response.headers.get('X-Request-Id'),
      })
    }
    expect((await call('GET', '/nowhere', { env: bad })).status).toBe(404)
    const errors = logs.events().filter(({ level }) => level === 'error')
    expect(errors).toHaveLength(3)
    expect(errors[0]).toMatchObject({ code: 'server_misconfigured' })
    expect(JSON.stringify(errors[0])).toContain('JWT_SECRET_KEY is under 32 bytes')
    expect(logs.text()).not.toContain(secret)
  })
})

describe('a good environment', () => {
  it.for<[name: string, changes: object]>([
    ['a shared secret', {}],
    ['a secret of 32 bytes in fewer characters', { JWT_SECRET_KEY: 'ü'.repeat(16) }],
    ['a key set', oidc],
    ['a local key set', { ...oidc, JWT_JWKS_URL: 'http://127.0.0.1:9000/jwks.json' }],
    ['a key set on localhost', { ...oidc, JWT_JWKS_URL: 'http://localhost:9000/jwks.json' }],
    ['a key set on ::1', { ...oidc, JWT_JWKS_URL: 'http://[::1]:9000/jwks.json' }],
    ['two keys', { API_KEY_ENCRYPTION_KEY: `${KEY}, ${OTHER}\n` }],
    [
      'origins of apps',
      { CORS_ORIGINS: 'capacitor://localhost,ionic://localhost,tauri://localhost' },
    ],
    ['extensions', { CORS_ORIGINS: 'chrome-extension://abcdefgh,moz-extension://a0b1-c2d3' }],
    ['an encryption key in base64url', { API_KEY_ENCRYPTION_KEY: `-_${KEY.slice(2)}` }],
    ['callers that may read keys', { ALLOW_REVEAL: 'export, other' }],
    ['no limit for probes', { PROBE_LIMITER: undefined }],
    ['no second store', { DELETIONS: undefined }],
    ['a queue for events', { EVENTS_QUEUE: { send: () => null, sendBatch: () => null } }],
    ['a dataset for counts', { ANALYTICS: { writeDataPoint: () => undefined } }],
    ['origins', { CORS_ORIGINS: 'https://a.test, http://localhost:5173' }],
    ['a Fernet key', { LEGACY_FERNET_KEY: OTHER.replaceAll('+', '-').replaceAll('/', '_') }],
    [
      'a Fernet key from openssl, and another one',
      { LEGACY_FERNET_KEY: `${btoa('\xff'.repeat(32))}, ${OTHER}` },
    ],
    ['the most rows per run', { REWRAP_ROWS_PER_RUN: '40000' }],
    ['another provider', { PROVIDERS: { acme } }],
    ['another provider as JSON', { PROVIDERS: JSON.stringify({ acme }) }],
    ['a provider on localhost', { PROVIDERS: { openai: { origin: 'http://127.0.0.1:9000' } } }],
    ['missing optional variables', { CORS_ORIGINS: undefined, AUTO_CREATE_USERS: undefined }],
  ])('is accepted: %s', ([, changes]) => {
    expect(reason(changes)).toBe('accepted')
  })

  it('is read once, and imports its keys once', async () => {
    const workerEnv = { ...env }
    const userId = await someUser()
    const headers = { Authorization: `Bearer ${await mintToken({ sub: userId })}` }
    const get = async () => app.request(URL_BASE + keyPath(userId), { headers }, workerEnv)
    const importKey = vi.spyOn(crypto.subtle, 'importKey')
    expect(await openService(workerEnv)).toBe(await openService(workerEnv))
    expect((await get()).status).toBe(200)
    expect(importKey).toHaveBeenCalledTimes(2)
    expect((await get()).status).toBe(200)
    expect(importKey).toHaveBeenCalledTimes(2)
  })
})

describe('the probe of a built-in provider', () => {
  const probeOf = (changes: object) =>
    readSettings({ ...base, PROVIDERS: { huggingface: changes } }).providers.get('huggingface')
      ?.probe

  it.for<[name: string, changes: object, probe: string | undefined]>([
    ['stays with its origin', { label: 'HF' }, 'https://huggingface.co/api/whoami-v2'],
    [
      'does not move to another origin if it is a URL',
      { origin: 'https://gateway.test' },
      undefined,
    ],
    [
      'is the given one if it comes with another origin',
      { origin: 'https://gateway.test', probe: '/me' },
      '/me',
    ],
  ])('%s', ([, changes, probe]) => expect(probeOf(changes)).toBe(probe))

  it('moves to another origin if it is a path', () => {
    const settings = readSettings({
      ...base,
      PROVIDERS: { openai: { origin: 'https://gateway.test' } },
    })
    expect(settings.providers.get('openai')?.probe).toBe('/v1/models')
  })
})
