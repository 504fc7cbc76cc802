/** The texts about problems in English. Other languages: `src/page/element/languages/`. */

/** `{name}` stands for a value. */
export const PROBLEM_TEXTS = {
  base_url_invalid: 'Enter an https URL on {hosts}, without a query.',
  api_key_paused: 'Paused. Applications cannot use it.',
  limits_invalid: 'Enter a whole number of uses, 1 or more.',

  key_empty: 'Enter a key.',
  key_too_long: 'This is too long to be a key.',
  key_masked: 'This is a masked key. Paste the whole key.',
  key_json: 'This is a JSON document. Paste only the key.',
  key_extras: 'There is more here than the key. Paste only the key.',
  key_white_space: 'The key has white space at character {position}.',
  key_non_ascii: 'Character {position} cannot be part of an API key.',
  key_service_account:
    'This is a Google service account file, not an API key. Create an API key for Vertex AI or Gemini.',
  key_aws_keys: 'These are AWS access keys, not an API key. Create an Amazon Bedrock API key.',
  key_url: 'This is a URL, not an API key.',
  api_key_invalid: 'This is not an API key.',

  retryIn: 'Try again in {time}.',
  reference: 'Reference: {id}',
  api_key_rejected: '{provider} does not accept this key.',
  api_key_expired: 'This key has expired. Replace it.',
  expires_at_invalid: 'Check the date of this device, then try again.',
  keyKept: 'Your previous key is still saved.',
  label_invalid:
    'A name has up to 40 characters: letters of one script, digits, hyphens, dots or underscores.',
  api_key_exists: 'There is such a key already. Choose another name, or reload the page.',
  too_many_keys: 'There are 10 {provider} keys already. Delete one first.',
  teams_not_in_token: 'Your sign-in does not say which teams you belong to. Contact support.',
  offline: 'You are offline. Try again when you are connected.',
  unreachable: 'We can’t reach the key service. Check your connection, then try again.',
  no_answer: 'The key service did not answer in time. Reload the page to see what was saved.',
  not_an_answer:
    'The answer did not come from the key service. Check your connection, then try again.',
  token_expired: 'Your session has ended. Sign in again.',
  token_invalid: 'Your sign-in is not accepted here. Sign in again, or contact support.',
  not_your_own:
    'These keys belong to another account or team. Sign in with an account that may see them.',
  user_not_found: 'Your account is not set up for keys yet. Contact support.',
  outdated: 'This page is out of date. Reload it.',
  changed_meanwhile: 'This key was changed somewhere else. Check it, then try again.',
  rate_limited: 'Too many attempts.',
  database_busy: 'The key service is busy.',
  fault: 'Something went wrong in the key service. Try again, or contact support.',
}

export type ProblemText = keyof typeof PROBLEM_TEXTS

/** Whether there is a text of this name about a problem. */
export function isProblemText(name: string): name is ProblemText {
  return Object.hasOwn(PROBLEM_TEXTS, name)
}

export type Values = Record<string, string | number>

/** The text with its values. A placeholder without a value stays. */
export function fillText(text: string, values: Values = {}): string {
  return text.replace(/\{(\w+)\}/g, (placeholder, key: string) =>
    String(values[key] ?? placeholder),
  )
}

/** What stands between `sentence` and the next one: nothing after a full-width mark, otherwise a space. */
export function gapAfter(sentence: string): string {
  return /[。！？]$/.test(sentence) ? '' : ' '
}
