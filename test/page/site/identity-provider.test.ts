import { ORIGIN } from './tab.ts'
import * as oauth from 'oauth4webapi'
import { describe, expect, it } from 'vitest'
import {
  discover,
  explain,
  RETURN_URI,
  SignInError,
} from '../../../src/page/site/identity-provider.ts'
import { CONFIG, ISSUER, METADATA, standForProvider } from './login.ts'

const UNREACHABLE = 'We can’t reach login.test. Check your connection, then try again.'
const UNSAFE = 'login.test does not offer a secure sign-in. Contact support.'
const REFUSED = 'login.test did not sign you in. Try again, or contact support.'
const INVALID = 'The answer of login.test is not valid. Try again, or contact support.'

it('the provider sends a user back to the origin of the page', () => {
  expect(RETURN_URI).toBe(`${ORIGIN}/`)
})

describe('discover', () => {
  it("fetches the provider's metadata, and names this page as its client", async () => {
    const { urls } = standForProvider()
    const { server, client } = await discover(CONFIG)
    expect(urls).toEqual([`${ISSUER}/.well-known/openid-configuration`])
    expect([server, client]).toEqual([METADATA, { client_id: 'page-1' }])
  })

  it.for([
    [null, {}],
    ['vault', { audience: 'vault' }],
    ['https://vault.test/', { audience: 'https://vault.test/', resource: 'https://vault.test/' }],
  ] as const)('asks for a token for the audience %s', async ([audience, parameters]) => {
    standForProvider()
    const { options } = await discover({ ...CONFIG, audience })
    expect(options.additionalParameters).toEqual(parameters)
  })

  it('gives each request a time limit of its own', async () => {
    standForProvider()
    const { options } = await discover(CONFIG)
    expect(options.signal()).toBeInstanceOf(AbortSignal)
    expect(options.signal()).not.toBe(options.signal())
  })

  it.for([
    ['https://login.test', false],
    ['http://localhost:9000', true],
  ] as const)(
    'allows requests without TLS only to a provider without TLS: %s',
    async ([issuer, is]) => {
      standForProvider([], () => ({ ...METADATA, issuer, token_endpoint: `${issuer}/token` }))
      const { options } = await discover({ ...CONFIG, issuer })
      expect(options[oauth.allowInsecureRequests]).toBe(is)
    },
  )

  it.for([
    'https://pool.auth.test/oauth2/token',
    'https://login.test:8443/token',
    'https://login.test/token',
  ])('takes the token endpoint that the issuer names: %s', async (token_endpoint) => {
    standForProvider([], () => ({ ...METADATA, token_endpoint }))
    expect((await discover(CONFIG)).server.token_endpoint).toBe(token_endpoint)
  })

  it.for([
    'http://login.test/token',
    'http://localhost:8787/token',
    'https://user:password@login.test/token',
    'javascript:alert(1)',
    '/token',
    undefined,
  ])('refuses an endpoint that is not secure: %s', async (url) => {
    for (const name of ['token_endpoint', 'authorization_endpoint']) {
      standForProvider([], () => ({ ...METADATA, [name]: url }))
      // oxlint-disable-next-line no-await-in-loop -- they share the stand-in
      await expect(discover(CONFIG)).rejects.toThrow(new SignInError(UNSAFE))
    }
  })

  it.for([
    ['of another issuer', () => ({ ...METADATA, issuer: 'https://evil.test' })],
    ['with a status of 500', () => new Response('Oops', { status: 500 })],
    ['that is HTML', () => new Response('<h1>Welcome to this hotel</h1>')],
  ] as const)('refuses metadata %s', async ([, metadata]) => {
    standForProvider([], metadata)
    const refusal = { message: INVALID, detail: expect.stringMatching(/./) }
    await expect(discover(CONFIG)).rejects.toMatchObject(refusal)
  })

  it('says that the provider cannot be reached', async () => {
    standForProvider([], async () => Promise.reject(new TypeError('Failed to fetch')))
    await expect(discover(CONFIG)).rejects.toThrow(new SignInError(UNREACHABLE))
  })
})

describe('explain', () => {
  const response = new Response()
  const answer = (fields: Record<string, string>) =>
    new oauth.AuthorizationResponseError('refused', { cause: new URLSearchParams(fields) })
  const body = (cause: Record<string, string> & { error: string }) =>
    new oauth.ResponseBodyError('refused', { cause, response })

  it.for<[text: string, error: unknown]>([
    ['You cancelled the sign-in.', answer({ error: 'access_denied', error_description: 'No' })],
    [REFUSED, answer({ error: 'server_error' })],
    [REFUSED, body({ error: 'invalid_grant' })],
    [INVALID, new oauth.OperationProcessingError('a claim')],
    [UNREACHABLE, new TypeError('Failed to fetch')],
    [UNREACHABLE, 'not even an error'],
  ])('an error is explained as "%s"', ([text, error]) => {
    const explained = explain(error, CONFIG)
    expect(explained).toBeInstanceOf(SignInError)
    expect([explained.message, explained.cause]).toEqual([text, error])
  })

  it.for<[detail: string, error: unknown]>([
    ['a claim', new oauth.OperationProcessingError('a claim')],
    ['server_error', answer({ error: 'server_error' })],
    ['Try later.', answer({ error: 'server_error', error_description: 'Try later.' })],
    ['invalid_grant', body({ error: 'invalid_grant' })],
    ['Expired', body({ error: 'x', error_description: 'Expired' })],
  ])('keeps what is wrong for whoever runs the application: %s', ([detail, error]) => {
    expect(explain(error, CONFIG).detail).toBe(detail)
  })

  it('leaves an error that is for the user as it is', () => {
    const error = new SignInError(UNSAFE)
    expect(explain(error, CONFIG)).toBe(error)
  })
})
