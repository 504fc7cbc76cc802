/** The page at `/`: it signs the user in, then shows the settings element. */

import type { ConfigAnswer } from '../../shared/answers.ts'
import type { ApiKeySettingsElement, GetToken } from '../element/host.ts'
import { SignInError, type OidcConfig } from './identity-provider.ts'
import { openGivenSession, type Session } from './session.ts'
import { createSignInAgain, findStateElsewhere, handOver, WindowBlocked } from './other-window.ts'
import { completeSignIn, forgetSignIn, isAnswered, leaveForSignIn, wasSignedIn } from './sign-in.ts'
import { forgetGivenToken, keepGivenToken, takeGivenToken } from './given-token.ts'
import { say, translatePage } from './language.ts'
import { find, NEW_LINK, offerSignIn, onClick, show } from './views.ts'

/** Codes of the service that end a session. */
const SESSION_OVER = new Set(['token_missing', 'token_invalid', 'token_expired'])

const NO_PROVIDER = `This vault has no identity provider, so nobody can sign in. Set OIDC_ISSUER and OIDC_CLIENT_ID.
In local development, open a link instead: ${NEW_LINK}`

/** @param config how the user can sign in again; null if that takes a new link */
function showSession(session: Session, config: OidcConfig | null): void {
  const { userId, name } = session
  const current = { session }
  const settings: ApiKeySettingsElement = document.createElement('api-key-settings')
  const getToken: GetToken = async (options) => current.session.getToken(options)
  const signIn = config === null ? undefined : createSignIn(config, current)
  Object.assign(settings, { userId, getToken, signIn })
  settings.addEventListener('error', (event) => {
    const code: unknown = event instanceof CustomEvent ? event.detail.code : ''
    if (!SESSION_OVER.has(String(code))) return
    forgetGivenToken()
    // The keys stay on the page: a key that is being typed must not be lost.
    if (signIn === undefined) offerSignIn(say('newLink'), null)
  })
  for (const type of ['saved', 'deleted']) {
    settings.addEventListener(type, () => show('keys'))
  }
  find('keys').replaceChildren(settings)
  find('user').textContent = name
  find('account').hidden = false
  onClick('sign-out', () => {
    settings.remove()
    signOut(current.session, config)
  })
  show('keys')
}

/**
 * Returns what the settings element calls to sign its user in again. It changes the session of `current`.
 *
 * @throws SignInError from the returned function. The page shows its text too
 */
function createSignIn(config: OidcConfig, current: { session: Session }): () => Promise<void> {
  const signInAgain = createSignInAgain(config)
  const signIn = async () => {
    try {
      current.session = await signInAgain(current.session)
      // The user may have signed out meanwhile.
      if (!find('keys').hidden) show('keys')
    } catch (error) {
      const again = () => void signIn().catch(() => {})
      const act = error instanceof WindowBlocked ? () => leave(config) : again
      offerSignIn(explainFault(error), act)
      // It may be out of view.
      find('sign-in').focus()
      throw error
    }
  }
  return signIn
}

function signOut({ signOutUrl }: Session, config: OidcConfig | null): void {
  forgetSignIn()
  forgetGivenToken()
  find('account').hidden = true
  if (signOutUrl !== null) return location.assign(signOutUrl)
  show('signed-out')
  if (config === null) return offerSignIn(`${say('signedOut')} ${say('newLink')}`, null)
  offerSignIn(say('signedOutAt', { host: hostOf(config) }), () => leave(config))
}

function leave(config: OidcConfig): void {
  show('loading')
  void attempt(async () => leaveForSignIn(config))
}

const hostOf = ({ issuer }: OidcConfig): string => new URL(issuer).host

/** Gives the answer of the provider to the page that waits for it. */
async function goBack(state: string): Promise<void> {
  show('elsewhere')
  const fault = await handOver(state)
  if (fault === null) window.close()
  // A browser may not let a page close its window.
  else find('outcome').textContent = fault
}

async function fetchConfig(): Promise<OidcConfig | null> {
  const response = await fetch('/api/config').catch((cause: unknown) => {
    throw new SignInError(say('unreachable'), { cause })
  })
  if (!response.ok) {
    const detail = `/api/config answered ${response.status}. The log of the vault says what to set.`
    throw new SignInError(say('misconfigured'), { detail })
  }
  const { oidc }: ConfigAnswer = await response.json()
  return oidc
}

async function start(): Promise<void> {
  const state = findStateElsewhere()
  if (state !== null) return goBack(state)
  const token = takeGivenToken()
  if (token !== null) {
    const session = openGivenSession(token)
    keepGivenToken(token)
    return showSession(session, null)
  }
  const config = await fetchConfig()
  if (config === null) {
    console.info(NO_PROVIDER)
    return show('not-configured')
  }
  const session = isAnswered() ? await completeSignIn(config) : null
  history.replaceState(null, '', '/') // An answer that this page did not ask for is not kept in the history.
  if (session !== null) return showSession(session, config)
  if (wasSignedIn()) return leaveForSignIn(config, 'none')
  show('signed-out')
  offerSignIn(say('signInAt', { host: hostOf(config) }), () => leave(config))
}

/** Shows why `work` failed, if it does. */
async function attempt(work: () => Promise<void>): Promise<void> {
  await work().catch((error: unknown) => {
    find('fault').textContent = explainFault(error)
    show('failed')
  })
}

/** What the user reads of an error. The console has the rest. */
function explainFault(error: unknown): string {
  if (!(error instanceof SignInError)) {
    console.error(error)
    return say('fault')
  }
  if (error.detail) console.error(error.detail)
  return error.message
}

translatePage()
onClick('reload', () => location.replace('/'))
// A link with a token changes only the fragment if this page is already open. A page from the browser's
// back/forward cache may show a session that has ended.
window.addEventListener('hashchange', () => location.reload())
window.addEventListener('pageshow', ({ persisted }) => persisted && location.reload())
await attempt(start)
