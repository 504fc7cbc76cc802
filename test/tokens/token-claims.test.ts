/** The claims of access tokens as issuers write them, after their documentation, and of their other tokens. */

import { beforeEach, describe, expect, it } from 'vitest'
import { inSeconds } from '../../scripts/lib/token.ts'
import {
  clientOf,
  nameFault,
  nameKindFault,
  rightsOf,
  scopesOf,
} from '../../src/tokens/token-claims.ts'
import { SECRET } from './signed-tokens.ts'
import { signingKey } from './signing-keys.ts'
import { answerOf, byKey, bySecret, KEY_SET_URL, serveKeySet, vaultOf } from './token-sources.ts'

const [ES, RS] = [await signingKey('ES256', 'es'), await signingKey('RS256', 'rs')]

beforeEach(() => serveKeySet([ES.jwk, RS.jwk]))

const TENANT = '8eaef023-2b34-4da1-9baa-8bc8c9d6a490'
const OTHER_TENANT = '82229342-1101-4ab6-817b-70c0747630f3'
const STRANGER = '9188040d-6c67-4c5b-b112-36a304b66dad'

const set = (JWT_ISSUER: string, others: Partial<Env> = {}) => ({
  JWT_JWKS_URL: KEY_SET_URL,
  JWT_ISSUER,
  ...others,
})
const USER = 'user-1'
const jane = (client: string | null) => ({ userId: USER, client })

const COGNITO = 'https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_abc'
const cognito = set(COGNITO, { JWT_CLIENTS: '1example23456789' })
const cognitoAccess = {
  iss: COGNITO,
  client_id: '1example23456789',
  origin_jti: 'o',
  event_id: 'e',
  token_use: 'access',
  scope: 'aws.cognito.signin.user.admin openid',
  auth_time: 1,
  version: 2,
  username: 'jane',
}
const OKTA = 'https://example.okta.com/oauth2/default'
const okta = { ver: 1, iss: OKTA, aud: 'api://default', cid: '0oabc', uid: '00u', scp: ['openid'] }
const AUTH0 = 'https://tenant.auth0.com/'
const auth0 = {
  iss: AUTH0,
  aud: ['https://vault.test', `${AUTH0}userinfo`],
  azp: 'spa',
  scope: 'openid profile',
  permissions: ['keys:write'],
}
const entra = {
  JWT_TENANTS: `${TENANT}, ${OTHER_TENANT.toUpperCase()}`,
  JWT_AUDIENCE: 'api-guid',
  JWT_IDENTITY_CLAIM: 'oid',
}
const V2 = 'https://login.microsoftonline.com/{tenantid}/v2.0'
const V1 = 'https://sts.windows.net/{tenantid}/'
const entraV2 = (tid: string, iss = V2.replace('{tenantid}', tid)) => ({
  aud: 'api-guid',
  iss,
  tid,
  oid: USER,
  azp: 'spa-guid',
  azpacr: '0',
  scp: 'keys',
  ver: '2.0',
})
const SUPABASE = 'https://project.supabase.co/auth/v1'
const supabase = {
  iss: SUPABASE,
  aud: 'authenticated',
  role: 'authenticated',
  aal: 'aal1',
  amr: [{ method: 'password', timestamp: 1 }],
  session_id: 's',
  is_anonymous: false,
  app_metadata: { provider: 'email' },
}
const supabaseBoth = {
  JWT_SECRET_KEY: SECRET,
  ...set(SUPABASE, { JWT_AUDIENCE: 'authenticated' }),
  JWT_SECRET_ISSUER: SUPABASE,
  JWT_SECRET_AUDIENCE: 'authenticated',
}
const WORKOS = 'https://api.workos.com/user_management/client_1'
const workos = {
  iss: WORKOS,
  org_id: 'org_1',
  role: 'member',
  permissions: ['posts:read'],
  sid: 'session_1',
}
const ACCESS = 'https://team.cloudflareaccess.com'
const access = {
  aud: ['32eafc7626e974616deaf0dc3ce63d7b'],
  email: 'jane@example.com',
  iss: ACCESS,
  type: 'app',
  identity_nonce: '6ei69kawdKzMIAPF',
  country: 'US',
}
const accessVars = set(ACCESS, { JWT_AUDIENCE: access.aud[0] ?? '' })
const KEYCLOAK = 'https://id.test/realms/main'
const keycloak = {
  iss: KEYCLOAK,
  aud: ['vault', 'account'],
  typ: 'Bearer',
  azp: 'web',
  acr: '1',
  scope: 'openid email',
  realm_access: { roles: ['user'] },
}
const GOOGLE = 'https://accounts.google.com'
const google = { iss: GOOGLE, azp: 'web', aud: 'web', email: 'jane@example.com' }
const FIREBASE = 'https://securetoken.google.com/project'
const firebase = { iss: FIREBASE, aud: 'project', auth_time: 1, user_id: USER, firebase: {} }
const CLERK = 'https://clerk.example.com'
const IAP = { iss: 'https://cloud.google.com/iap', aud: '/projects/1/global/backendServices/2' }

const NO_AUDIENCE = 'It has an "aud", but this service has no JWT_AUDIENCE to compare it with.'
const UNLISTED = 'Its client is not one that JWT_CLIENTS lists.'
const ALG = 'Its "alg" is not one that this service accepts.'
const noAudience = (issuer: string) => set(issuer, { JWT_NO_AUDIENCE: 'true' })

const byEs = byKey(ES)
const byRs = byKey(RS)
const bySet = { es: byEs, rs: byRs, 'at+jwt': byKey(RS, { typ: 'at+jwt' }) }

type Row = [
  name: string,
  vars: Partial<Env>,
  claims: object,
  answer: unknown,
  by?: keyof typeof bySet,
]

describe('the tokens of issuers', () => {
  it.for<Row>([
    ['an access token of Cognito', cognito, cognitoAccess, jane('1example23456789')],
    [
      'a Cognito access token of another client',
      cognito,
      { ...cognitoAccess, client_id: 'x' },
      UNLISTED,
    ],
    [
      'a Cognito access token for a resource',
      cognito,
      { ...cognitoAccess, aud: 'api' },
      NO_AUDIENCE,
    ],
    [
      'a Cognito access token of another pool',
      cognito,
      { ...cognitoAccess, iss: `${COGNITO}d` },
      'Its "iss" is not the issuer that this service trusts.',
    ],
    [
      'an ID token of Cognito',
      cognito,
      { iss: COGNITO, aud: '1example23456789', token_use: 'id', at_hash: 'x' },
      NO_AUDIENCE,
    ],
    [
      'an ID token of Cognito, without its aud',
      cognito,
      { ...cognitoAccess, token_use: 'id' },
      'Its "token_use" is not "access": send the access token, not an ID or refresh token.',
    ],
    ['an access token of Okta', set(OKTA, { JWT_AUDIENCE: 'api://default' }), okta, jane('0oabc')],
    [
      'an access token of Okta, for a listed client',
      set(OKTA, { JWT_AUDIENCE: 'api://default', JWT_CLIENTS: '0oabc' }),
      okta,
      jane('0oabc'),
    ],
    [
      'an access token of Okta, for a client that is not listed',
      set(OKTA, { JWT_AUDIENCE: 'api://default', JWT_CLIENTS: '0oxyz' }),
      okta,
      UNLISTED,
    ],
    [
      'an ID token of Okta',
      set(OKTA, { JWT_AUDIENCE: '0oabc' }),
      { ...okta, aud: '0oabc', cid: undefined, scp: undefined, at_hash: 'x' },
      'It has "at_hash", so it is an ID token: send the access token.',
    ],
    [
      'an access token of Auth0',
      set(AUTH0, { JWT_AUDIENCE: 'https://vault.test' }),
      auth0,
      jane('spa'),
    ],
    [
      'an access token of Auth0, by its permission',
      set(AUTH0, { JWT_AUDIENCE: 'https://vault.test', JWT_SCOPE: 'keys:write' }),
      { ...auth0, scope: undefined },
      jane('spa'),
      'at+jwt',
    ],
    [
      'an ID token of Auth0',
      set(AUTH0, { JWT_AUDIENCE: 'https://vault.test' }),
      { iss: AUTH0, aud: 'spa', sid: 's', nonce: 'n' },
      'Its "aud" does not name this service.',
    ],
    [
      'an ID token with permissions, where its audience is the page’s client',
      set(AUTH0, { JWT_AUDIENCE: 'spa', OIDC_CLIENT_ID: 'spa', OIDC_ISSUER: AUTH0 }),
      { iss: AUTH0, aud: 'spa', permissions: ['keys:write'] },
      'It has no scope, so it is an ID token: send the access token.',
    ],
    ['an Entra token of the first tenant', set(V2, entra), entraV2(TENANT), jane('spa-guid')],
    [
      'an Entra token of the second tenant',
      set(V2, entra),
      entraV2(OTHER_TENANT),
      jane('spa-guid'),
    ],
    [
      'an Entra token of version 1',
      set(V1, entra),
      {
        ...entraV2(TENANT, V1.replace('{tenantid}', TENANT)),
        azp: undefined,
        appid: 'spa-guid',
        ver: '1.0',
      },
      jane('spa-guid'),
    ],
    [
      'an Entra token of a tenant that is not listed',
      set(V2, entra),
      entraV2(STRANGER),
      'Its "tid" is not a tenant that this service trusts.',
    ],
    [
      'an Entra token whose issuer is another listed tenant',
      set(V2, entra),
      entraV2(TENANT, V2.replace('{tenantid}', OTHER_TENANT)),
      'Its "iss" is not the issuer of its "tid".',
    ],
    [
      'an Entra token whose issuer is the template',
      set(V2, entra),
      entraV2(TENANT, V2),
      'Its "iss" is not the issuer of its "tid".',
    ],
    [
      'an Entra token whose tid is the template',
      set(V2, entra),
      entraV2('{tenantid}', V2),
      'Its "tid" is not a tenant that this service trusts.',
    ],
    [
      'an Entra token whose tid is in upper case',
      set(V2, entra),
      entraV2(TENANT.toUpperCase()),
      'Its "tid" is not a tenant that this service trusts.',
    ],
    [
      'an Entra token without tid',
      set(V2, entra),
      { ...entraV2(TENANT), tid: undefined },
      'Its "tid" is not a tenant that this service trusts.',
    ],
    [
      'an Entra token whose tid is a list',
      set(V2, entra),
      { ...entraV2(TENANT), tid: [TENANT] },
      'Its "tid" is not a tenant that this service trusts.',
    ],
    [
      'an Entra token of version 1, where version 2 is trusted',
      set(V2, entra),
      entraV2(TENANT, V1.replace('{tenantid}', TENANT)),
      'Its "iss" is not the issuer of its "tid".',
    ],
    [
      'an Entra token with two clients',
      set(V2, entra),
      { ...entraV2(TENANT), appid: 'other-guid' },
      'Its "azp" and its "appid" name different clients.',
    ],
    ['a Supabase token signed with ES256', supabaseBoth, supabase, jane(null), 'es'],
    [
      'the key for browsers of a Supabase project',
      supabaseBoth,
      { iss: SUPABASE, ref: 'project', role: 'anon', sub: undefined, aud: 'authenticated' },
      'Its "sub" is missing.',
      'es',
    ],
    ['a session token of WorkOS', noAudience(WORKOS), workos, jane(null)],
    [
      'a session token of WorkOS of another application',
      noAudience(WORKOS),
      { ...workos, iss: 'https://api.workos.com/user_management/client_2' },
      'Its "iss" is not the issuer that this service trusts.',
    ],
    [
      'a token with an aud that no setting names',
      noAudience(WORKOS),
      { ...workos, aud: 'x' },
      NO_AUDIENCE,
    ],
    [
      'a session token of Clerk',
      noAudience(CLERK),
      { iss: CLERK, azp: 'https://app.test', sid: 's' },
      jane('https://app.test'),
    ],
    [
      'a session token of Clerk, of a listed page',
      set(CLERK, { JWT_CLIENTS: 'https://app.test' }),
      { iss: CLERK, azp: 'https://app.test' },
      jane('https://app.test'),
    ],
    ['an application token of Cloudflare Access', accessVars, access, jane(null)],
    [
      'a service token of Cloudflare Access',
      accessVars,
      { ...access, sub: '', common_name: 'x.access' },
      'Its "sub" is empty.',
    ],
    [
      'an organization token of Cloudflare Access',
      accessVars,
      { ...access, type: 'org' },
      'Its "type" is not "access": send the access token, not an ID or refresh token.',
    ],
    [
      'an Access token of another application',
      accessVars,
      { ...access, aud: ['other'] },
      'Its "aud" does not name this service.',
    ],
    [
      'an access token of Keycloak',
      set(KEYCLOAK, { JWT_AUDIENCE: 'vault' }),
      keycloak,
      jane('web'),
    ],
    [
      'an ID token of Keycloak',
      set(KEYCLOAK, { JWT_AUDIENCE: 'web' }),
      { ...keycloak, aud: 'web', typ: 'ID' },
      'Its "typ" is not "Bearer": send the access token, not an ID or refresh token.',
    ],
    [
      'a refresh token of Keycloak without an aud',
      set(KEYCLOAK, { JWT_CLIENTS: 'web' }),
      { ...keycloak, aud: undefined, typ: 'Refresh' },
      'Its "typ" is not "Bearer": send the access token, not an ID or refresh token.',
    ],
    [
      'an ID token of Google',
      set(GOOGLE, { JWT_AUDIENCE: 'web' }),
      { ...google, at_hash: 'x' },
      'It has "at_hash", so it is an ID token: send the access token.',
    ],
    [
      'an ID token of Google, for a listed client',
      set(GOOGLE, { JWT_CLIENTS: 'web' }),
      google,
      NO_AUDIENCE,
    ],
    ['a token of Firebase', set(FIREBASE, { JWT_AUDIENCE: 'project' }), firebase, jane(null)],
    ['a token of Google’s IAP', set(IAP.iss, { JWT_AUDIENCE: IAP.aud }), IAP, jane(null), 'es'],
  ])('reads %s', async ([, vars, claims, answer, by = 'rs']) => {
    const token = await bySet[by]({ sub: USER, exp: inSeconds(600), ...claims })
    expect(await answerOf(vaultOf(vars), token)).toEqual(answer)
  })

  it.for<[name: string, vars: Partial<Env>, claims: object, answer: unknown]>([
    ['a Supabase token', supabaseBoth, supabase, jane(null)],
    [
      'a Supabase token of another project',
      supabaseBoth,
      { ...supabase, iss: 'https://other.supabase.co/auth/v1' },
      'Its "iss" is not the issuer that this service trusts.',
    ],
    [
      'a Supabase token with another aud',
      supabaseBoth,
      { ...supabase, aud: 'anon' },
      'Its "aud" does not name this service.',
    ],
    [
      'a token of flask-jwt-extended',
      { JWT_SECRET_KEY: SECRET, ...cognito },
      { type: 'access', fresh: false, jti: 'id', csrf: 'x' },
      jane(null),
    ],
    [
      'a refresh token of flask-jwt-extended',
      { JWT_SECRET_KEY: SECRET, ...cognito },
      { type: 'refresh', jti: 'id' },
      'Its "type" is not "access": send the access token, not an ID or refresh token.',
    ],
    [
      'a token with the type of Cloudflare Access',
      { JWT_SECRET_KEY: SECRET, JWT_AUDIENCE: 'vault' },
      { type: 'app', aud: 'vault' },
      'Its "type" is not "access": send the access token, not an ID or refresh token.',
    ],
    ['a token of the secret that is gone', cognito, {}, ALG],
  ])('reads %s that the secret signed', async ([, vars, claims, answer]) => {
    const token = await bySecret(SECRET)({ sub: USER, exp: inSeconds(600), ...claims })
    expect(await answerOf(vaultOf(vars), token)).toEqual(answer)
  })
})

describe('a key that names its tenant', () => {
  const own = 'https://login.microsoftonline.com/'

  it.for<[name: string, issuer: unknown, isAccepted: boolean]>([
    ['no issuer', undefined, true],
    ['the template', V2, true],
    ['the token’s tenant', `${own}${TENANT}/v2.0`, true],
    ['the token’s tenant, in another version', `https://sts.windows.net/${TENANT}/`, true],
    ['another tenant that is listed', `${own}${OTHER_TENANT}/v2.0`, false],
    ['the tenant of personal accounts', `${own}${STRANGER}/v2.0`, false],
    ['an empty text', '', false],
    ['a part of the tenant', `${own}${TENANT.slice(1)}/v2.0`, false],
    ['the tenant in a query', `${own}${OTHER_TENANT}/v2.0?${TENANT}`, false],
    ['a list', [`${own}${TENANT}/v2.0`], false],
    ['null', null, false],
  ])(
    'a key whose issuer is %s verifies only tokens of that tenant',
    async ([, issuer, isAccepted]) => {
      serveKeySet([{ ...RS.jwk, issuer }])
      const token = await byRs({ exp: inSeconds(600), ...entraV2(TENANT) })
      const answer = await answerOf(vaultOf(set(V2, entra)), token)
      const refused = 'Its "kid" and "alg" match no key of the identity provider.'
      expect(answer).toEqual(isAccepted ? jane('spa-guid') : refused)
    },
  )

  it('a key with an issuer verifies tokens as before if there are no tenants', async () => {
    serveKeySet([{ ...RS.jwk, issuer: `${own}${STRANGER}/v2.0` }])
    const token = await byRs({ exp: inSeconds(600), ...entraV2(TENANT) })
    const vars = set(V2.replace('{tenantid}', TENANT), {
      JWT_AUDIENCE: 'api-guid',
      JWT_IDENTITY_CLAIM: 'oid',
    })
    expect(await answerOf(vaultOf(vars), token)).toEqual(jane('spa-guid'))
  })
})

it.for<[claims: object, fault: string]>([
  [{ client_id: 'a', azp: 'b' }, 'Its "client_id" and its "azp" name different clients.'],
  [{ client_id: 'a', azp: 'a', cid: 'b' }, 'Its "client_id" and its "cid" name different clients.'],
  [{ azp: 'a', appid: 7 }, 'Its "azp" and its "appid" name different clients.'],
  [{ client_id: '', azp: 'a' }, 'Its "client_id" and its "azp" name different clients.'],
  [{ client_id: ['a'], azp: ['a'] }, 'Its "client_id" and its "azp" name different clients.'],
])('refuses a token whose clients are %j', ([claims, fault]) => {
  const verified = { payload: { sub: 'jane', ...claims }, protectedHeader: { alg: 'HS256' } }
  const rules = { identityClaim: 'sub', scope: null, pageClient: null, servers: null, teams: null }
  expect(nameFault(verified, { kind: 'secret', secret: SECRET }, rules)).toBe(fault)
})

it('refuses an ID token for the page, although a server’s client got it, and it has permissions', async () => {
  const page = { OIDC_ISSUER: AUTH0, OIDC_CLIENT_ID: 'spa', JWT_AUDIENCE: 'spa' }
  const servers = { MANAGE_CLIENTS: 'flask-app', MANAGE_SCOPE: 'vault' }
  const vault = vaultOf(set(AUTH0, { ...page, ...servers }))
  const claims = { sub: USER, exp: inSeconds(600), iss: AUTH0, aud: 'spa', azp: 'flask-app' }
  const rights = { permissions: ['vault:support'] }
  const refused = 'It has no scope, so it is an ID token: send the access token.'
  expect(await answerOf(vault, await byKey(ES)({ ...claims, ...rights }))).toBe(refused)
  const accessToken = await byKey(ES)({ ...claims, ...rights, scope: 'openid' })
  expect(await answerOf(vault, accessToken)).toEqual(jane('flask-app'))
})

it('names no client that is not safe in a log line', () => {
  expect(clientOf({ cid: 'a\nb' })).toBeNull()
  expect(clientOf({ appid: 'a' })).toBe('a')
})

const HEADER = { alg: 'HS256' }
const OTHER_KIND = ': send the access token, not an ID or refresh token.'
const SEND_ACCESS = ': send the access token.'

describe('the claims that name a kind', () => {
  it.for([
    {},
    { type: 'access' },
    { typ: 'Bearer' },
    { token_use: 'access' },
    { token_type: 'access' },
    { token_type: 'Bearer' },
    { token_type: 'bearer' },
  ])('takes a token with the claims %j for an access token', (claims) => {
    expect(nameKindFault(HEADER, claims)).toBeNull()
  })

  it.for<[claims: object, fault: string]>([
    [{ type: 'Access' }, `Its "type" is not "access"${OTHER_KIND}`],
    [{ type: 'refresh' }, `Its "type" is not "access"${OTHER_KIND}`],
    [{ type: null }, `Its "type" is not "access"${OTHER_KIND}`],
    [{ typ: 'access' }, `Its "typ" is not "Bearer"${OTHER_KIND}`],
    [{ typ: 'ID' }, `Its "typ" is not "Bearer"${OTHER_KIND}`],
    [{ typ: 'Refresh' }, `Its "typ" is not "Bearer"${OTHER_KIND}`],
    [{ typ: 'Offline' }, `Its "typ" is not "Bearer"${OTHER_KIND}`],
    [{ typ: 'Logout' }, `Its "typ" is not "Bearer"${OTHER_KIND}`],
    [{ token_use: 'id' }, `Its "token_use" is not "access"${OTHER_KIND}`],
    [{ token_type: 'BEARER' }, `Its "token_type" is not "access"${OTHER_KIND}`],
    [{ token_type: 'refresh' }, `Its "token_type" is not "access"${OTHER_KIND}`],
    [{ at_hash: 'x' }, `It has "at_hash", so it is an ID token${SEND_ACCESS}`],
    [{ c_hash: 'x' }, `It has "c_hash", so it is an ID token${SEND_ACCESS}`],
    [{ s_hash: 'x' }, `It has "s_hash", so it is an ID token${SEND_ACCESS}`],
    [{ events: {} }, `It has "events", so it is a logout token or a security event${SEND_ACCESS}`],
    [{ code: 'x', state: 'y' }, `It has "code", so it is an authorization response${SEND_ACCESS}`],
    [
      { access_token: 'x' },
      `It has "access_token", so it is an authorization response${SEND_ACCESS}`,
    ],
    [{ id_token: 'x' }, `It has "id_token", so it is an authorization response${SEND_ACCESS}`],
    [
      { token_introspection: {} },
      `It has "token_introspection", so it is an introspection response${SEND_ACCESS}`,
    ],
    ...[null, { jkt: 'x' }, { 'x5t#S256': 'x' }].map((cnf): [object, string] => [
      { cnf },
      'It is bound to a key ("cnf"): this service only accepts tokens that are not bound to one.',
    ]),
  ])('refuses a token with the claims %j', ([claims, fault]) => {
    expect(nameKindFault(HEADER, { ...claims })).toBe(fault)
  })
})

describe('the application tokens of Cloudflare Access', () => {
  it('takes type app for an access token only if issuer and audience were compared', () => {
    expect(nameKindFault(HEADER, { type: 'app' }, true)).toBeNull()
    expect(nameKindFault(HEADER, { type: 'app' })).toBe(`Its "type" is not "access"${OTHER_KIND}`)
  })

  it.for<object>([
    { type: 'org' },
    { type: 'App' },
    { type: ['app'] },
    { type: 'refresh' },
    { typ: 'app' },
    { token_use: 'app' },
    { token_type: 'app' },
    { type: 'app', at_hash: 'x' },
    { type: 'app', events: {} },
    { type: 'app', cnf: {} },
  ])('refuses %j even then', (claims) => {
    expect(nameKindFault(HEADER, { ...claims }, true)).not.toBeNull()
  })
})

describe('the typ of the header', () => {
  it.for(['JWT', 'jwt', 'at+jwt', 'AT+JWT', 'Application/JWT', 'application/at+jwt', undefined])(
    'takes a token with the header typ %j for an access token',
    (typ) => {
      expect(nameKindFault({ ...HEADER, ...(typ !== undefined && { typ }) }, {})).toBeNull()
    },
  )

  it.for<[typ: unknown]>([
    ['logout+jwt'],
    ['application/secevent+jwt'],
    ['dpop+jwt'],
    ['oauth-authz-req+jwt'],
    ['token-introspection+jwt'],
    ['id_token'],
    ['jwt/application/'],
    ['xjwt'],
    [''],
    [null],
    [['at+jwt']],
  ])('refuses a token with the header typ %j', ([typ]) => {
    const header = JSON.parse(JSON.stringify({ ...HEADER, typ }))
    expect(nameKindFault(header, {})).toBe(
      'The "typ" of its header must be that of an access token: JWT or at+jwt.',
    )
  })
})

it.for<[claims: object, scopes: string[]]>([
  [{}, []],
  [{ scope: 'a b' }, ['a', 'b']],
  [{ scope: ['a'] }, ['a']],
  [{ scp: 'a' }, ['a']],
  [{ scp: ['a', 'b'] }, ['a', 'b']],
  [{ scope: 'a', scp: ['b c'] }, ['a', 'b', 'c']],
  [{ scope: { a: true }, scp: [1, null, 'b'] }, ['b']],
  [{ scopes: 'a', roles: ['b'] }, []],
])('reads the scopes of %j', ([claims, scopes]) => {
  expect(scopesOf({ ...claims })).toEqual(scopes)
})

it.for<[claims: object, rights: string[]]>([
  [{ permissions: ['a', 'b'] }, ['a', 'b']],
  [{ scope: 'a b', scp: 'c', permissions: ['d'] }, ['a', 'b', 'c', 'd']],
  [{ permissions: 'a b' }, []],
  [{ permissions: ['a b'] }, ['a b']],
  [{ permissions: [['a'], { b: 1 }, 1, null] }, []],
  [{ permissions: { a: true } }, []],
  [{ permissions: null }, []],
])('reads the rights of %j', ([claims, rights]) => {
  expect(rightsOf({ ...claims })).toEqual(rights)
})
