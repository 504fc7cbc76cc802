/** The texts that a user reads in the element, in English. Other languages: `languages/`. */

import { PROBLEM_TEXTS } from '../../callers/browser/texts.ts'
import type { PANEL_TEXTS } from './panel-texts.ts'

/**
 * `{name}` stands for a value. `a(n)` becomes `a` or `an`, by the word after it. A host application may
 * replace each text by its own.
 */
export const ENGLISH = {
  loading: 'Loading your keys …',
  tryAgain: 'Try again',
  empty: 'No keys yet. Add your own for applications to use.',
  addKey: 'Add a key',
  attentionOne: '1 key needs attention',
  attentionMany: '{count} keys need attention',
  general: 'General',
  teamKey: 'Your team’s key is used',
  noTeamKeys: 'Your team has no keys yet.',

  provider: 'Provider',
  chooseProvider: 'Choose a provider',
  hasKey: 'has a key',
  baseUrl: 'Base URL',
  label: 'Name of the key',
  keepBoth: 'Name it to keep both.',
  apiKey: 'API key',
  apiKeyOf: '{provider} API key',
  getKey: 'Get a key from {provider}',
  newTab: '(in a new tab)',
  show: 'Show',
  hide: 'Hide',
  expires: 'Expires',
  never: 'Never',
  keepExpiry: 'Keep {day}',
  expiryPassed: 'The previous key expired on {day}. The new one expires only if you choose a date.',
  inDays: 'In {days} days',
  inYear: 'In a year',
  save: 'Save key',
  saveAnyway: 'Save anyway',
  saveFor: 'Save for {provider}',
  cancel: 'Cancel',
  pressAgain: 'Press Escape again to discard the key that you typed.',
  checking: 'Checking the key with {provider} …',
  saving: 'Saving the key …',

  selected: 'Selected {provider}: this looks like one of its keys.',
  mismatch: 'This looks like a(n) {likely} key, not a(n) {provider} one.',
  replaces: 'You already have a(n) {provider} key. The new one replaces it.',
  useKey: 'Use only the key',

  removed: 'This provider is no longer offered. You can only delete the key.',
  unreadable: 'This key can no longer be read. Enter it again.',
  unavailable:
    'Temporarily unavailable. Your key is still stored; you don’t need to enter it again.',
  accepted: 'Accepted by {provider}',
  unconfirmed: 'Not confirmed yet',
  rejected: 'Rejected by {provider}. Replace it.',
  outOfCredit: 'Out of credit at {provider} since {day}.',
  addCredit: 'Add credit',
  limitReached: 'Limit reached. It can be used again from {time}.',
  saved: 'Saved {time}',
  savedByOperator: 'The operator of this application saved this key for you.',
  tested: 'Last tested {time}',
  used: 'Last used {day}',
  neverUsed: 'Never used',
  expiresOn: 'Expires {day}',
  usesToday: '{used} of {count} uses today',
  usesThisMonth: '{used} of {count} uses this month',
  memberPerDay: 'Daily limit per member: {count}',
  memberPerMonth: 'Monthly limit per member: {count}',
  onlyCallers: 'Only {callers}',
  noCallers: 'No application may use it',
  expiresSoon: 'Expires {when}. Replace it.',
  expired: 'Expired {day}. Replace it.',
  unused: 'Not used for {days} days. Delete it if you don’t need it.',

  replace: 'Replace',
  setProvider: 'Set provider',
  test: 'Test',
  pause: 'Pause',
  resume: 'Resume',
  name: 'Name and order',
  limits: 'Limits',
  activity: 'Activity',
  delete: 'Delete',
  menu: 'More',
  actOn: '{action}: {provider} key',
  providerOfKey: 'Provider of this key',
  deleting: 'Deleting the key …',
  changing: 'Saving the change …',
  testAccepted: '{provider} accepts this key.',
  testUnknown: '{provider} did not confirm this key. Test it again later.',
  testOutOfCredit:
    '{provider} accepts this key. If you have added credit, the next use will show it.',
  deleteQuestion: 'Delete the {provider} key?',
  deleteConsequence: 'Applications can no longer use it. You cannot undo this.',
  deleteRevoke: 'The key still works at {provider}. If others may know it, revoke it there too.',

  savedAccepted: 'The {key} key is saved, and {provider} accepts it.',
  savedUnconfirmed:
    'The {key} key is saved, but {provider} has not confirmed it yet. Test it later.',
  savedOutOfCredit: 'The {key} key is saved, but the account is out of credit.',
  savedPlain: 'The key is saved.',
  savedPaused: 'It stays paused until you resume it.',
  sameKey: 'You also saved this key for {providers}.',
  deleted: 'The {provider} key is deleted.',
  changedElsewhere: 'This key was changed somewhere else.',
  deletedElsewhere: 'The {provider} key was deleted somewhere else.',
  lag: 'It can take up to {time} until this applies everywhere.',

  place: 'Order of use',
  saveName: 'Save',

  loadingEvents: 'Loading the activity …',
  close: 'Close',
  viaApi: '{caller} (via API)',

  event_paused: 'You paused the key',
  event_resumed: 'You resumed the key',
  event_limits_changed: 'You changed the limits of the key',
  event_renamed: 'You renamed the key',
  event_moved: 'You changed the order of the keys',

  slow: 'This takes longer than usual …',
  signIn: 'Sign in again',

  ...PROBLEM_TEXTS,
}

export type TextName = keyof typeof ENGLISH | keyof typeof PANEL_TEXTS

export type Texts = Record<TextName, string>
