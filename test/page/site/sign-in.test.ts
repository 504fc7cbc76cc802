import { moves, openTab, ORIGIN, readAddress, stored, visit } from './tab.ts'
import * as oauth from 'oauth4webapi'
import { beforeEach, describe, expect, it } from 'vitest'
import {
  completeSignIn,
  forgetSignIn,
  isAnswered,
  leaveForSignIn,
  wasSignedIn,
} from '../../../src/page/site/sign-in.ts'
import {
  CONFIG,
  ISSUER,
  issueTokens,
  NONCE,
  signIdToken,
  signToken,
  standForProvider,
} from './login.ts'

const PENDING = JSON.stringify({ state: 'state-1', nonce: NONCE, verifier: 'v'.repeat(43) })

/** The tab after the provider has sent its user back with `query`. */
function returnWith(query: string): void {
  stored.set('sign-in', PENDING)
  visit(`${ORIGIN}/?${query}`)
}

beforeEach(() => openTab())

describe('leaveForSignIn', () => {
  const leave = async (config = CONFIG, prompt?: 'none') => {
    standForProvider()
    await leaveForSignIn(config, prompt)
    const { how, to } = moves.at(-1) ?? {}
    const pending: Record<string, string> = JSON.parse(stored.get('sign-in') ?? '{}')
    return { how, to, parameters: Object.fromEntries(to?.searchParams ?? []), pending }
  }

  it('goes to the provider with PKCE, a state and a nonce', async () => {
    const { how, to, parameters, pending } = await leave()
    expect([how, `${to?.origin}${to?.pathname}`]).toEqual(['assign', `${ISSUER}/authorize`])
    expect(parameters).toEqual({
      tenant: '1',
      response_type: 'code',
      client_id: 'page-1',
      redirect_uri: `${ORIGIN}/`,
      scope: 'openid profile',
      state: pending['state'],
      nonce: pending['nonce'],
      code_challenge: await oauth.calculatePKCECodeChallenge(pending['verifier'] ?? ''),
      code_challenge_method: 'S256',
    })
    expect(to?.href).not.toContain(pending['verifier'])
  })

  it('makes a new state, nonce and verifier each time', async () => {
    const one = Object.values((await leave()).pending)
    const other = Object.values((await leave()).pending)
    expect(new Set([...one, ...other]).size).toBe(6)
    expect([...one, ...other].every((value) => value.length >= 43)).toBe(true)
  })

  it('asks for a token for the audience', async () => {
    const audience = 'https://vault.test/'
    const { parameters } = await leave({ ...CONFIG, audience })
    expect(parameters).toMatchObject({ audience, resource: audience })
  })

  it('leaves no page in the history that only redirects: prompt=none', async () => {
    const { how, parameters } = await leave(CONFIG, 'none')
    expect([how, parameters['prompt']]).toEqual(['replace', 'none'])
  })

  it('forgets an earlier session, so that a refusal is not asked for again', async () => {
    stored.set('was-signed-in', 'true')
    await leave(CONFIG, 'none')
    expect(wasSignedIn()).toBe(false)
  })
})

it.for([
  ['an answer to its request', PENDING, 'code=c&state=state-1', true],
  ['an answer that it did not ask for', null, 'code=c&state=forged', false],
  ['no answer', PENDING, '', false],
] as const)('the page knows that its address has %s', ([, pending, query, isIt]) => {
  if (pending !== null) stored.set('sign-in', pending)
  visit(`${ORIGIN}/?${query}`)
  expect(isAnswered()).toBe(isIt)
})

/** The refusal of an answer, with the reason for whoever runs the application. */
const invalid = (detail: RegExp) => ({
  message: 'The answer of login.test is not valid. Try again, or contact support.',
  detail: expect.stringMatching(detail),
})

describe('completeSignIn', () => {
  it('redeems the code with its verifier, and opens the session', async () => {
    const { grants } = standForProvider([await issueTokens()])
    returnWith('code=code-1&state=state-1')
    const session = await completeSignIn(CONFIG)
    expect(session?.userId).toBe('alice')
    expect(grants).toEqual([
      {
        grant_type: 'authorization_code',
        code: 'code-1',
        code_verifier: 'v'.repeat(43),
        redirect_uri: `${ORIGIN}/`,
        client_id: 'page-1',
      },
    ])
  })

  it('asks for a token for the audience too', async () => {
    const { grants } = standForProvider([await issueTokens()])
    returnWith('code=code-1&state=state-1')
    await completeSignIn({ ...CONFIG, audience: 'vault' })
    expect(grants).toMatchObject([{ audience: 'vault' }])
  })

  it('removes the answer from the address, and keeps no token', async () => {
    standForProvider([await issueTokens({ refresh_token: 'refresh-1' })])
    returnWith('code=code-1&state=state-1')
    await completeSignIn(CONFIG)
    expect(readAddress()).toBe(`${ORIGIN}/`)
    expect([...stored]).toEqual([['was-signed-in', 'true']])
    expect(wasSignedIn()).toBe(true)
    forgetSignIn()
    expect(wasSignedIn()).toBe(false)
  })

  it.for([
    'login_required',
    'interaction_required',
    'consent_required',
    'account_selection_required',
  ])('nobody is signed in if the provider answers prompt=none with %s', async (error) => {
    standForProvider()
    returnWith(`error=${error}&state=state-1`)
    expect(await completeSignIn(CONFIG)).toBeNull()
    expect([readAddress(), [...stored]]).toEqual([`${ORIGIN}/`, []])
  })

  it.for([
    ['You cancelled the sign-in.', 'error=access_denied&state=state-1'],
    ['login.test did not sign you in.', 'error=x&error_description=No.&state=state-1'],
  ] as const)('says %s, and redeems no code: %s', async ([text, query]) => {
    const { grants } = standForProvider()
    returnWith(query)
    await expect(completeSignIn(CONFIG)).rejects.toThrow(text)
    expect([grants, readAddress(), [...stored]]).toEqual([[], `${ORIGIN}/`, []])
  })

  it.for([
    [/"state"/, 'code=stolen&state=forged'],
    [/"state"/, 'code=stolen'],
    [/"iss"/, 'code=c&state=state-1&iss=https://evil.test'],
    [/./, 'state=state-1'],
  ] as const)(
    'refuses an answer that is not valid, and redeems no code: %s',
    async ([detail, query]) => {
      const { grants } = standForProvider()
      returnWith(query)
      await expect(completeSignIn(CONFIG)).rejects.toMatchObject(invalid(detail))
      expect([grants, readAddress(), [...stored]]).toEqual([[], `${ORIGIN}/`, []])
    },
  )

  it('answers a request once', async () => {
    standForProvider([await issueTokens()])
    returnWith('code=code-1&state=state-1')
    await completeSignIn(CONFIG)
    visit(`${ORIGIN}/?code=code-1&state=state-1`)
    await expect(completeSignIn(CONFIG)).rejects.toThrow('is not valid')
  })

  it.for<[claim: string, changes: Record<string, unknown>]>([
    ['nonce', { nonce: 'of-another-sign-in' }],
    ['nonce', { nonce: undefined }],
    ['aud', { aud: 'another-client' }],
    ['iss', { iss: 'https://evil.test' }],
    ['exp', { exp: 1 }],
  ])('refuses an ID token with a wrong %s: %j', async ([claim, changes]) => {
    standForProvider([await issueTokens({ id_token: await signIdToken(changes) })])
    returnWith('code=code-1&state=state-1')
    await expect(completeSignIn(CONFIG)).rejects.toMatchObject(invalid(new RegExp(`"${claim}"`)))
    expect([...stored]).toEqual([])
  })

  const UNUSABLE = 'This page cannot use your sign-in. Contact support.'

  it.for<[what: string, refusal: object, answer: () => Promise<object>]>([
    ['no ID token', invalid(/"id_token"/), async () => issueTokens({ id_token: undefined })],
    [
      'a code that is used up',
      {
        message: 'login.test did not sign you in. Try again, or contact support.',
        detail: 'Used up.',
      },
      async () =>
        Response.json({ error: 'invalid_grant', error_description: 'Used up.' }, { status: 400 }),
    ],
    [
      'an opaque access token',
      { message: UNUSABLE, detail: expect.stringContaining('The access token is not a JWT.') },
      async () => issueTokens({ access_token: 'opaque' }),
    ],
    [
      'an access token without a sub',
      { message: UNUSABLE, detail: 'The access token has no sub.' },
      async () => issueTokens({ access_token: await signToken({}) }),
    ],
  ])('refuses an answer with %s', async ([, refusal, answer]) => {
    standForProvider([await answer()])
    returnWith('code=code-1&state=state-1')
    await expect(completeSignIn(CONFIG)).rejects.toMatchObject(refusal)
    expect(wasSignedIn()).toBe(false)
  })
})
