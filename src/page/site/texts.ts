/** Every text of the page that its script shows. Those that do not change are in index.html. */

export const TEXTS = {
  newLink: 'To sign in, open the link that npm run dev prints.',
  signIn: (host: string) => `Sign in at ${host} to see your keys.`,
  signInAgain: 'Sign in again to continue.',
  signedOut: (host: string) => `You are signed out here. You may still be signed in at ${host}.`,
  signedOutLocally: 'You are signed out.',
  unreachable: 'We can’t reach this service. Check your connection.',
  misconfigured: 'This service is not set up correctly. Its log says what to set.',
  fault: 'Something went wrong on this page. Try again.',
  cancelled: 'You cancelled the sign-in.',
  refused: (host: string, reason: string) => `${host} did not sign you in: ${reason}`,
  invalidAnswer: (host: string, reason: string) => `The answer of ${host} is not valid: ${reason}`,
  providerUnreachable: (host: string) =>
    `We can’t reach ${host}. Check your connection, then try again.`,
  unsafeEndpoint: (host: string) =>
    `${host} does not name secure addresses for the sign-in. Contact support.`,
  linkNotJwt: 'The token of this link is not a JWT.',
  tokenNotJwt:
    'The access token is not a JWT. Set OIDC_AUDIENCE or OIDC_SCOPE so that the provider issues a JWT.',
  tokenWithoutSub: 'The access token has no sub.',
}
