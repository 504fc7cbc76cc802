/** Every text that a user reads in the element, in English. Other languages: `languages/`. */

/**
 * `{name}` stands for a value. `a(n)` becomes `a` or `an`, by the word after it. A host application may
 * replace each text by its own.
 */
export const ENGLISH = {
  loading: 'Loading your keys …',
  tryAgain: 'Try again',
  empty: 'No keys yet. You can add a key for {providers}.',
  addKey: 'Add a key',
  general: 'General',

  provider: 'Provider',
  chooseProvider: 'Choose a provider',
  hasKey: '{provider} (has a key)',
  baseUrl: 'Base URL',
  baseUrlRule: 'Enter an https URL on {hosts}, without a query.',
  apiKey: 'API key',
  apiKeyOf: '{provider} API key',
  getKey: 'Get a key from {provider}',
  newTab: '(in a new tab)',
  show: 'Show',
  hide: 'Hide',
  save: 'Save key',
  saveAnyway: 'Save anyway',
  saveFor: 'Save for {provider}',
  cancel: 'Cancel',
  checking: 'Checking the key with {provider} …',
  saving: 'Saving the key …',

  selected: 'Selected {provider}: this looks like one of its keys.',
  mismatch: 'This looks like a(n) {likely} key, not a(n) {provider} one.',
  replaces: 'You already have a(n) {provider} key. The new one replaces it.',
  useKey: 'Use only the key',
  keyEmpty: 'Enter a key.',
  keyTooLong: 'This is too long to be a key.',
  keyMasked: 'This is a masked key. Paste the whole key.',
  keyJson: 'This is a JSON document. Paste only the key.',
  keyExtras: 'There is more here than the key. Paste only the key.',
  keySpace: 'The key has white space at character {position}.',
  keyForeign: 'Character {position} cannot be part of an API key.',
  keyGoogle:
    'This is a Google service account file, not an API key. Create an API key for Vertex AI or Gemini.',
  keyAws: 'These are AWS access keys, not an API key. Create an Amazon Bedrock API key.',
  keyUrl: 'This is a URL, not an API key.',
  keyInvalid: 'This is not an API key.',

  removed: 'This provider is no longer offered. You can only delete the key.',
  unreadable: 'This key can no longer be read. Enter it again.',
  unavailable:
    'Temporarily unavailable. Your key is still stored; you don’t need to enter it again.',
  accepted: 'Accepted by {provider}',
  unconfirmed: 'Not confirmed yet',
  rejected: 'Rejected by {provider}. Replace it.',
  saved: 'Saved {time}',
  tested: 'Last tested {time}',
  used: 'Last used {time}',
  neverUsed: 'Never used',

  replace: 'Replace',
  setProvider: 'Set provider',
  test: 'Test',
  delete: 'Delete',
  actOn: '{action}: {provider} key',
  providerOfKey: 'Provider of this key',
  deleting: 'Deleting the key …',
  testAccepted: '{provider} accepts this key.',
  testUnknown: 'We couldn’t confirm this key with {provider}. Test it again later.',
  deleteQuestion: 'Delete the {provider} key?',
  deleteConsequence: 'Applications can no longer use it. You cannot undo this.',
  deleteRevoke: 'The key still works at {provider}. If others may know it, revoke it there too.',

  savedAccepted: 'The {provider} key is saved, and {provider} accepts it.',
  savedUnconfirmed:
    'The {provider} key is saved. We couldn’t confirm it with {provider}. Test it later.',
  savedPlain: 'The key is saved.',
  deleted: 'The {provider} key is deleted.',

  slow: 'This takes longer than usual …',
  retryIn: 'Try again in {seconds} s.',
  reference: 'Reference: {id}',
  refused: '{provider} does not accept this key.',
  keyKept: 'Your previous key is still saved.',
  offline: 'You are offline. Try again when you are connected.',
  unreachable: 'We can’t reach the key service. Check your connection, then try again.',
  noAnswer: 'The key service did not answer in time. Reload the page to see what was saved.',
  notAnAnswer: 'Something between you and the key service answered instead of it. Try again.',
  sessionEnded: 'Your session has ended. Sign in again. Nothing was changed.',
  notAccepted: 'Your sign-in is not accepted here. Sign in again, or contact support.',
  otherAccount: 'These keys belong to a different account. Sign in with that account.',
  noAccount: 'Your account is not set up for keys yet. Contact support.',
  outdated: 'This page is out of date. Reload it.',
  changed: 'This key was changed somewhere else. Check it, then try again.',
  tooMany: 'Too many attempts.',
  busy: 'The key service is busy. Nothing was lost.',
  fault: 'Something went wrong in the key service. Contact support.',
}

export type TextName = keyof typeof ENGLISH
export type Texts = Record<TextName, string>
