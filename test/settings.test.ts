/** What each variable may hold, what it means, and what the log says about any other value. */

import { describe, expect, it } from 'vitest'
import { VaultError } from '../src/errors.ts'
import { readFrontSettings, readSettings } from '../src/settings.ts'
import { env } from './isolate.ts'
import { someEncryptionKey } from './support.ts'

const KEY = someEncryptionKey()
const OTHER = someEncryptionKey()
const KEY_FIX = '32 random bytes in base64: npm run keys -- new'

const base = {
  ...env,
  ALLOW_REVEAL: '',
  PROVIDERS: undefined,
  RELAY_SCOPE: '',
  MANAGE_CLIENTS: '',
  MANAGE_SCOPE: '',
  API_KEY_ENCRYPTION_KEY: KEY,
  JWT_SECRET_KEY: 'x'.repeat(32),
}
const acme = {
  label: 'Acme',
  origin: 'https://api.acme.test',
  header: 'x-acme-key',
  probe: '/v1/me',
  refusals: [{ status: 401 }],
}
/** A second store in a runtime that has jurisdictions. */
const everywhere = { DELETIONS: { getByName: () => null, jurisdiction: () => null } }
const servers = { MANAGE_CLIENTS: 'flask-app', MANAGE_SCOPE: 'vault' }
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
      'days of expired keys that are not a number',
      { EXPIRED_KEPT_DAYS: 'ten' },
      'EXPIRED_KEPT_DAYS must be a number of days',
    ],
    [
      'days of events that are not a number',
      { EVENTS_KEPT_DAYS: 'all' },
      'EVENTS_KEPT_DAYS must be a number of days',
    ],
    ...['0', '-1', '1.5', '10000', 'never'].map((days): [string, object, string] => [
      `a time until keys are checked again of ${days}`,
      { RECHECK_AFTER_DAYS: days },
      'RECHECK_AFTER_DAYS must be a number of days from 1 to 9999',
    ]),
    ['two scopes for the relay', { RELAY_SCOPE: 'a b' }, 'RELAY_SCOPE must be one scope'],
    [
      'providers of a relay that is off',
      { RELAY_PROVIDERS: 'openai' },
      'RELAY_PROVIDERS needs RELAY_SCOPE',
    ],
    [
      'an unknown provider of the relay',
      { RELAY_SCOPE: 'relay', RELAY_PROVIDERS: 'openai,nobody' },
      'RELAY_PROVIDERS must be names of providers or slots: item 2 is not',
    ],
    ...['nobody:work', 'openai:', 'openai:a b', 'default'].map((name): [string, object, string] => [
      `the slot ${name} of the relay`,
      { RELAY_SCOPE: 'relay', RELAY_PROVIDERS: `openai:work,${name}` },
      'RELAY_PROVIDERS must be names of providers or slots: item 2 is not',
    ]),
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
      'an encryption key as the token secret',
      { JWT_SECRET_KEY: KEY },
      'JWT_SECRET_KEY is also an encryption key',
    ],
    ['the origin *', { CORS_ORIGINS: '*' }, 'CORS_ORIGINS, item 1, is not an exact origin'],
    ['the origin null', { CORS_ORIGINS: 'null' }, 'CORS_ORIGINS, item 1, is not an exact origin'],
    [
      'an origin with a path',
      { CORS_ORIGINS: 'https://a.test,https://b.test/' },
      'CORS_ORIGINS, item 2, is not an exact origin',
    ],
    [
      'a pattern below one label',
      { CORS_ORIGINS: 'https://*.test' },
      'CORS_ORIGINS, item 1, is not an exact',
    ],
    [
      'a pattern below a host that others share',
      { CORS_ORIGINS: 'https://a.test,https://*.pages.dev' },
      'CORS_ORIGINS, item 2, has a * below a host that others share',
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
      'a plain Fernet key',
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
    [
      'a refusal with a word',
      { PROVIDERS: { acme: { ...acme, refusals: [{ status: 401, word: 'bad' }] } } },
      'PROVIDERS, "acme", refusals.0 has an unknown field word',
    ],
    [
      'a refusal with a field and without a value',
      { PROVIDERS: { openai: { refusals: [{ status: 401, field: 'code' }] } } },
      'PROVIDERS, "openai", refusals.0 must have both a field and a value, or neither',
    ],
    [
      'a host of a provider that is not one',
      { PROVIDERS: { acme: { ...acme, origin: undefined, hosts: ['*'] } } },
      'PROVIDERS, "acme", hosts.0 is not a host',
    ],
    [
      'VERIFY_ON_SAVE that is not true or false',
      { VERIFY_ON_SAVE: 'no' },
      'VERIFY_ON_SAVE must be "true" or "false"',
    ],
    [
      'clients that manage users, without a scope',
      { MANAGE_CLIENTS: 'flask-app' },
      'MANAGE_SCOPE and MANAGE_CLIENTS are required together',
    ],
    [
      'a scope that manages users, without clients',
      { MANAGE_SCOPE: 'vault' },
      'MANAGE_SCOPE and MANAGE_CLIENTS are required together',
    ],
    [
      'two scopes that manage users',
      { ...servers, MANAGE_SCOPE: 'vault keys' },
      'MANAGE_SCOPE must be one scope, without spaces',
    ],
    [
      'a client that manages users, with a space in its name',
      { ...servers, MANAGE_CLIENTS: 'flask-app, flask app' },
      'MANAGE_CLIENTS, item 2, is not a client id',
    ],
    [
      'the page’s client among those that manage users',
      {
        ...servers,
        MANAGE_CLIENTS: 'flask-app, page',
        OIDC_ISSUER: 'https://id.test/',
        OIDC_CLIENT_ID: 'page',
      },
      'MANAGE_CLIENTS must not have OIDC_CLIENT_ID',
    ],
    [
      'a client that manages users, and that JWT_CLIENTS leaves out',
      { ...servers, MANAGE_CLIENTS: 'flask-app, admin', JWT_CLIENTS: 'flask-app, web' },
      'MANAGE_CLIENTS must be among JWT_CLIENTS',
    ],
    ...['users', 'support', 'save', 'export'].flatMap((grant) =>
      ['RELAY_SCOPE', 'JWT_SCOPE'].map((name): [string, object, string] => [
        `${name} that is a scope to ${grant}`,
        { ...servers, [name]: `vault:${grant}` },
        'MANAGE_SCOPE makes a scope that RELAY_SCOPE or JWT_SCOPE already has',
      ]),
    ),
    [
      'servers without a limit of support',
      { ...servers, SUPPORT_LIMITER: undefined },
      'SUPPORT_LIMITER is required with MANAGE_SCOPE: see [[ratelimits]]',
    ],
    [
      'a text as limit of support',
      { SUPPORT_LIMITER: '60' },
      'SUPPORT_LIMITER must be a rate limit binding: see [[ratelimits]]',
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
    [
      'an unknown jurisdiction',
      { ...everywhere, DELETIONS_JURISDICTION: 'EU' },
      'DELETIONS_JURISDICTION must be "eu", "us" or "fedramp"',
    ],
    [
      'a jurisdiction of no second store',
      { DELETIONS: undefined, DELETIONS_JURISDICTION: 'eu' },
      'DELETIONS_JURISDICTION needs DELETIONS',
    ],
    [
      'a jurisdiction in workerd, which has none',
      { DELETIONS_JURISDICTION: 'eu' },
      'DELETIONS_JURISDICTION is unknown here: leave it empty in local development',
    ],
  ])('reports %s with the variable and the fix', ([, changes, expected]) => {
    expect(reason(changes)).toContain(expected)
  })

  it('reports all faults at once, so that one deployment can fix them', () => {
    const told = reason({ API_KEY_ENCRYPTION_KEY: '', CORS_ORIGINS: '*', DB: undefined })
    expect(told).toMatch(/DB .*; API_KEY_ENCRYPTION_KEY .*; CORS_ORIGINS/)
  })
})

describe('a good environment', () => {
  it.for<[name: string, changes: object]>([
    ['a shared secret', {}],
    ['a key set', oidc],
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
    ['a second store in the EU', { ...everywhere, DELETIONS_JURISDICTION: 'eu' }],
    ['a second store in the US', { ...everywhere, DELETIONS_JURISDICTION: 'us' }],
    ['a second store for FedRAMP', { ...everywhere, DELETIONS_JURISDICTION: 'fedramp' }],
    ['a queue for events', { EVENTS_QUEUE: { send: () => null, sendBatch: () => null } }],
    ['a dataset for counts', { ANALYTICS: { writeDataPoint: () => undefined } }],
    ['a pattern of origins', { CORS_ORIGINS: 'https://a.test,https://*.my-app.pages.dev' }],
    ['origins', { CORS_ORIGINS: 'https://a.test, http://localhost:5173' }],
    ['a Fernet key', { LEGACY_FERNET_KEY: OTHER.replaceAll('+', '-').replaceAll('/', '_') }],
    [
      'a Fernet key from openssl, and another one',
      { LEGACY_FERNET_KEY: `${btoa('\xff'.repeat(32))}, ${OTHER}` },
    ],
    ['servers', servers],
    [
      'servers with other scopes beside theirs',
      {
        ...servers,
        RELAY_SCOPE: 'vault',
        JWT_SCOPE: 'vault:use',
        JWT_CLIENTS: 'web,flask-app',
      },
    ],
    ['no servers, and no limit of support', { SUPPORT_LIMITER: undefined }],
    ['the most rows per run', { REWRAP_ROWS_PER_RUN: '40000' }],
    ['another provider', { PROVIDERS: { acme } }],
    ['missing optional variables', { CORS_ORIGINS: undefined, AUTO_CREATE_USERS: undefined }],
  ])('accepts %s', ([, changes]) => {
    expect(reason(changes)).toBe('accepted')
  })
})

describe('the defaults', () => {
  it('sets the default of every optional variable', () => {
    const required = { DB: base.DB, RATE_LIMITER: base.RATE_LIMITER, ASSETS: base.ASSETS }
    const keys = { API_KEY_ENCRYPTION_KEY: KEY, JWT_SECRET_KEY: base.JWT_SECRET_KEY }
    const absent = Object.fromEntries(Object.keys(base).map((name) => [name, undefined]))
    expect(readSettings({ ...base, ...absent, ...required, ...keys })).toMatchObject({
      deletions: null,
      probeLimiter: null,
      addressLimiter: null,
      callerLimiter: null,
      revealers: [],
      foreign: { secrets: [] },
      tokenSources: [{ kind: 'secret', secret: keys.JWT_SECRET_KEY }],
      tokenRules: {
        identityClaim: 'sub',
        scope: null,
        pageClient: null,
        servers: null,
        teams: null,
      },
      tokenHeader: null,
      signIn: null,
      relay: null,
      defaultProvider: null,
      autoCreateUsers: false,
      verifyOnSave: true,
      teamFirst: false,
      rewrapRowsPerRun: 20,
      expiredKeptDays: 30,
      eventsKeptDays: 90,
      eventsQueue: null,
      analytics: null,
    })
  })
})

describe('the front', () => {
  const writeDataPoint = () => undefined

  it('reads the settings of the front even if all others are wrong', () => {
    const vars = {
      CORS_ORIGINS: 'https://a.test, https://b.test',
      OIDC_ISSUER: 'https://id.test/x',
    }
    const wrong = { ...base, JWT_SECRET_KEY: '', API_KEY_ENCRYPTION_KEY: '', OIDC_CLIENT_ID: '' }
    expect(readFrontSettings({ ...wrong, ...vars, ANALYTICS: { writeDataPoint } })).toEqual({
      assets: base.ASSETS,
      corsOrigins: ['https://a.test', 'https://b.test'],
      issuer: vars.OIDC_ISSUER,
      analytics: { writeDataPoint },
    })
  })

  it('leaves out each variable of the front that is wrong', () => {
    const CORS_ORIGINS =
      '*,https://*.pages.dev,https://*.test,https://b.test/,https://*.my.pages.dev'
    const wrong = { ...base, CORS_ORIGINS, OIDC_ISSUER: 'http://id.test', ANALYTICS: 'a name' }
    const front = readFrontSettings(wrong)
    expect(front).toMatchObject({ issuer: null, analytics: null })
    expect(front.corsOrigins).toEqual(['https://*.my.pages.dev'])
  })
})
