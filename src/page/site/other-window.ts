/**
 * A sign-in in another window, so that this page keeps what was typed. Only the provider's answer comes back from there: its
 * code is worth nothing without the verifier, which stays in this page's memory.
 */

import { generateRandomState } from 'oauth4webapi'
import { SignInError, type OidcConfig } from './identity-provider.ts'
import { say } from './language.ts'
import type { Session } from './session.ts'
import { beginSignIn, redeem } from './sign-in.ts'

/**
 * The page and the window find each other by it. The page's Cross-Origin-Opener-Policy leaves the window no `opener` once it
 * has been at the provider.
 */
const CHANNEL = 'sign-in'

/** Begins the state of a sign-in that another page waits for. */
const ELSEWHERE = 'elsewhere.'

const WINDOW = 'popup,width=480,height=640'

/** The browser opens no window. */
export class WindowBlocked extends SignInError {}

/** Returns a function that signs the user of a session in again. */
export function createSignInAgain(config: OidcConfig): (before: Session) => Promise<Session> {
  let prompt: 'login' | undefined

  /**
   * A click must call it. If the user closes the window, it never settles: the browser does not say so. Another click opens
   * another window.
   *
   * @returns the new session
   * @throws SignInError, also if another user has signed in. A {@link WindowBlocked} if the browser opens no window
   */
  return async (before) => {
    const opened = window.open('', '_blank', WINDOW)
    if (opened === null) throw new WindowBlocked(say('blocked'))
    const state = ELSEWHERE + generateRandomState()
    const begun = beginSignIn(config, { prompt, state })
    const { url, pending } = await begun.catch((error: unknown) => {
      opened.close()
      throw error
    })
    opened.location.replace(url)
    return take(state, async (answer) => {
      const session = await redeem(config, answer, pending)
      // Otherwise the provider would sign the same user in again.
      prompt = session.userId === before.userId ? undefined : 'login'
      if (prompt === undefined) return session
      throw new SignInError(say('otherUser', { name: session.name, user: before.name }))
    })
  }
}

/** Waits for the answer with `state`, and tells its window what `use` makes of it. */
async function take(
  state: string,
  use: (answer: URLSearchParams) => Promise<Session>,
): Promise<Session> {
  const channel = new BroadcastChannel(CHANNEL)
  try {
    const session = await use(await receiveAnswer(channel, state))
    send(channel, { state, fault: null })
    return session
  } catch (error) {
    send(channel, { state, fault: error instanceof SignInError ? error.message : say('fault') })
    throw error
  } finally {
    channel.close()
  }
}

async function receiveAnswer(channel: BroadcastChannel, state: string): Promise<URLSearchParams> {
  return new Promise((resolve) => {
    hear(channel, ({ answer: query }) => {
      const answer = new URLSearchParams(query ?? '')
      if (answer.get('state') === state) resolve(answer)
    })
  })
}

/** The state of the answer in this window's address, if another page waits for it; otherwise null. */
export function findStateElsewhere(): string | null {
  const state = new URLSearchParams(location.search).get('state')
  return state?.startsWith(ELSEWHERE) ? state : null
}

/**
 * Hands the answer in this window's address over to the page that waits for it.
 *
 * @returns why the sign-in failed; null if it did not
 */
export async function handOver(state: string): Promise<string | null> {
  const channel = new BroadcastChannel(CHANNEL)
  const outcome = new Promise<string | null>((resolve) => {
    hear(channel, (message) => {
      if (message.state === state) resolve(message.fault ?? null)
    })
  })
  send(channel, { answer: location.search })
  history.replaceState(null, '', '/')
  return outcome.finally(() => channel.close())
}

/** From the window: the query of its address. From the page: what became of the answer with that state. */
type Message = { answer: string } | { state: string; fault: string | null }

function send(channel: BroadcastChannel, message: Message): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel is of one origin
  channel.postMessage(message)
}

function hear(
  channel: BroadcastChannel,
  act: (message: { answer?: string; state?: string; fault?: string | null }) => void,
): void {
  channel.addEventListener('message', ({ data }: MessageEvent<Message>) => act(data))
}
