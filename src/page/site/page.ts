/** The page at `/`: signs the user in, and shows the settings element. */

import type { ConfigAnswer } from '../../shared/answers.ts'
import type { ApiKeySettings } from '../element/api-key-settings.ts'
import { forgetGivenToken, keepGivenToken, takeGivenToken } from './given-token.ts'
import { SignInError, type OidcConfig } from './identity-provider.ts'
import { openGivenSession, type Session } from './session.ts'
import { completeSignIn, forgetSignIn, isAnswered, leaveForSignIn, wasSignedIn } from './sign-in.ts'

type View = 'loading' | 'signed-out' | 'not-configured' | 'failed' | 'keys'

/** Codes of the service by which a session is over. */
const SESSION_OVER = new Set(['token_missing', 'token_invalid', 'token_expired'])
const NEW_LINK = 'To sign in, open the link that npm run dev prints.'

/** One of the page's own elements. */
function find(id: string): HTMLElement {
  const element = document.getElementById(id)
  if (element === null) throw new Error(`The page has no #${id}`)
  return element
}

function onClick(id: string, act: () => void): void {
  find(id).addEventListener('click', act)
}

function show(view: View): void {
  for (const other of document.querySelectorAll<HTMLElement>('.view'))
    other.hidden = other.id !== view
}

/** @param again where the user signs in once more; null where only a new link does it */
function showSession({ userId, name, getToken, signOutUrl }: Session, again: string | null): void {
  const settings: ApiKeySettings = document.createElement('api-key-settings')
  Object.assign(settings, { userId, getToken })
  settings.addEventListener('error', (event) => {
    const code: unknown = event instanceof CustomEvent ? event.detail.code : ''
    if (!SESSION_OVER.has(String(code))) return
    forgetGivenToken()
    // Beside the keys, so that one that was typed is not lost before its owner wants it so.
    offerSignIn(again === null ? NEW_LINK : 'Sign in again to go on.', again)
  })
  for (const type of ['saved', 'deleted']) {
    settings.addEventListener(type, () => show('keys'))
  }
  find('keys').replaceChildren(settings)
  find('user').textContent = name
  find('account').hidden = false
  onClick('sign-out', () => {
    forgetSignIn()
    forgetGivenToken()
    settings.remove()
    find('account').hidden = true
    if (signOutUrl !== null) return location.assign(signOutUrl)
    const rest = again === null ? NEW_LINK : `Your session at ${again} may go on.`
    show('signed-out')
    offerSignIn(`You are signed out. ${rest}`, again)
  })
  show('keys')
}

function offerSignIn(reason: string, again: string | null): void {
  find('reason').textContent = reason
  find('sign-in').hidden = again === null
  find('signed-out').hidden = false
}

async function fetchConfig(): Promise<OidcConfig | null> {
  const response = await fetch('/api/config').catch((cause: unknown) => {
    throw new SignInError('This service cannot be reached. Check your connection.', { cause })
  })
  if (!response.ok) {
    throw new SignInError('This service is not set up correctly. Its log says what to set.')
  }
  const { oidc }: ConfigAnswer = await response.json()
  return oidc
}

async function start(): Promise<void> {
  const token = takeGivenToken()
  if (token !== null) {
    const session = openGivenSession(token)
    keepGivenToken(token)
    return showSession(session, null)
  }
  const config = await fetchConfig()
  if (config === null) return show('not-configured')
  const { host } = new URL(config.issuer)
  onClick('sign-in', () => {
    show('loading')
    void attempt(async () => leaveForSignIn(config))
  })
  const session = isAnswered() ? await completeSignIn(config) : null
  history.replaceState(null, '', '/') // An answer that was not asked for stays in no history.
  if (session !== null) return showSession(session, host)
  if (wasSignedIn()) return leaveForSignIn(config, 'none')
  show('signed-out')
  offerSignIn(`Sign in at ${host} to see your keys.`, host)
}

/** Shows why `work` failed, if it does. */
async function attempt(work: () => Promise<void>): Promise<void> {
  await work().catch((error: unknown) => {
    if (!(error instanceof SignInError)) console.error(error)
    const reason = error instanceof SignInError ? error.message : 'This page has a fault.'
    find('fault').textContent = reason
    show('failed')
  })
}

onClick('reload', () => location.replace('/'))
// A link with a token that is opened here changes the fragment alone; a page that is shown again as it
// was left may be one that was signed out.
window.addEventListener('hashchange', () => location.reload())
window.addEventListener('pageshow', ({ persisted }) => persisted && location.reload())
await attempt(start)
