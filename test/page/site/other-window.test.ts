import { openTab, ORIGIN, readAddress, stored, visit } from './tab.ts'
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { SignInError } from '../../../src/page/site/identity-provider.ts'
import {
  createSignInAgain,
  findStateElsewhere,
  handOver,
  WindowBlocked,
} from '../../../src/page/site/other-window.ts'
import { openGivenSession } from '../../../src/page/site/session.ts'
import { CONFIG, ISSUER, issueTokens, signIdToken, signToken, standForProvider } from './login.ts'

beforeEach(() => openTab())

/** The windows that the page opens. `isBlocked` if the browser opens none. */
function standForWindows(isBlocked = false) {
  const went: URL[] = []
  const arrived = Promise.withResolvers<URL>()
  const close = vi.fn<() => void>()
  const replace = (url: URL) => {
    went.push(url)
    arrived.resolve(url)
  }
  const open = vi.fn<() => object | null>(() =>
    isBlocked ? null : { close, location: { replace } },
  )
  vi.stubGlobal('window', { open })
  onTestFinished(() => {
    vi.stubGlobal('window', undefined)
  })
  return { open, close, went, arrived: arrived.promise }
}

const sessionOf = async (sub: string) => openGivenSession(await signToken({ sub }))

/** Answers as the provider with tokens for `sub`, whose ID token is for this sign-in. */
async function tokensFor(url: URL, sub = 'alice') {
  const nonce = url.searchParams.get('nonce') ?? ''
  const id_token = await signIdToken({ nonce, name: sub })
  return issueTokens({ access_token: await signToken({ sub }), id_token })
}

/** The other window is back from the provider with `query`, and hands it over. */
async function comeBack(url: URL, query = 'code=code-1'): Promise<string | null> {
  const state = url.searchParams.get('state') ?? ''
  visit(`${ORIGIN}/?${query}&state=${state}`)
  expect(findStateElsewhere()).toBe(state)
  const outcome = handOver(state)
  expect(readAddress()).toBe(`${ORIGIN}/`)
  return outcome
}

describe('a sign-in in another window', () => {
  it('opens a window within the click, and the session here from the answer there', async () => {
    const { open, arrived } = standForWindows()
    const tokens: object[] = []
    const { grants } = standForProvider(tokens)
    const signedIn = createSignInAgain(CONFIG)(await sessionOf('alice'))
    expect(open).toHaveBeenCalledOnce()
    const url = await arrived
    expect(`${url.origin}${url.pathname}`).toBe(`${ISSUER}/authorize`)
    expect(url.searchParams.has('prompt')).toBe(false)
    // 256 random bits, as in a sign-in without another window.
    expect(url.searchParams.get('state')).toMatch(/^elsewhere\.[\w-]{43}$/)
    tokens.push(await tokensFor(url))
    expect(await comeBack(url)).toBeNull()
    const session = await signedIn
    expect(session.userId).toBe('alice')
    expect(grants).toMatchObject([
      { code: 'code-1', code_verifier: expect.stringMatching(/.{43}/) },
    ])
    expect([...stored]).toEqual([])
  })

  it('says so if the browser opens no window', async () => {
    standForWindows(true)
    const { urls } = standForProvider()
    const signedIn = createSignInAgain(CONFIG)(await sessionOf('alice'))
    await expect(signedIn).rejects.toThrow(WindowBlocked)
    expect(urls).toEqual([])
  })

  it('refuses another user, and asks the next time who it is', async () => {
    const { arrived, went } = standForWindows()
    const tokens: object[] = []
    standForProvider(tokens)
    const before = await sessionOf('alice')
    const signInAgain = createSignInAgain(CONFIG)
    const refusal = signInAgain(before).catch((error: unknown) => error)
    const url = await arrived
    tokens.push(await tokensFor(url, 'mallory'))
    const text =
      'You signed in as mallory, but the other page shows the keys of alice. Sign in as alice, or reload the other page.'
    expect(await comeBack(url)).toBe(text)
    expect(await refusal).toEqual(new SignInError(text))

    const signedIn = signInAgain(before)
    await expect.poll(() => went.length).toBe(2)
    const again = went[1] ?? new URL(ISSUER)
    expect(again.searchParams.get('prompt')).toBe('login')
    tokens.push(await tokensFor(again))
    expect(await comeBack(again)).toBeNull()
    expect((await signedIn).userId).toBe('alice')
  })

  it('tells both windows why the provider signed nobody in', async () => {
    const { arrived } = standForWindows()
    standForProvider()
    const refusal = createSignInAgain(CONFIG)(await sessionOf('alice')).catch(String)
    expect(await comeBack(await arrived, 'error=access_denied')).toBe('You cancelled the sign-in.')
    expect(await refusal).toBe('SignInError: You cancelled the sign-in.')
  })

  it('waits for its own answer', async () => {
    const { arrived } = standForWindows()
    const tokens: object[] = []
    const { grants } = standForProvider(tokens)
    const signedIn = createSignInAgain(CONFIG)(await sessionOf('alice'))
    const url = await arrived
    const channel = new BroadcastChannel('sign-in')
    onTestFinished(() => channel.close())
    for (const answer of ['?code=stolen&state=elsewhere.forged', '?code=stolen', 7, null]) {
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel is of one origin
      channel.postMessage({ answer })
    }
    tokens.push(await tokensFor(url))
    expect(await comeBack(url)).toBeNull()
    expect((await signedIn).userId).toBe('alice')
    expect(grants).toMatchObject([{ code: 'code-1' }])
  })

  it('closes the window if the provider cannot be reached', async () => {
    const { close } = standForWindows()
    standForProvider([], async () => Promise.reject(new TypeError('Failed to fetch')))
    const signedIn = createSignInAgain(CONFIG)(await sessionOf('alice'))
    await expect(signedIn).rejects.toThrow('We can’t reach login.test.')
    expect(close).toHaveBeenCalledOnce()
  })
})

it.for(['', '?code=c', '?code=c&state=state-1', '?code=c&state=x.elsewhere.1'])(
  'no other page waits for the answer in the address "%s"',
  (query) => {
    visit(`${ORIGIN}/${query}`)
    expect(findStateElsewhere()).toBeNull()
  },
)
