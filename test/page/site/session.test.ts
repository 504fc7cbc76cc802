import { ORIGIN } from './tab.ts'
import * as oauth from 'oauth4webapi'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { discover } from '../../../src/page/site/identity-provider.ts'
import { openGivenSession, openSession } from '../../../src/page/site/session.ts'
import {
  CONFIG,
  issueTokens,
  METADATA,
  NONCE,
  signIdToken,
  signToken,
  standForProvider,
} from './login.ts'

const INVALID_LINK = 'This link is not valid. Open a new one.'
const UNUSABLE = 'This page cannot use your sign-in. Contact support.'
const NOT_JWT =
  'The access token is not a JWT. Set OIDC_AUDIENCE or OIDC_SCOPE so that the provider issues a JWT.'
const NO_SUB = 'The access token has no sub.'

afterEach(() => {
  vi.useRealTimers()
})

describe('the session of a link', () => {
  it('the session of a link is of the user whom its token names, and cannot be renewed', async () => {
    const token = await signToken({ sub: 'frank' })
    const { userId, name, getToken, signOutUrl } = openGivenSession(token)
    expect([userId, name, signOutUrl]).toEqual(['frank', 'frank', null])
    expect(getToken({ refresh: false })).toBe(token)
    expect(() => getToken({ refresh: true })).toThrow('This token cannot be renewed')
  })

  it.for([
    ['garbage', 'The token of this link is not a JWT.'],
    ['', 'The token of this link is not a JWT.'],
    ['eyJhbGciOiJIUzI1NiJ9.e30.AAAA', NO_SUB],
  ] as const)('no session is opened by a link with the token "%s": %s', ([token, detail]) => {
    const refusal = expect.objectContaining({ message: INVALID_LINK, detail })
    expect(() => openGivenSession(token)).toThrow(refusal)
  })
})

/** Signs in with these tokens. `renewals` are what the provider answers later. */
async function openWith(fields: object = {}, renewals: object[] = [], metadata: object = METADATA) {
  const { grants } = standForProvider(renewals, () => metadata)
  const provider = await discover(CONFIG)
  const { server, client } = provider
  const tokens = await oauth.processAuthorizationCodeResponse(
    server,
    client,
    Response.json(await issueTokens(fields)),
    { expectedNonce: NONCE },
  )
  const session = openSession(provider, tokens)
  const renew = async () => session.getToken({ refresh: true })
  const get = async () => session.getToken({ refresh: false })
  return { session, tokens, grants, renew, get }
}

/** What the provider answers to a refresh token. */
async function renewal(fields: object = {}, sub = 'alice') {
  const access_token = await signToken({ sub, jti: crypto.randomUUID() })
  return { access_token, token_type: 'bearer', expires_in: 600, ...fields }
}

describe('the user of a session', () => {
  it('the user of a session is the one of the access token, not of the ID token', async () => {
    const { session } = await openWith({ id_token: await signIdToken({ sub: 'other' }) })
    expect(session.userId).toBe('alice')
  })

  it.for<[shown: string, claims: Record<string, unknown>]>([
    ['Alice', { name: 'Alice', preferred_username: 'al', email: 'a@test' }],
    ['al', { preferred_username: 'al', email: 'a@test' }],
    ['a@test', { name: 7, email: 'a@test' }],
    ['alice', {}],
  ])('a user is shown as %s after an ID token with %j', async ([shown, claims]) => {
    const { session } = await openWith({ id_token: await signIdToken(claims) })
    expect(session.name).toBe(shown)
  })

  it.for([
    ['opaque', 'opaque', NOT_JWT],
    ['no user’s', 'eyJhbGciOiJIUzI1NiJ9.e30.AAAA', NO_SUB],
  ] as const)('refuses an access token that is %s', async ([, access_token, detail]) => {
    await expect(openWith({ access_token })).rejects.toMatchObject({ message: UNUSABLE, detail })
  })
})

describe('getToken', () => {
  const refresh_token = 'refresh-1'

  it('gives the same token until 30 s before it expires, then a new one', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const renewed = await renewal()
    const { tokens, grants, get } = await openWith({ refresh_token, expires_in: 60 }, [renewed])
    vi.setSystemTime(Date.now() + 29_999)
    expect(await get()).toBe(tokens.access_token)
    expect(grants).toEqual([])
    vi.setSystemTime(Date.now() + 1)
    expect(await get()).toBe(renewed.access_token)
    expect(await get()).toBe(renewed.access_token)
    expect(grants).toEqual([{ grant_type: 'refresh_token', refresh_token, client_id: 'page-1' }])
  })

  it('asks for a new token when the service did not accept the last one', async () => {
    const renewed = await renewal()
    const { renew } = await openWith({ refresh_token }, [renewed])
    expect(await renew()).toBe(renewed.access_token)
  })

  it('asks once for several callers', async () => {
    const renewed = await renewal()
    const { grants, renew } = await openWith({ refresh_token }, [renewed])
    expect(await Promise.all([renew(), renew()])).toEqual([
      renewed.access_token,
      renewed.access_token,
    ])
    expect(grants).toHaveLength(1)
  })

  it('uses a rotated refresh token, and keeps one that is not rotated', async () => {
    const renewals = [
      await renewal({ refresh_token: 'refresh-2' }),
      await renewal(),
      await renewal(),
    ]
    const { grants, renew } = await openWith({ refresh_token }, renewals)
    for (let round = 0; round < 3; round += 1) {
      // oxlint-disable-next-line no-await-in-loop -- each renewal uses what the one before left
      await renew()
    }
    const used = grants.map((grant) => grant['refresh_token'])
    expect(used).toEqual(['refresh-1', 'refresh-2', 'refresh-2'])
  })

  it('keeps a token without an expiry until the service does not accept it', async () => {
    const renewed = await renewal()
    const fields = { refresh_token, expires_in: undefined }
    const { tokens, get, renew } = await openWith(fields, [renewed])
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 1e12 })
    expect(await get()).toBe(tokens.access_token)
    expect(await renew()).toBe(renewed.access_token)
  })

  it('gives an expired token if there is no refresh token, and then ends', async () => {
    const { tokens, get, renew } = await openWith({ expires_in: 1 })
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_600_000 })
    expect(await get()).toBe(tokens.access_token)
    await expect(renew()).rejects.toThrow('The provider gave no refresh token')
  })

  it('refuses a renewed token of a different user, and keeps the last one', async () => {
    const stolen = await renewal({}, 'mallory')
    const { tokens, get, renew } = await openWith({ refresh_token }, [stolen])
    await expect(renew()).rejects.toThrow('The renewed token belongs to a different user')
    expect(await get()).toBe(tokens.access_token)
  })

  it('can renew a token after a renewal that failed', async () => {
    const renewed = await renewal()
    const refusal = Response.json({ error: 'temporarily_unavailable' }, { status: 400 })
    const { renew } = await openWith({ refresh_token }, [refusal, renewed])
    await expect(renew()).rejects.toThrow(oauth.ResponseBodyError)
    expect(await renew()).toBe(renewed.access_token)
  })
})

describe('signing out at the provider', () => {
  it('the sign-out URL names the page, the ID token and where to return', async () => {
    const { session, tokens } = await openWith()
    const url = session.signOutUrl
    expect(`${url?.origin}${url?.pathname}`).toBe('https://login.test/logout')
    expect(Object.fromEntries(url?.searchParams ?? [])).toEqual({
      tenant: '1',
      client_id: 'page-1',
      id_token_hint: tokens.id_token,
      post_logout_redirect_uri: `${ORIGIN}/`,
      // Amazon Cognito asks for it.
      logout_uri: `${ORIGIN}/`,
    })
  })

  it('the sign-out URL may be on another host than the issuer', async () => {
    const end_session_endpoint = 'https://pool.auth.test/logout'
    const { session } = await openWith({}, [], { ...METADATA, end_session_endpoint })
    expect(session.signOutUrl?.href.startsWith(`${end_session_endpoint}?`)).toBe(true)
  })

  it.for([undefined, 'http://login.test/logout', 'javascript:alert(1)', '/logout'])(
    'nobody is signed out at a provider without a secure URL for it: %s',
    async (end_session_endpoint) => {
      const { session } = await openWith({}, [], { ...METADATA, end_session_endpoint })
      expect(session.signOutUrl).toBeNull()
    },
  )
})
