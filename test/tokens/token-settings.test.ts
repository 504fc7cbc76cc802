/** Whose tokens the variables for tokens accept together, and what the log says about variables that contradict. */

import { describe, expect, it } from 'vitest'
import { VaultError } from '../../src/errors.ts'
import { readSettings } from '../../src/settings.ts'
import { env } from '../isolate.ts'
import { someEncryptionKey } from '../support.ts'
import { SECRET } from './signed-tokens.ts'
import { signingKey } from './signing-keys.ts'
import { pemOf } from './token-sources.ts'

const PEM = await pemOf(await signingKey('ES256'))
const TENANT = '8eaef023-2b34-4da1-9baa-8bc8c9d6a490'
const ENTRA = 'https://login.microsoftonline.com/{tenantid}/v2.0'

const secret = { JWT_SECRET_KEY: SECRET }
const set = {
  JWT_SECRET_KEY: '',
  JWT_JWKS_URL: 'https://id.test/jwks.json',
  JWT_ISSUER: 'https://id.test/',
  JWT_AUDIENCE: 'vault',
}
const pem = { JWT_SECRET_KEY: '', JWT_PUBLIC_KEY: PEM }
const tenants = { ...set, JWT_ISSUER: ENTRA, JWT_TENANTS: TENANT }

const read = (vars: object) =>
  readSettings({ ...env, MANAGE_CLIENTS: '', MANAGE_SCOPE: '', ...vars })

/** What the log says about variables. */
function reason(vars: object): string {
  try {
    read(vars)
  } catch (error) {
    if (error instanceof VaultError && error.cause instanceof Error) return error.cause.message
  }
  return 'accepted'
}

describe('variables that are refused', () => {
  const NEITHER = 'JWT_SECRET_KEY or JWT_PUBLIC_KEY or JWT_JWKS_URL must be set'
  const AUDIENCE = 'JWT_AUDIENCE or JWT_CLIENTS is required with JWT_JWKS_URL'
  const OWN = 'JWT_SECRET_ISSUER and JWT_SECRET_AUDIENCE are for a JWT_SECRET_KEY beside other keys'
  const PUBLIC = 'JWT_SECRET_KEY is a key, not a secret: a public key belongs in JWT_PUBLIC_KEY'
  const TOGETHER = 'JWT_TENANTS and a JWT_ISSUER with {tenantid} are required together'

  it.for<[name: string, vars: object, reason: string]>([
    ['no keys', { JWT_SECRET_KEY: undefined }, NEITHER],
    ['empty keys', { JWT_SECRET_KEY: '', JWT_PUBLIC_KEY: '', JWT_JWKS_URL: '' }, NEITHER],
    ['no keys, and their issuer', { JWT_SECRET_KEY: '', JWT_ISSUER: 'x' }, NEITHER],
    [
      'a key set and public keys',
      { ...set, ...pem },
      'JWT_PUBLIC_KEY and JWT_JWKS_URL must not both be set',
    ],
    [
      'a secret of 31 bytes',
      { JWT_SECRET_KEY: 'x'.repeat(31) },
      'JWT_SECRET_KEY is under 32 bytes',
    ],
    ['a secret with a newline', { JWT_SECRET_KEY: `${SECRET}\n` }, 'has white space around'],
    ['a public key as the secret', { JWT_SECRET_KEY: PEM.trim() }, PUBLIC],
    [
      'a public key in one line as the secret',
      { JWT_SECRET_KEY: PEM.replaceAll('\n', '') },
      PUBLIC,
    ],
    [
      'a PKCS#1 key as the secret',
      { JWT_SECRET_KEY: '-----BEGIN RSA PUBLIC KEY-----\nMIIBCgKCAQEA' },
      PUBLIC,
    ],
    [
      'a certificate as the secret',
      { JWT_SECRET_KEY: '-----BEGIN CERTIFICATE-----\nMIIBCgKCAQEA' },
      PUBLIC,
    ],
    ['a JWK as the secret', { JWT_SECRET_KEY: '{"kty":"EC","crv":"P-256","x":"AAAA"}' }, PUBLIC],
    [
      'an SSH key as the secret',
      { JWT_SECRET_KEY: 'ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAB' },
      PUBLIC,
    ],
    [
      'a private key as the public one',
      { ...pem, JWT_PUBLIC_KEY: PEM.replaceAll('PUBLIC', 'PRIVATE') },
      'JWT_PUBLIC_KEY, item 1, is a private key',
    ],
    [
      'a second key that is not one',
      { ...pem, JWT_PUBLIC_KEY: `${PEM}-----BEGIN X-----` },
      'JWT_PUBLIC_KEY, item 2, is not a public key',
    ],
    ['a blank issuer', { ...set, JWT_ISSUER: ' ' }, 'JWT_ISSUER has white space around it'],
    ['a blank audience', { ...set, JWT_AUDIENCE: '\t' }, 'JWT_AUDIENCE has white space around it'],
    [
      'a key set URL with a password',
      { ...set, JWT_JWKS_URL: 'https://u:p@id.test/' },
      'without a password',
    ],
    [
      'a key set that is not a URL',
      { ...set, JWT_JWKS_URL: 'id.test' },
      'JWT_JWKS_URL must be an https: URL',
    ],
    [
      'a key set over http',
      { ...set, JWT_JWKS_URL: 'http://id.test' },
      'JWT_JWKS_URL must be an https: URL',
    ],
    [
      'a key set over ftp',
      { ...set, JWT_JWKS_URL: 'ftp://localhost' },
      'JWT_JWKS_URL must be an https: URL',
    ],
    [
      'a wildcard as a key set',
      { ...set, JWT_JWKS_URL: 'https://*.id.test/jwks.json' },
      'JWT_JWKS_URL must be an https: URL',
    ],
    [
      'a key set without an issuer',
      { ...set, JWT_ISSUER: '' },
      'JWT_ISSUER is required with JWT_JWKS_URL',
    ],
    [
      'a key set and clients without an issuer',
      { ...set, JWT_ISSUER: '', JWT_CLIENTS: 'web' },
      'JWT_ISSUER is required with JWT_JWKS_URL',
    ],
    [
      'a key set of one application without an issuer',
      { ...set, JWT_ISSUER: '', JWT_AUDIENCE: '', JWT_NO_AUDIENCE: 'true' },
      'JWT_ISSUER is required with JWT_JWKS_URL',
    ],
    [
      'a secret beside a key set without an issuer',
      { ...set, ...secret, JWT_ISSUER: '', JWT_SECRET_ISSUER: 'x' },
      'JWT_ISSUER is required with JWT_JWKS_URL',
    ],
    ['a key set without an audience', { ...set, JWT_AUDIENCE: '' }, AUDIENCE],
    [
      'a key set that says so, but no audience',
      { ...set, JWT_AUDIENCE: '', JWT_NO_AUDIENCE: 'false' },
      AUDIENCE,
    ],
    [
      'a key set beside a secret without an audience',
      { ...set, ...secret, JWT_AUDIENCE: '', JWT_SECRET_AUDIENCE: 'x' },
      AUDIENCE,
    ],
    [
      'no audience, and one',
      { ...set, JWT_NO_AUDIENCE: 'true' },
      'JWT_NO_AUDIENCE cannot be set with JWT_AUDIENCE or JWT_CLIENTS',
    ],
    [
      'no audience, and clients',
      { ...set, JWT_AUDIENCE: '', JWT_CLIENTS: 'web', JWT_NO_AUDIENCE: 'true' },
      'JWT_NO_AUDIENCE cannot be set with',
    ],
    [
      'no audience of a secret',
      { ...secret, JWT_NO_AUDIENCE: 'true' },
      'JWT_NO_AUDIENCE needs JWT_JWKS_URL',
    ],
    [
      'no audience of public keys',
      { ...pem, JWT_NO_AUDIENCE: 'true' },
      'JWT_NO_AUDIENCE needs JWT_JWKS_URL',
    ],
    [
      'no audience that is not a flag',
      { ...set, JWT_NO_AUDIENCE: 'yes' },
      'JWT_NO_AUDIENCE must be "true" or "false"',
    ],
    ['an empty client', { ...set, JWT_CLIENTS: 'web,' }, 'JWT_CLIENTS, item 2, is not a client id'],
    [
      'a client with a space in it',
      { ...set, JWT_CLIENTS: 'web app' },
      'JWT_CLIENTS, item 1, is not a client id',
    ],
    ['clients as a list', { ...set, JWT_CLIENTS: ['web'] }, 'JWT_CLIENTS must be a string'],
    ['an own issuer of a secret alone', { ...secret, JWT_SECRET_ISSUER: 'x' }, OWN],
    ['an own audience of a secret alone', { ...secret, JWT_SECRET_AUDIENCE: 'x' }, OWN],
    ['an own issuer of no secret', { ...set, JWT_SECRET_ISSUER: 'x' }, OWN],
    ['an own audience of no secret', { ...pem, JWT_SECRET_AUDIENCE: 'x' }, OWN],
    ['an issuer with tenants, but no tenant', { ...tenants, JWT_TENANTS: '' }, TOGETHER],
    ['tenants of an exact issuer', { ...set, JWT_TENANTS: TENANT }, TOGETHER],
    ['tenants of no issuer', { ...pem, JWT_TENANTS: TENANT }, TOGETHER],
    ['an issuer with tenants of a secret', { ...secret, JWT_ISSUER: ENTRA }, TOGETHER],
    [
      'tenants of a secret',
      { ...secret, JWT_ISSUER: ENTRA, JWT_TENANTS: TENANT },
      'JWT_TENANTS needs JWT_JWKS_URL',
    ],
    [
      'two tenants in one issuer',
      { ...tenants, JWT_ISSUER: `${ENTRA}/{tenantid}` },
      'JWT_ISSUER must contain {tenantid} once',
    ],
    [
      'a tenant that is a name',
      { ...tenants, JWT_TENANTS: 'contoso.com' },
      'JWT_TENANTS, item 1, is not the id of a tenant, a GUID',
    ],
    [
      'any tenant',
      { ...tenants, JWT_TENANTS: `${TENANT},common` },
      'JWT_TENANTS, item 2, is not the id',
    ],
    [
      'an empty tenant',
      { ...tenants, JWT_TENANTS: `${TENANT},` },
      'JWT_TENANTS, item 2, is not the id',
    ],
    [
      'a user id that a tenant sets itself',
      { ...tenants, JWT_IDENTITY_CLAIM: 'email' },
      'JWT_IDENTITY_CLAIM must be sub or oid if JWT_TENANTS is set',
    ],
    [
      'teams that a tenant names itself',
      { ...tenants, JWT_TEAM_CLAIM: 'department' },
      'JWT_TEAM_CLAIM must be tid or groups if JWT_TENANTS is set',
    ],
    ['two scopes', { JWT_SCOPE: 'a b' }, 'JWT_SCOPE must be one scope'],
    [
      'a header with a space in it',
      { JWT_HEADER_NAME: 'X Token' },
      'JWT_HEADER_NAME is not a header name',
    ],
    [
      'a header with a colon',
      { JWT_HEADER_NAME: 'X-Token:' },
      'JWT_HEADER_NAME is not a header name',
    ],
    ...[
      'Cookie',
      'Host',
      'Origin',
      'X-Request-Id',
      'CF-Connecting-IP',
      'X-Vault-User',
      'Sec-WebSocket-Protocol',
      'Proxy-Authorization',
      'Content-Type',
      'Access-Control-Request-Headers',
    ].map((name): [string, object, string] => [
      `the header ${name}`,
      { JWT_HEADER_NAME: name },
      'JWT_HEADER_NAME is a header with another purpose',
    ]),
    ...['User-Agent', 'accept', 'X-Stainless-Lang', 'If-Match', 'anthropic-version'].map(
      (name): [string, object, string] => [
        `the header ${name}, which providers get`,
        { JWT_HEADER_NAME: name },
        'JWT_HEADER_NAME is a header that a provider gets',
      ],
    ),
    [
      'a header that a provider of the configuration gets',
      {
        JWT_HEADER_NAME: 'X-Acme-Token',
        PROVIDERS: { acme: acme({ request_headers: ['x-acme-*'] }) },
      },
      'JWT_HEADER_NAME is a header that a provider gets',
    ],
    [
      'a header with a default for a provider',
      {
        JWT_HEADER_NAME: 'X-Acme-Token',
        PROVIDERS: { acme: acme({ headers: { 'x-acme-token': '1' } }) },
      },
      'JWT_HEADER_NAME is a header that a provider gets',
    ],
    [
      'a provider that gets the header of Cloudflare Access',
      { PROVIDERS: { acme: acme({ request_headers: ['cf-access-*'] }) } },
      'would let the credentials or the user id of a caller pass',
    ],
  ])('reports %s with the variable and the fix', ([, vars, expected]) => {
    const told = reason(vars)
    expect(told).toContain(expected)
    expect(told).not.toContain(SECRET)
    expect(told).not.toContain(PEM.split('\n')[1])
  })

  it('reports a secret that is an encryption key', () => {
    const key = someEncryptionKey()
    const told = reason({ ...set, JWT_SECRET_KEY: key, API_KEY_ENCRYPTION_KEY: key })
    expect(told).toBe('JWT_SECRET_KEY is also an encryption key; they must differ')
  })
})

function acme(fields: object) {
  const at = { label: 'Acme', origin: 'https://api.acme.test', header: 'x-acme-key' }
  return { ...at, refusals: [], ...fields }
}

describe('the sources of tokens', () => {
  const keySet = {
    kind: 'key_set',
    url: new URL(set.JWT_JWKS_URL),
    issuer: set.JWT_ISSUER,
    audience: 'vault',
  }
  const [shared, keys] = [
    { kind: 'secret', secret: SECRET },
    { kind: 'public_keys', keys: [expect.any(Uint8Array)] },
  ]
  const own = { JWT_SECRET_ISSUER: 'backend', JWT_SECRET_AUDIENCE: 'app' }

  it.for<[name: string, vars: object, sources: object[]]>([
    ['a secret', secret, [shared]],
    [
      'a secret of 32 bytes in fewer characters',
      { JWT_SECRET_KEY: 'ü'.repeat(16) },
      [{ kind: 'secret' }],
    ],
    [
      'a secret, issuer and audience',
      { ...secret, JWT_ISSUER: 'a', JWT_AUDIENCE: 'b' },
      [{ ...shared, issuer: 'a', audience: 'b' }],
    ],
    [
      'a secret and clients',
      { ...secret, JWT_CLIENTS: 'web,app' },
      [{ ...shared, clients: ['web', 'app'] }],
    ],
    ['a key set', set, [keySet]],
    [
      'a key set on ::1',
      { ...set, JWT_JWKS_URL: 'http://[::1]:9000/jwks.json' },
      [{ kind: 'key_set' }],
    ],
    [
      'a key set on localhost',
      { ...set, JWT_JWKS_URL: 'http://localhost:9000/' },
      [{ kind: 'key_set' }],
    ],
    [
      'a key set and clients',
      { ...set, JWT_AUDIENCE: '', JWT_CLIENTS: 'web' },
      [{ ...keySet, audience: undefined, clients: ['web'] }],
    ],
    [
      'a key set and no audience',
      { ...set, JWT_AUDIENCE: '', JWT_NO_AUDIENCE: 'true' },
      [{ ...keySet, audience: undefined, clients: undefined }],
    ],
    ['a key set with an audience, as it says', { ...set, JWT_NO_AUDIENCE: 'false' }, [keySet]],
    ['tenants', tenants, [{ issuer: ENTRA, tenants: [TENANT] }]],
    [
      'tenants in upper case',
      { ...tenants, JWT_TENANTS: TENANT.toUpperCase(), JWT_IDENTITY_CLAIM: 'oid' },
      [{ tenants: [TENANT] }],
    ],
    ['tenants as teams', { ...tenants, JWT_TEAM_CLAIM: 'tid' }, [{ tenants: [TENANT] }]],
    ['groups of tenants as teams', { ...tenants, JWT_TEAM_CLAIM: 'groups' }, [{}]],
    ['public keys', pem, [keys]],
    [
      'public keys, issuer and audience',
      { ...pem, JWT_ISSUER: 'a', JWT_AUDIENCE: 'b' },
      [{ ...keys, issuer: 'a', audience: 'b' }],
    ],
    [
      'a secret and a key set',
      { ...set, ...secret },
      [keySet, { ...shared, issuer: undefined, audience: undefined }],
    ],
    [
      'a secret and a key set, each bound',
      { ...set, ...secret, ...own, JWT_CLIENTS: 'web' },
      [
        { ...keySet, clients: ['web'] },
        { ...shared, issuer: 'backend', audience: 'app' },
      ],
    ],
    [
      'a secret and public keys',
      { ...pem, ...secret, ...own, JWT_ISSUER: 'a' },
      [
        { ...keys, issuer: 'a' },
        { ...shared, issuer: 'backend', audience: 'app' },
      ],
    ],
  ])('reads the sources of %s', ([, vars, sources]) => {
    const { tokenSources } = read(vars)
    expect(tokenSources).toMatchObject(sources)
    expect(tokenSources).toHaveLength(sources.length)
  })

  it.for<[name: string, header: string | null]>([
    ['', null],
    ['Authorization', null],
    ['authorization', null],
    ['Cf-Access-Jwt-Assertion', 'Cf-Access-Jwt-Assertion'],
    ['X-Goog-IAP-JWT-Assertion', 'X-Goog-IAP-JWT-Assertion'],
  ])('JWT_HEADER_NAME %j names the header %j', ([name, header]) => {
    expect(read({ ...secret, JWT_HEADER_NAME: name }).tokenHeader).toBe(header)
  })
})
