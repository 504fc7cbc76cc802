/** Every text of the page, in each language of the settings element. */

import de from './languages/de.json' with { type: 'json' }
import es from './languages/es.json' with { type: 'json' }
import fr from './languages/fr.json' with { type: 'json' }
import ja from './languages/ja.json' with { type: 'json' }
import zhHans from './languages/zh-Hans.json' with { type: 'json' }

/** `{name}` stands for a value. The first group is in index.html too, for a browser that does not run scripts. */
export const ENGLISH = {
  title: 'Your API keys',
  lead: 'Applications use these keys on your behalf, and the provider bills you. The keys are stored encrypted. You never see a whole key again, only its beginning and, of a long key, its end.',
  loading: 'Loading …',
  signIn: 'Sign in',
  signOut: 'Sign out',
  tryAgain: 'Try again',
  notConfigured: 'Nobody can sign in here yet',
  askOperator: 'Contact whoever runs this application.',
  goBack: 'Go back to the page where you were. You can close this one.',

  newLink: 'To sign in, open your link again.',
  signInAt: 'Sign in at {host} to see your keys.',
  otherUser:
    'You signed in as {name}, but the other page shows the keys of {user}. Sign in as {user}, or reload the other page.',
  blocked:
    'Your browser did not open a window for the sign-in. Allow it and try again. If you sign in here, what you typed is lost.',
  signedOut: 'You are signed out.',
  signedOutAt: 'You are signed out here. You may still be signed in at {host}.',
  unreachable: 'We can’t reach this service. Check your connection.',
  misconfigured: 'This service is not set up correctly. Contact whoever runs this application.',
  fault: 'Something went wrong on this page. Try again.',
  cancelled: 'You cancelled the sign-in.',
  refused: '{host} did not sign you in. Try again, or contact support.',
  invalidAnswer: 'The answer of {host} is not valid. Try again, or contact support.',
  providerUnreachable: 'We can’t reach {host}. Check your connection, then try again.',
  unsafeEndpoint: '{host} does not offer a secure sign-in. Contact support.',
  invalidLink: 'This link is not valid. Open a new one.',
  unusableSignIn: 'This page cannot use your sign-in. Contact support.',
}

export type TextName = keyof typeof ENGLISH
export type Texts = Record<TextName, string>

/** The texts by the name of their language. */
export const TEXTS: Record<string, Texts> = { en: ENGLISH, de, es, fr, ja, 'zh-Hans': zhHans }
