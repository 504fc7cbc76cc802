import { describe, expect, it } from 'vitest'
import { readProblem } from '../../../src/callers/browser/problem.ts'
import type { ProblemCode } from '../../../src/page/element/host.ts'
import { describeProblem, Problem } from '../../../src/page/element/problem.ts'
import { errorCode } from '../../../src/shared/answers.ts'
import { english, someKey, someSlot, translated } from './shown.ts'

const FAULT = 'Something went wrong in the key service. Try again, or contact support.'
const ENDED = 'Your session has ended. Sign in again.'
const OUTDATED = 'This page is out of date. Reload it.'
const BUSY = 'The key service is busy.'
const UNREACHABLE = 'We can’t reach the key service. Check your connection, then try again.'

/** What a person reads, whose slot of OpenAI is empty. */
const TEXTS: Record<ProblemCode, string> = {
  offline: 'You are offline. Try again when you are connected.',
  unreachable: UNREACHABLE,
  no_answer: 'The key service did not answer in time. Reload the page to see what was saved.',
  not_an_answer:
    'The answer did not come from the key service. Check your connection, then try again.',
  token_missing: ENDED,
  token_expired: ENDED,
  token_invalid: 'Your sign-in is not accepted here. Sign in again, or contact support.',
  not_your_own:
    'These keys belong to another account or team. Sign in with an account that may see them.',
  user_not_found: 'Your account is not set up for keys yet. Contact support.',
  unknown_provider: OUTDATED,
  label_invalid:
    'A name has up to 40 characters: letters of one script, digits, hyphens, dots or underscores.',
  api_key_exists: 'There is such a key already. Choose another name, or reload the page.',
  too_many_keys: 'There are 10 OpenAI keys already. Delete one first.',
  teams_not_in_token: 'Your sign-in does not say which teams you belong to. Contact support.',
  no_api_key: OUTDATED,
  invalid_query: OUTDATED,
  invalid_precondition: OUTDATED,
  changed_meanwhile: 'This key was changed somewhere else. Check it, then try again.',
  api_key_invalid: 'This is not an API key.',
  api_key_rejected: 'OpenAI does not accept this key.',
  api_key_expired: 'This key has expired. Replace it.',
  api_key_paused: 'Paused. Applications cannot use it.',
  base_url_invalid: 'Enter an https URL on a.test or b.test, without a query.',
  expires_at_invalid: 'Check the date of this device, then try again.',
  limits_invalid: 'Enter a whole number of uses, 1 or more.',
  body_too_large: 'This is too long to be a key.',
  body_too_slow: UNREACHABLE,
  rate_limited: 'Too many attempts.',
  database_busy: BUSY,
  token_keys_unreachable: BUSY,
  unhealthy: BUSY,
  internal: FAULT,
  server_misconfigured: FAULT,
  api_key_missing: FAULT,
  invalid_json: FAULT,
  content_type_not_json: FAULT,
  not_found: FAULT,
  method_not_allowed: FAULT,
  not_granted: FAULT,
  scope_missing: FAULT,
  provider_not_granted: FAULT,
  invalid_argument: FAULT,
  origin_not_allowed: FAULT,
  api_key_unreadable: FAULT,
  caller_not_allowed: FAULT,
  limit_reached: FAULT,
  provider_unreachable: FAULT,
  upgrade_not_supported: FAULT,
  team_required: FAULT,
  team_settings_invalid: FAULT,
}
const ALL = [...errorCode.options, 'offline', 'unreachable', 'no_answer', 'not_an_answer'] as const

const slot = someSlot({ hosts: ['a.test', 'b.test'] })

describe('a problem', () => {
  it.for(ALL)('%s is said in plain words, and is a fault if only the operator can help', (code) => {
    const problem = new Problem(code, { requestId: 'request-1' })
    expect(describeProblem(problem, english, slot)).toBe(TEXTS[code])
    expect(problem.isFault).toBe(TEXTS[code] === FAULT)
  })

  it('a fault without a request id is not one that the operator can find', () => {
    expect(new Problem('internal').isFault).toBe(false)
  })

  it('says that the previous key is kept if the new one is rejected', () => {
    const kept = 'OpenAI does not accept this key. Your previous key is still saved.'
    const problem = new Problem('api_key_rejected')
    expect(describeProblem(problem, english, someSlot({ key: someKey() }))).toBe(kept)
    expect(describeProblem(problem, english, someSlot({ key: 'unreadable' }))).toBe(kept)
  })

  it('says in its own language what is wrong with a key, from the reason of the service', async () => {
    const answer = { code: 'api_key_invalid', detail: 'has white space', reason: 'white_space' }
    const problem = await readProblem(Response.json({ ...answer, index: 6 }, { status: 400 }))
    expect(describeProblem(problem, english, slot)).toBe('The key has white space at character 7.')
    expect(describeProblem(problem, translated('de'), slot)).toContain('7')
    const masked = { ...answer, reason: 'masked' }
    expect(
      describeProblem(await readProblem(Response.json(masked, { status: 400 })), english),
    ).toBe('This is a masked key. Paste the whole key.')
  })

  it.for(['api_key_invalid', 'token_invalid'] as const)(
    'does not show the detail of %s, which is for whoever builds the application',
    (code) => {
      const problem = new Problem(code, { detail: 'It is not a JWT in compact form.' })
      expect(describeProblem(problem, english, slot)).toBe(TEXTS[code])
    },
  )

  it.for([
    ['de', ' '],
    ['ja', ''],
    ['zh-Hans', ''],
  ] as const)('two sentences of a problem in %s have "%s" between them', ([name, gap]) => {
    const language = translated(name)
    const refused = language.say('api_key_rejected', { provider: 'OpenAI' })
    const text = describeProblem(
      new Problem('api_key_rejected'),
      language,
      someSlot({ key: someKey() }),
    )
    expect(text).toBe(refused + gap + language.say('keyKept'))
  })
})
