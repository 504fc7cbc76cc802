/** The page at `/`: it signs the user in, then shows the settings element. */

import type { ConfigAnswer } from '../../shared/answers.ts'
import type { ApiKeySettingsElement } from '../element/host.ts'
import { SignInError, type OidcConfig } from './identity-provider.ts'
import { openGivenSession, type Session } from './session.ts'
import { completeSignIn, forgetSignIn, isAnswered, leaveForSignIn, wasSignedIn } from './sign-in.ts'
import { forgetGivenToken, keepGivenToken, takeGivenToken } from './given-token.ts'
import { say, translatePage } from './language.ts'

type View = 'loading' | 'signed-out' | 'not-configured' | 'failed' | 'keys'

/** Codes of the service that end a session. */
const SESSION_OVER = new Set(['token_missing', 'token_invalid', 'token_expired'])

/** For a developer, who is on localhost: nobody else is signed in by a link. */
const NEW_LINK = 'npm run dev prints a link that signs the demo user in.'

const NO_PROVIDER = `This vault has no identity provider, so nobody can sign in. Set OIDC_ISSUER and OIDC_CLIENT_ID.
In local development, open a link instead: ${NEW_LINK}`

/** An element of index.html. */
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

/** @param again the host where the user can sign in again; null if that takes a new link */
function showSession({ userId, name, getToken, signOutUrl }: Session, again: string | null): void {
  const settings: ApiKeySettingsElement = document.createElement('api-key-settings')
  Object.assign(settings, { userId, getToken })
  settings.addEventListener('error', (event) => {
    const code: unknown = event instanceof CustomEvent ? event.detail.code : ''
    if (!SESSION_OVER.has(String(code))) return
    forgetGivenToken()
    // The keys stay on the page: a key that is being typed must not be lost.
    offerSignIn(say(again === null ? 'newLink' : 'signInAgain'), again)
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
    const reason =
      again === null ? `${say('signedOut')} ${say('newLink')}` : say('signedOutAt', { host: again })
    show('signed-out')
    offerSignIn(reason, again)
  })
  show('keys')
}

function offerSignIn(reason: string, again: string | null): void {
  if (again === null) console.info(NEW_LINK)
  find('reason').textContent = reason
  find('sign-in').hidden = again === null
  find('signed-out').hidden = false
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
  const { host } = new URL(config.issuer)
  onClick('sign-in', () => {
    show('loading')
    void attempt(async () => leaveForSignIn(config))
  })
  const session = isAnswered() ? await completeSignIn(config) : null
  history.replaceState(null, '', '/') // An answer that this page did not ask for is not kept in the history.
  if (session !== null) return showSession(session, host)
  if (wasSignedIn()) return leaveForSignIn(config, 'none')
  show('signed-out')
  offerSignIn(say('signInAt', { host }), host)
}

/** Shows why `work` failed, if it does. */
async function attempt(work: () => Promise<void>): Promise<void> {
  await work().catch((error: unknown) => {
    const isExplained = error instanceof SignInError
    if (!isExplained) console.error(error)
    else if (error.detail) console.error(error.detail)
    find('fault').textContent = isExplained ? error.message : say('fault')
    show('failed')
  })
}

translatePage()
onClick('reload', () => location.replace('/'))
// A link with a token changes only the fragment if this page is already open. A page from the browser's
// back/forward cache may show a session that has ended.
window.addEventListener('hashchange', () => location.reload())
window.addEventListener('pageshow', ({ persisted }) => persisted && location.reload())
await attempt(start)
