import { expect, it } from 'vitest'
import { Problem, type ProblemCode } from '../../../src/callers/browser/problem.ts'
import { sayProblem, sayReason } from '../../../src/callers/browser/problem-text.ts'
import { english } from '../../page/element/shown.ts'

it.for<[code: ProblemCode, slot: { hosts: string[]; key: unknown } | undefined, text: string]>([
  ['api_key_rejected', undefined, ' does not accept this key.'],
  ['api_key_rejected', { hosts: [], key: null }, ' does not accept this key.'],
  [
    'api_key_rejected',
    { hosts: [], key: {} },
    ' does not accept this key. Your previous key is still saved.',
  ],
  [
    'base_url_invalid',
    { hosts: ['a.test', 'b.test'], key: null },
    'Enter an https URL on a.test or b.test, without a query.',
  ],
])('says %s for the slot %j', ([code, slot, text]) => {
  expect(sayProblem(new Problem(code), english, slot)).toBe(text)
})

it('says in general words why a newer service refuses a text', () => {
  expect(sayReason(JSON.parse('{"reason":"new"}'), english.say)).toBe('This is not an API key.')
})

it.for(['new', 'constructor', 'toString'])('says in general words an unknown code: %s', (name) => {
  const { code }: { code: ProblemCode } = JSON.parse(JSON.stringify({ code: name }))
  expect(sayProblem(new Problem(code), english)).toBe(
    'Something went wrong in the key service. Try again, or contact support.',
  )
})
